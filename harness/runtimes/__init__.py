"""Runtimes: an engine that loads one model file and runs it. Enter = load, infer, exit = free.

Engines are imported where they are used, in the worker process, never here.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Mapping, Protocol, Sequence, Tuple

from harness.case import Array, TensorSpec
from harness.errors import ConfigError, EngineError
from harness.members import member

RUNTIMES = {
    "onnxruntime": "harness.runtimes.onnxruntime:OnnxRuntime",
    "openvino": "harness.runtimes.openvino:OpenVino",
    "litert": "harness.runtimes.litert:LiteRt",
    "executorch": "harness.runtimes.executorch:ExecuTorch",
    "torch": "harness.runtimes.torch:Torch",
    "tensorrt": "harness.runtimes.tensorrt:TensorRt",
    "trtexec": "harness.runtimes.trtexec:TrtExec",
    "qnn": "harness.runtimes.qnn:QnnNetRun",
    "snpe": "harness.runtimes.snpe:SnpeNetRun",
    "external": "harness.runtimes.external:External",
    "simulated": "harness.runtimes.simulated:Simulated",
    "null": "harness.runtimes.null:Null",
}

FORMATS: Mapping[str, Tuple[str, ...]] = {
    "onnxruntime": ("onnx",),
    "openvino": ("onnx",),
    "litert": ("tflite",),
    "executorch": ("pte",),
    "torch": ("pt2",),
    "tensorrt": ("engine", "onnx"),
    "trtexec": ("engine", "onnx"),
    "qnn": ("qnn",),
    "snpe": ("dlc",),
    "external": ("external", "onnx", "tflite"),
    "simulated": ("sim",),
    "null": ("onnx", "tflite", "sim"),
}


class Runtime(Protocol):
    """One engine with one model, usable as a context manager.

    The constructor only keeps its arguments, `prepare` imports the engine, entering loads the
    model; EngineError says what is missing or what the engine refused. A runtime with an own
    `clock` (the simulated one) is timed by it, CPU time included; otherwise time.perf_counter_ns is the clock.
    `begin_run(number)`, where there is one, is called before any clock runs; `marks`, name with unit -> number, are
    laid over those of the run.
    """

    def prepare(self) -> None: ...

    def __enter__(self) -> Runtime: ...

    def __exit__(self, *error: object) -> None: ...

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    @property
    def in_calling_thread(self) -> bool:
        """True where all computing happens in the thread that calls `infer`."""
        ...

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        """Run once; arrays by tensor name, in the dtypes that the specs declare."""
        ...

    def facts(self) -> Dict[str, Any]:
        """What really runs: engine, version, precision, threads, providers, and where the engine tells them

        placement: unit -> share of the model's nodes; promised: the unit that the profile's entry promises; partitions:
        into how many pieces that unit took the model; layer_precisions: precision -> share of the layers; fusion:
        "convolutions", of these "with_activation", and "batch_norms" that were left.
        """
        ...


def open_runtime(name: str, model_path: str, options: Mapping[str, Any]) -> Runtime:
    """The engine `name` for one model file, not yet loaded; ConfigError for an unknown name or option."""
    maker = runtime_class(name)
    try:
        runtime: Runtime = maker(model_path, **options)
    except TypeError as error:
        raise ConfigError(f"runtime options do not fit {name!r}: {error}") from error
    return runtime


def runtime_class(name: str) -> Any:
    """The class of the engine `name`; its keyword arguments are the engine's options. ConfigError if unknown."""
    return member("runtime", name, RUNTIMES)


def missing_engine(package: str, extra: str, error: ImportError) -> EngineError:
    """The error of an engine that this interpreter does not have."""
    return EngineError(
        f"the engine {package} cannot be imported: {error}",
        where=f"the worker's interpreter {sys.executable}",
        remedy=f"pip install 'dms-harness[{extra}]' there, or take the runtime out of the device profile",
    )
