"""What a reader must know beside the numbers: an INT8 that runs in float, a neighbour that took the cores. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.optimise.made import MadeVariant
from harness.optimise.results import Result
from harness.optimise.rows import Row

MOSTLY_PERCENT, PARTLY_PERCENT = 50, 10
LOADED = "other load took more than 5 % of the cores while it was timed; --retry measures it again"


def float_remarks(row: Row, integer: bool) -> Iterator[str]:
    """What the engine really ran, where a file promises integers and its layers are in float all the same."""
    share = row.values.get("float32_share_percent")
    if not integer:
        return
    if share is None:
        yield "the engine does not tell in which precision its layers ran: that they are integers is not shown"
    elif share > MOSTLY_PERCENT:
        yield f"runs in float: {share:.0f} % of the layers are 32-bit float, whatever the file says"
    elif share > PARTLY_PERCENT:
        yield f"partly in float: {share:.0f} % of the layers are 32-bit float"


def confidence_sentence(told: MadeVariant) -> str:
    """The temperature of each format, and what it does to the calibration error."""
    if told.reason:
        return f"nobody knows how far it can be believed: {told.reason}"
    found = [f"{form} {_confidence(one)}" for form, one in told.facts.items()]
    return "; ".join((*found, *(f"{form} not known: {why}" for form, why in told.failures.items())))


def _confidence(told: Mapping[str, Any]) -> str:
    """error_percent is absent where there were too few answers."""
    before, after = ((told[side] or {}).get("error_percent") for side in ("before", "after"))
    known = "" if before is None or after is None else f", calibration error {before:.2f} % before, {after:.2f} % after"
    return f"temperature {told['temperature']:.3g}{known}"


def remarks(result: Result) -> Iterator[str]:
    """A sentence each: of the run, of the rows (one for all rows of which it is true), of the recipes."""
    yield from result.notes
    by_text: dict[str, list[str]] = {}
    for row in result.rows:
        for one in _of_row(result, row):
            by_text.setdefault(one, []).append(row.name)
    yield from (f"{', '.join(names)}: {text}" for text, names in by_text.items())
    for name, made in result.made.items():
        yield from (f"{name}: {one}" for one in _of_recipe(made))


def _of_row(result: Result, row: Row) -> Iterator[str]:
    yield from row.remarks
    if row.disturbed:
        yield LOADED
    unmet = result.standings[row.name].unmet
    if not row.reason and unmet and row.candidate != result.parent:
        yield f"cannot be taken: {'; '.join(unmet)}"


def _of_recipe(made: Mapping[str, Any]) -> Iterator[str]:
    """What the technique says of its work, and why a format has no file."""
    facts = made["facts"]
    yield from _sentences(facts)
    for form, of_format in facts.items():
        if isinstance(of_format, Mapping):
            yield from (f"{form}: {one}" for one in _sentences(of_format))
    yield from (f"no {form} file: {why}" for form, why in made["failures"].items())


def _sentences(facts: Mapping[str, Any]) -> list[str]:
    notes = facts.get("notes", ())
    said = [facts.get("sentence", ""), *(notes if isinstance(notes, list | tuple) else ())]
    return [one for one in said if one and isinstance(one, str)]
