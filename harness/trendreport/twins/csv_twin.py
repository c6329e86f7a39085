"""The rows as one table for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import Any

from harness.errors import printable
from harness.history.export import without_formula
from harness.trendreport.claimchoice import budget_claim
from harness.trendreport.model import Row, Trends
from harness.trendreport.phrases import change_of, flags_of, sentences, state_of

HEADER = (
    "device", "model", "variant", "runtime", "metric", "unit", "value", "at", "outcome", "gate", "missing", "current",
    "in_noise", "flags", "limit", "margin_percent", "against", "change_percent", "change_low_percent",
    "change_high_percent", "tolerated_percent", "detectable_percent", "sessions", "said",
)  # fmt: skip


def csv_twin(trends: Trends) -> str:
    """CSV as in RFC 4180 with a header, a line per row, the weightiest first; what is unmeasured is an empty cell.

    Text is as `without_formula` makes it.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(HEADER)
    writer.writerows(map(_cell, _cells(row, trends)) for row in trends.rows)
    return file.getvalue()


def _cells(row: Row, trends: Trends) -> tuple[Any, ...]:
    case, budget, change = row.case, budget_claim(row), change_of(row)
    limits = (budget.limit, budget.margin_percent) if budget else (None, None)
    compared = (None,) * 7 if change is None else (
        change.against, change.percent, change.low_percent, change.high_percent, change.tolerance_percent,
        change.detectable_percent, change.count,
    )  # fmt: skip
    return (
        case.device, case.model, case.variant, case.runtime, row.metric, row.unit, row.value, row.at, state_of(row),
        not row.advice, bool(row.missing), row.current, row.in_noise, ", ".join(flags_of(row, trends)), *limits,
        *compared, "; ".join(sentences(row)),
    )  # fmt: skip


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return without_formula(printable(value)) if isinstance(value, str) else value
