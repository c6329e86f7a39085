"""Qualcomm SNPE by its command-line tools snpe-net-run and snpe-diagview; never run on the device.

snpe-diagview tells averages only: there is no time of a single frame and so no percentile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.errors import EngineError
from harness.runtimes.command import Finished, Tensors, Tool, WindowTimes
from harness.runtimes.netrun import read_results, read_tensors, refuse_quantised, write_input_list, zeros
from harness.tooloutput.snpe import Diagnosis, parse_diagnosis

UNITS = {"cpu": "CPU", "gpu": "GPU", "dsp": "DSP", "aip": "AIP"}
PROFILES = ("SNPEDiag_0.log", "SNPEDiag.log")
US_NS = 1e3


class SnpeNetRun:
    """One .dlc on one runtime: `cpu`, `gpu`, `dsp` or `aip`; the tool refuses what that cannot run.

    command, viewer: the tools. perf_profile: such as burst. arguments: further ones for snpe-net-run. environment:
    such as LD_LIBRARY_PATH and ADSP_LIBRARY_PATH. deadline_s: of each process.
    """

    windowed = True
    in_calling_thread = False

    def __init__(
        self,
        model_path: str,
        runtime: str = "dsp",
        command: str = "snpe-net-run",
        viewer: str = "snpe-diagview",
        perf_profile: str = "",
        arguments: Tuple[str, ...] = (),
        environment: Optional[Mapping[str, str]] = None,
        deadline_s: float = 600.0,
    ) -> None:
        self._model_path, self._runtime, self._perf_profile = model_path, runtime, perf_profile
        self._arguments = tuple(arguments)
        self._net_run = Tool(command, "command", deadline_s, environment or {})
        self._viewer = Tool(viewer, "viewer", deadline_s, environment or {})
        self._layers: Optional[Diagnosis] = None

    def prepare(self) -> None:
        """Find both tools; EngineError for a runtime that SNPE does not have."""
        if self._runtime not in UNITS:
            raise EngineError(
                f"SNPE has no runtime {self._runtime!r}", where="option runtime of the device profile",
                remedy=f"write one of {', '.join(UNITS)}",
            )  # fmt: skip
        self._net_run.find()
        self._viewer.find()

    def __enter__(self) -> SnpeNetRun:
        self.inputs, self.outputs = read_tensors(self._model_path)
        refuse_quantised(self.inputs, self.outputs, self._model_path)
        # Times per layer slow the whole down, so they come from a process that is not measured.
        with tempfile.TemporaryDirectory() as name:
            self._run([zeros(self.inputs)], 1, Path(name), "detailed")
            self._layers = self._diagnosis(Path(name))
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def infer(self, feeds: Tensors) -> Tensors:
        return self.infer_many([feeds])[0]

    def infer_many(self, feeds: Sequence[Tensors]) -> List[Tensors]:
        """The outputs of each frame, all from one process."""
        with tempfile.TemporaryDirectory() as name:
            self._run(feeds, len(feeds), Path(name), "off")
            return read_results(Path(name) / "output", len(feeds), self.outputs)

    def time_window(self, feeds: Sequence[Tensors], frames: int) -> WindowTimes:
        """One process; averages over all of its frames."""
        with tempfile.TemporaryDirectory() as name:
            done = self._run(feeds, frames, Path(name), "basic")
            found = self._diagnosis(Path(name))
        marks = {**_marks(found), **done.marks}
        return WindowTimes(
            np.zeros(0, np.int64),
            marks,
            {"window": f"snpe-net-run told the average of {frames} frames, its first ones too"},
        )

    def facts(self) -> Dict[str, Any]:
        unit, layers = UNITS[self._runtime], self._layers
        found: Dict[str, Any] = {
            "engine": "snpe-net-run", "version": (layers.version if layers else "") or "unknown",
            "precision": "as in the file", "providers": [unit], "promised": unit,
            "session_config": {"runtime": self._runtime, "perf_profile": self._perf_profile or "the tool's default"},
        }  # fmt: skip
        if layers and layers.layers:
            found["placement"] = layers.placement
            found["partitions"] = layers.partitions.get(unit, 0)
        return found

    def _run(self, feeds: Sequence[Tensors], frames: int, folder: Path, level: str) -> Finished:
        listed = write_input_list(feeds, frames, self.inputs, folder)
        unit = () if self._runtime == "cpu" else (f"--use_{self._runtime}",)
        profile = ("--perf_profile", self._perf_profile) if self._perf_profile else ()
        return self._net_run.run(
            ["--container", self._model_path, "--input_list", str(listed), "--output_dir", str(folder / "output"),
             *unit, *profile, "--profiling_level", level, *self._arguments], folder,
        )  # fmt: skip

    def _diagnosis(self, folder: Path) -> Diagnosis:
        log = next((folder / "output" / name for name in PROFILES if (folder / "output" / name).is_file()), None)
        if log is None:
            raise EngineError(f"snpe-net-run wrote no profile ({' or '.join(PROFILES)})", where=self._model_path)
        try:
            return parse_diagnosis(self._viewer.run(["--input_log", str(log)], folder).log)
        except ValueError as error:
            raise EngineError(
                f"the profile cannot be read: {error}", where="snpe-diagview",
                remedy="use snpe-diagview of the same SNPE version as snpe-net-run",
            ) from error  # fmt: skip


def _marks(found: Diagnosis) -> Dict[str, float]:
    told = found.microseconds
    names = {"infer_mean_ns": "Total Inference Time", "load_ns": "Init", "accelerator_mean_ns": "Accelerator Time"}
    marks = {mark: value * US_NS for mark, value in ((mark, told.get(name)) for mark, name in names.items()) if value}
    if found.accelerator_share is not None:
        marks["accelerator_share"] = found.accelerator_share
    return marks
