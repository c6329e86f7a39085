"""One run in one fresh process: load, warm up, push frames, keep the raw numbers."""

from __future__ import annotations

import gc
import itertools
import os
import platform
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from harness.case import STAGES, Array, Job, Plan, Run
from harness.frames import Frame, read_pack
from harness.liveness import look_alive
from harness.pipeline import (
    Clock,
    NullPipeline,
    Pipeline,
    push,
    read_records,
    split_records,
    write_records,
)
from harness.probes import load as core_load
from harness.probes import memory as process_memory
from harness.probes.knownwork import known_work_ns
from harness.probes.machine import machine_facts
from harness.runtimes import Runtime, open_runtime
from harness.tasks import open_task
from harness.tasks.preprocess import RESIZER

Say = Callable[[str, int, int], None]
COST_FRAMES = 2000
LONGEST_CHUNK_FRAMES = 60
CHUNK_NS = 1_000_000_000


def measure(job: Job, say: Say, keep: Callable[[Run], None]) -> Tuple[Array, ...]:
    """Carry out `job`: hand the timed Run to `keep`, then give the predictions for the labelled frames.

    An untimed Run is handed over after the predictions.

    `say` is told (phase, frames done, frames in all) outside the timed loops, at least about once a
    second. Raises EngineError, DatasetError or whatever the engine itself raises; what was handed to
    `keep` before stays good.
    """
    frames = read_pack(Path(job.frames_path))
    runtime = open_runtime(job.engine, job.model_path, job.options)
    getattr(runtime, "begin_run", _nothing)(job.number)
    recording = _Recording(job, runtime, frames, say)
    with recording.loaded() as pipeline:
        if job.timed:
            keep(recording.timed(pipeline))
        predictions = recording.predictions(pipeline) if job.labelled_path else ()
        if not job.timed:
            # Without its predictions it is worth nothing: a worker that dies before must not leave it.
            keep(recording.untimed())
        return predictions


class _Recording:
    """The marks and facts that one run collects on its way."""

    def __init__(self, job: Job, runtime: Runtime, frames: Sequence[Frame], say: Say) -> None:
        self._job, self._runtime, self._frames, self._say = job, runtime, frames, say
        self._clock: Clock = getattr(runtime, "clock", time.perf_counter_ns)
        own_cpu_clock: Clock = getattr(runtime, "clock", time.thread_time_ns)
        self._cpu_clock: Clock = own_cpu_clock if runtime.in_calling_thread else _no_clock
        self._memory: Any = getattr(runtime, "memory", process_memory)
        self._load: Any = getattr(runtime, "load", core_load)
        self._marks: Dict[str, float] = {"file_bytes": job.file_bytes or os.path.getsize(job.model_path)}
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
        self._new_peak()
        start = self._clock()
        with self._runtime as runtime:
            self._marks["load_ns"] = self._clock() - start
            self._weigh("rss_after_load_bytes")
            self._mark_peak("peak_load_bytes")
            yield Pipeline(self._job, runtime, open_task(self._job.task, self._job.input))

    def timed(self, pipeline: Pipeline) -> Run:
        """First inference, warm-up, timed frames, liveness; in this order."""
        self._measure_own_cost()
        self._marks["known_work_before_ns"] = known_work_ns(self._clock)
        self._first_inference(pipeline)
        warmup_ns = self._warm_up(pipeline, self._job.plan)
        self._new_peak()
        with tempfile.TemporaryFile() as records:
            with self._background():
                self._time_frames(pipeline, records, _chunk_frames(warmup_ns))
            self._weigh("rss_steady_bytes")
            self._mark_peak("peak_steady_bytes")
            columns = split_records(read_records(records))
        self._marks["known_work_after_ns"] = known_work_ns(self._clock)
        self._facts.update(look_alive(self._answer(pipeline), self._frames, self._job.stateful))
        return self._run(columns, warmup_ns)

    def untimed(self) -> Run:
        """A Run that holds marks and facts only."""
        return self._run(split_records([]), np.zeros(0, np.int64))

    def predictions(self, pipeline: Pipeline) -> Tuple[Array, ...]:
        """Every frame of the labelled pack once."""
        frames = read_pack(Path(self._job.labelled_path), mapped=True)
        found: List[Array] = []
        said_ns = 0
        for index, frame in enumerate(frames):
            feeds, geometry = pipeline.pre(frame)
            found.append(pipeline.post(pipeline.infer(feeds), geometry))
            if time.monotonic_ns() - said_ns > CHUNK_NS:
                said_ns = time.monotonic_ns()
                self._say("accuracy", index + 1, len(frames))
        return tuple(found)

    def _answer(self, pipeline: Pipeline) -> Callable[[Frame], Dict[str, Array]]:
        """The raw outputs for one frame, each after a word to the host."""

        def answer(frame: Frame) -> Dict[str, Array]:
            self._say("outputs", 0, 1)
            return pipeline.outputs(frame)

        return answer

    def _first_inference(self, pipeline: Pipeline) -> None:
        self._new_peak()
        first = split_records(push(self._frames[:1], pipeline, self._clock, _no_clock))
        self._marks["first_inference_ns"] = int(first["infer"][0])
        self._mark_peak("peak_first_bytes")

    def _warm_up(self, pipeline: Pipeline, plan: Plan) -> Array:
        """Windows of frames until two in a row have medians within the tolerance, or the cap is reached."""
        source = itertools.cycle(self._frames)
        windows: List[Array] = []
        steady = False
        while not steady and len(windows) * plan.warmup_window < plan.warmup_cap_frames:
            done = len(windows) * plan.warmup_window
            frames: List[Array] = []
            for taken in _chunks(plan.warmup_window, _chunk_frames(windows[-1] if windows else None)):
                self._say("warm-up", done, plan.warmup_cap_frames)
                records = push(itertools.islice(source, taken), pipeline, self._clock, _no_clock)
                frames.append(split_records(records)["frame"])
            windows.append(np.concatenate(frames))
            steady = len(windows) > 1 and _agree(windows[-2], windows[-1], plan.warmup_tolerance)
        self._facts["steady"] = steady
        return np.concatenate(windows) if windows else np.zeros(0, np.int64)

    def _time_frames(self, pipeline: Pipeline, records: IO[bytes], chunk: int) -> None:
        """Push the plan's frames; each chunk goes to a file, so that a long run does not measure its own records."""
        plan, source, done = self._job.plan, itertools.cycle(self._frames), 0
        start = self._clock()
        until = start + int(plan.minimum_s * 1e9)
        with garbage_collector_off():
            while done < plan.frames or self._clock() < until:
                self._say("measuring", *_progress(done, plan, (self._clock() - start) / 1e9))
                taken = min(chunk, plan.frames - done) if done < plan.frames else chunk
                write_records(push(itertools.islice(source, taken), pipeline, self._clock, self._cpu_clock), records)
                done += taken

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

    @contextmanager
    def _background(self) -> Iterator[None]:
        """Mark what others did on our cores meanwhile, of how much they could."""
        before = self._load.read()
        yield
        found = self._load.since(before)
        if found is not None:
            self._marks["background_ns"], self._marks["capacity_ns"] = found

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

    def _new_peak(self) -> None:
        self._facts["peak_reset"] = self._memory.reset_peak()

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


def _chunk_frames(seen_ns: Optional[Array]) -> int:
    """Frames to push between two words to the host: about a second's worth."""
    if seen_ns is None or not len(seen_ns):
        return 1
    return int(min(max(CHUNK_NS // max(int(np.median(seen_ns)), 1), 1), LONGEST_CHUNK_FRAMES))


def _chunks(total: int, size: int) -> Iterator[int]:
    return (min(size, total - done) for done in range(0, total, size))


def _progress(done: int, plan: Plan, spent_s: float) -> Tuple[int, int]:
    """How much is done of how much: frames, or seconds where the plan asks for a time."""
    return (int(spent_s), int(plan.minimum_s)) if plan.minimum_s else (done, plan.frames)


def _no_clock() -> int:
    return 0


def _nothing(number: int) -> None:
    return None


def _machine_facts(job: Job) -> Dict[str, Any]:
    return {
        "model_sha256": job.model_sha256,
        "weight_dtype": job.weight_dtype,
        "resizer": RESIZER,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        **machine_facts(),
        "cpu_cores": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
    }
