"""The console command `harness interference`: every case without and beside each load, in turn."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, HarnessError
from harness.interference.loads import LOADS, NONE, check_load
from harness.interference.matrix import FEWEST_BLOCKS, Block, Degradation, degradation, windows

if TYPE_CHECKING:
    from harness.case import Array, Case, Plan
    from harness.interference.report import Found
    from harness.session import Session

OUT = Path("reports/interference")
BLOCKS, SECONDS = 8, 30.0
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """loads: without `none`. seconds: of frames in each window. seed: of the order of the windows in a block."""

    loads: tuple[str, ...]
    blocks: int
    seed: int = 1


def add_interference_command(commands: Any, say: Say) -> None:
    """The command `harness interference`; `say` takes what a person should read while it runs."""
    what = "measure how much slower the tail of a frame is beside other work"
    ends = "The exit status is 1 where nothing could be measured."
    parser = commands.add_parser("interference", help=what, description=f"{what}. {ends}")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--models", default="", help="names or folders of models, with commas (default: all)")
    parser.add_argument("--loads", default="cpu,memory,io", help="with commas (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of frames a window (default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=BLOCKS, metavar="N", help="windows without load, and beside each "
                        f"one; {FEWEST_BLOCKS} at least have an interval (default: %(default)s)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="(default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _interference(parsed, say))


def _interference(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.interference.report import text, write_found
    from harness.ownsession import own_session
    from harness.profile import read_profile

    wanted = wanted_of(parsed.loads, parsed.blocks)
    plan = window_plan(parsed.seconds)
    profile = read_profile(parsed.device, Path.cwd() / "devices")
    profile.require_here("harness interference")
    folder = parsed.out / profile.name
    session = own_session(profile, parsed.models, plan, folder / "runs")
    found = find_out(session, wanted, say)
    written = write_found(found, folder)
    return "\n".join([*text(found), *(f"written: {one}" for one in written)]), int(not found.measured)


def wanted_of(loads: str, blocks: int) -> Wanted:
    """ConfigError for an unknown load, none at all, or no block."""
    names = tuple(dict.fromkeys(one.strip() for one in loads.split(",") if one.strip()))
    for one in names:
        check_load(one, where="--loads")
    real = tuple(one for one in names if one != NONE)
    if not real:
        known = ", ".join(one for one in LOADS if one != NONE)
        raise ConfigError(f"--loads={loads}: names no load", where="--loads", remedy=f"choose of {known}")
    if blocks < 1:
        raise ConfigError(f"--blocks={blocks}: at least 1", where="--blocks")
    return Wanted(loads=real, blocks=blocks)


def window_plan(seconds: float) -> Plan:
    """One process that pushes frames back to back for so long; ConfigError where that is no time."""
    from harness.plans import PLANS

    if not 0 < seconds <= 3600:
        raise ConfigError(f"--seconds={seconds:g}: more than 0 and at most 3600", where="--seconds")
    return replace(PLANS["standard"], name="interference", runs=1, frames=1, minimum_s=seconds)


def find_out(session: Session, wanted: Wanted, say: Say) -> Found:
    """The matrix of all cases of the session; a case that cannot be measured has its reason in it."""
    from harness.interference.report import found_of

    measured = {case: _measured(session, case, wanted, say) for case in session.cases}
    cells = {case.key: [_cell(load, case, told) for load in wanted.loads] for case, told in measured.items()}
    rows = tuple(tuple(column[number] for column in cells.values()) for number in range(len(wanted.loads)))
    blocks = {case.key: told for case, told in measured.items() if not isinstance(told, str)}
    return found_of(session, wanted.loads, wanted.blocks, rows, blocks)


def _cell(load: str, case: Case, told: Sequence[Block] | str) -> Degradation:
    if isinstance(told, str):
        return Degradation(load=load, case=case.key, fault=told)
    return degradation(load, case.key, told)


def _measured(session: Session, case: Case, wanted: Wanted, say: Say) -> tuple[Block, ...] | str:
    """The windows of a case, each a fresh process; a sentence where it cannot be measured."""
    from harness.context import disturbed
    from harness.running import Runner

    setup, note = session.setup, session.notes.append
    runner = Runner(setup=setup, progress=session.progress, note=note)
    numbers = itertools.count()
    restless: list[bool] = []

    def window(load: str) -> Array:
        number, job = next(numbers), session.job(case)
        run = runner.run(replace(job, number=number, telemetry=replace(job.telemetry, power=None)), f"beside {load}")
        if load == NONE:
            restless.append(disturbed([run]))
        return run.frame_ns

    count = wanted.blocks * (1 + len(wanted.loads))
    say(f"{case.key}: {count} windows of {setup.plan.minimum_s:g} s")
    try:
        found = windows(window, wanted.loads, blocks=wanted.blocks, seed=wanted.seed, cores=setup.profile.cpu_cores)
    except HarnessError as error:
        return error.sentence
    if any(restless):
        note(
            f"{case.key}: others used more than 5 % of the cores in {sum(restless)} of {len(restless)} windows without "
            "load, so a load may cost more than the matrix says"
        )
    return found
