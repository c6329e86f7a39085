"""RULES: each decides from plain inputs alone, so that a recorded verdict can be replayed years later. Pure.

Common inputs of every rule, all optional: `invalid` (a reason that disqualifies the data), `unjudged`
(a reason why the numbers decide nothing), and two conditions under which nothing is proven bad:
`disturbed` (other load used the cores: a FAIL becomes INVALID) and `unsteady` (it becomes INCONCLUSIVE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from harness.errors import ConfigError, unknown
from harness.stats.noninferiority import judge_clustered_loss, judge_resampled_loss
from harness.stats.paired import compare_paired
from harness.stats.proportions import judge_agreement, judge_noninferiority
from harness.stats.sequential import judge_stream
from harness.stats.sessions import compare_sessions

Inputs = Mapping[str, Any]


class Outcome(StrEnum):
    """What the numbers say. Only FAIL is red of itself; the policy decides about the rest."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    NO_BASELINE = "NO_BASELINE"
    NOT_COMPARABLE = "NOT_COMPARABLE"


DECISIONS = {
    "pass": Outcome.PASS, "fail": Outcome.FAIL, "unknown": Outcome.INCONCLUSIVE, "invalid": Outcome.INVALID,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """outcome, and in `found` the statistic's own result, which a sentence quotes."""

    outcome: Outcome
    found: Any = field(default=None)


def decide(rule: str, inputs: Inputs) -> Ruling:
    """What `rule` says of `inputs`; ConfigError for a rule that this version does not know."""
    if rule not in RULES:
        raise ConfigError(unknown("rule", rule, RULES))
    for reason, outcome in (("invalid", Outcome.INVALID), ("unjudged", Outcome.INCONCLUSIVE)):
        if inputs.get(reason):
            return Ruling(outcome=outcome)
    ruling = RULES[rule](inputs)
    if ruling.outcome is not Outcome.FAIL:
        return ruling
    if inputs.get("disturbed"):
        return Ruling(outcome=Outcome.INVALID, found=ruling.found)
    if inputs.get("unsteady"):
        return Ruling(outcome=Outcome.INCONCLUSIVE, found=ruling.found)
    return ruling


def _limit(inputs: Inputs) -> Ruling:
    """`value` against `limit`; `better` less or more; `strict`: a value at its limit is outside."""
    value, limit = inputs["value"], inputs["limit"]
    within = value <= limit if inputs["better"] == "less" else value >= limit
    inside = value < limit if inputs.get("strict") else within
    return Ruling(outcome=Outcome.PASS if inside else Outcome.FAIL)


def _tail(inputs: Inputs) -> Ruling:
    """`frames` in order, those at `missed` over the limit: is the `share` quantile within it?"""
    exceeded = np.zeros(inputs["frames"], np.int8)
    exceeded[inputs["missed"]] = 1
    found = judge_stream(exceeded, share=inputs["share"], alpha=inputs["alpha"], stride=inputs["stride"])
    return Ruling(outcome=DECISIONS[found.decision], found=found)


def _sessions(inputs: Inputs) -> Ruling:
    """Logs of the sessions of `baseline` and `candidate`; `margin` as a fraction."""
    names = ("margin", "floor", "dont_care", "alpha_fail", "alpha_pass", "fail_from")
    found = compare_sessions(inputs["baseline"], inputs["candidate"], **{name: inputs[name] for name in names})
    return Ruling(outcome=DECISIONS[found.decision], found=found)


def _paired(inputs: Inputs) -> Ruling:
    """Log ratios of rounds: candidate to reference, and of the null arm."""
    names = ("margin", "dont_care", "alpha_fail", "alpha_pass", "alpha_null", "looks")
    found = compare_paired(
        np.array(inputs["differences"]), np.array(inputs["null_differences"]), **{name: inputs[name] for name in names}
    )
    return Ruling(outcome=DECISIONS[found.decision], found=found)


def _noninferiority(inputs: Inputs) -> Ruling:
    """Frames that only the parent or only the variant got right, of `frames`; `margin` as a share."""
    names = ("only_reference_right", "only_candidate_right", "frames", "margin", "alpha")
    return _decided(judge_noninferiority, inputs, names)


def _clusters(inputs: Inputs) -> Ruling:
    """Losses summed over drivers or clips, with how many frames each has; `margin` as a share."""
    return _decided(judge_clustered_loss, inputs, ("losses", "weights", "frames", "margin", "discordant", "alpha"))


def _resamples(inputs: Inputs) -> Ruling:
    """The loss of a whole score in random drawings of drivers or clips; `margin` as a share."""
    names = ("loss", "losses", "resamples", "clusters", "frames", "margin", "alpha")
    return _decided(judge_resampled_loss, inputs, names)


def _power(inputs: Inputs) -> Ruling:
    """`net_w` with its `uncertainty_w` against `limit`: the whole interval must lie on one side."""
    low, high = inputs["net_w"] - inputs["uncertainty_w"], inputs["net_w"] + inputs["uncertainty_w"]
    if high <= inputs["limit"]:
        return Ruling(outcome=Outcome.PASS)
    return Ruling(outcome=Outcome.FAIL if low > inputs["limit"] else Outcome.INCONCLUSIVE)


def _exact(inputs: Inputs) -> Ruling:
    """The worst of `now` against the worst of `before`: the same in every process, but for `slack` of rounding."""
    worst = min if inputs["better"] == "more" else max
    fall = worst(inputs["before"]) - worst(inputs["now"])
    lost = fall if inputs["better"] == "more" else -fall
    return Ruling(outcome=Outcome.FAIL if lost > inputs["slack"] else Outcome.PASS)


def _agreement(inputs: Inputs) -> Ruling:
    """`flips` of `frames` labels differ; at most `allowed_share` may."""
    found = judge_agreement(inputs["flips"], inputs["frames"], inputs["allowed_share"], alpha=inputs["alpha"])
    return Ruling(outcome=DECISIONS[found.decision], found=found)


def _decided(judge: Callable[..., Any], inputs: Inputs, names: Sequence[str]) -> Ruling:
    found = judge(**{name: inputs[name] for name in names if name in inputs})
    return Ruling(outcome=DECISIONS[found.decision], found=found)


def _given(inputs: Inputs) -> Ruling:
    """The outcome that was seen, where there is nothing to compute: liveness, no baseline, not comparable."""
    return Ruling(outcome=Outcome(inputs["outcome"]))


RULES: dict[str, Callable[[Inputs], Ruling]] = {
    "limit/1": _limit,
    "tail-stream/1": _tail,
    "sessions-t/1": _sessions,
    "paired-ranks/1": _paired,
    "tango/1": _noninferiority,
    "clusters/1": _clusters,
    "resamples/1": _resamples,
    "agreement/1": _agreement,
    "power/1": _power,
    "exact/1": _exact,
    "given/1": _given,
}
