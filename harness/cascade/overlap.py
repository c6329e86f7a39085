"""Every execution of a cascade against the serial one, in one process and in turns, with the answers of all compared.

Each round pushes the same frames through every execution in a mirrored random order (x y y x), and once more through
the serial one (the null arm); all engines stay loaded.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from harness.cascade import SERIAL, STREAMS, CascadeJob, Execution
from harness.cascade.crew import Crew, loaded
from harness.cascade.measure import camera_frames, run_frames
from harness.cascade.records import CascadeRun, first_difference
from harness.case import Array, Job, read_arrays
from harness.errors import EngineError
from harness.frames import Frame
from harness.measure import Recorded
from harness.warmup import Say

NULL = "serial again"


@dataclass(frozen=True)
class OverlapJob:
    """cascade: its plan's frames are a block. executions: beside the serial one. `seed` decides every order."""

    cascade: CascadeJob
    executions: Tuple[Execution, ...]
    rounds: int
    seed: int = 0

    def to_json(self) -> str:
        """The OverlapJob as JSON text."""
        own = {"executions": [asdict(one) for one in self.executions], "rounds": self.rounds, "seed": self.seed}
        return json.dumps({"overlap": {**own, "job": json.loads(self.cascade.to_json())}}, indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> OverlapJob:
        """Rebuild what `to_json` gave."""
        raw = json.loads(text)["overlap"]
        cascade = CascadeJob.from_json(json.dumps(raw["job"]))
        return OverlapJob(cascade, tuple(Execution(**one) for one in raw["executions"]), raw["rounds"], raw["seed"])


@dataclass(frozen=True)
class OverlapRun:
    """arms: the serial execution, the same again, then the others. wall_ns, cpu_ns: int64 [rounds, arms], of both
    blocks together; cpu_ns of the whole process. end_to_end_ns: arm -> int64, of every frame.

    differences: arm -> how its answers differ from the serial ones; none where they are equal to the last bit.
    """

    arms: Tuple[str, ...]
    wall_ns: Array
    cpu_ns: Array
    end_to_end_ns: Mapping[str, Array]
    differences: Mapping[str, str]
    facts: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write run.npz, and run.json, which comes last."""
        columns: Dict[str, Any] = {f"frames_{number}": self.end_to_end_ns[one] for number, one in enumerate(self.arms)}
        np.savez(folder / "run.npz", wall_ns=self.wall_ns, cpu_ns=self.cpu_ns, **columns)
        said = {"arms": self.arms, "differences": dict(self.differences), "facts": dict(self.facts)}
        (folder / "run.json").write_text(json.dumps(said, indent=1, sort_keys=True), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> OverlapRun:
        """Read what `save` wrote; OSError, ValueError or KeyError where it is not whole."""
        raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        arrays, arms = read_arrays(folder / "run.npz"), tuple(raw["arms"])
        frames = {one: arrays[f"frames_{number}"] for number, one in enumerate(arms)}
        return OverlapRun(arms, arrays["wall_ns"], arrays["cpu_ns"], frames, raw["differences"], raw["facts"])


def carry_out(text: str, out: Path, say: Say, recorded: Recorded, confine: Callable[[Job], None]) -> None:
    """The kind of job that has an overlap: see harness.agent."""
    job = OverlapJob.from_json(text)
    confine(job.cascade)
    measure_overlap(job, say).save(out)


def arm_of(execution: Execution) -> str:
    """What an execution is called."""
    return f"{execution.streams} {STREAMS}" if execution.mode == STREAMS else execution.mode


def measure_overlap(job: OverlapJob, say: Say) -> OverlapRun:
    """Carry out all rounds; `say` is told (phase, blocks done, blocks in all) before each.

    Raises what the engines raise, and EngineError for simulated ones, which overlap on paper only.
    """
    executions = {SERIAL: Execution(), NULL: Execution(), **{arm_of(one): one for one in job.executions}}
    cascade = replace(job.cascade, keep_predictions=True, plan=replace(job.cascade.plan, minimum_s=0.0))
    jobs = {name: replace(cascade, execution=one) for name, one in executions.items()}
    with ExitStack() as stack:
        say("loading", 0, 1)
        crews = {name: stack.enter_context(loaded(one)) for name, one in jobs.items()}
        if crews[SERIAL].simulated:
            raise EngineError("simulated engines take no time in which others could work", where=cascade.case.key)
        blocks = _Blocks(jobs, crews, camera_frames(cascade), say, job.rounds)
        for name in jobs:
            blocks.warm(name)
        chance = random.Random(job.seed)
        for number in range(job.rounds):
            order = chance.sample(list(jobs), len(jobs))
            for name in (*order, *reversed(order)):
                blocks.take(name, number)
        return blocks.run()


class _Blocks:
    """What the blocks of all arms leave."""

    def __init__(
        self, jobs: Mapping[str, CascadeJob], crews: Mapping[str, Crew], frames: Sequence[Frame], say: Say, rounds: int
    ) -> None:
        self._jobs, self._crews, self._frames, self._say = jobs, crews, frames, say
        self._arms, self._done, self._all = tuple(jobs), 0, 2 * rounds * len(jobs)
        self._wall, self._cpu = np.zeros((2, rounds, len(jobs)), np.int64)
        self._end_to_end: Dict[str, List[Array]] = {name: [] for name in jobs}
        self._wanted: List[CascadeRun] = []
        self._differences: Dict[str, str] = {}

    def warm(self, name: str) -> None:
        """The frames once, untimed; the serial ones are the answers to compare with."""
        self._say("warm-up", 0, self._all)
        run = self._pushed(name)
        self._wanted = self._wanted or [run]

    def take(self, name: str, number: int) -> None:
        """One timed block of a round."""
        self._say("block", self._done, self._all)
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        run = self._pushed(name)
        arm = self._arms.index(name)
        self._wall[number, arm] += time.perf_counter_ns() - wall_ns
        self._cpu[number, arm] += time.process_time_ns() - cpu_ns
        self._end_to_end[name].append(run.end_to_end_ns)
        told = first_difference(self._wanted[0], run)
        if told:
            self._differences.setdefault(name, told)
        self._done += 1

    def run(self) -> OverlapRun:
        frames = {name: np.concatenate(found) for name, found in self._end_to_end.items()}
        facts = {"engines": self._crews[SERIAL].facts, "frames": self._jobs[SERIAL].plan.frames}
        return OverlapRun(self._arms, self._wall, self._cpu, frames, self._differences, facts)

    def _pushed(self, name: str) -> CascadeRun:
        return run_frames(self._jobs[name], self._crews[name], self._frames, _unsaid)


def _unsaid(phase: str, done: int, total: int) -> None:
    """Between blocks is soon enough."""
