"""A row of the report in words, for every form that is text. Pure."""

from __future__ import annotations

import math

from harness.trendreport.cells import MISSING, number
from harness.trendreport.claimchoice import budget_claim, change_claim
from harness.trendreport.model import Row, Trends
from harness.trendreport.page import simulated_note
from harness.trendreport.page.rowview import simulated
from harness.trendreport.page.shapes import MISSING_ROW, UNJUDGED
from harness.verdict import Change


def state_of(row: Row) -> str:
    """MISSING, an outcome, or NOT_JUDGED."""
    return MISSING_ROW if row.missing else row.outcome or UNJUDGED


def status(row: Row) -> str:
    """The same with "advice: " before it where no gate says it."""
    return f"advice: {row.outcome}" if row.outcome and row.advice and not row.missing else state_of(row)


def is_red(row: Row) -> bool:
    """A gate that broke, or that has no number; what is missing counts unless all that is known of it is advice."""
    return not row.advice if row.missing else row.failed


def is_green(row: Row) -> bool:
    """A PASS of the newest run; what only an earlier run said says nothing of now."""
    return row.outcome == "PASS" and not row.missing and row.current


def is_open(row: Row) -> bool:
    """True for what needs a look."""
    return not row.fold


def change_of(row: Row) -> Change | None:
    """The change that the row's cells tell; None where it was compared with nothing."""
    claim = change_claim(row)
    return claim.change if claim else None


def age_of(row: Row) -> str:
    """When a row that is not of the newest run was judged or measured, in words; "" for any other."""
    if row.current or row.missing or not row.at:
        return ""
    return f"last {'judged' if row.outcome else 'measured'} {row.at}; not asked for in the newest run"


def sentences(row: Row) -> tuple[str, ...]:
    """All that is said of the row, what is missing or old first."""
    return tuple(filter(None, (row.missing, age_of(row), *(one.sentence for one in row.claims))))


def flags_of(row: Row, trends: Trends) -> tuple[str, ...]:
    """The row's flags; "simulated" also where only its case is known to be."""
    others = tuple(one for one in row.flags if one != "simulated")
    return (*others, "simulated") if simulated(row, trends) else others


def value_text(row: Row) -> str:
    """The value and its unit."""
    return number(row.value, row.unit)


def budget_text(row: Row) -> str:
    """The limit and how far inside it the value is: "50 ms, +12.3 %"."""
    claim = budget_claim(row)
    if claim is None:
        return MISSING
    margin = claim.margin_percent
    inside = "" if margin is None or not math.isfinite(margin) else f", {margin:+.1f} %"
    return number(claim.limit, row.unit) + inside


def change_text(row: Row) -> str:
    """The change and its interval against what is tolerated: "+1.20 % [-0.30, +2.70], tolerated 5 %"."""
    change = change_of(row)
    return MISSING if change is None else f"{change.interval}, tolerated {number(change.tolerance_percent)} %"


def detectable_text(row: Row) -> str:
    """The smallest change that would have been seen."""
    change = change_of(row)
    return MISSING if change is None or change.detectable_percent is None else f"{change.detectable_percent:.2g} %"


def title_of(trends: Trends) -> str:
    """The state, marked where numbers are simulated."""
    note = simulated_note(trends)
    return f"{trends.overview.state} [{note}]" if note else trends.overview.state


def banner_of(trends: Trends) -> str:
    """The verdict and the next step on one line."""
    overview = trends.overview
    following = f". Next: {overview.next_step}" if overview.next_step else ""
    return f"{title_of(trends)}: {overview.sentence}{following}"
