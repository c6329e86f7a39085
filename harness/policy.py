"""What each outcome does to the exit status, and how strictly a percentile is judged: one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.rules import Outcome
from harness.verdict import TailTest, Verdict

Policy = Literal["pr", "nightly", "release"]
# Name of the JUnit property, and of nothing else, that says whose fault a failed test is.
CLASS_PROPERTY = "dms_failure_class"
# Misses may come in bursts: then only frames that lie further apart count as independent.
_BURSTS = TailTest(alpha=0.04, stride=10)
TAILS: dict[Policy, TailTest] = {"pr": TailTest(), "nightly": _BURSTS, "release": _BURSTS}
WORST_FIRST = (
    Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.NOT_COMPARABLE, Outcome.NO_BASELINE, Outcome.PASS,
)  # fmt: skip
LETTERS = {
    Outcome.INCONCLUSIVE: "?",
    Outcome.INVALID: "!",
    Outcome.NO_BASELINE: "n",
    Outcome.NOT_COMPARABLE: "c",
}


def turns_red(verdict: Verdict, policy: Policy) -> bool:
    """pr: only a proven break of a gate. nightly and release: every gate that does not pass."""
    return verdict.red if policy == "pr" else verdict.gate and verdict.outcome is not Outcome.PASS


def letter(outcome: str) -> str:
    """One character for pytest's line of dots."""
    return LETTERS.get(Outcome(outcome), ".")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that says most: a FAIL before what could not be judged, and that before a PASS."""
    return min(outcomes, key=list(WORST_FIRST).index)
