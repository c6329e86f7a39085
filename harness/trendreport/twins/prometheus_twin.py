"""The last values in Prometheus's text format, for the textfile collector of node_exporter and for a scrape.

Format: "Exposition formats" of the Prometheus documentation (text format 0.0.4). The collector refuses a whole file for
one time stamp or one sample said twice: there are none; the age of the numbers is a sample of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from harness.case import Case
from harness.errors import printable
from harness.trendreport.claimchoice import budget_claim
from harness.trendreport.gather.overview import NEXT
from harness.trendreport.model import OUTCOMES, Row, Trends
from harness.trendreport.page.columns import seconds_of
from harness.trendreport.page.shapes import MISSING_ROW, STALE, UNJUDGED
from harness.trendreport.phrases import change_of, flags_of, state_of

STATES = (MISSING_ROW, *OUTCOMES, UNJUDGED, STALE)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HELP = {
    "dms_state": "1 for what the trend report says as a whole, 0 for every other state",
    "dms_newest_session_timestamp_seconds": "when the newest row of a case was measured",
    "dms_simulated": "1 where the numbers are no real hardware's",
    "dms_outcome": "1 for what a metric was judged to be, 0 for every other outcome; gate false: advice; current "
    "false: the newest run of the device did not ask for it",
    "dms_limit": "the budget that is nearest to breaking, in the metric's unit",
    "dms_margin_percent": "how far inside its limit a value is, in per cent of the limit; negative: outside",
    "dms_change_percent": "against what was before; positive is worse",
    "dms_change_low_percent": "lower end of the change's interval",
    "dms_change_high_percent": "upper end of the change's interval",
    "dms_change_tolerated_percent": "what a change may be",
    "dms_change_detectable_percent": "the smallest change that would have been seen",
}
# No name above begins so: whatever a metric is called, its family is its own.
VALUE = "dms_metric_"
Labels = tuple[tuple[str, str], ...]
Families = dict[str, dict[Labels, float]]


def prometheus_twin(trends: Trends) -> str:
    """Gauges with HELP and TYPE; the metric's own name stands in the label `metric`."""
    families: Families = {name: {} for name in HELP}
    for state in NEXT:
        _add(families, "dms_state", {"state": state}, float(state == trends.overview.state))
    for row in trends.rows:
        _add_row(families, row, "simulated" in flags_of(row, trends))
    return "".join(line for name, samples in families.items() for line in _family(name, samples))


def _add_row(families: Families, row: Row, pretended: bool) -> None:
    labels = {**_case_labels(row.case), "metric": row.metric}
    told = {**labels, "gate": str(not row.advice).lower(), "current": str(row.current).lower()}
    state = STALE if row.fold == "not current" else state_of(row)
    for one in dict.fromkeys((*STATES, state)):
        _add(families, "dms_outcome", {**told, "outcome": one}, float(one == state))
    _add(families, VALUE + re.sub(r"[^a-zA-Z0-9_]", "_", row.metric), {**labels, "unit": row.unit}, row.value)
    for name, value in _numbers(row):
        _add(families, name, labels, value)
    _raise(families, "dms_simulated", _case_labels(row.case), float(pretended))
    if row.at and not row.missing:
        seconds = float(seconds_of((row.at,))[0])
        _raise(families, "dms_newest_session_timestamp_seconds", _case_labels(row.case), seconds)


def _numbers(row: Row) -> Iterator[tuple[str, float | None]]:
    budget, change = budget_claim(row), change_of(row)
    if budget:
        yield "dms_limit", budget.limit
        yield "dms_margin_percent", budget.margin_percent
    if change:
        yield "dms_change_percent", change.percent
        yield "dms_change_low_percent", change.low_percent
        yield "dms_change_high_percent", change.high_percent
        yield "dms_change_tolerated_percent", change.tolerance_percent
        yield "dms_change_detectable_percent", change.detectable_percent


def _add(families: Families, name: str, labels: Mapping[str, str], value: float | None) -> None:
    if value is not None:
        families.setdefault(name, {}).setdefault(_cleaned(labels), value)


def _raise(families: Families, name: str, labels: Mapping[str, str], value: float) -> None:
    """The largest of all values that are told for these labels."""
    samples, place = families[name], _cleaned(labels)
    samples[place] = max(value, samples.get(place, value))


def _case_labels(case: Case) -> dict[str, str]:
    return {"device": case.device, "model": case.model, "variant": case.variant, "runtime": case.runtime}


def _cleaned(labels: Mapping[str, str]) -> Labels:
    # Whole: two cases whose names begin alike are two.
    return tuple((name, printable(value, sys.maxsize)) for name, value in labels.items())


def _family(name: str, samples: Mapping[Labels, float]) -> Iterator[str]:
    if samples:
        yield f"# HELP {name} {HELP.get(name, 'value of the newest session; the label unit says in what')}\n"
        yield f"# TYPE {name} gauge\n"
        yield from (f"{name}{{{_labels(labels)}}} {_number(value)}\n" for labels, value in samples.items())


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(float(value)).replace("inf", "Inf").replace("nan", "NaN")
