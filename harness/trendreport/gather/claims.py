"""A recorded verdict as a claim: one statistic, computed again from the verdict's own inputs. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from harness import comparison, pairing, unchanged
from harness.errors import HarnessError
from harness.record import RecordedVerdict
from harness.rules import decide
from harness.trendreport.cells import plural
from harness.trendreport.gather.points import code_of
from harness.trendreport.metricwords import better_of
from harness.trendreport.model import OUTCOMES, Claim
from harness.verdict import Change

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
    found = decide(verdict.rule, verdict.inputs).found
    against = _named(BEFORE, verdict, EARLIER)
    return None if found is None else comparison.change_of(verdict.metric, against, verdict.inputs, found)


def _against_build(verdict: RecordedVerdict) -> Change | None:
    found = decide(verdict.rule, verdict.inputs).found
    against = _named(BUILD, verdict, OTHER_BUILD)
    return None if found is None else pairing.change_of(against, verdict.inputs, found)


def _against_exactly(verdict: RecordedVerdict) -> Change | None:
    """count: of the values, since nobody kept of how many sessions they are."""
    against = _named(BEFORE, verdict, EARLIER)
    return unchanged.change_of(against, verdict.inputs, len(verdict.inputs["now"]))


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
