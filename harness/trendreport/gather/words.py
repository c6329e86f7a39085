"""What the verdicts of a session said, also where only their figures were read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from harness.history.trendrows import OutcomeRow, TrendRows
from harness.record import RecordedVerdict
from harness.trendreport.cells import number
from harness.trendreport.metricwords import unit_of

# Session number -> its verdicts.
Words = Mapping[int, tuple[RecordedVerdict, ...]]


def words_of(rows: TrendRows, numbers: Set[int]) -> Words:
    """The verdicts of these sessions, and of all whose words were read."""
    return {**_without_words(rows, numbers - rows.newest.keys()), **rows.newest}


def why_failed(verdicts: Iterable[RecordedVerdict], metric: str) -> str:
    """What the gates said that were FAIL."""
    return "; ".join(one.sentence for one in verdicts if (one.metric, one.outcome, one.gate) == (metric, "FAIL", True))


def _without_words(rows: TrendRows, numbers: Set[int]) -> Words:
    """Verdicts of sessions whose inputs and sentences were not read, with a sentence of their figures."""
    found: dict[int, list[RecordedVerdict]] = {number: [] for number in numbers}
    for one in rows.outcomes if numbers else ():
        if one.session in found:
            found[one.session].append(RecordedVerdict(
                metric=one.metric, outcome=one.outcome, gate=one.gate, rule=one.rule, inputs={}, sentence=_figures(one),
                value=one.value, limit=one.limit,
            ))  # fmt: skip
    return {number: tuple(verdicts) for number, verdicts in found.items()}


def _figures(one: OutcomeRow) -> str:
    if one.value is None:
        return ""
    if one.limit is None:
        return f"{number(one.value, unit_of(one.metric))} against what was before"
    return f"{one.value:.4g} against a limit of {one.limit:g}"
