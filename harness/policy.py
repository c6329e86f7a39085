"""What each outcome does to the exit status: one place."""

from __future__ import annotations

from typing import Literal

from harness.verdict import Outcome, Verdict

Policy = Literal["pr", "nightly", "release"]
LETTERS = {
    Outcome.INCONCLUSIVE: "?",
    Outcome.INVALID: "!",
    Outcome.NO_BASELINE: "n",
    Outcome.NOT_COMPARABLE: "c",
}


def turns_red(verdict: Verdict, policy: Policy) -> bool:
    """pr: only a proven break of a gate. nightly and release: every gate that does not pass."""
    if not verdict.gate:
        return False
    return verdict.outcome is Outcome.FAIL if policy == "pr" else verdict.outcome is not Outcome.PASS


def letter(outcome: str) -> str:
    """One character for pytest's line of dots."""
    return LETTERS.get(Outcome(outcome), ".")
