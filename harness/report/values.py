"""What every form of the report asks of a session: order, names, reasons, and numbers as text."""

from __future__ import annotations

import math

from harness.case import Case
from harness.measurement import Measurement
from harness.policy import WORST_FIRST
from harness.rules import Outcome
from harness.session import Session
from harness.verdict import Verdict

MISSING = "-"


def all_cases(session: Session) -> list[Case]:
    """Every case of the session in the order of the cards, measured or not."""
    return list(dict.fromkeys((*session.cases, *session.measurements, *session.errors)))


def measured_cases(session: Session) -> list[Measurement]:
    """What was measured, in the order of the cards."""
    return [session.measurements[case] for case in all_cases(session) if case in session.measurements]


def verdicts_of(session: Session) -> list[Verdict]:
    """Each verdict once, in the order in which they were asked."""
    return list(dict.fromkeys(session.verdicts))


def case_name(case: Case) -> str:
    """The case without its device, which is the session's."""
    return f"{case.model}/{case.variant}/{case.runtime}"


def not_passed(verdicts: list[Verdict]) -> list[Verdict]:
    """Those that are not PASS: the worst outcome first, then the smallest margin."""
    return sorted((one for one in verdicts if one.outcome is not Outcome.PASS), key=badness)


def badness(verdict: Verdict) -> tuple[int, float]:
    """Sorts verdicts: the worst outcome first, then the smallest margin; unknown margins last."""
    return WORST_FIRST.index(verdict.outcome), math.inf if verdict.margin_percent is None else verdict.margin_percent


def counted(verdicts: list[Verdict]) -> str:
    """How many of each outcome, the worst first: "1 FAIL, 3 PASS"."""
    outcomes = [one.outcome for one in verdicts]
    return ", ".join(f"{outcomes.count(one)} {one.value}" for one in WORST_FIRST if one in outcomes)


def simulated(measured: Measurement) -> bool:
    """True where no real engine ran, or a sensor was none."""
    engines = any(run.facts.get("simulated") for run in measured.runs)
    sensors = any(trace.facts.get("simulated") for run in measured.runs for trace in run.traces)
    return measured.simulated or engines or sensors


def simulated_note(session: Session) -> str:
    """The words that mark a report with simulated numbers; empty where all are real."""
    pretended = [simulated(one) for one in session.measurements.values()]
    if session.setup.profile.simulated or (pretended and all(pretended)):
        return "SIMULATED"
    return "partly SIMULATED" if any(pretended) else ""


def titled(session: Session, title: str) -> str:
    """The title, marked where numbers are simulated."""
    note = simulated_note(session)
    return f"{title} [{note}]" if note else title


def number(value: float | None) -> str:
    """Three to four digits; "-" where there is no number."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    if 0 < size < 0.001:
        return "<0.001" if value > 0 else ">-0.001"
    return f"{value:.{0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3}f}"


def with_unit(value: float | None, unit: str) -> str:
    """A number and its unit; "-" where there is no number."""
    shown = number(value)
    return f"{shown} {unit}" if unit and shown != MISSING else shown


def plural(count: int, word: str) -> str:
    """The count and the word: "1 case", "2 cases"."""
    return f"{count} {word}{'' if count == 1 else 's'}"
