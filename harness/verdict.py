"""Numbers against budgets: a verdict with its rule, the inputs of the rule, and its sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.budgets import Budget
from harness.case import Case, Run
from harness.context import disturbed, idle_disturbed
from harness.measurement import FLIPS, Measurement, residual_fault, steady
from harness.metrics import METRICS, Metric, stage_times
from harness.rules import Outcome, decide
from harness.stats.bounds import ALPHA
from harness.wording import sentence_of, unmeasured

# "Under" means under for these; everywhere else a value at its limit is within it.
STRICT = ("accuracy_loss_points", "fps_fluctuation_percent", "camera_utilisation_percent")
# One frame of a hundred is a whole point: fewer labelled frames than this say nothing about a limit.
INFRA = "INFRA"
OTHER_LOAD = "other load took more than 5 % of the cores while power was measured: stop it and run again"
AGAIN = "; it was so when measured again too (INFRA: the device or its surroundings, not the model)"
# What stands for power as a whole where the surroundings are asked.
POWER = "power_mean_w"
CACHED = "come over 10 % sooner when a frame is repeated, from a cache"
LABELLED_FRAMES = {"accuracy_min_percent": 500, "accuracy_loss_points": 2000}


@dataclass(frozen=True, kw_only=True)
class TailTest:
    """How sure a percentile must be, and how many frames apart misses count as independent."""

    alpha: float = ALPHA
    stride: int = 1


@dataclass(frozen=True, kw_only=True)
class Change:
    """Against what was before, in per cent; positive is worse. low and high: the bounds that decided, None
    where nothing bounds that side.

    before: what it was then, in the metric's unit; None where only the change is known. tolerance_percent: still
    tolerated. detectable_percent: the smallest change that 9 of 10 such comparisons prove.
    count: of the sessions or rounds that were compared. improved: better by more than is tolerated, and proven so.
    """

    against: str
    before: float | None = None
    percent: float
    low_percent: float | None
    high_percent: float | None
    tolerance_percent: float
    detectable_percent: float | None
    count: int
    improved: bool = False

    @property
    def detectable(self) -> str:
        """The smallest change that would have been seen, as text."""
        return "no change" if self.detectable_percent is None else f"{self.detectable_percent:.2g} %"

    @property
    def interval(self) -> str:
        """The change with its bounds as text; a side that nothing bounds is a dash."""
        low, high = ("-" if one is None else f"{one:+.2f}" for one in (self.low_percent, self.high_percent))
        return f"{self.percent:+.2f} % [{low}, {high}]"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One answer. `margin_percent` is how far inside (positive) or outside the limit the value lies.

    rule and inputs: decide(rule, inputs) gives the outcome again. change: where it was compared with something.
    error_class: "INFRA" where the device itself disturbed the numbers, and once more when they were measured again.
    """

    case: Case
    metric: str
    value: float | None
    unit: str
    limit: float | None
    gate: bool
    outcome: Outcome
    sentence: str
    margin_percent: float | None = None
    rule: str = "given/1"
    inputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    change: Change | None = None
    error_class: str = ""

    @property
    def red(self) -> bool:
        """True where the outcome is a proven break of a gate."""
        return self.gate and self.outcome is Outcome.FAIL


def judge(budget: Budget, measurement: Measurement, tail: TailTest | None = None) -> Verdict:
    """One budget against one measurement."""
    value = measurement.value(budget.metric)
    rule, inputs = _question(budget, measurement, value, tail or TailTest())
    ruling = decide(rule, inputs)
    infra = error_class(measurement, inputs)
    said = sentence_of(budget, measurement, value, rule, inputs, ruling) + (AGAIN if infra else "")
    return Verdict(
        case=measurement.case, metric=budget.metric, value=value, unit=budget.unit, limit=budget.limit,
        gate=budget.gate, outcome=ruling.outcome, sentence=said,
        margin_percent=_margin(budget, value), rule=rule, inputs=inputs,
        error_class=infra,
    )  # fmt: skip


def error_class(measurement: Measurement, inputs: Mapping[str, Any]) -> str:
    """INFRA where numbers were disqualified although they had been measured again; otherwise empty."""
    return INFRA if inputs.get("invalid") and measurement.disturbed_again else ""


def wants_frames(verdict: Verdict) -> bool:
    """True where nothing but more frames stands between a percentile and its verdict."""
    if verdict.rule != "tail-stream/1" or verdict.outcome is not Outcome.INCONCLUSIVE:
        return False
    found = decide(verdict.rule, verdict.inputs).found
    return found is not None and found.decision == "unknown"


def judge_liveness(measurement: Measurement) -> Verdict:
    """Outputs must be finite, differ between frames, repeat for the same frame, and be computed each time."""
    faults = sorted({fault for run in measurement.runs for fault in _liveness_faults(run)})
    if faults:
        outcome = Outcome.FAIL
        sentence = f"the outputs {' and '.join(faults)}; no other number of this case means anything, "
        sentence += "look for what keeps answers" if faults == [CACHED] else "check weights and input"
    elif any(run.facts.get("outputs_empty") for run in measurement.runs):
        outcome, sentence = (
            Outcome.INCONCLUSIVE,
            "the model found nothing in any frame, so nobody knows whether it is alive",
        )
    elif measurement.runs and all("outputs_finite" in run.facts for run in measurement.runs):
        timed = any("repeats_computed" in run.facts for run in measurement.runs)
        outcome, sentence = Outcome.PASS, "outputs are finite, differ between frames and repeat for the same frame"
        sentence += "" if timed else "; whether repeats come from a cache was not timed"
    else:
        outcome, sentence = Outcome.INCONCLUSIVE, "nobody looked at the outputs"
    return given(measurement.case, "outputs_alive", outcome, sentence)


def given(case: Case, metric: str, outcome: Outcome, sentence: str, gate: bool = True) -> Verdict:
    """A verdict that was seen and not computed."""
    return Verdict(
        case=case, metric=metric, value=None, unit="", limit=None, gate=gate, outcome=outcome, sentence=sentence,
        inputs={"outcome": outcome.value},
    )  # fmt: skip


def conditions(metric: Metric | None, measurement: Measurement, runs: Sequence[Run] | None = None) -> dict[str, Any]:
    """What the surroundings say about any verdict on the metric, from these runs or all, as inputs of its rule."""
    if metric is None:
        return {}
    asked = measurement.runs if runs is None else runs
    faults = [fault for run in asked if (fault := residual_fault(run))] if metric.frames else []
    plan = measurement.plan
    idle = metric.speed and not plan.judges_speed
    if metric.once and measurement.power_fault:
        faults.append(measurement.power_fault)
    if metric.speed and not idle:
        faults += measurement.condition_faults(asked)
    return {
        "invalid": faults[0] if faults else "",
        "unjudged": f"the plan {plan.name} is functional and never judges speed" if idle else "",
        "disturbed": metric.speed and disturbed(asked),
        "unsteady": metric.frames and not steady(asked),
    }


Question = tuple[str, dict[str, Any]]


def _question(budget: Budget, measurement: Measurement, value: float | None, tail: TailTest) -> Question:
    """The rule that decides about a budget, and what it needs to know."""
    metric = METRICS.get(budget.metric)
    inputs = conditions(METRICS[POWER] if budget.metric == "net_power_w" else metric, measurement)
    if value is None:
        return "limit/1", {**inputs, "unjudged": inputs.get("unjudged") or unmeasured(budget.metric, measurement)}
    if metric is not None and metric.share is not None:
        return "tail-stream/1", {**inputs, **_tail_inputs(budget, measurement, metric, tail)}
    if budget.metric == "net_power_w" and measurement.net_power_w is not None:
        net_w, uncertainty_w = measurement.net_power_w
        if disturbed(measurement.runs) or idle_disturbed(measurement.runs):
            # Load of others in idle time makes net power smaller: it must not turn into a PASS.
            inputs = {**inputs, "invalid": inputs["invalid"] or OTHER_LOAD}
        return "power/1", {**inputs, "net_w": net_w, "uncertainty_w": uncertainty_w, "limit": budget.limit}
    parity = measurement.parity
    if parity is not None and budget.metric == "accuracy_loss_points":
        return parity.rule, {**inputs, **parity.inputs, "margin": budget.limit / 100, "alpha": ALPHA}
    if budget.metric in FLIPS:
        compared = measurement.flips_parity(budget.metric)
        assert compared is not None  # there is a value
        return "agreement/1", {
            **inputs, "flips": compared.flips, "frames": compared.frames, "allowed_share": budget.limit / 100,
            "alpha": ALPHA,
        }  # fmt: skip
    return "limit/1", {**inputs, **_limit_inputs(budget, measurement, value)}


def _tail_inputs(budget: Budget, measurement: Measurement, metric: Metric, tail: TailTest) -> dict[str, Any]:
    times = np.concatenate([stage_times(run, metric.stage) for run in measurement.runs])
    exceeded = times > budget.limit * 1e6
    return {
        "frames": len(exceeded), "missed": np.flatnonzero(exceeded).tolist(), "share": metric.share,
        "alpha": tail.alpha, "stride": tail.stride,
    }  # fmt: skip


def _limit_inputs(budget: Budget, measurement: Measurement, value: float) -> dict[str, Any]:
    few = ""
    if budget.metric in LABELLED_FRAMES and measurement.score is not None:
        needed, has = LABELLED_FRAMES[budget.metric], measurement.score.frames
        few = f"{value:.4g} {budget.unit}, but it needs {needed} labelled frames, has {has}" if has < needed else ""
    inputs = {"value": value, "limit": budget.limit, "better": budget.better, "strict": budget.metric in STRICT}
    return {**inputs, "unjudged": few} if few else inputs


def _margin(budget: Budget, value: float | None) -> float | None:
    if value is None or not budget.limit:
        return None
    used = value / budget.limit if budget.better == "less" else 2 - value / budget.limit
    return 100 * (1 - used)


def _liveness_faults(run: Run) -> list[str]:
    facts = run.facts
    return [
        text
        for fact, text in (
            ("outputs_finite", "hold NaN or infinity"),
            ("outputs_vary", "are the same for every frame, black, white and noise too"),
            ("outputs_repeat", "differ when the same frame is shown again"),
            ("repeats_computed", CACHED),
        )
        if not facts.get(fact, True) and not (fact == "outputs_vary" and facts.get("outputs_empty"))
    ]
