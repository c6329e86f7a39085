"""A recorded verdict as a claim: one statistic, computed again from the verdict's own inputs. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from harness.comparison import bound_percent, percent
from harness.errors import HarnessError
from harness.metrics import METRICS, worst
from harness.record import RecordedVerdict
from harness.rules import decide
from harness.trendreport.cells import plural
from harness.trendreport.gather.points import code_of
from harness.trendreport.metricwords import better_of
from harness.trendreport.model import OUTCOMES, Change, Claim

Asked = TypeVar("Asked")
Found = TypeVar("Found")
Inputs = Mapping[str, Any]
Kind = Literal["budget", "change", "accuracy", "state"]
KINDS: dict[str, Kind] = {
    "limit": "budget", "tail-stream": "budget", "power": "budget",
    "sessions-t": "change", "paired-ranks": "change", "exact": "change",
    "tango": "accuracy", "clusters": "accuracy", "resamples": "accuracy", "agreement": "accuracy",
}  # fmt: skip
# What inputs of another version, or damaged ones, can raise.
BROKEN = (HarnessError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# The names that harness.lookback gives to what it compares with, and where harness.pairing puts the other build's.
BEFORE, EARLIER = r"(accepted baseline|last \d+ runs)", "sessions before"
BUILD, OTHER_BUILD = r"against (.+), tolerated ", "other build"
# As in harness.pairing: one-sided 0.1 %, what Holm and five looks leave of 1 %, and 90 % power.
LEVEL_Z, POWER_Z = 3.1, 1.3


def claim_of(verdict: RecordedVerdict) -> Claim:
    """What a verdict says. Of a rule or inputs that this version does not know: the outcome and the sentence."""
    family = verdict.rule.partition("/")[0]
    return Claim(
        kind=KINDS.get(family, "state"), rule=verdict.rule, outcome=known_outcome(verdict.outcome), gate=verdict.gate,
        sentence=_sentence(verdict), limit=verdict.limit, margin_percent=margin_of(verdict),
        change=_finite(_tried(_CHANGES.get(verdict.rule), verdict)),
        evidence=_tried(_EVIDENCE.get(family), verdict.inputs) or "",
    )  # fmt: skip


def known_outcome(outcome: str) -> str:
    """The outcome, or INCONCLUSIVE for one that this version does not know."""
    return OUTCOMES[code_of(outcome)]


def margin_of(verdict: RecordedVerdict) -> float | None:
    """How far inside the limit the value is, in per cent of the limit, as in harness.verdict; None without a limit."""
    if verdict.value is None or not verdict.limit:
        return None
    used = verdict.value / verdict.limit
    margin = 100 * (1 - used if better_of(verdict.metric) == "less" else used - 1)
    return margin if math.isfinite(margin) else None


def _sentence(verdict: RecordedVerdict) -> str:
    known = verdict.outcome in OUTCOMES
    return verdict.sentence if known else f"{verdict.outcome}, which this version does not know: {verdict.sentence}"


def _tried(of: Callable[[Asked], Found | None] | None, asked: Asked) -> Found | None:
    """What `of` tells; None where there is no such function, or the inputs are not what it knows."""
    if of is None:
        return None
    try:
        return of(asked)
    except BROKEN:
        return None


def _finite(change: Change | None) -> Change | None:
    """The change; None where damaged inputs made it no number."""
    numbers = () if change is None else (value for value in vars(change).values() if isinstance(value, float))
    return change if all(map(math.isfinite, numbers)) else None


def _against_sessions(verdict: RecordedVerdict) -> Change | None:
    """As harness.comparison has it."""
    found = decide(verdict.rule, verdict.inputs).found
    if found is None:
        return None
    return Change(
        against=_named(BEFORE, verdict, EARLIER), percent=percent(found.change),
        low_percent=bound_percent(found.low), high_percent=bound_percent(found.high),
        tolerance_percent=100 * verdict.inputs["margin"], detectable_percent=100 * found.minimum_detectable,
        count=len(verdict.inputs["candidate"]), improved=found.improved,
    )  # fmt: skip


def _against_build(verdict: RecordedVerdict) -> Change | None:
    """As harness.pairing has it."""
    found = decide(verdict.rule, verdict.inputs).found
    if found is None:
        return None
    return Change(
        against=_named(BUILD, verdict, OTHER_BUILD), percent=percent(found.change),
        low_percent=bound_percent(found.low), high_percent=bound_percent(found.high),
        tolerance_percent=100 * verdict.inputs["margin"], detectable_percent=_detectable(found),
        count=len(verdict.inputs["differences"]), improved=False,
    )  # fmt: skip


def _detectable(found: Any) -> float | None:
    if not math.isfinite(found.low):
        return None
    return percent((found.change - found.low) * (LEVEL_Z + POWER_Z) / LEVEL_Z)


def _against_exactly(verdict: RecordedVerdict) -> Change | None:
    """As harness.unchanged has it: None where nothing moved, or where there is nothing to be per cent of.

    count: of the values, since nobody kept of how many sessions they are.
    """
    inputs = verdict.inputs
    before, now = (worst(METRICS[verdict.metric], inputs[side]) for side in ("before", "now"))
    lost = before - now if inputs["better"] == "more" else now - before
    if not before or abs(lost) <= inputs["slack"]:
        return None
    change = 100 * lost / before
    return Change(
        against=_named(BEFORE, verdict, EARLIER), percent=change, low_percent=change, high_percent=change,
        tolerance_percent=0.0, detectable_percent=None, count=len(inputs["now"]), improved=lost < 0,
    )  # fmt: skip


def _named(pattern: str, verdict: RecordedVerdict, otherwise: str) -> str:
    """What it was compared with, which the sentence alone keeps."""
    found = re.search(pattern, verdict.sentence)
    return found[1] if found else otherwise


_CHANGES: dict[str, Callable[[RecordedVerdict], Change | None]] = {
    "sessions-t/1": _against_sessions, "paired-ranks/1": _against_build, "exact/1": _against_exactly,
}  # fmt: skip
_EVIDENCE: dict[str, Callable[[Inputs], str]] = {
    "tail-stream": lambda inputs: plural(int(inputs["frames"]), "frame"),
    "power": lambda inputs: f"+- {inputs['uncertainty_w']:.2g} W",
    "sessions-t": lambda inputs: f"{plural(len(inputs['candidate']), 'session')} against {len(inputs['baseline'])}",
    "paired-ranks": lambda inputs: plural(len(inputs["differences"]), "round"),
    "exact": lambda inputs: plural(len(inputs["now"]), "value"),
    "tango": lambda inputs: plural(int(inputs["frames"]), "frame"),
    "clusters": lambda inputs: f"{plural(int(inputs['frames']), 'frame')} in {len(inputs['weights'])} clusters",
    "resamples": lambda inputs: f"{plural(int(inputs['frames']), 'frame')} in {int(inputs['clusters'])} clusters",
    "agreement": lambda inputs: f"{int(inputs['flips'])} of {plural(int(inputs['frames']), 'frame')}",
}
