"""The trend report as one HTML file: nothing outside it is asked for, and nothing in the data can act."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from textwrap import indent
from typing import TYPE_CHECKING, Any

from harness.trendreport.cells import SIMULATED, number
from harness.trendreport.gather.weight import DONT_CARE_PERCENT
from harness.trendreport.model import OUTCOMES, Trends
from harness.trendreport.page.deploymentview import deployment_view
from harness.trendreport.page.embed import checked_commit_url, json_text, policy, shown
from harness.trendreport.page.foldview import fold_views, nothing_open, views_of
from harness.trendreport.page.paretosvg import pareto_svg
from harness.trendreport.page.payload import detail_elements, payload_of
from harness.trendreport.page.rowview import choices, row_views, simulated
from harness.trendreport.page.shapes import CLASSES, MISSING_ROW, SHAPES, STALE, UNJUDGED, mark_class
from harness.trendreport.page.timesvg import legend, time_svg

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = "harness.trendreport.page"
SCRIPTS = (
    "decode.js", "scale.js", "decimate.js", "chart.js", "charts.js", "table.js", "detail.js", "sessions.js", "main.js",
)  # fmt: skip
DEVICES_NAMED = 3
PARTLY = f"partly {SIMULATED}"
MEANINGS = {
    MISSING_ROW: "asked for, or judged before, and not measured; it is not known to be good",
    "FAIL": "shown to be outside the limit, or worse than what was accepted",
    "INVALID": "the surroundings disqualify the numbers: other load, another clock speed, a reference that moves",
    "INCONCLUSIVE": "the numbers show neither; more of them, or a quieter machine, would decide",
    "NOT_COMPARABLE": "measured under other conditions than what was accepted",
    "NO_BASELINE": "nothing was accepted yet, or fewer than 5 sessions",
    "PASS": "shown to be inside the limit or the tolerance",
    UNJUDGED: "no budget and no baseline asks for it; it is only reported",
    STALE: "the newest run of the device has no valid number of it; what an earlier one said is no statement on now",
}


def page(trends: Trends, *, commit_url: str = "") -> str:
    """The whole document; the same bytes for the same trends.

    commit_url: a web address with {commit} in it; ConfigError where it is something else.
    """
    from markupsafe import Markup

    link = checked_commit_url(commit_url)
    script, style = page_script(), page_style()
    elements = detail_elements(trends.details)
    return _templates().get_template("page.html").render(
        **_head(trends), **_body(trends, link),
        policy=policy(script, style), script=Markup(script), style=Markup(style),
        payload=Markup(json_text(payload_of(trends, link))),
        details=[(elements[session], Markup(json_text(detail))) for session, detail in trends.details.items()],
    )  # fmt: skip


@cache
def page_script() -> str:
    """All scripts in one function, so that none of their names is seen outside; `html.js` says that scripts run."""
    body = "\n".join(short(_asset(name)) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\ndocument.documentElement.classList.add("js");\n{body}\n}})();'


@cache
def page_style() -> str:
    """page.css, with the declarations of dark.css in both of its rules for the dark."""
    return _asset("page.css").replace("    /* dark.css */\n", indent(_asset("dark.css"), "    "))


def short(script: str) -> str:
    """A script without its comment lines and indentation, which only its readers need."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**")))


def _head(trends: Trends) -> dict[str, Any]:
    note, overview = simulated_note(trends), trends.overview
    devices = _devices(trends)
    of_what = f"{devices} ({note})" if note else devices
    return {
        "title": " - ".join(filter(None, (overview.state, of_what, "trends"))), "devices": devices,
        "simulated_note": note, "banner_note": "" if SIMULATED in overview.sentence else note,
        "mark_simulated": note == PARTLY, "overview": overview, "state_class": mark_class(overview.state),
        "newest": trends.newest, "notes": trends.notes,
    }  # fmt: skip


def _body(trends: Trends, commit_url: str) -> dict[str, Any]:
    rows, views = trends.rows, row_views(trends, commit_url)
    return {
        "findings": list(_findings(trends)), "choices": choices(views),
        "open_rows": views_of("", rows, views), "nothing_open": nothing_open(rows),
        "folds": list(fold_views(rows, views)), "views": trends.views.tables, "health": trends.health,
        "provenance": trends.provenance, "deployment": deployment_view(trends.deployments),
        "sections": [(one, [(drawn.title, time_svg(drawn), legend(drawn)) for drawn in one.charts])
                     for one in trends.sections],
        "charts": [{"title": one.title, "svg": pareto_svg(one)} for one in trends.views.charts if one.points],
        "symbols": [(CLASSES[outcome], path) for outcome, path in SHAPES.items()],
        "meanings": [(_word(outcome), mark_class(outcome), said) for outcome, said in MEANINGS.items()],
        "dont_care": number(DONT_CARE_PERCENT),
    }  # fmt: skip


def simulated_note(trends: Trends) -> str:
    """The words that mark a report with simulated numbers; empty where all are real."""
    pretended = [one.simulated for one in trends.tracks] + [simulated(one, trends) for one in trends.rows]
    if pretended and all(pretended):
        return SIMULATED
    return PARTLY if any(pretended) or trends.overview.simulated else ""


def _devices(trends: Trends) -> str:
    """The first few names, and how many more there are."""
    names = sorted({one.case.device for one in trends.tracks} | {one.case.device for one in trends.rows})
    more = len(names) - DEVICES_NAMED
    return ", ".join(names[:DEVICES_NAMED]) + (f" and {more} more" if more > 0 else "")


def _findings(trends: Trends) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Title, class of the mark, sentences."""
    found = trends.overview
    yield "Failed", CLASSES["FAIL"], found.failed
    yield "New", CLASSES[UNJUDGED], found.new
    yield "Missing", CLASSES[MISSING_ROW], found.missing
    yield "SIMULATED", CLASSES[UNJUDGED], found.simulated
    yield "Not asked for in the newest run", CLASSES[UNJUDGED], found.not_asked


def _word(outcome: str) -> str:
    return {UNJUDGED: "not judged", STALE: "on a date"}.get(outcome, outcome)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(PACKAGE, "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        finalize=_finalize,
    )  # fmt: skip


def _finalize(value: object) -> object:
    """What the page itself made stays; all else is text that shows what is invisible in it."""
    return value if hasattr(value, "__html__") else shown(value)


@cache
def _asset(name: str) -> str:
    return (files(PACKAGE) / "assets" / name).read_text("utf-8")


assert set(MEANINGS) - {STALE} == set(SHAPES) == {*OUTCOMES, MISSING_ROW, UNJUDGED}
