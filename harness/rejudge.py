"""A recorded session's verdicts decided once more from what was kept: `harness replay ID`."""

from __future__ import annotations

import argparse
from typing import Any

from harness.errors import HarnessError, printable
from harness.history import DEFAULT_LOCATION, open_history
from harness.record import RecordedVerdict, SessionRecord
from harness.rules import decide

DIFFERS = 1


def add_replay_command(commands: Any) -> None:
    """The command `harness replay`."""
    parser = commands.add_parser("replay", help="decide a recorded session's verdicts again, from their kept inputs")
    parser.add_argument("session", help="the beginning of a session's id, see harness history list")
    parser.add_argument("--history", default=DEFAULT_LOCATION, help="file or URL (default: %(default)s)")
    parser.set_defaults(command=_replay)


def _replay(parsed: argparse.Namespace) -> tuple[str, int]:
    with open_history(parsed.history, create=False) as history:
        return replayed(history.find(parsed.session))


def replayed(session: SessionRecord) -> tuple[str, int]:
    """One line per verdict, and 1 where one of them is another one now or cannot be decided, else 0."""
    answers = [(one, _again(one)) for one in session.verdicts]
    lines = [printable(f"{one.metric}  {one.rule}  {_said(one, now)}") for one, now in answers]
    differing = sum(one.outcome != now for one, now in answers)
    head = printable(f"{session.id[:8]} {session.at} {session.case.key}: {len(answers)} verdicts, {differing} differ")
    return "\n".join([head, *lines]), DIFFERS if differing else 0


def _again(verdict: RecordedVerdict) -> str:
    try:
        return decide(verdict.rule, verdict.inputs).outcome.value
    except (HarnessError, KeyError, TypeError, ValueError) as error:
        return f"cannot be decided: {error}"


def _said(verdict: RecordedVerdict, now: str) -> str:
    return now if verdict.outcome == now else f"{verdict.outcome} then, {now} now"
