"""The console commands `harness fleet ...`; each returns the text to print."""

from __future__ import annotations

import argparse
from typing import Any

from harness.fleet.places import leftovers_text, places_text
from harness.labgridclient.holder import new_holder
from harness.labgridclient.reaping import reap
from harness.labgridclient.wire import DEFAULT_COORDINATOR, Coordinator


def add_fleet_commands(commands: Any) -> Any:
    """Add `fleet` with its commands to the parser's sub-commands; what comes back takes further ones."""
    fleet = commands.add_parser("fleet", help="many boards in a labgrid lab: list them, free what dead jobs left")
    own = fleet.add_subparsers(required=True, metavar="COMMAND")
    places = own.add_parser("places", help="list the places of the lab: tags, address, free or who holds it")
    _add_coordinator(places)
    places.set_defaults(command=_places)
    _add_reap(own)
    return own


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


def _add_coordinator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coordinator", default="", metavar="HOST[:PORT]",
        help=f"labgrid's coordinator (default: $LG_COORDINATOR, else {DEFAULT_COORDINATOR})",
    )  # fmt: skip


def _places(parsed: argparse.Namespace) -> str:
    with Coordinator(parsed.coordinator, new_holder().name) as session:
        return places_text(session.lab())


def _reap(parsed: argparse.Namespace) -> str:
    found = reap(
        parsed.coordinator, older_than_h=parsed.older_than, force=parsed.force, dry_run=parsed.dry_run
    )  # fmt: skip
    return leftovers_text(found, parsed.dry_run)
