"""What was compared with something of before, as tables: the accepted baseline, the last sessions, another build."""

from __future__ import annotations

from itertools import groupby

from harness.report.layout import Row, Table
from harness.report.values import number, titled, verdicts_of
from harness.session import Session
from harness.verdict import Verdict

NOTE = (
    "change: positive is worse, with the bounds that decided; FAIL: proven worse by more than 0.5 %; PASS: proven to "
    "be within what is tolerated; would see: the smallest change that such a comparison proves nine times in ten; "
    "n: sessions, or rounds in turn"
)


def change_table(session: Session) -> Table:
    """One row per metric that was compared, under what it was compared with."""
    compared = [one for one in verdicts_of(session) if one.change is not None]
    grouped = groupby(compared, key=lambda one: (one.case.model, one.change.against if one.change else ""))
    return Table(
        title=titled(session, "Against what was before"),
        columns=("variant/runtime", "metric", "before", "now", "change", "tolerated", "would see", "n", "outcome"),
        groups=tuple((f"{model}, {against}", tuple(map(_row, members))) for (model, against), members in grouped),
        left=2,
        notes=(NOTE,),
    )


def _row(verdict: Verdict) -> Row:
    change = verdict.change
    assert change is not None
    return (
        f"{verdict.case.variant}/{verdict.case.runtime}", verdict.metric, number(change.before), number(verdict.value),
        change.interval, f"{change.tolerance_percent:g} %", change.detectable, str(change.count),
        verdict.outcome.value if verdict.gate else f"advice: {verdict.outcome}",
    )  # fmt: skip
