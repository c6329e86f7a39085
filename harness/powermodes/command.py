"""The console command `harness power-modes`: every case in every mode of this machine, latency against watts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.powermodes.front import CORES, LATENCY, WATTS, Point, front, point_of
from harness.signals import ended_by_signals

if TYPE_CHECKING:
    from harness.powermodes.choice import Choice, Mode
    from harness.powermodes.report import CaseFront, Found
    from harness.session import Session

OUT = Path("reports/power-modes")
Say = Callable[[str], None]
Points = dict[str, list[Point]]


def add_power_modes_command(commands: Any, say: Say) -> None:
    """The command `harness power-modes`; `say` takes what a person should read while it runs."""
    what = "measure latency against watts in every power mode, or over the cores of this host"
    ends = "The exit status is 1 where nothing could be measured."
    parser = commands.add_parser("power-modes", help=what, description=f"{what}. {ends}")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--models", default="", help="names or folders of models, with commas (default: all)")
    parser.add_argument("--modes", default="", metavar="NAMES", help="with commas (default: all that there are)")
    parser.add_argument("--plan", default="standard", help="how long each mode measures (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="(default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _power_modes(parsed, say))


def _power_modes(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.ownsession import own_session
    from harness.plans import plan_named
    from harness.powermodes.choice import chosen, modes_of
    from harness.powermodes.report import text, write_found
    from harness.profile import read_profile

    devices = Path.cwd() / "devices"
    profile = read_profile(parsed.device, devices)
    profile.require_here("harness power-modes")
    plan, choice = plan_named(parsed.plan, profile.judges_speed), modes_of(profile, devices)
    names = [one.strip() for one in parsed.modes.split(",") if one.strip()]
    folder = parsed.out / profile.name
    sessions = [
        (one, own_session(one.profile, parsed.models, plan, folder / "runs" / one.name))
        for one in chosen(choice, names)
    ]
    found = find_out(choice, sessions, say)
    written = write_found(found, folder)
    return "\n".join([*text(found), *(f"written: {one}" for one in written)]), int(not found.measured)


def find_out(choice: Choice, sessions: Sequence[tuple[Mode, Session]], say: Say) -> Found:
    """Mode by mode, and after each what was before, so that none is measured under the clocks of another; also where
    somebody ends the command. A mode or a case that cannot be measured says why in the notes.
    """
    from harness.powermodes.report import found_of

    points: Points = {}
    notes: list[str] = []
    for mode, session in sessions:
        say(f"mode {mode.name}")
        with ended_by_signals(), choice.kept():
            notes += _measured(mode, session, points)
    every = [session for _, session in sessions]
    return found_of(choice.kind, every, tuple(_fronts(points, every)), notes)


def _measured(mode: Mode, session: Session, points: Points) -> Iterator[str]:
    """Adds the points of a mode; gives what went wrong."""
    try:
        mode.enter()
    except HarnessError as error:
        yield f"{mode.name}: {error.sentence}"
        return
    for case in session.cases:
        try:
            found = replace(point_of(session.measurement(case)), mode=mode.name, cores=mode.cores)
        except HarnessError as error:
            yield f"{mode.name}: {case.key}: {error.sentence}"
            continue
        points.setdefault(f"{case.model}/{case.variant}/{case.runtime}", []).append(found)
        yield from (f"{mode.name}: {one}" for one in session.measurements[case].condition_faults())
    yield from session.notes


def _fronts(points: Points, sessions: Sequence[Session]) -> Iterator[CaseFront]:
    from harness.budgets import budgets_for
    from harness.powermodes.report import CaseFront

    limits = {
        f"{case.model}/{case.variant}/{case.runtime}": min(
            (one.limit for one in budgets_for(session.budgets(case), LATENCY) if one.gate), default=None
        )
        for session in sessions for case in session.cases
    }  # fmt: skip
    for key, told in points.items():
        by = WATTS if any(one.watts is not None for one in told) or all(one.cores is None for one in told) else CORES
        yield CaseFront(case=key, points=tuple(told), front=front(told, limits[key], by), budget_ms=limits[key])
