"""report.md, report.html and report.json of one model: every candidate a row, also those that failed, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, printable
from harness.files import write_atomically
from harness.markup import escape, table
from harness.optimise.columns import NOTHING, Column, columns_of, measured, unmeasured
from harness.optimise.figure import front_svg
from harness.optimise.remarks import remarks
from harness.optimise.results import Result, write_result

if TYPE_CHECKING:
    from jinja2 import Environment

SIMULATED = "SIMULATED"
REASON = 2000
OPTION = "--out"


def write_report(result: Result, folder: Path) -> list[Path]:
    """The three files; HarnessError where one cannot be written."""
    return [
        write_result(result, folder),
        write_atomically(folder / "report.md", markdown(result), option=OPTION),
        write_atomically(folder / "report.html", page(result), option=OPTION),
    ]


def markdown(result: Result) -> str:
    """The report as Markdown."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield f"# {escape(title(result))}"
    for paragraph in summary(result):
        yield from ("", escape(paragraph, limit=REASON))
    yield from ("", "## Candidates", "", *rows_table(result))
    if unmeasured(result):
        yield from ("", "## Not measured", "", *unmeasured_lines(result))
    if told := [f"- {escape(one, limit=REASON)}" for one in remarks(result)]:
        yield from ("", "## Remarks", "", *told)
    yield from (
        "",
        "## What the columns mean",
        "",
        *(f"- **{one.title}**: {one.meaning}" for one in columns_of(result)),
    )


def meanings(columns: Iterable[Column]) -> list[str]:
    """A line for each column."""
    return [f"- **{one.title}**: {one.meaning}" for one in columns]


def rows_table(result: Result) -> list[str]:
    """The measured rows as a Markdown table."""
    columns = columns_of(result)
    cells = [[one.cell(result, row) for one in columns] for row in measured(result)]
    return table([one.title for one in columns], cells, left=[one.number for one in columns].index(True))


def unmeasured_lines(result: Result) -> list[str]:
    """The others with their reasons, which are too long for a table's cell."""
    return [f"- {escape(row.name)}: {escape(row.reason, limit=REASON)}" for row in unmeasured(result)]


def _failure(row: Any) -> list[str]:
    return [row.candidate, row.runtime or NOTHING, row.reason]


def title(result: Result) -> str:
    """What the report is about."""
    marked = f" [{SIMULATED}]" if result.simulated else ""
    return f"{result.model} on {result.device}: variants{marked}"


def summary(result: Result) -> Iterator[str]:
    """The answer first, then under which conditions it was found."""
    yield f"{'Taken' if result.best.found else 'Nothing taken'}: {result.best.sentence}."
    if result.adopted:
        yield f"Card: {result.adopted}."
    engines = "; ".join(f"{runtime}: {engine}" for runtime, engine in result.engines.items())
    yield (
        f"{result.description}. Machine: {result.machine}. Engines: {engines}. Limits: loss under "
        f"{result.loss_points:g} points, P99 of a frame within {result.latency_ms:g} ms. Plan {result.plan}, "
        f"{result.frames} labelled frames asked for, seed {result.seed}, harness {result.harness}, {result.at}."
    )


def page(result: Result) -> str:
    """One HTML document without a script, which loads nothing."""
    from markupsafe import Markup

    columns = columns_of(result)
    return _templates().get_template("report.html").render(
        title=title(result), paragraphs=list(summary(result)), columns=columns, figure=Markup(_figure(result)),
        rows=[{"row": row, "cells": [one.cell(result, row) for one in columns], **_marks(result, row)}
              for row in measured(result)],
        failures=[_failure(row) for row in unmeasured(result)], remarks=list(remarks(result)),
        recipes=[_recipe(name, made) for name, made in result.made.items()],
    )  # fmt: skip


def _figure(result: Result) -> str:
    try:
        return front_svg(result)
    except HarnessError as error:
        from markupsafe import escape as inert

        return f"<p>{inert(error.sentence)}</p>"


def _marks(result: Result, row: Any) -> dict[str, bool]:
    return {"taken": result.best.found and result.best.name == row.name, "front": result.standings[row.name].on_front}


def _recipe(name: str, made: Any) -> dict[str, Any]:
    recipe = made["recipe"]
    options = ", ".join(f"{key} = {value}" for key, value in sorted(recipe["options"].items())) or "no options"
    files = [f"{form}: {one['sha256']}, {one['size_bytes']} bytes" for form, one in made["files"].items()]
    return {"name": name, "what": f"{recipe['technique']} of {recipe['parent']}, {options}, seed {recipe['seed']}",
            "files": files, "reason": made["reason"]}  # fmt: skip


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("harness.optimise", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip


def _shown(value: object) -> object:
    """What the page itself made stays; all else is text that shows what is invisible in it."""
    return value if hasattr(value, "__html__") else printable(str(value), 10_000)
