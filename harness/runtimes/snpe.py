"""Qualcomm SNPE by its command-line tools snpe-net-run and snpe-diagview; never run on the device.

snpe-diagview tells averages only: there is no time of a single frame and so no percentile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.errors import EngineError
from harness.runtimes.command import Tensors, WindowTimes
from harness.runtimes.netrun import refuse_quantised, zeros
from harness.runtimes.netrun_engine import NetRun
from harness.tooloutput.snpe import Diagnosis, parse_diagnosis

UNITS = {"cpu": "CPU", "gpu": "GPU", "dsp": "DSP", "aip": "AIP"}
US_NS = 1e3


class SnpeNetRun(NetRun):
    """One .dlc on one runtime: `cpu`, `gpu`, `dsp` or `aip`; the tool refuses what that cannot run.

    command, viewer: the tools. perf_profile: such as burst. arguments: further ones for snpe-net-run. environment:
    such as LD_LIBRARY_PATH and ADSP_LIBRARY_PATH. deadline_s: of each process.
    """

    tool = "snpe-net-run"
    profiles = ("SNPEDiag_0.log", "SNPEDiag.log")
    unprofiled = ("--profiling_level", "off")

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
        super().__init__(model_path, command, viewer, perf_profile, arguments, environment, deadline_s)
        self._runtime = runtime
        self._layers: Optional[Diagnosis] = None

    def prepare(self) -> None:
        """Find both tools; EngineError for a runtime that SNPE does not have."""
        if self._runtime not in UNITS:
            raise EngineError(
                f"SNPE has no runtime {self._runtime!r}", where="option runtime of the device profile",
                remedy=f"write one of {', '.join(UNITS)}",
            )  # fmt: skip
        super().prepare()

    def __enter__(self) -> SnpeNetRun:
        super().__enter__()
        refuse_quantised(self.inputs, self.outputs, self._model_path)
        # Times per layer slow the whole down, so they come from a process that is not measured.
        with tempfile.TemporaryDirectory() as name:
            self._run([zeros(self.inputs)], 1, Path(name), ("--profiling_level", "detailed"))
            self._layers = self._diagnosis(Path(name))
        return self

    def time_window(self, feeds: Sequence[Tensors], frames: int) -> WindowTimes:
        """One process; averages over all of its frames."""
        with tempfile.TemporaryDirectory() as name:
            done = self._run(feeds, frames, Path(name), ("--profiling_level", "basic"))
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

    def _model_arguments(self) -> Tuple[str, ...]:
        unit = () if self._runtime == "cpu" else (f"--use_{self._runtime}",)
        return ("--container", self._model_path, *unit)

    def _diagnosis(self, folder: Path) -> Diagnosis:
        log = self._profile_log(folder)
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
