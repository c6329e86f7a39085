"""Reference and candidate in one process, block by block: load anew, alternate, never concurrent.

A round loads three arms in random order after an allocation of random size: the reference, the same
reference once more (the null arm) and the candidate. Each block of a round pushes frames through
them in a mirrored random order (x y z z y x), so that any two arms meet as ABBA or BAAB.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array, Job, read_arrays
from harness.errors import EngineError
from harness.frames import Frame, read_pack
from harness.measure import Recorded, begin_run
from harness.owncost import garbage_collector_off
from harness.pipeline import Pipeline, push, split_records
from harness.runtimes import Runtime, open_runtime
from harness.sampling import Sampling
from harness.tasks import open_task
from harness.telemetry import Telemetry, Trace, pack_traces, unpack_traces
from harness.warmup import Say
from harness.windows import is_windowed

ARMS = ("reference", "null", "candidate")
WARMUP_FRAMES = 10
SEGMENT_NS = 150_000_000
FEWEST_FRAMES, MOST_FRAMES = 10, 40
MOST_BLOCKS_PER_ROUND = 5
WAKING_S = 0.005
LARGEST_ALLOCATION_BYTES = 1 << 22


@dataclass(frozen=True)
class PairedJob:
    """Both builds of one case; the frames are the candidate's. `seed` decides every order and allocation."""

    reference: Job
    candidate: Job
    rounds: int
    seed: int

    def to_json(self) -> str:
        """The PairedJob as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> PairedJob:
        """Rebuild what `to_json` gave."""
        raw = json.loads(text)
        return PairedJob(
            reference=Job.from_json(json.dumps(raw["reference"])),
            candidate=Job.from_json(json.dumps(raw["candidate"])),
            rounds=raw["rounds"],
            seed=raw["seed"],
        )


@dataclass(frozen=True)
class PairedRun:
    """frame_ns, cpu_ns: int64 [rounds, arms, frames] in the order of ARMS; cpu_ns has no frames where it is not known.
    infer_ns: the inference of each frame alone, where it was kept.

    load_ns: int64 [rounds, arms]. facts: of the reference and of the candidate, as their engines tell, and the "phases"
    of Run. traces: what the sensors told over all rounds.
    """

    frame_ns: Array
    cpu_ns: Array
    load_ns: Array
    facts: Mapping[str, Any]
    traces: Tuple[Trace, ...] = ()
    infer_ns: Optional[Array] = None

    def save(self, folder: Path) -> None:
        """Write run.npz, and run.json, which comes last."""
        wires, arrays = pack_traces(self.traces)
        columns: Dict[str, Any] = {**arrays, "frame_ns": self.frame_ns, "cpu_ns": self.cpu_ns, "load_ns": self.load_ns}
        if self.infer_ns is not None:
            columns["infer_ns"] = self.infer_ns
        np.savez(folder / "run.npz", **columns)
        said = {"facts": dict(self.facts), "traces": wires}
        (folder / "run.json").write_text(json.dumps(said, indent=1, sort_keys=True), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> PairedRun:
        """Read what `save` wrote; OSError, ValueError or KeyError where it is not whole."""
        raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        arrays = read_arrays(folder / "run.npz")
        traces = unpack_traces(raw["traces"], arrays)
        return PairedRun(
            arrays["frame_ns"], arrays["cpu_ns"], arrays["load_ns"], raw["facts"], traces, arrays.get("infer_ns")
        )


def carry_out(text: str, out: Path, say: Say, recorded: Recorded, confine: Callable[[Job], None]) -> None:
    """The kind of job that has a candidate: see harness.agent."""
    job = PairedJob.from_json(text)
    confine(job.candidate)
    measure_pair(job, say).save(out)


def measure_pair(job: PairedJob, say: Say) -> PairedRun:
    """Carry out all rounds of `job`; `say` is told (phase, rounds done, rounds in all) before each.

    Raises what the engines raise. Sensors are sampled meanwhile; where only the candidate has some, they rest during
    the reference's frames: what sampling itself costs.
    """
    chance = random.Random(job.seed)
    frames = read_pack(Path(job.candidate.frames_path))
    for one in (job.reference, job.candidate):
        # What it builds is kept for the rounds.
        begin_run(open_runtime(one.engine, one.model_path, one.options), 0, say)
    rounds: List[_Round] = []
    sampling = Sampling(job.candidate.telemetry, job.candidate.cpu_cores)
    alternating = not job.reference.telemetry.probes
    with _sampler(sampling, job.candidate.telemetry, alternating) as traces:
        start_ns = time.monotonic_ns()
        for number in range(job.rounds):
            say("round", number, job.rounds)
            taken = sampling if alternating else None
            rounds.append(_one_round(job, frames, chance, rounds[0] if rounds else None, number, taken))
        phases = {"frames": [start_ns, time.monotonic_ns()]}
    return PairedRun(
        frame_ns=np.stack([one.frame_ns for one in rounds]),
        cpu_ns=np.stack([one.cpu_ns for one in rounds]),
        load_ns=np.stack([one.load_ns for one in rounds]),
        facts={**rounds[-1].facts, "phases": phases},
        traces=tuple(traces),
        infer_ns=np.stack([one.infer_ns for one in rounds]),
    )


@contextmanager
def _sampler(sampling: Sampling, telemetry: Telemetry, asleep: bool) -> Iterator[List[Trace]]:
    """A sampler over all rounds, at first asleep where arms wake it; its traces are there at the end."""
    traces: List[Trace] = []
    if not telemetry.probes:
        yield traces
        return
    sampling.start()
    if asleep:
        sampling.pause()
    try:
        yield traces
    finally:
        told = sampling.stop()
    # What sleeps by order has gaps that say nothing.
    traces.extend(() if asleep else told)


@dataclass(frozen=True)
class _Round:
    frame_ns: Array
    cpu_ns: Array
    load_ns: Array
    infer_ns: Array
    facts: Mapping[str, Any]
    segment_frames: int
    blocks: int


class _Arm:
    """One build, loaded: its pipeline and its clocks."""

    def __init__(self, job: Job, runtime: Runtime, stack: ExitStack, number: int, sampling: Optional[Sampling]) -> None:
        self._sampling, self._awake = sampling, bool(job.telemetry.probes)
        getattr(runtime, "begin_run", _ignore)(number)
        self.clock = getattr(runtime, "clock", time.perf_counter_ns)
        self.cpu_clock = getattr(runtime, "clock", time.thread_time_ns)
        self.knows_cpu = runtime.in_calling_thread
        runtime.prepare()
        start = self.clock()
        stack.enter_context(runtime)
        self.load_ns = self.clock() - start
        self.runtime = runtime
        self._pipeline = Pipeline(job, runtime, open_task(job.task, job.input))

    def push(self, source: Iterator[Frame], count: int) -> Dict[str, Array]:
        with garbage_collector_off(), self._sampled():
            return split_records(push(itertools.islice(source, count), self._pipeline, self.clock, self.cpu_clock))

    @contextmanager
    def _sampled(self) -> Iterator[None]:
        if self._sampling is None:
            yield
            return
        if self._awake:
            self._sampling.resume()
        time.sleep(WAKING_S)  # waking is no sampling, and must not fall into the first frames
        yield
        if self._awake:
            self._sampling.pause()


def _one_round(
    job: PairedJob, frames: Sequence[Frame], chance: random.Random, first: Any, number: int,
    sampling: Optional[Sampling],
) -> _Round:  # fmt: skip
    jobs = {"reference": job.reference, "null": job.reference, "candidate": job.candidate}
    with ExitStack() as stack:
        arms, ballast = _loaded(jobs, chance, stack, number, sampling)
        warm = {name: arms[name].push(itertools.cycle(frames), WARMUP_FRAMES)["frame"] for name in ARMS}
        size, blocks = (first.segment_frames, first.blocks) if first else _sizes(arms, warm)
        columns = [column for _ in range(blocks) for column in _block(arms, frames, size, chance)]
        del ballast
        facts = {name: dict(arms[name].runtime.facts()) for name in ("reference", "candidate")}
    knows_cpu = all(arm.knows_cpu for arm in arms.values())
    return _Round(
        frame_ns=_by_arm(columns, "frame"),
        cpu_ns=_by_arm(columns, "cpu")[:, : None if knows_cpu else 0],
        load_ns=np.array([arms[name].load_ns for name in ARMS], np.int64),
        infer_ns=_by_arm(columns, "infer"),
        facts=facts, segment_frames=size, blocks=blocks,
    )  # fmt: skip


def _loaded(
    jobs: Mapping[str, Job], chance: random.Random, stack: ExitStack, number: int, sampling: Optional[Sampling]
) -> Tuple[Dict[str, _Arm], bytes]:
    """The three arms in a random order, so that none always gets the same place in memory."""
    ballast = bytes(chance.randrange(LARGEST_ALLOCATION_BYTES))
    arms = {}
    for slot, name in enumerate(chance.sample(ARMS, len(ARMS))):
        one = jobs[name]
        runtime = open_runtime(one.engine, one.model_path, one.options)
        if is_windowed(runtime):
            raise EngineError(
                f"{one.engine} runs whole windows of frames in a process of its own: no two builds can take turns",
                where=one.case.key, remedy="compare their sessions instead: harness compare",
            )  # fmt: skip
        arms[name] = _Arm(one, runtime, stack, number * len(ARMS) + slot, sampling)
    return arms, ballast


def _sizes(arms: Mapping[str, _Arm], warm: Mapping[str, Array]) -> Tuple[int, int]:
    """Frames per segment, and blocks per round where loading takes longer than measuring."""
    frame_ns = max(float(np.median(one)) for one in warm.values())
    size = int(min(max(SEGMENT_NS // max(frame_ns, 1.0), FEWEST_FRAMES), MOST_FRAMES))
    load_ns = sum(arm.load_ns for arm in arms.values())
    blocks = round(load_ns / (2 * len(ARMS) * size * max(frame_ns, 1.0)))
    return size, min(max(blocks, 1), MOST_BLOCKS_PER_ROUND)


def _block(
    arms: Mapping[str, _Arm], frames: Sequence[Frame], size: int, chance: random.Random
) -> Iterator[Tuple[str, Dict[str, Array]]]:
    order = chance.sample(ARMS, len(ARMS))
    start = chance.randrange(len(frames))
    for name in (*order, *reversed(order)):
        yield name, arms[name].push(itertools.islice(itertools.cycle(frames), start, None), size)


def _by_arm(columns: List[Tuple[str, Dict[str, Array]]], column: str) -> Array:
    table: Array = np.stack([np.concatenate([part[column] for arm, part in columns if arm == name]) for name in ARMS])
    return table


def _ignore(number: int) -> None:
    return None
