"""One Markdown file over all models and platforms: each platform replaces its own section and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, printable
from harness.files import write_atomically
from harness.markup import escape, table
from harness.optimise.columns import COLUMNS, NOTHING, measured, unmeasured
from harness.optimise.report import meanings, rows_table, unmeasured_lines
from harness.optimise.results import Result
from harness.optimise.rows import LATENCY, Row

OPTION = "--table"
INTRO = (
    "# Results\n\nWritten by `harness optimize MODEL --target DEVICE --table FILE`: every variant of every model on "
    "every platform that was measured. A figure belongs to its machine and date; on another one measure again.\n"
)
FITS, FITS_END = "<!-- fits -->", "<!-- end of fits -->"
_SECTION = re.compile(
    r"<!-- platform: (?P<name>.*?) -->\n<!-- summary: (?P<summary>.*?) -->\n.*?<!-- end of platform -->\n", re.DOTALL
)
_FITS = re.compile(re.escape(FITS) + r".*?" + re.escape(FITS_END) + r"\n", re.DOTALL)


def check_table(path: Path) -> None:
    """ConfigError before hours of measuring, where the table could not be written."""
    if path.suffix.lower() != ".md":
        raise ConfigError(f"{path} is no Markdown file", where=OPTION, remedy="name one that ends in .md")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"there is no folder {path.absolute().parent}", where=OPTION)
    _summaries(_old(path))


def write_table(path: Path, results: Sequence[Result]) -> Path:
    """The results of one platform into the file; ConfigError where it is there and cannot be read."""
    return write_atomically(path, with_section(_old(path), results), option=OPTION)


def _old(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else INTRO
    except (OSError, ValueError) as error:
        raise ConfigError(f"the table cannot be read: {error}", where=str(path), remedy="name another file") from error


def with_section(text: str, results: Sequence[Result]) -> str:
    """The text with this platform's section in place of an older one, and what fits which model over all of them.

    ConfigError where a summary in it was edited into something else.
    """
    name = _inert(platform(results))
    section = _section(name, results)
    old = next((one for one in _SECTION.finditer(text) if one["name"] == name), None)
    whole = text[: old.start()] + section + text[old.end() :] if old else f"{text.rstrip()}\n\n{section}"
    return _with_fits(whole)


def platform(results: Sequence[Result]) -> str:
    """The device and the machine that it was."""
    return f"{results[0].device}, {results[0].machine}"


def _section(name: str, results: Sequence[Result]) -> str:
    summary = _inert(json.dumps([_fit(one) for one in results], sort_keys=True))
    body = "\n".join(_body(name, results))
    return f"<!-- platform: {name} -->\n<!-- summary: {summary} -->\n{body}\n<!-- end of platform -->\n"


def _body(name: str, results: Sequence[Result]) -> Iterator[str]:
    yield f"## {escape(name)}"
    yield from ("", escape(_conditions(results), limit=2000), "", "### Speed-up per engine", "")
    yield "Of the inference against FP32 on the same engine, in turn in one process; lowest to highest model."
    yield from ("", *speedups(results))
    for one in results:
        yield from ("", f"### {escape(one.model)}", "", escape(f"{_taken(one)} ({one.at[:10]})", limit=2000), "")
        yield from rows_table(one)
        if unmeasured(one):
            yield from ("", "Not measured:", "", *unmeasured_lines(one))
    yield from ("", "### What the columns mean", "", *meanings(COLUMNS))


def _conditions(results: Sequence[Result]) -> str:
    """Machine, dates, versions, plan and seed."""
    engines = {runtime: engine for one in results for runtime, engine in one.engines.items()}
    plans = dict.fromkeys(
        f"plan {one.plan}, {one.frames} labelled frames, seed {one.seed}, loss under {one.loss_points:g} points"
        for one in results
    )
    said = (
        "SIMULATED" if any(one.simulated for one in results) else "", results[0].description,
        f"Machine: {results[0].machine}", f"Measured {_dates(results)}, harness {results[0].harness}",
        "; ".join(plans), "Engines: " + "; ".join(f"{runtime}: {engine}" for runtime, engine in engines.items()),
        "Made with " + ", ".join(f"{name} {version}" for name, version in results[0].libraries.items()),
    )  # fmt: skip
    return ". ".join(filter(None, said)) + "."


def _dates(results: Sequence[Result]) -> str:
    dates = sorted({row.at[:10] for one in results for row in one.rows if row.at})
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "never"


def speedups(results: Sequence[Result]) -> list[str]:
    """Candidate by engine: the lowest and the highest speed-up over the models."""
    rows = [row for one in results for row in measured(one) if row.infer_speedup]
    runtimes = list(dict.fromkeys(row.beside for row in rows))
    candidates = list(dict.fromkeys(row.candidate for row in rows))
    cells = [[one, *(_range([row for row in rows if (row.candidate, row.beside) == (one, runtime)])
                     for runtime in runtimes)] for one in candidates]  # fmt: skip
    return table(["candidate", *runtimes], cells, left=1)


def _range(rows: Sequence[Row]) -> str:
    values = sorted(row.infer_speedup.value for row in rows if row.infer_speedup)
    if not values:
        return NOTHING
    ends = dict.fromkeys(f"{one:.2f}" for one in (values[0], values[-1]))
    return " to ".join(ends)


def _taken(result: Result) -> str:
    return f"{'Taken' if result.best.found else 'Nothing taken'}: {result.best.sentence}"


def _fit(result: Result) -> dict[str, Any]:
    """What the table of devices and models needs of one result."""
    row = result.row(result.best.name) if result.best.found else None
    parents = [one for one in measured(result) if one.candidate == result.parent]
    fitting = [one for one in parents if all(told.passed for told in one.verdicts if told.gate)]
    return {
        "model": result.model, "device": result.device, "simulated": result.simulated, "limit_ms": result.latency_ms,
        "best": row.name if row else "", "p99_ms": row.values.get(LATENCY) if row else None,
        "parent_on": [one.runtime for one in fitting],
    }  # fmt: skip


def _with_fits(text: str) -> str:
    """The table of devices and models, made anew from the summaries of all sections."""
    sections = _summaries(text)
    block = "\n".join((FITS, *_fits(sections), FITS_END)) + "\n"
    bare = _FITS.sub("", text)
    first = _SECTION.search(bare)
    assert first is not None
    return f"{bare[: first.start()].rstrip()}\n\n{block}\n{bare[first.start() :]}"


def _summaries(text: str) -> list[tuple[str, Any]]:
    try:
        return [(one["name"], _told(json.loads(one["summary"]))) for one in _SECTION.finditer(text)]
    except (ValueError, TypeError, LookupError) as error:
        raise ConfigError(
            f"a summary in the table is not what was written any more: {error}", where=OPTION,
            remedy="take its section out",
        ) from error  # fmt: skip


def _told(fits: Any) -> list[Any]:
    """The same, once it is known that every word of it can be said."""
    for one in fits:
        str(one["model"])
        _fitting([one])
    return list(fits)


def _fits(sections: Sequence[tuple[str, Any]]) -> Iterator[str]:
    models = sorted({one["model"] for _, fits in sections for one in fits})
    cells = [[model, *(_fitting([one for one in fits if one["model"] == model]) for _, fits in sections)]
             for model in models]  # fmt: skip
    yield from ("## Which device fits which model", "")
    yield "By the budgets of the device and of the model: the variant to take, or whether FP32 alone fits."
    yield from ("", *table(["model", *(name for name, _ in sections)], cells, left=1 + len(sections)))


def _fitting(fits: Sequence[Any]) -> str:
    if not fits:
        return "not measured"
    one = fits[0]
    marked = "SIMULATED: " if one["simulated"] else ""
    if one["best"]:
        return f"{marked}fits: {one['best']}, P99 {one['p99_ms']:.3g} of {one['limit_ms']:g} ms"
    if one["parent_on"]:
        return f"{marked}fits as FP32 on {', '.join(one['parent_on'])}; no variant can be taken"
    return f"{marked}not shown to fit"


def _inert(text: str) -> str:
    """Nothing that would end a comment."""
    return printable(text, 100_000).replace("--", "- -").replace(">", "\\u003e")
