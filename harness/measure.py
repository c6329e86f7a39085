"""One run in one fresh process: load, warm up, push frames, keep the raw numbers."""

from __future__ import annotations

import gc
import itertools
import os
import platform
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from harness.case import STAGES, Array, Job, Plan, Run
from harness.frames import Frame, read_pack
from harness.pipeline import Clock, NullPipeline, Pipeline, Record, push, split_records
from harness.probes import memory as process_memory
from harness.runtimes import Runtime, open_runtime
from harness.tasks import open_task
from harness.tasks.preprocess import RESIZER

Say = Callable[[str, int, int], None]
COST_FRAMES = 2000
CHUNK_FRAMES = 60


def measure(job: Job, say: Say) -> Run:
    """Carry out `job`. `say` is told (phase, frames done, frames in all) outside the timed loops.

    Raises EngineError, DatasetError or whatever the engine itself raises.
    """
    frames = read_pack(Path(job.frames_path))
    runtime = open_runtime(job.engine, job.model_path, job.options)
    session = _Session(job, runtime, frames, say)
    with session.loaded() as pipeline:
        timed = session.time(pipeline) if job.timed else session.untimed()
        return replace(timed, predictions=session.predict(pipeline)) if job.labelled_path else timed


class _Session:
    """The marks and facts that one run collects on its way."""

    def __init__(self, job: Job, runtime: Runtime, frames: Sequence[Frame], say: Say) -> None:
        self._job, self._runtime, self._frames, self._say = job, runtime, frames, say
        self._clock: Clock = getattr(runtime, "clock", time.perf_counter_ns)
        own_cpu_clock: Clock = getattr(runtime, "clock", time.thread_time_ns)
        self._cpu_clock: Clock = own_cpu_clock if runtime.in_calling_thread else _no_clock
        self._memory: Any = getattr(runtime, "memory", process_memory)
        self._marks: Dict[str, float] = {"file_bytes": os.path.getsize(job.model_path)}
        self._facts: Dict[str, Any] = _machine_facts(job)

        self._set("device_memory_bytes", process_memory.device_bytes())

    @contextmanager
    def loaded(self) -> Iterator[Pipeline]:
        """Import the engine and load the model, each timed and weighed; free at the end."""
        self._say("loading", 0, 1)
        self._weigh("rss_before_import_bytes")
        start = self._clock()
        self._runtime.prepare()
        self._marks["import_ns"] = self._clock() - start
        self._weigh("rss_after_import_bytes")
        self._memory.reset_peak()
        start = self._clock()
        with self._runtime as runtime:
            self._marks["load_ns"] = self._clock() - start
            self._weigh("rss_after_load_bytes")
            self._mark_peak("peak_load_bytes")
            yield Pipeline(self._job, runtime, open_task(self._job.task, self._job.input))

    def time(self, pipeline: Pipeline) -> Run:
        """First inference, warm-up, timed frames, liveness; in this order."""
        self._measure_own_cost()
        self._first_inference(pipeline)
        plan = self._job.plan
        warmup_ns = self._warm_up(pipeline, plan)
        self._memory.reset_peak()
        columns = split_records(self._timed(pipeline, plan))
        self._weigh("rss_steady_bytes")
        self._mark_peak("peak_steady_bytes")
        self._check_alive(pipeline)
        return self._run(columns, warmup_ns)

    def untimed(self) -> Run:
        """A Run that holds marks and facts only."""
        return self._run(split_records([]), np.zeros(0, np.int64))

    def predict(self, pipeline: Pipeline) -> Tuple[Array, ...]:
        """Every frame of the labelled pack once."""
        frames = read_pack(Path(self._job.labelled_path))
        predictions: List[Array] = []
        for index, frame in enumerate(frames):
            feeds, geometry = pipeline.pre(frame)
            predictions.append(pipeline.post(pipeline.infer(feeds), geometry))
            if index % 100 == 0:
                self._say("accuracy", index, len(frames))
        return tuple(predictions)

    def _first_inference(self, pipeline: Pipeline) -> None:
        self._memory.reset_peak()
        first = split_records(push(self._frames[:1], pipeline, self._clock, _no_clock))
        self._marks["first_inference_ns"] = int(first["infer"][0])
        self._mark_peak("peak_first_bytes")

    def _warm_up(self, pipeline: Pipeline, plan: Plan) -> Array:
        """Windows of frames until two in a row have medians within the tolerance, or the cap is reached."""
        source = itertools.cycle(self._frames)
        windows: List[Array] = []
        steady = False
        while not steady and len(windows) * plan.warmup_window < plan.warmup_cap_frames:
            self._say("warm-up", len(windows) * plan.warmup_window, plan.warmup_cap_frames)
            taken = itertools.islice(source, plan.warmup_window)
            windows.append(split_records(push(taken, pipeline, self._clock, _no_clock))["frame"])
            steady = len(windows) > 1 and _agree(windows[-2], windows[-1], plan.warmup_tolerance)
        self._facts["steady"] = steady
        return np.concatenate(windows) if windows else np.zeros(0, np.int64)

    def _timed(self, pipeline: Pipeline, plan: Plan) -> List[Record]:
        source = itertools.cycle(self._frames)
        records: List[Record] = []
        until = self._clock() + int(plan.minimum_s * 1e9)
        with garbage_collector_off():
            while len(records) < plan.frames or self._clock() < until:
                self._say("measuring", len(records), max(plan.frames, len(records) + 1))
                left = plan.frames - len(records)
                chunk = itertools.islice(source, min(CHUNK_FRAMES, left) if left > 0 else CHUNK_FRAMES)
                records += push(chunk, pipeline, self._clock, self._cpu_clock)
        return records

    def _measure_own_cost(self) -> None:
        """What the harness adds to a frame, from a pipeline that does nothing."""
        with garbage_collector_off():
            columns = split_records(
                push(itertools.repeat(self._frames[0], COST_FRAMES), NullPipeline(), self._clock, self._cpu_clock)
            )
        residual = _residual(columns)
        self._marks["harness_cost_median_ns"] = float(np.median(columns["frame"]))
        self._marks["harness_cost_p99_ns"] = float(np.percentile(columns["frame"], 99))
        self._marks["harness_residual_median_ns"] = float(np.median(residual))
        self._marks["harness_residual_p99_ns"] = float(np.percentile(residual, 99))
        self._marks["timer_resolution_ns"] = timer_resolution_ns(self._clock)

    def _check_alive(self, pipeline: Pipeline) -> None:
        """Are the outputs finite, different for different frames, equal for the same frame?"""
        answers = [_digest(pipeline.infer(pipeline.pre(frame)[0])) for frame in (*self._frames, self._frames[0])]
        self._facts["outputs_finite"] = all(finite for _, finite in answers)
        self._facts["outputs_vary"] = len({digest for digest, _ in answers}) > 1 or len(self._frames) == 1
        self._facts["outputs_repeat"] = answers[0] == answers[-1]

    def _run(self, columns: Dict[str, Array], warmup_ns: Array) -> Run:
        self._facts.update(self._runtime.facts())
        return Run(
            stages={name: columns[name] for name in STAGES},
            frame_ns=columns["frame"],
            start_ns=columns["start"],
            cpu_ns=columns["cpu"] if self._runtime.in_calling_thread else columns["cpu"][:0],
            warmup_ns=warmup_ns,
            marks=self._marks,
            facts=self._facts,
        )

    def _weigh(self, mark: str) -> None:
        self._set(mark, self._memory.resident_bytes())

    def _mark_peak(self, mark: str) -> None:
        self._set(mark, self._memory.peak_bytes())

    def _set(self, mark: str, value: Any) -> None:
        if value is not None:
            self._marks[mark] = value


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """No collection inside; one full collection before."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def timer_resolution_ns(clock: Clock) -> int:
    """The smallest step above zero between two readings, of 1000."""
    steps = (abs(clock() - clock()) for _ in range(1000))
    return min((step for step in steps if step > 0), default=0)


def _residual(columns: Dict[str, Array]) -> Array:
    stages: Array = columns["pre"] + columns["infer"] + columns["post"]
    return columns["frame"] - stages


def _agree(before: Array, after: Array, tolerance: float) -> bool:
    old, new = float(np.median(before)), float(np.median(after))
    return abs(new - old) <= tolerance * old


def _digest(outputs: Dict[str, Array]) -> Tuple[Tuple[bytes, ...], bool]:
    finite = all(bool(np.isfinite(value).all()) for value in outputs.values() if value.dtype.kind == "f")
    return tuple(np.ascontiguousarray(outputs[name]).tobytes() for name in sorted(outputs)), finite


def _no_clock() -> int:
    return 0


def _machine_facts(job: Job) -> Dict[str, Any]:
    return {
        "model_sha256": job.model_sha256,
        "weight_dtype": job.weight_dtype,
        "resizer": RESIZER,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu_cores": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
    }
