"""The one sentence above all others: what the session says, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.values import all_cases, counted, not_passed, plural, simulated_note, verdicts_of
from harness.rules import Outcome
from harness.session import Session
from harness.verdict import Verdict

NEXT = {
    "FAIL": "the FAIL rows give value and limit; measure the last good build on the same device to see what changed",
    "ERROR": "each error names its remedy; what could not be measured is not known to be good",
    "INTERRUPTED": "run the cases that are left: pytest with the same arguments; what was measured is in the report",
    "NOTHING MEASURED": "ask for a test that uses `measurement` or `check`; this run says nothing about any model",
    "NOTHING JUDGED": "give the metrics a limit in the device profile or the model card",
    "INVALID": "each sentence says what spoiled the numbers; leave the machine to the measurement alone and run again",
    "INCONCLUSIVE": "more frames or a quieter machine would decide; nothing here is proven good or bad",
    "NOT_COMPARABLE": "measure and accept a baseline under the same conditions",
    "NO_BASELINE": "measure and accept a baseline first",
    "PASS": "",
}
SMOKE_NEXT = "the plan {} never judges speed: run --plan=standard for that"


@dataclass(frozen=True, kw_only=True)
class Banner:
    """state: a key of NEXT. sentence: the counts behind it. next_step: what to do, empty after a PASS."""

    state: str
    sentence: str
    next_step: str

    @property
    def line(self) -> str:
        """The whole on one line."""
        return f"{self.state}: {self.sentence}" + (f". Next: {self.next_step}" if self.next_step else "")


def banner(session: Session) -> Banner:
    """The state is the worst that was found: a broken gate, an error, nothing measured, a gate left open."""
    gates = [one for one in verdicts_of(session) if one.gate]
    state = _state(session, gates)
    return Banner(state=state, sentence="; ".join(_counts(session, gates)), next_step=_next(session, state))


def _state(session: Session, gates: list[Verdict]) -> str:
    if any(one.outcome is Outcome.FAIL for one in gates):
        return "FAIL"
    if session.errors or session.unanswered:
        return "ERROR"
    if session.interrupted:
        return "INTERRUPTED"
    if not session.measurements:
        return "NOTHING MEASURED"
    open_gates = not_passed(gates)
    return open_gates[0].outcome.value if open_gates else "PASS" if gates else "NOTHING JUDGED"


def _counts(session: Session, gates: list[Verdict]) -> list[str]:
    cases, measured = all_cases(session), len(session.measurements)
    left = [one for one in cases if one not in session.measurements and one not in session.errors]
    unreached = sum(one in session.asked for one in left)
    partly = sum(one in session.measurements for one in session.errors)
    lost = len(session.errors) - partly
    advice = [one for one in verdicts_of(session) if not one.gate]
    sentences = (
        (f"{plural(len(gates), 'gate')}: {counted(gates)}" if gates else "no gate was asked", bool(measured)),
        ("NOTHING MEASURED", bool(session.errors) and not measured),
        (f"{measured} of {plural(len(cases), 'case')} measured", True),
        (f"{plural(lost, 'case')} could not be measured", bool(lost)),
        (f"the accuracy of {plural(partly, 'case')} is not known", bool(partly)),
        (f"{plural(len(session.unanswered), 'question')} without an answer", bool(session.unanswered)),
        (f"{plural(unreached, 'case')} asked for and not measured", bool(unreached)),
        (f"{plural(len(left) - unreached, 'case')} not asked for", len(left) > unreached),
        (f"advice: {counted(advice)}", bool(not_passed(advice))),
        (f"{simulated_note(session)}: these numbers are no real hardware's", bool(simulated_note(session))),
    )
    return [sentence for sentence, holds in sentences if holds]


def _next(session: Session, state: str) -> str:
    setup = session.setup
    if state == "INCONCLUSIVE" and setup.profile.judges_speed and not setup.plan.judges_speed:
        return SMOKE_NEXT.format(setup.plan.name)
    return NEXT[state]
