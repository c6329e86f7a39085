"""The places of a lab and what became of left-overs, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import HarnessError, printable
from harness.labgridclient.holder import told
from harness.labgridclient.places import Lab, Place, address, moment, state, tags_text
from harness.labgridclient.reaping import Leftover


def places_text(lab: Lab) -> str:
    """One line a place: its name, tags, address, and whether it can be had, or who holds it."""
    if not lab.places:
        return "the lab has no places; labgrid-client -p NAME create makes one"
    rows = [(one.name, tags_text(one.tags) or "no tags", _address(lab, one), state(lab, one)) for one in lab.places]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(_line(row, widths) for row in rows)


def leftovers_text(found: tuple[Leftover, ...], dry_run: bool) -> str:
    """One line for each job of ours that holds or wants a place."""
    return "\n".join(_told(found, dry_run)) or "no job of the harness holds or wants a place"


def _told(found: tuple[Leftover, ...], dry_run: bool) -> Iterator[str]:
    for one in found:
        what = f"reservation {one.token}" if one.token else f"place {one.place}"
        fate = ("would be freed" if dry_run else "freed") if one.freed else "kept"
        yield printable(f"{what}: {fate}, {one.why}; held by {told(one.holder)}, last changed {moment(one.since_s)}")


def _address(lab: Lab, place: Place) -> str:
    try:
        return address(lab, place)
    except HarnessError:
        return "no address"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return printable("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
