"""Collect real sessions once, resumably: `python -m benchmarks.verdict.collect --core 1 --sessions 160`.

Each session is three fresh workers of the harness on a real engine, quiet and with a noisy neighbour
in turn, so that both see the same hours. What is there already is not measured again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.verdict.neighbour import neighbours
from benchmarks.verdict.worker import ENGINE
from harness import dispatch
from harness.case import Case, Job, Run
from harness.model import read_card
from harness.plans import PLANS
from harness.prepare import Preparation, Setup, cases_of
from harness.profile import DeviceProfile, read_profile

CHECKOUT = Path(__file__).resolve().parent.parent.parent
STORE = CHECKOUT / ".cache" / "verdict"
PLAN = PLANS["standard"]
CHUNK = 10
INJECTED_PERCENT = (0.0, 1.0, 2.0, 5.0, 10.0)
WORKER = "benchmarks.verdict.worker"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One case of this machine, ready to be measured on one core."""

    profile: DeviceProfile
    job: Job
    core: int

    def run(self, job: Job) -> Run:
        """One fresh worker."""
        dispatch.AGENT = WORKER
        return dispatch.run_job(job, self.profile, STORE / "work", lambda *said: None, CHECKOUT)

    def slowed(self, percent: float, frame_ns: float) -> Job:
        """The same job, whose engine call costs `percent` of a frame more."""
        options = {**self.job.options, "extra_ns": round(frame_ns * percent / 100)}
        return replace(self.job, engine=ENGINE, options=options) if percent else self.job


def bench(core: int, model: str = "eye_state", variant: str = "int8", runtime: str = "onnxruntime") -> Bench:
    """The case on this machine's profile, pinned to one core."""
    profile = read_profile("host", CHECKOUT / "devices").model_copy(update={"cpu_cores": (core,)})
    card = read_card(CHECKOUT / "suites" / "models" / model)
    setup = Setup(
        profile=profile, cards=(card,), plan=PLAN, work=STORE / "work", cache=CHECKOUT / ".cache" / "dms-harness"
    )
    job = Preparation(setup, cases_of(setup), lambda *said: None).job(Case("host", model, variant, runtime))
    return Bench(profile=profile, job=job, core=core)


def folder(kind: str, percent: float) -> Path:
    """Where the samples of one kind lie."""
    return STORE / f"{kind}-{percent:g}"


def collect_session(one: Bench, kind: str, percent: float, frame_ns: float, number: int) -> None:
    """One session into one file, unless it is there."""
    path = folder(kind, percent) / f"session-{number:04d}.npz"
    if path.exists():
        return
    runs = [one.run(replace(one.slowed(percent, frame_ns), number=process)) for process in range(PLAN.runs)]
    save(path, frame_ns=np.stack([run.frame_ns for run in runs]), cpu_ns=np.stack([run.cpu_ns for run in runs]),
         at=np.array(time.time()), **{name: marks(runs, name) for name in runs[0].marks})  # fmt: skip


def marks(runs: list[Run], name: str) -> np.ndarray:
    """One scalar of each run."""
    return np.array([run.marks.get(name, np.nan) for run in runs], float)


def save(path: Path, **arrays: np.ndarray) -> None:
    """A reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays)
    temporary.replace(path)


def typical_frame_ns(one: Bench) -> float:
    """What a frame costs here, to scale the injected cost by; kept, so that a resumed collection uses the same."""
    path = STORE / "frame.npz"
    if not path.exists():
        save(path, frame_ns=np.median([np.percentile(one.run(one.job).frame_ns, 25) for _ in range(5)]))
    with np.load(path) as kept:
        return float(kept["frame_ns"])


def in_turn(core: int, total: int, collect: Callable[[str, int], None]) -> None:
    """Chunks of quiet and noisy samples in turn."""
    for first in range(0, total, CHUNK):
        numbers = range(first, min(first + CHUNK, total))
        for number in numbers:
            collect("quiet", number)
        with neighbours((core,)):
            for number in numbers:
                collect("noisy", number)
        print(f"{numbers.stop} of {total}", flush=True)


def together(one: Bench, frame_ns: float, total: int) -> None:
    """Sessions of every injected cost in turn, so that none of them has an hour of its own."""
    for number in range(total):
        for percent in INJECTED_PERCENT:
            collect_session(one, "together", percent, frame_ns, number)
        print(f"together {number + 1} of {total}", flush=True)


def arguments(what: str, count: int) -> argparse.ArgumentParser:
    """What every collection can be told; `count` of `what` are wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int, default=1, help="where workers and neighbour run")
    parser.add_argument(f"--{what}", type=int, default=count)
    parser.add_argument("--percent", type=float, default=0.0, help="of a frame that the candidate costs more")
    return parser


def main() -> None:
    """Collect what is missing."""
    parser = arguments("sessions", 160)
    parser.add_argument("--together", action="store_true", help="all injected costs in turn, quiet")
    parsed = parser.parse_args()
    one = bench(parsed.core)
    frame_ns = typical_frame_ns(one)
    if parsed.together:
        together(one, frame_ns, parsed.sessions)
        return
    in_turn(
        parsed.core, parsed.sessions, lambda kind, number: collect_session(one, kind, parsed.percent, frame_ns, number)
    )


if __name__ == "__main__":
    main()
