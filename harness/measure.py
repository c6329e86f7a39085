"""One run in one fresh process: load, warm up, push frames, keep the raw numbers."""

from __future__ import annotations

import itertools
import os
import platform
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from harness.caching import look_for_cache
from harness.camera import due_ns, frames_within
from harness.camera.pacing import pace, waiting_of
from harness.case import STAGES, Array, Arrivals, Job, Run
from harness.errors import ConfigError
from harness.footprint import Footprint
from harness.frames import Frame, read_pack
from harness.liveness import look_alive
from harness.owncost import garbage_collector_off, own_cost
from harness.pipeline import (
    CAMERA_COLUMNS,
    CAMERA_RECORD,
    RECORD,
    Clock,
    Pipeline,
    push,
    read_records,
    split_records,
    write_records,
)
from harness.probes.knownwork import known_work_ns
from harness.probes.machine import machine_facts
from harness.runtimes import Runtime, open_runtime
from harness.tasks import open_task
from harness.tasks.preprocess import RESIZER
from harness.telling import told_meanwhile
from harness.warmup import CHUNK_NS, Say, chunk_frames, warm_up
from harness.watch import Watch
from harness.windows import COMPOSED, Windows, children_cpu_ns, engine_marks, is_windowed, predict, while_saying

Recorded = Callable[[int, bytes], None]
NO_PACE = "a tool that times whole windows of frames takes none at a camera's pace"


def ignore_records(first: int, content: bytes) -> None:
    """For who waits for the Run."""


def measure(job: Job, say: Say, keep: Callable[[Run], None], recorded: Recorded = ignore_records) -> Tuple[Array, ...]:
    """Carry out `job`: hand the timed Run to `keep`, then give the predictions for the labelled frames.

    An untimed Run is handed over after the predictions.

    `say` is told (phase, frames done, frames in all) outside the timed loops, at least about once a second.
    `recorded` is told, between two chunks of timed frames, the number of the first frame and what `write_records`
    makes of the chunk; a tool that runs whole windows has no chunks. Raises EngineError, DatasetError or whatever the
    engine itself raises; what was handed to `keep` before stays good.
    """
    frames = read_pack(Path(job.frames_path))
    runtime = open_runtime(job.engine, job.model_path, job.options)
    begin_run(runtime, job.number, say)
    recording = Recording(job, runtime, frames, say, recorded)
    with recording.loaded() as pipeline:
        if job.timed:
            keep(recording.timed(pipeline))
        predictions = recording.predictions(pipeline) if job.labelled_path else ()
        if not job.timed:
            # Without its predictions it is worth nothing: a worker that dies before must not leave it.
            keep(recording.untimed())
        return predictions


def begin_run(runtime: Runtime, number: int, say: Say) -> None:
    """What comes before any clock runs: an engine that is compiled for the device, which may take minutes."""
    begin = getattr(runtime, "begin_run", None)

    def word(waited_s: int) -> None:
        if waited_s:
            say("building", waited_s, waited_s + 1)

    if begin is not None:
        while_saying(lambda: begin(number), word)


class Recording:
    """The marks and facts that one run collects on its way.

    Frames go through what `_pipeline` makes of the loaded runtime; `_timed_frames` gives what was noted of each.
    """

    def __init__(self, job: Job, runtime: Runtime, frames: Sequence[Frame], say: Say, recorded: Recorded) -> None:
        self._job, self._runtime, self._frames, self._say, self._recorded = job, runtime, frames, say, recorded
        self._clock: Clock = getattr(runtime, "clock", time.perf_counter_ns)
        own_cpu_clock: Clock = getattr(runtime, "clock", time.thread_time_ns)
        self._windowed = is_windowed(runtime)
        if self._windowed and job.timed and job.plan.arrivals is not None:
            raise ConfigError(NO_PACE, where=job.case.key, remedy="leave --camera out, or choose another plan")
        self._cpu_clock: Clock = own_cpu_clock if runtime.in_calling_thread else _no_clock
        self._footprint = Footprint(runtime, job.telemetry.gpu)
        self._marks, self._facts = self._footprint.marks, self._footprint.facts
        self._marks["file_bytes"] = job.file_bytes or os.path.getsize(job.model_path)
        self._facts.update(_machine_facts(job))
        self._watch = Watch(job, runtime, self._footprint, self._clock, say)

    @contextmanager
    def loaded(self) -> Iterator[Pipeline]:
        """Import the engine and load the model, each timed and weighed; free at the end."""
        self._say("loading", 0, 1)
        self._footprint.weigh("rss_before_import_bytes")
        start = self._clock()
        self._runtime.prepare()
        self._marks["import_ns"] = self._clock() - start
        self._footprint.weigh("rss_after_import_bytes")
        self._footprint.new_peak()
        start = self._clock()
        with self._entered() as runtime:
            self._marks["load_ns"] = self._clock() - start
            if self._windowed:
                # Of starting processes, and maybe of a build: the tool tells of its own loading.
                del self._marks["import_ns"], self._marks["load_ns"]
            self._footprint.weigh("rss_after_load_bytes")
            self._footprint.mark_peak("peak_load_bytes")
            yield self._pipeline(runtime)

    def _pipeline(self, runtime: Runtime) -> Any:
        return Pipeline(self._job, runtime, open_task(self._job.task, self._job.input))

    @contextmanager
    def _entered(self) -> Iterator[Runtime]:
        """The runtime, loaded; a command-line tool may build an engine meanwhile."""
        if not self._windowed:
            with self._runtime as runtime:
                yield runtime
            return
        runtime = while_saying(self._runtime.__enter__, lambda waited_s: self._say("loading", waited_s, waited_s + 1))
        try:
            yield runtime
        finally:
            runtime.__exit__(None, None, None)

    def timed(self, pipeline: Pipeline) -> Run:
        """First inference, warm-up, timed frames, liveness; in this order. Idle time before the warm-up and after the
        frames where energy is asked for.
        """
        self._marks.update(own_cost(self._frames[0], self._clock, self._cpu_clock))
        self._marks["known_work_before_ns"] = known_work_ns(self._clock)
        if self._windowed:
            return self._timed_windows(pipeline)
        self._first_inference(pipeline)
        with self._watch.sensors():
            self._watch.idle("idle_before")
            warmup_ns, self._facts["steady"] = warm_up(pipeline, self._frames, self._job.plan, self._clock, self._say)
            columns = self._timed_frames(pipeline, chunk_frames(warmup_ns))
            self._watch.idle("idle_after")
        self._marks["known_work_after_ns"] = known_work_ns(self._clock)
        self._facts.update(look_alive(self._answer(pipeline), self._frames, self._job.stateful))
        self._look_for_cache(pipeline)
        return self._run(columns, warmup_ns)

    def _look_for_cache(self, pipeline: Pipeline) -> None:
        """One process of a session is enough: all run the same build."""
        if self._job.number == 0:
            say = partial(self._say, "repeats")
            self._facts.update(look_for_cache(pipeline, self._frames, self._clock, say))

    def _timed_windows(self, pipeline: Pipeline) -> Run:
        """Outputs of the camera frames, then one window of the tool with warm-up and timed frames, then liveness.

        No idle time is kept before and after: the window holds the tool's start, so no energy is told of it.
        """
        windows = Windows(self._runtime, pipeline, self._frames, self._say)
        plan, used_before = self._job.plan, children_cpu_ns()
        with self._watch.sensors():
            with self._footprint.timed_frames(), self._watch.phase("frames"):
                times = windows.time(plan, plan.minimum_s)
            tool_cpu_ns = children_cpu_ns() - used_before
        if "background_ns" in self._marks:
            # The tool's own work is not that of others.
            self._marks["background_ns"] = max(self._marks["background_ns"] - tool_cpu_ns, 0)
        start_ns = int(self._facts["phases"]["frames"][0])
        with garbage_collector_off():
            columns, warmup_ns, steady = windows.columns(times, plan, start_ns, self._clock)
        self._marks["known_work_after_ns"] = known_work_ns(self._clock)
        self._facts.update(look_alive(windows.answer, self._frames, self._job.stateful))
        self._facts.update({**times.facts, "composed": COMPOSED})
        self._marks.update(times.marks)
        if len(times.infer_ns):
            self._marks["first_inference_ns"] = int(times.infer_ns[0])
            self._facts["steady"] = steady
        return self._run(columns, warmup_ns)

    def untimed(self) -> Run:
        """A Run that holds marks and facts only."""
        return self._run(split_records([]), np.zeros(0, np.int64))

    def predictions(self, pipeline: Pipeline) -> Tuple[Array, ...]:
        """Every frame of the labelled pack once."""
        frames = read_pack(Path(self._job.labelled_path), mapped=True)
        if self._windowed:
            return tuple(predict(self._runtime, pipeline, frames, lambda *done: self._say("accuracy", *done)))
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
        self._footprint.new_peak()
        first = split_records(push(self._frames[:1], pipeline, self._clock, _no_clock))
        self._marks["first_inference_ns"] = int(first["infer"][0])
        self._footprint.mark_peak("peak_first_bytes")

    def _timed_frames(self, pipeline: Pipeline, chunk: int) -> Dict[str, Array]:
        """The columns of the timed frames."""
        arrivals = self._job.plan.arrivals
        with tempfile.TemporaryFile() as records:
            with self._footprint.timed_frames(), self._watch.phase("frames"):
                if arrivals is None:
                    self._time_frames(pipeline, records, chunk)
                else:
                    self._pace_frames(pipeline, records, arrivals)
            return split_records(read_records(records, RECORD if arrivals is None else CAMERA_RECORD))

    def _pace_frames(self, pipeline: Pipeline, records: IO[bytes], arrivals: Arrivals) -> None:
        """Push the frames that the camera sends in the plan's time; a chunk is handed on while nothing is due."""
        least_s, done = max(self._job.plan.minimum_s, self._watch.least_s), 0
        count = max(self._job.plan.frames, frames_within(arrivals, least_s))
        self._facts["arrivals"] = asdict(arrivals)
        schedule, waiting = due_ns(arrivals, count), waiting_of(self._runtime)
        with told_meanwhile() as tell:
            tell(self._say, "measuring", 0, count)
            for chunk in pace(self._frames, pipeline, schedule, arrivals.policy, waiting, self._cpu_clock):
                tell(self._recorded, done, write_records(chunk, records))
                done += len(chunk)
                tell(self._say, "measuring", int(chunk[-1][0]) + 1, count)

    def _time_frames(self, pipeline: Pipeline, records: IO[bytes], chunk: int) -> None:
        """Push the plan's frames; each chunk goes to a file, so that a long run does not measure its own records."""
        plan, source, done = self._job.plan, itertools.cycle(self._frames), 0
        least_s = max(plan.minimum_s, self._watch.least_s)
        start = self._clock()
        until = start + int(least_s * 1e9)
        with garbage_collector_off():
            while done < plan.frames or self._clock() < until:
                self._say("measuring", *_progress(done, plan.frames, (self._clock() - start) / 1e9, least_s))
                taken = min(chunk, plan.frames - done) if done < plan.frames else chunk
                pushed = push(itertools.islice(source, taken), pipeline, self._clock, self._cpu_clock)
                self._recorded(done, write_records(pushed, records))
                done += taken

    def _run(self, columns: Dict[str, Array], warmup_ns: Array) -> Run:
        self._facts.update(self._runtime.facts())
        self._marks.update(getattr(self._runtime, "marks", {}))
        return Run(
            stages={name: columns[name] for name in STAGES},
            frame_ns=columns["frame"],
            start_ns=columns["start"],
            cpu_ns=columns["cpu"] if self._runtime.in_calling_thread else columns["cpu"][:0],
            warmup_ns=warmup_ns,
            marks=engine_marks(self._marks) if self._windowed else self._marks,
            facts=self._facts,
            traces=self._watch.traces,
            camera={name: columns[name] for name in CAMERA_COLUMNS if name in columns},
        )


def _progress(done: int, frames: int, spent_s: float, least_s: float) -> Tuple[int, int]:
    """How much is done of how much: frames, or seconds where a time is asked for."""
    return (int(spent_s), int(least_s)) if least_s else (done, frames)


def _no_clock() -> int:
    return 0


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
