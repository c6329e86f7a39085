"""Qualcomm AI Engine Direct by its command-line tools qnn-net-run and qnn-profile-viewer; never run on the device.

Flags and files: the SDK's tool documentation (80-63442-50) and public scripts; docs/command-tools.md.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Mapping, NoReturn, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.runtimes.command import Finished, Tensors, WindowTimes
from harness.runtimes.netrun import refuse_quantised, zeros
from harness.runtimes.netrun_engine import NetRun
from harness.tooloutput.qnn import Event, Report, execute_us, parse_events, parse_report

SOC = Path("/sys/devices/soc0/machine")
OTHER_SOC = re.compile(r".*(?:feature arch with value|create context from binary|context de-?serializ).*", re.I)
VERSION = re.compile(r"build version: *v?([\d.]+)")
LOADING = ("Init Stats", "Compose Graphs Stats", "Finalize Stats")
ACCELERATOR = "Accelerator (execute) time"
US_NS = 1e3


class QnnNetRun(NetRun):
    """One model library (.so), context binary (.bin) or .dlc on one backend.

    backend: the backend's library. command, viewer: the tools. profiling_level: `basic` or `detailed`. perf_profile:
    of the HTP, such as burst. native: files hold the tensors' own types. dlc_library: what opens a .dlc.
    arguments: further ones for qnn-net-run. environment: such as LD_LIBRARY_PATH and ADSP_LIBRARY_PATH.
    deadline_s: of each process.
    """

    tool = "qnn-net-run"
    profiles = ("qnn-profiling-data_0.log", "qnn-profiling-data.log")

    def __init__(
        self,
        model_path: str,
        backend: str = "libQnnHtp.so",
        command: str = "qnn-net-run",
        viewer: str = "qnn-profile-viewer",
        profiling_level: str = "basic",
        perf_profile: str = "",
        native: bool = False,
        dlc_library: str = "libQnnModelDlc.so",
        arguments: Tuple[str, ...] = (),
        environment: Optional[Mapping[str, str]] = None,
        deadline_s: float = 600.0,
    ) -> None:
        super().__init__(model_path, command, viewer, perf_profile, arguments, environment, deadline_s)
        self._backend, self._native, self._dlc_library = backend, native, dlc_library
        self._level = profiling_level
        self._version, self._graphs, self._settings = "unknown", 0, {"profiling_level": profiling_level}

    def __enter__(self) -> QnnNetRun:
        super().__enter__()
        if not self._native:
            refuse_quantised(self.inputs, self.outputs, self._model_path)
        self._model_arguments()
        # A process of its own proves that the backend takes the whole model, before anything is measured.
        self.time_window([zeros(self.inputs)], 1)
        return self

    def time_window(self, feeds: Sequence[Tensors], frames: int) -> WindowTimes:
        """One process; the time of each execution by qnn-net-run's own clock, or averages from an old viewer."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            more = ("--profiling_level", self._level, "--num_inferences", str(frames), "--keep_num_outputs", "1")
            done = self._run(feeds, len(feeds), folder, more)
            report, events = self._profile(folder)
        version = VERSION.search(done.log)
        self._version, self._graphs = version[1] if version else self._version, len(report.graphs)
        infer_ns = _infer_ns(events, frames)
        return WindowTimes(infer_ns, {**_marks(report), **done.marks}, self._told(infer_ns))

    def facts(self) -> Dict[str, Any]:
        unit = _unit(self._backend)
        found: Dict[str, Any] = {
            "engine": "qnn-net-run", "version": self._version, "precision": "as in the file", "providers": [unit],
            "session_config": {**self._settings, "perf_profile": self._perf_profile or "the tool's default"},
            # A graph is composed on one backend, which takes all of it or refuses it.
            "placement": {unit: 1.0}, "promised": unit,
        }  # fmt: skip
        return {**found, "partitions": self._graphs} if self._graphs else found

    def _run(self, feeds: Sequence[Tensors], frames: int, folder: Path, more: Sequence[str]) -> Finished:
        try:
            return super()._run(feeds, frames, folder, more)
        except EngineError as error:
            self._explain(error)

    def _explain(self, error: EngineError) -> NoReturn:
        """Say so where the file was made for another SoC: the tool's own words do not."""
        words = OTHER_SOC.search(error.what)
        if not words or not self._model_path.endswith(".bin"):
            raise error
        soc = SOC.read_text(encoding="utf-8").strip() if SOC.is_file() else "this device"
        raise EngineError(
            f"the context binary {Path(self._model_path).name} is for another SoC than {soc}: {error.what}",
            where=self._model_path, remedy=f"generate it for {soc} and the QNN version that is installed there",
        ) from error  # fmt: skip

    def _model_arguments(self) -> Tuple[str, ...]:
        kinds = {
            ".so": ("--model", self._model_path),
            ".bin": ("--retrieve_context", self._model_path),
            ".dlc": ("--model", self._dlc_library, "--dlc_path", self._model_path),
        }
        suffix = Path(self._model_path).suffix
        if suffix not in kinds:
            raise EngineError(
                f"qnn-net-run takes no {suffix or 'file without a suffix'}", where=self._model_path,
                remedy="give a model library (.so), a context binary (.bin) or a .dlc",
            )  # fmt: skip
        native = ("--use_native_input_files", "--use_native_output_files") if self._native else ()
        return (*kinds[suffix], "--backend", self._backend, *native)

    def _profile(self, folder: Path) -> Tuple[Report, Tuple[Event, ...]]:
        log, rows = self._profile_log(folder), folder / "profile.csv"
        text = self._viewer.run(["--input_log", str(log), "--output", str(rows)], folder).log
        try:
            events = parse_events(rows.read_text(encoding="utf-8")) if rows.is_file() else ()
            return parse_report(text), events
        except ValueError as error:
            raise EngineError(
                f"the profile cannot be read: {error}", where="qnn-profile-viewer",
                remedy="use the viewer of the same QNN version as qnn-net-run",
            ) from error  # fmt: skip

    def _told(self, infer_ns: Array) -> Dict[str, Any]:
        each = "each execution" if len(infer_ns) else "only the average"
        return {"window": f"qnn-net-run ran the frames back to back and told {each}, without reading and writing files"}


def _infer_ns(events: Sequence[Event], frames: int) -> Array:
    """int64 [frames], or empty where the viewer wrote no row per execution."""
    if not events:
        return np.zeros(0, np.int64)
    found = execute_us(tuple(events), "NETRUN", "Graph")
    if len(found) != frames:
        raise EngineError(
            f"the profile has {len(found)} executions for {frames} frames", where="qnn-profile-viewer",
            remedy="one graph per model file; and the viewer of the same QNN version as qnn-net-run",
        )  # fmt: skip
    return np.round(np.array(found) * US_NS).astype(np.int64)


def _marks(report: Report) -> Dict[str, float]:
    average = "Execute Stats (Average)"
    mean, accelerator = report.find(average, "NetRun"), report.find(average, ACCELERATOR)
    loading = [one for one in (report.find(section, "NetRun") for section in LOADING) if one is not None]
    marks = {"load_ns": sum(loading) * US_NS} if loading else {}
    if mean:
        marks["infer_mean_ns"] = mean * US_NS
    if mean and accelerator:
        marks["accelerator_mean_ns"], marks["accelerator_share"] = accelerator * US_NS, accelerator / mean
    return marks


def _unit(backend: str) -> str:
    """HTP of libQnnHtp.so."""
    found = re.search(r"Qnn(\w+?)(?:V\d+)?\.(?:so|dll)", Path(backend).name)
    return found[1].upper() if found else Path(backend).name
