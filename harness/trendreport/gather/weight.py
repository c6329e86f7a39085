"""How much a row speaks against the build: what the first screen is sorted by, and what it folds. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison import TEST
from harness.trendreport.model import OUTCOMES, Claim
from harness.verdict import Change

# A gain or loss that is not worth a red light, in per cent; the same in both comparisons.
DONT_CARE_PERCENT = 100 * TEST["dont_care"]
MOST_EVIDENCE = 1e6
MISSING, NOT_JUDGED = 8, 0
_CLASSES = {"FAIL": 7, "INVALID": 6, "INCONCLUSIVE": 5, "NOT_COMPARABLE": 4, "NO_BASELINE": 3, "PASS": 2}


def weight_of(claims: Sequence[Claim], *, advice: bool, missing: bool = False) -> float:
    """The weight of a row: 4 c + 2 g + 1 + e / (1 + |e|), so that c decides before g, and g before e.

    c: 8 where something is missing, 7 FAIL, 6 INVALID, 5 INCONCLUSIVE, 4 NOT_COMPARABLE, 3 NO_BASELINE, 2 PASS with a
    change, 1 PASS inside the noise, 0 not judged. g: 1, or 0 for advice. e: how far the evidence of the worst claim of
    that outcome goes, in per cent: of a limit, how far the value is outside it; of a change that FAILs, how far its
    lower bound is above the 0.5 % that nobody cares about; of any other change, how far its upper bound is above what
    is tolerated. A FAIL without a figure (outputs that are dead) is the worst there is.
    """
    outcome, by_advice = verdict_of(claims)
    said = [evidence(one) for one in claims if one.outcome == outcome and one.gate is not by_advice]
    limited = min(max(max(said, default=0.0), -MOST_EVIDENCE), MOST_EVIDENCE)
    quiet = outcome == "PASS" and in_noise(claims)
    group = MISSING if missing else _CLASSES.get(outcome, NOT_JUDGED) - quiet
    return 4 * group + 2 * (not advice) + 1 + limited / (1 + abs(limited))


def verdict_of(claims: Sequence[Claim]) -> tuple[str, bool]:
    """The worst outcome of the gates, or of all where none is a gate ("": nobody judged); and whether it is advice."""
    judged = [one for one in claims if one.outcome]
    gates = [one for one in judged if one.gate]
    return min((one.outcome for one in gates or judged), key=OUTCOMES.index, default=""), not gates


def evidence(claim: Claim) -> float:
    """How far the claim lies on the bad side, in per cent; 0 where it has no figure."""
    if claim.change is not None:
        return _of_change(claim.change, claim.outcome)
    if claim.margin_percent is not None:
        return -claim.margin_percent
    return MOST_EVIDENCE if claim.outcome == "FAIL" else 0.0


def _of_change(change: Change, outcome: str) -> float:
    if outcome == "FAIL":
        return (change.percent if change.low_percent is None else change.low_percent) - DONT_CARE_PERCENT
    return (change.percent if change.high_percent is None else change.high_percent) - change.tolerance_percent


def in_noise(claims: Sequence[Claim]) -> bool:
    """True where every claim passed and none shows a change; also where nobody judged."""
    judged = [one for one in claims if one.outcome]
    return all(one.outcome == "PASS" and (one.change is None or _is_noise(one.change)) for one in judged)


def _is_noise(change: Change) -> bool:
    """No proven gain, and either zero is inside the interval or the change is one that nobody cares about."""
    around = (change.low_percent or 0.0) <= 0.0 <= (change.high_percent or 0.0)
    return not change.improved and (around or abs(change.percent) < DONT_CARE_PERCENT)
