"""`harness overlap`: how many times the frames of the serial cascade each overlapped execution gets through."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ConfigError, printable

if TYPE_CHECKING:
    from harness.cascade.overlap import OverlapRun
    from harness.session import Session

OUT = Path("reports/overlap")
COLUMNS = ("execution", "times serial", "95 %", "frames/s", "p50 ms", "p99 ms", "cores", "CPU ms/frame", "answers")
BLOCK_FRAMES, FEWEST_ROUNDS = 120, 6
Say = Callable[[str], None]


def add_overlap_command(commands: Any, say: Say) -> None:
    """The command `harness overlap`; `say` takes what a person should read while it runs."""
    what = "measure a pipeline's overlapped executions against its serial one, in turns, with equal answers"
    ends = "The exit status is 1 where an answer differs."
    parser = commands.add_parser("overlap", help=what, description=f"{what}. {ends}")
    parser.add_argument("pipeline", help="a name in suites/pipelines, or a folder with a card")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--runtimes", default="", metavar="NAMES", help="with commas (default: all that take it)")
    parser.add_argument("--rounds", type=int, default=12, help="two blocks of each a round (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=BLOCK_FRAMES, help="of a block (default: %(default)s)")
    parser.add_argument(
        "--streams", type=int, default=2, help="whole cascades beside each other (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="(default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _overlap(parsed, say))


def _overlap(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.dispatch import run_overlap

    if parsed.rounds < FEWEST_ROUNDS or parsed.frames < 1:
        what = f"--rounds={parsed.rounds} --frames={parsed.frames}"
        raise ConfigError(what, remedy=f"allowed: {FEWEST_ROUNDS} rounds or more, and frames in a block")
    session = _session(parsed)
    wanted = [one.strip() for one in parsed.runtimes.split(",") if one.strip()]
    cases = [one for one in session.cases if not wanted or one.runtime in wanted]
    if not cases:
        raise ConfigError(f"no runtime of {wanted} takes it", where="--runtimes", remedy="leave it out for all")
    lines, differ = [], False
    for case in cases:
        say(f"{case.key}")
        job = _job(session, case, parsed)
        found = run_overlap(job, session.setup.profile, parsed.out.absolute() / case.runtime, session.setup.root)
        lines += [*table(case.key, arms_of(found)), ""]
        differ |= bool(found.differences)
    return "\n".join(map(printable, lines)), int(differ)


def _job(session: Session, case: Any, parsed: argparse.Namespace) -> Any:
    from harness.cascade import STAGES, STEPS, STREAMS, CascadeJob, Execution
    from harness.cascade.overlap import OverlapJob

    job = session.job(case)
    if not isinstance(job, CascadeJob):
        raise ConfigError(f"{case.model} is a model and no pipeline", remedy="name a folder of suites/pipelines")
    block = replace(job, plan=replace(job.plan, frames=parsed.frames, warmup_window=0))
    return OverlapJob(block, (Execution(STAGES), Execution(STEPS), Execution(STREAMS, parsed.streams)), parsed.rounds)


def _session(parsed: argparse.Namespace) -> Session:
    import sys

    from harness.identity import require_present, runtimes_in_use
    from harness.pipelinecard import cards_named
    from harness.plans import PLANS
    from harness.prepare import Setup
    from harness.profile import read_profile
    from harness.progress import ProgressLine
    from harness.session import Session

    root = Path.cwd()
    profile = read_profile(parsed.device, root / "devices")
    profile.require_here("harness overlap")
    setup = Setup(
        profile=profile, cards=cards_named([parsed.pipeline], root / "suites" / "models"), named=True,
        plan=PLANS["standard"], work=parsed.out.absolute(), cache=root / ".cache" / "dms-harness", root=root,
    )  # fmt: skip
    require_present(profile, root / "devices", runtimes_in_use(setup))
    return Session(setup=setup, progress=ProgressLine(sys.stderr))


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One execution: how many times the serial throughput with its 95 % interval, and what a frame costs."""

    name: str
    times: float
    low: float
    high: float
    frames_per_s: float
    p50_ms: float
    p99_ms: float
    cores: float
    cpu_ms: float
    difference: str


def arms_of(run: OverlapRun) -> tuple[Arm, ...]:
    """All of them, the serial one first; the interval is the signed-rank test's over the rounds."""
    return tuple(_arm(run, number, name) for number, name in enumerate(run.arms))


def _arm(run: OverlapRun, number: int, name: str) -> Arm:
    from harness.stats.bounds import nearest_rank
    from harness.stats.paired import hodges_lehmann, signed_rank_bounds

    logs = np.log(run.wall_ns[:, 0] / run.wall_ns[:, number])
    low, high = signed_rank_bounds(logs, 0.025)
    end_ms, wall_ns, cpu_ns = run.end_to_end_ns[name] / 1e6, run.wall_ns[:, number].sum(), run.cpu_ns[:, number].sum()
    return Arm(
        name=name, times=math.exp(hodges_lehmann(logs)), low=math.exp(low), high=math.exp(high),
        frames_per_s=len(end_ms) * 1e9 / float(wall_ns), p50_ms=nearest_rank(end_ms, 0.5),
        p99_ms=nearest_rank(end_ms, 0.99), cores=float(cpu_ns / wall_ns), cpu_ms=float(cpu_ns) / 1e6 / len(end_ms),
        difference=run.differences.get(name, ""),
    )  # fmt: skip


def table(title: str, arms: Sequence[Arm]) -> list[str]:
    """One row per execution, and a sentence for each that answers otherwise."""
    rows = [COLUMNS, *(_row(one) for one in arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [title, *lines, *_differences(arms)]


def _row(arm: Arm) -> tuple[str, ...]:
    numbers = (f"{arm.frames_per_s:.1f}", f"{arm.p50_ms:.1f}", f"{arm.p99_ms:.1f}", f"{arm.cores:.2f}")
    answers = "DIFFER" if arm.difference else "equal"
    return arm.name, f"{arm.times:.2f}", f"[{arm.low:.2f}, {arm.high:.2f}]", *numbers, f"{arm.cpu_ms:.2f}", answers


def _differences(arms: Sequence[Arm]) -> Iterator[str]:
    return (f"{one.name}: {one.difference}" for one in arms if one.difference)
