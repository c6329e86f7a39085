"""What is not as it should be, one sentence each: verdicts that did not pass, errors, and the harness's own cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.case import Case
from harness.report.values import measured_cases, not_passed, plural, verdicts_of
from harness.rules import Outcome
from harness.session import Session
from harness.verdict import Verdict

NAMED_CASES = 4


@dataclass(frozen=True, kw_only=True)
class Finding:
    """label: an outcome or ERROR. subject: which case and metric. sentence: what and what next."""

    label: str
    subject: str
    sentence: str


def open_verdicts(session: Session, *, gate: bool) -> list[Finding]:
    """Verdicts that are not PASS, the worst first; those that say the same words are told once, with their count."""
    found = not_passed([one for one in verdicts_of(session) if one.gate is gate])
    failed = [_single(one) for one in found if one.outcome is Outcome.FAIL]
    return [*failed, *_grouped([one for one in found if one.outcome is not Outcome.FAIL])]


def errors(session: Session) -> list[Finding]:
    """Cases that could not be measured, with the next step; the same error of several cases once."""
    said: dict[str, list[Case]] = {}
    for case, error in (*session.errors.items(), *((case, one) for (case, _), one in session.unanswered.items())):
        said.setdefault(error.sentence, []).append(case)
    return [Finding(label="ERROR", subject=_names(cases), sentence=sentence) for sentence, cases in said.items()]


def harness_cost(session: Session) -> str:
    """What the harness itself adds to a frame, the worst of all runs; empty where nothing tells."""
    parts = [
        f"{label} {_microseconds(values)}"
        for label, mark in (
            ("median", "harness_cost_median_ns"), ("p99", "harness_cost_p99_ns"),
            ("frame minus stages: median", "harness_residual_median_ns"), ("p99", "harness_residual_p99_ns"),
            ("timer resolution", "timer_resolution_ns"),
        ) if (values := list(_marks(session, mark)))
    ]  # fmt: skip
    runs = sum(len(one.runs) for one in session.measurements.values())
    return f"harness cost per frame (worst of {plural(runs, 'run')}): {', '.join(parts)}" if parts else ""


def _single(verdict: Verdict) -> Finding:
    subject = f"{verdict.case.key} {verdict.metric}"
    return Finding(label=verdict.outcome.value, subject=subject, sentence=verdict.sentence)


def _grouped(verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    said: dict[tuple[str, str], list[Verdict]] = {}
    for one in verdicts:
        said.setdefault((one.outcome.value, one.sentence), []).append(one)
    for (label, sentence), members in said.items():
        yield _single(members[0]) if len(members) == 1 else _several(label, sentence, members)


def _several(label: str, sentence: str, members: list[Verdict]) -> Finding:
    metrics = ", ".join(dict.fromkeys(one.metric for one in members))
    cases = _names(dict.fromkeys(one.case for one in members))
    return Finding(label=label, subject=f"{len(members)} checks ({metrics}) of {cases}", sentence=sentence)


def _names(cases: Iterable[Case]) -> str:
    """The first few keys, and how many more."""
    keys = [one.key for one in cases]
    more = len(keys) - NAMED_CASES
    return ", ".join(keys[:NAMED_CASES]) + (f" and {more} more" if more > 0 else "")


def _marks(session: Session, name: str) -> Iterator[float]:
    return (run.marks[name] for one in measured_cases(session) for run in one.runs if name in run.marks)


def _microseconds(values: list[float]) -> str:
    return f"{max(values) / 1e3:.2f} us"
