"""Frames of an engine that is a command-line tool: pre and post are timed here, inference is timed by the tool.

One process of the tool runs a whole window of frames, warm-up included. A frame's time is composed: the sum of its
three stages, which never ran one after the other. So no energy is told of such frames, and no memory but the tool's.
"""

from __future__ import annotations

import functools
import itertools
import math
import resource
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple, TypeVar

import numpy as np

from harness.case import Array, Plan
from harness.errors import EngineError
from harness.frames import Frame
from harness.pipeline import Clock, Pipeline, Record, Tensors, push, split_records
from harness.runtimes.command import WindowTimes
from harness.tasks import Geometry
from harness.warmup import Say, chunk_frames, frames_until_steady, most_warmup_frames

Told = TypeVar("Told")
COMPOSED = "pre and post by the harness, infer by the tool in a process of its own; a frame's time is their sum"
CHUNK_BYTES, LONGEST_CHUNK_FRAMES = 64 * 2**20, 256
FEW_STARTS = 4
TOOL_PEAK = "peak_tool_bytes"
# Of the harness's own process, in which the model never is.
NOT_THE_ENGINES = ("rss_", "pss_", "peak_", "nvmap_", "gpu_", "cgroup_")


def is_windowed(runtime: Any) -> bool:
    """True for an engine with `infer_many` and `time_window`, as harness/runtimes/command.py describes them."""
    return bool(getattr(runtime, "windowed", False))


def while_saying(work: Callable[[], Told], say: Callable[[int], None]) -> Told:
    """Do `work`; `say` is told the seconds that passed, about once a second: an engine may be built for minutes."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        for waited_s in itertools.count():
            say(waited_s)
            if wait([done], timeout=1.0).done:
                break
        return done.result()


class Windows:
    """One windowed runtime with its pipeline and its camera frames.

    The outputs of the camera frames come from one call, for liveness and for the timing of post alike.
    """

    def __init__(self, runtime: Any, pipeline: Pipeline, frames: Sequence[Frame], say: Say) -> None:
        self._runtime, self._pipeline, self._frames, self._say = runtime, pipeline, frames, say
        self._feeds = [pipeline.pre(frame)[0] for frame in frames]
        self._outputs: List[Tensors] = self._while("outputs", 1, lambda: list(runtime.infer_many(self._feeds)))
        self._waiting = {id(frame): outputs for frame, outputs in zip(frames, self._outputs)}

    def answer(self, frame: Frame) -> Tensors:
        """The raw outputs of one frame: those that are there, once; a frame shown again runs again."""
        found = self._waiting.pop(id(frame), None)
        return self._while("outputs", 1, lambda: self._pipeline.outputs(frame)) if found is None else found

    def time(self, plan: Plan, least_s: float) -> WindowTimes:
        """The tool's times of as many frames as warm up at most, and then as the plan or `least_s` asks for."""
        warm_up = most_warmup_frames(plan)
        frames = plan.frames
        if least_s:
            pilot = self._window(max(warm_up, 1))
            frames = max(frames, math.ceil(least_s * 1e9 / _typical_ns(pilot)))
        return self._window(warm_up + frames)

    def columns(
        self, times: WindowTimes, plan: Plan, start_ns: int, clock: Clock
    ) -> Tuple[Dict[str, Array], Array, bool]:
        """The columns of the timed frames, the times of the warm-up frames before them, and whether these settled.

        Without a time per frame there is no frame at all: nothing is made of an average.
        """
        warm, steady = frames_until_steady(times.infer_ns, plan)
        asked = max(len(times.infer_ns) - most_warmup_frames(plan), 0)
        infer_ns = times.infer_ns[warm : warm + asked]
        columns = self._replayed(len(infer_ns), clock)
        columns["infer"] = infer_ns
        columns["frame"] = columns["pre"] + infer_ns + columns["post"]
        columns["start"] = start_ns + np.cumsum(columns["frame"]) - columns["frame"]
        return columns, times.infer_ns[:warm], steady

    def _replayed(self, frames: int, clock: Clock) -> Dict[str, Array]:
        """Pre and post of so many frames, a word to the host about every second."""
        replay = _Replay(self._pipeline, self._frames, self._outputs)
        source = itertools.cycle(self._frames)
        records: List[Record] = []
        while len(records) < frames:
            self._say("pre and post", len(records), frames)
            taken = min(chunk_frames(split_records(records[-1:])["frame"]), frames - len(records))
            records += push(itertools.islice(source, taken), replay, clock, lambda: 0)
        return split_records(records)

    def _window(self, frames: int) -> WindowTimes:
        times: WindowTimes = self._while("measuring", frames, lambda: self._runtime.time_window(self._feeds, frames))
        if len(times.infer_ns) not in (0, frames):
            raise EngineError(f"the tool told {len(times.infer_ns)} times for {frames} frames")
        return times

    def _while(self, phase: str, total: int, work: Callable[[], Told]) -> Told:
        return while_saying(work, lambda waited_s: self._say(phase, waited_s, max(total, waited_s + 1)))


class _Replay:
    """The pipeline with outputs that are known: what it times is pre and post."""

    def __init__(self, pipeline: Pipeline, frames: Sequence[Frame], outputs: Sequence[Tensors]) -> None:
        self.pre, self.post = pipeline.pre, pipeline.post
        self._next = itertools.cycle(outputs)

    def infer(self, feeds: Tensors) -> Tensors:
        return next(self._next)


def predict(
    runtime: Any, pipeline: Pipeline, frames: Sequence[Frame], say: Callable[[int, int], None]
) -> Iterator[Array]:
    """A prediction per frame, in order. One call of the tool per chunk of frames.

    `say` is told how many are done of how many, and a second more each second: a word that does not change is no
    progress.
    """
    done = 0

    def word(waited_s: int) -> None:
        say(done + waited_s, max(len(frames), done + waited_s + 1))

    while done < len(frames):
        chunk: List[Tuple[Tensors, Geometry]] = []
        while done + len(chunk) < len(frames) and not _full(chunk, runtime):
            chunk.append(pipeline.pre(frames[done + len(chunk)]))
        feeds = [one for one, _ in chunk]
        answers = while_saying(functools.partial(runtime.infer_many, feeds), word)
        if len(answers) != len(chunk):
            raise EngineError(f"the tool gave {len(answers)} outputs for {len(chunk)} frames")
        yield from (pipeline.post(outputs, geometry) for outputs, (_, geometry) in zip(answers, chunk))
        done += len(chunk)


def engine_marks(marks: Mapping[str, float]) -> Dict[str, float]:
    """The marks without those that tell about the harness's own process instead of the engine."""
    return {name: value for name, value in marks.items() if name == TOOL_PEAK or not name.startswith(NOT_THE_ENGINES)}


def children_cpu_ns() -> int:
    """CPU time of the processes that this one started and saw end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def _full(chunk: Sequence[Tuple[Tensors, Geometry]], runtime: Any) -> bool:
    """Small for a tool that starts once for each frame, so that the host hears of it in time."""
    longest = FEW_STARTS if getattr(runtime, "one_frame_per_process", False) else LONGEST_CHUNK_FRAMES
    held = sum(value.nbytes for feeds, _ in chunk for value in feeds.values())
    return len(chunk) >= longest or held >= CHUNK_BYTES


def _typical_ns(times: WindowTimes) -> float:
    if len(times.infer_ns):
        return max(float(np.median(times.infer_ns)), 1.0)
    return max(float(times.marks.get("infer_mean_ns", 1e9)), 1.0)
