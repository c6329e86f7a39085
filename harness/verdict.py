"""Numbers against budgets: a verdict with its sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

import numpy as np

from harness.budgets import DERIVED, Budget
from harness.case import STAGES, Case, Plan, Run
from harness.metrics import METRICS, MINIMUM_WINDOWS, WINDOW_FRAMES, stage_times
from harness.stats.bounds import ALPHA, frames_to_pass, judge_exceedances, rate_bounds
from harness.tasks import Score

RESIDUAL_SHARE = 0.001
RESIDUAL_FLOOR_NS = 20_000


class Outcome(StrEnum):
    """What the numbers say. Only FAIL is red of itself; the policy decides about the rest."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    NO_BASELINE = "NO_BASELINE"
    NOT_COMPARABLE = "NOT_COMPARABLE"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One case measured: its runs, and its accuracy where labels exist.

    parent_score: of the variant that this one was made from, on the same runtime and frames.
    device_memory_mb: what the device has, where its profile says so; otherwise the device is asked.
    """

    case: Case
    plan: Plan
    runs: tuple[Run, ...]
    score: Score | None = None
    parent_score: Score | None = None
    device_memory_mb: float | None = None
    simulated: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """What really ran, as the first run tells."""
        return self.runs[0].facts if self.runs else {}

    def value(self, metric: str) -> float | None:
        """The median over the runs of one number per run; derived metrics from the whole."""
        if metric in DERIVED:
            return self._derived(metric)
        values = [METRICS[metric].value(run) for run in self.runs]
        known = [one for one in values if one is not None]
        return median(known) if known and len(known) == len(values) else None

    def _derived(self, metric: str) -> float | None:
        if metric == "memory_share_percent":
            peak = self.value("peak_memory_mb")
            device = self.device_memory_mb or self.value("device_memory_mb")
            return 100 * peak / device if peak and device else None
        if self.score is None:
            return None
        if metric == "accuracy_min_percent":
            return self.score.value
        return None if self.parent_score is None else self.parent_score.value - self.score.value


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One answer. `margin_percent` is how far inside (positive) or outside the limit the value lies."""

    case: Case
    metric: str
    value: float | None
    unit: str
    limit: float | None
    gate: bool
    outcome: Outcome
    sentence: str
    margin_percent: float | None = None

    @property
    def red(self) -> bool:
        """True where the outcome is a proven break of a gate."""
        return self.gate and self.outcome is Outcome.FAIL


def judge(budget: Budget, measurement: Measurement) -> Verdict:
    """One budget against one measurement."""
    value = measurement.value(budget.metric)
    outcome, sentence = _decide(budget, measurement, value)
    return Verdict(
        case=measurement.case, metric=budget.metric, value=value, unit=budget.unit, limit=budget.limit,
        gate=budget.gate, outcome=outcome, sentence=sentence, margin_percent=_margin(budget, value),
    )  # fmt: skip


def judge_liveness(measurement: Measurement) -> Verdict:
    """Outputs must be finite, differ between frames, and repeat for the same frame."""
    faults = sorted({fault for run in measurement.runs for fault in _liveness_faults(run)})
    if faults:
        outcome = Outcome.FAIL
        sentence = f"the outputs {' and '.join(faults)}; no other number of this case means anything"
        sentence += ", check weights and input"
    elif any(run.facts.get("outputs_empty") for run in measurement.runs):
        outcome, sentence = (
            Outcome.INCONCLUSIVE,
            "the model found nothing in any frame, so nobody knows whether it is alive",
        )
    elif measurement.runs and all("outputs_finite" in run.facts for run in measurement.runs):
        outcome, sentence = Outcome.PASS, "outputs are finite, differ between frames and repeat for the same frame"
    else:
        outcome, sentence = Outcome.INCONCLUSIVE, "nobody looked at the outputs"
    return Verdict(
        case=measurement.case, metric="outputs_alive", value=None, unit="", limit=None, gate=True,
        outcome=outcome, sentence=sentence,
    )  # fmt: skip


def residual_fault(run: Run) -> str:
    """Why the stages of a run do not add up to its frames within the harness's own cost; empty if they do."""
    if not len(run.frame_ns):
        return ""
    residual = run.frame_ns - np.sum([run.stages[name] for name in STAGES], axis=0)
    slack = max(RESIDUAL_FLOOR_NS, RESIDUAL_SHARE * float(np.median(run.frame_ns)))
    for label, found in (("median", float(np.median(residual))), ("p99", float(np.percentile(residual, 99)))):
        allowed = run.marks.get(f"harness_residual_{label}_ns", 0.0) + slack
        if found > allowed or found < 0:
            return (
                f"the stages do not add up to the frame: {label} of the rest is {found / 1e3:.1f} us, "
                f"the harness itself costs at most {allowed / 1e3:.1f} us"
            )
    return ""


Decision = tuple[Outcome, str]


def _decide(budget: Budget, measurement: Measurement, value: float | None) -> Decision:
    metric = METRICS.get(budget.metric)
    faults = [fault for run in measurement.runs if (fault := residual_fault(run))]
    if metric and metric.frames and faults:
        return Outcome.INVALID, faults[0]
    if metric and metric.speed and not measurement.plan.judges_speed:
        return Outcome.INCONCLUSIVE, f"the plan {measurement.plan.name} is functional and never judges speed"
    if value is None:
        return Outcome.INCONCLUSIVE, unmeasured(budget.metric, measurement)
    outcome, sentence = _judge_value(budget, measurement, value)
    if outcome is not Outcome.FAIL:
        return outcome, sentence
    if metric and metric.frames and not steady(measurement.runs):
        return Outcome.INCONCLUSIVE, f"{sentence}; but the run never became steady, so it is reported and not gated"
    return outcome, f"{sentence}; next: {_next_step(budget.metric, measurement)}"


def _judge_value(budget: Budget, measurement: Measurement, value: float) -> Decision:
    metric = METRICS.get(budget.metric)
    if metric is not None and metric.share is not None:
        return _judge_percentile(budget, measurement, metric.stage, metric.share, value)
    if budget.metric in LABELLED_FRAMES and measurement.score is not None:
        needed, has = LABELLED_FRAMES[budget.metric], measurement.score.frames
        if has < needed:
            return Outcome.INCONCLUSIVE, f"{value:.4g} {budget.unit}, but it needs {needed} labelled frames, has {has}"
    return _judge_point(budget, measurement, value)


def _judge_point(budget: Budget, measurement: Measurement, value: float) -> Decision:
    if budget.metric in STRICT:
        inside = value < budget.limit
    else:
        inside = value <= budget.limit if budget.better == "less" else value >= budget.limit
    relation = "within" if inside else ("over" if budget.better == "less" else "under")
    sentence = f"{value:.4g} {budget.unit} is {relation} {budget.limit:g} {budget.unit} ({budget.source})"
    return (Outcome.PASS if inside else Outcome.FAIL), sentence


def _judge_percentile(budget: Budget, measurement: Measurement, stage: str, share: float, value: float) -> Decision:
    times = [stage_times(run, stage) for run in measurement.runs]
    misses = sum(int((one > budget.limit * 1e6).sum()) for one in times)
    frames = sum(len(one) for one in times)
    lower, upper = rate_bounds(misses, frames)
    counted = f"{stage} P{100 * share:g} {value:.4g} ms, {misses} of {frames} frames over {budget.limit:g} ms"
    sure = f"({100 * (1 - ALPHA):g} % sure if misses are independent)"
    decision = judge_exceedances(misses, frames, share)
    if decision == "pass":
        return Outcome.PASS, f"{counted}: at most {100 * upper:.2g} % late {sure}"
    if decision == "fail":
        return Outcome.FAIL, f"{counted}: at least {100 * lower:.2g} % late {sure}"
    return Outcome.INCONCLUSIVE, f"{counted}: needs {frames_to_pass(misses, share)} frames with no further miss to pass"


# "Under" means under for these; everywhere else a value at its limit is within it.
STRICT = ("accuracy_loss_points", "fps_fluctuation_percent")
# One frame of a hundred is a whole point: fewer labelled frames than these say nothing about a limit.
LABELLED_FRAMES = {"accuracy_min_percent": 500, "accuracy_loss_points": 2000}
_MEMORY = "compare model and runtime memory, then the engine's arena and thread settings"
NEXT_STEPS = {
    "fps_fluctuation_percent": "look for other load, for heat and for clocks that change",
    "peak_memory_mb": _MEMORY,
    "memory_share_percent": _MEMORY,
    "model_memory_mb": _MEMORY,
    "runtime_memory_mb": _MEMORY,
    "device_memory_mb": "check that this is the device that the profile means",
    "file_size_mb": "quantise the weights, or store them as float16",
    "import_ms": "see which packages the engine imports",
    "load_ms": "see what the engine optimises at load, and whether it can keep the result",
    "first_inference_ms": "run one frame right after loading",
    "accuracy_min_percent": "compare the card's [input] (region, resize, colour, mean, std) with the training",
    "accuracy_loss_points": "calibrate on more frames, or keep the most sensitive layers in float",
}


def _next_step(metric: str, measurement: Measurement) -> str:
    """What to try first: for latency, the stage that takes most of the frame."""
    if metric in NEXT_STEPS:
        return NEXT_STEPS[metric]
    medians = {name: median(float(np.median(run.stages[name])) for run in measurement.runs) for name in STAGES}
    largest = max(medians, key=lambda name: medians[name])
    share = 100 * medians[largest] / max(sum(medians.values()), 1.0)
    return f"{largest} takes {share:.0f} % of a frame, start there"


def unmeasured(metric: str, measurement: Measurement) -> str:
    """Why a metric has no value."""
    if metric in DERIVED:
        return {
            "memory_share_percent": "the profile does not say how much memory the device has (facts.memory_mib)",
            "accuracy_loss_points": "there is no parent variant to compare with",
        }.get(metric, "no labels: accuracy was not measured")
    frames = min((len(run.frame_ns) for run in measurement.runs), default=0)
    needed = METRICS[metric].min_frames
    if frames < needed:
        windows = f" ({MINIMUM_WINDOWS} windows of {WINDOW_FRAMES})" if "fluctuation" in metric else ""
        return f"needs {needed} frames{windows}, has {frames}"
    return "this device does not tell"


def _margin(budget: Budget, value: float | None) -> float | None:
    if value is None or not budget.limit:
        return None
    used = value / budget.limit if budget.better == "less" else 2 - value / budget.limit
    return 100 * (1 - used)


def steady(runs: Iterable[Run]) -> bool:
    """True where every run's warm-up ended by agreement and not by its cap."""
    return all(run.facts.get("steady", True) for run in runs)


def _liveness_faults(run: Run) -> list[str]:
    facts = run.facts
    return [
        text
        for fact, text in (
            ("outputs_finite", "hold NaN or infinity"),
            ("outputs_vary", "are the same for every frame, black, white and noise too"),
            ("outputs_repeat", "differ when the same frame is shown again"),
        )
        if not facts.get(fact, True) and not (fact == "outputs_vary" and facts.get("outputs_empty"))
    ]
