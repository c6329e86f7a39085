"""Prints, as JSON, what the TensorRT bindings on this interpreter's path have: "Class.name" -> its docstring.

With them go answers of the adapter's own classes that derive from TensorRT's, which need no GPU.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from pathlib import Path

import numpy as np
import tensorrt_bindings as trt

from harness.case import TensorSpec
from harness.runtimes.tensorrt_calibration import CalibrationFrames, make_calibrator
from harness.runtimes.tensorrt_library import load_plugins, make_log, version_of
from harness.runtimes.tensorrt_network import network_kinds
from harness.runtimes.tensorrt_session import make_profiler
from harness.runtimes.tensorrt_types import DTYPES, dtype_of


class NoCuda:
    """Where the memory of a GPU would be."""

    def stream(self) -> int:
        return 1

    def allocate(self, size_bytes: int) -> int:
        return 4096

    def copy_in(self, *words: int) -> None:
        pass

    def wait_stream(self, stream: int) -> None:
        pass


def surface() -> dict[str, str]:
    found = {}
    for name in dir(trt):
        member = getattr(trt, name)
        if not isinstance(member, types.ModuleType):
            found[name] = words(member.__init__ if isinstance(member, type) else member)
        if isinstance(member, type):
            found.update({f"{name}.{one}": words(inspect.getattr_static(member, one)) for one in dir(member)})
    return found


def words(member: object) -> str:
    return str(getattr(member, "__doc__", "") or "")[:2000]


def answers(folder: Path) -> dict[str, object]:
    log = make_log(trt)
    log.log(trt.ILogger.ERROR, "no memory")
    log.log(trt.ILogger.INFO, "[DlaLayer] {ForeignNode[a...b]}")
    load_plugins(trt, log, ())
    profiler = make_profiler(trt)
    profiler.report_layer_time("conv", 0.5)
    profiler.report_layer_time("conv", 0.25)
    return {
        "version": version_of(trt), "errors": log.errors, "placed": log.placed, "profile": profiler.total_ms,
        "weakly": sum(1 << int(kind) for kind in network_kinds(trt, True).values()),
        "strongly": list(network_kinds(trt, False)), "calibrators": calibrators(folder),
        "dtypes": {name: dtype_of(getattr(trt.DataType, name), "x") for name in DTYPES if hasattr(trt.DataType, name)},
    }  # fmt: skip


def calibrators(folder: Path) -> dict[str, object]:
    if not hasattr(trt, "IInt8EntropyCalibrator2"):
        return {}
    np.savez(folder / "frames.npz", image=np.zeros((5, 3), np.float32))
    frames = CalibrationFrames(str(folder / "frames.npz"), {"image": TensorSpec("image", (2, 3), "float32")})
    found = {}
    for kind in ("entropy", "minmax"):
        one = make_calibrator(trt, kind, frames, NoCuda(), folder / kind)
        before = one.read_calibration_cache()
        one.write_calibration_cache(b"ranges")
        taken = [one.get_batch(["image"]) for _ in range(3)]
        found[kind] = [one.get_batch_size(), taken, before, one.read_calibration_cache().decode()]
    return found


print(json.dumps({"surface": surface(), "answers": answers(Path(sys.argv[1]))}))
