"""What a report says once of the scenario times: through which filters, whose times they are, and what they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.events.scenarios import FRAME_BUDGET_WORDING, NOT_A_RATING, SCENARIOS
from harness.questions.scenarios import metric_of
from harness.report.values import case_name
from harness.session import Session
from harness.verdict import Verdict


def scenario_notes(session: Session, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """None where no scenario time is among the verdicts."""
    asked = {one.metric for one in verdicts}
    known = [one for one in SCENARIOS if metric_of(one) in asked]
    if not known:
        return ()
    origins = dict.fromkeys(f"scenario times of {one.origin}" for one in known)
    metrics = {metric_of(one) for one in known}
    filters = _filters(session, [one for one in verdicts if one.metric in metrics])
    return (*filters, *origins, f"{NOT_A_RATING}; {FRAME_BUDGET_WORDING}")


def _filters(session: Session, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Each filter once, with the first case that went through it and how many more did."""
    cases: dict[str, list[str]] = {}
    for case in dict.fromkeys(one.case for one in verdicts):
        measured = session.measurements.get(case)
        if measured is not None and measured.filtering is not None:
            cases.setdefault(measured.filtering.words, []).append(case_name(case))
    for words, (first, *more) in cases.items():
        yield f"{first}{f' and {len(more)} more' if more else ''}: {words}"
