"""The console commands `harness fleet ...` and `harness nightly`: what they are asked."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.fleet.places import leftovers_text, places_text
from harness.history import DEFAULT_LOCATION
from harness.labgridclient.holder import new_holder
from harness.labgridclient.reaping import reap
from harness.labgridclient.wire import DEFAULT_COORDINATOR, Coordinator

Say = Callable[[str], None]


def add_fleet_commands(commands: Any, say: Say) -> None:
    """`harness fleet places|reap|run`; `say` takes what is said while a run goes on."""
    fleet = commands.add_parser("fleet", help="many boards: run on them, list a labgrid lab, free what dead jobs left")
    own = fleet.add_subparsers(required=True, metavar="COMMAND")
    places = own.add_parser("places", help="list the places of the lab: tags, address, free or who holds it")
    _add_coordinator(places)
    places.set_defaults(command=_places)
    _add_reap(own)
    _add_run(own, say)


def add_nightly_command(commands: Any, say: Say) -> None:
    """`harness nightly`; `say` as above."""
    what = "a night: health check, the whole suite under the strict policy, quarantine, resume, one exit code"
    parser = commands.add_parser("nightly", help=what, description=(
        f"{what}. An earlier attempt of the last day that was cut off is gone on with."))  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--device", default="", metavar="NAME", help="one board (default: host)")
    which.add_argument("--devices", default="", metavar="A,B", help="profiles, or tag=VALUE,count=N of a lab")
    parser.add_argument(
        "--quarantine", default="", metavar="FILE", help="(default: quarantine.toml, where there is one)"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", type=Path, default=None, metavar="DIR", help="go on with the night in this folder")
    again.add_argument("--fresh", action="store_true", help="go on with nothing")
    _add_common(parser)
    parser.set_defaults(command=lambda parsed: _nightly(parsed, say))


def _add_reap(commands: Any) -> None:
    reaper = commands.add_parser("reap", help="free the places and reservations of jobs that are dead")
    _add_coordinator(reaper)
    reaper.add_argument(
        "--older-than", type=float, default=None, metavar="HOURS",
        help="also those of other machines whose place did not change for so long",
    )  # fmt: skip
    reaper.add_argument("--force", action="store_true", help="also all those of other machines")
    reaper.add_argument("--dry-run", action="store_true", help="only say what would be freed")
    reaper.set_defaults(command=_reap)


def _add_run(commands: Any, say: Say) -> None:
    what = "run pytest on several boards, one process each, into one history"
    parser = commands.add_parser("run", help=what, description=(
        f"{what}. Exit status: 0 pass, 1 regression or crash, 4 configuration, 5 nothing measured, 6 infrastructure, "
        "75 busy; the worst of all boards."))  # fmt: skip
    parser.add_argument("--devices", required=True, metavar="A,B", help="profiles, or tag=VALUE,count=N of a lab")
    parser.add_argument("--report", type=Path, default=None, metavar="DIR", help="(default: reports/fleet/<time>)")
    _add_common(parser)
    parser.set_defaults(command=lambda parsed: _run(parsed, say))


def _add_coordinator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coordinator", default="", metavar="HOST[:PORT]",
        help=f"labgrid's coordinator (default: $LG_COORDINATOR, else {DEFAULT_COORDINATOR})",
    )  # fmt: skip


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--retry", type=int, default=0, metavar="N", help="how often a board is tried again, with what "
                        "it finished, where the lab spoiled it; 2 at most (default: %(default)s)")  # fmt: skip
    parser.add_argument("--history", default="", metavar="LOCATION", help="SQLite file, URL of a PostgreSQL database, "
                        f"or none (default: {DEFAULT_LOCATION})")  # fmt: skip
    parser.add_argument("--webhook", default="", metavar="URL", help="whom to tell the end, in the form of Slack "
                        "(default: DMS_WEBHOOK of the environment)")  # fmt: skip
    parser.add_argument("arguments", nargs="*", metavar="-- PYTEST ARGUMENTS", help="such as -- suites/ -k p99")


def _places(parsed: argparse.Namespace) -> str:
    with Coordinator(parsed.coordinator, new_holder().name) as session:
        return places_text(session.lab())


def _reap(parsed: argparse.Namespace) -> str:
    hours = parsed.older_than
    if hours is not None and not 0 <= hours < math.inf:
        raise ConfigError(f"--older-than {hours:g}: a number of hours, 0 or more")
    found = reap(parsed.coordinator, older_than_h=hours, force=parsed.force, dry_run=parsed.dry_run)
    return leftovers_text(found, parsed.dry_run)


def _run(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.fleet.nightly import fleet_run

    return fleet_run(parsed, say)


def _nightly(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.fleet.nightly import night

    return night(parsed, say)
