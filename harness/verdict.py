"""Numbers against budgets: a verdict with its rule, the inputs of the rule, and its sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.budgets import DERIVED, Budget
from harness.case import STAGES, Case, Plan, Run
from harness.context import background_share, disturbed
from harness.metrics import METRICS, MINIMUM_WINDOWS, WINDOW_FRAMES, Metric, stage_times
from harness.rules import Outcome, Ruling, decide
from harness.stats.bounds import ALPHA, rate_bounds
from harness.tasks import Score

if TYPE_CHECKING:
    from harness.parity import Parity


@dataclass(frozen=True, kw_only=True)
class TailTest:
    """How sure a percentile must be, and how many frames apart misses count as independent."""

    alpha: float = ALPHA
    stride: int = 1


RESIDUAL_SHARE = 0.001
RESIDUAL_FLOOR_NS = 20_000


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One case measured: its runs, and its accuracy where labels exist.

    parent_score: of the variant that this one was made from, on the same runtime and frames; parity: the two
    beside each other, frame by frame.
    device_memory_mb: what the device has, where its profile says so; otherwise the device is asked.
    """

    case: Case
    plan: Plan
    runs: tuple[Run, ...]
    score: Score | None = None
    parent_score: Score | None = None
    parity: Parity | None = None
    device_memory_mb: float | None = None
    simulated: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """What really ran, as the first run tells."""
        return self.runs[0].facts if self.runs else {}

    @property
    def sessions(self) -> tuple[tuple[Run, ...], ...]:
        """The runs by session: as many fresh processes as the plan asks for."""
        size = max(self.plan.runs, 1)
        return tuple(self.runs[first : first + size] for first in range(0, len(self.runs), size))

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
        if metric == "label_flips_percent":
            flips = self.parity.flips if self.parity else None
            return None if flips is None or self.parity is None else 100 * flips / self.parity.frames
        if self.score is None:
            return None
        if metric == "accuracy_min_percent":
            return self.score.value
        return None if self.parent_score is None else self.parent_score.value - self.score.value


@dataclass(frozen=True, kw_only=True)
class Change:
    """Against what was before, in per cent; positive is worse. low and high: the bounds that decided, None
    where nothing bounds that side.

    tolerance_percent: still tolerated. detectable_percent: the smallest change that 9 of 10 such comparisons prove.
    count: of the sessions or rounds that were compared. improved: better by more than is tolerated, and proven so.
    """

    against: str
    before: float | None
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

    @property
    def red(self) -> bool:
        """True where the outcome is a proven break of a gate."""
        return self.gate and self.outcome is Outcome.FAIL


def judge(budget: Budget, measurement: Measurement, tail: TailTest | None = None) -> Verdict:
    """One budget against one measurement."""
    value = measurement.value(budget.metric)
    rule, inputs = _question(budget, measurement, value, tail or TailTest())
    ruling = decide(rule, inputs)
    return Verdict(
        case=measurement.case, metric=budget.metric, value=value, unit=budget.unit, limit=budget.limit,
        gate=budget.gate, outcome=ruling.outcome, sentence=_sentence(budget, measurement, value, rule, inputs, ruling),
        margin_percent=_margin(budget, value), rule=rule, inputs=inputs,
    )  # fmt: skip


def wants_frames(verdict: Verdict) -> bool:
    """True where nothing but more frames stands between a percentile and its verdict."""
    if verdict.rule != "tail-stream/1" or verdict.outcome is not Outcome.INCONCLUSIVE:
        return False
    found = decide(verdict.rule, verdict.inputs).found
    return found is not None and found.decision == "unknown"


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
    return given(measurement.case, "outputs_alive", outcome, sentence)


def given(case: Case, metric: str, outcome: Outcome, sentence: str, gate: bool = True) -> Verdict:
    """A verdict that was seen and not computed."""
    return Verdict(
        case=case, metric=metric, value=None, unit="", limit=None, gate=gate, outcome=outcome, sentence=sentence,
        inputs={"outcome": outcome.value},
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


def conditions(metric: Metric | None, measurement: Measurement) -> dict[str, Any]:
    """What the surroundings say about any verdict on the metric, as inputs of its rule."""
    if metric is None:
        return {}
    faults = [fault for run in measurement.runs if (fault := residual_fault(run))] if metric.frames else []
    plan = measurement.plan
    idle = metric.speed and not plan.judges_speed
    return {
        "invalid": faults[0] if faults else "",
        "unjudged": f"the plan {plan.name} is functional and never judges speed" if idle else "",
        "disturbed": metric.speed and disturbed(measurement.runs),
        "unsteady": metric.frames and not steady(measurement.runs),
    }


Question = tuple[str, dict[str, Any]]


def _question(budget: Budget, measurement: Measurement, value: float | None, tail: TailTest) -> Question:
    """The rule that decides about a budget, and what it needs to know."""
    metric = METRICS.get(budget.metric)
    inputs = conditions(metric, measurement)
    if value is None:
        return "limit/1", {**inputs, "unjudged": inputs.get("unjudged") or unmeasured(budget.metric, measurement)}
    if metric is not None and metric.share is not None:
        return "tail-stream/1", {**inputs, **_tail_inputs(budget, measurement, metric, tail)}
    parity = measurement.parity
    if parity is not None and budget.metric == "accuracy_loss_points":
        return parity.rule, {**inputs, **parity.inputs, "margin": budget.limit / 100, "alpha": ALPHA}
    if parity is not None and budget.metric == "label_flips_percent":
        return "agreement/1", {
            **inputs, "flips": parity.flips, "frames": parity.frames, "allowed_share": budget.limit / 100,
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


def _sentence(
    budget: Budget, measurement: Measurement, value: float | None, rule: str, inputs: Mapping[str, Any], ruling: Ruling
) -> str:
    if inputs.get("invalid") or inputs.get("unjudged"):
        return str(inputs.get("invalid") or inputs["unjudged"])
    assert value is not None
    said = SENTENCES[rule](budget, measurement, value, inputs, ruling)
    if ruling.outcome is Outcome.FAIL:
        return f"{said}; next: {_next_step(budget.metric, measurement)}"
    return said + reservation(measurement, inputs, ruling)


def reservation(measurement: Measurement, inputs: Mapping[str, Any], ruling: Ruling) -> str:
    """Why numbers that look bad are no FAIL; empty where nothing stood in the way."""
    if ruling.outcome is Outcome.INVALID and inputs.get("disturbed"):
        share = 100 * (background_share(measurement.runs) or 0.0)
        return (
            f"; but other load took {share:.0f} % of the cores meanwhile, so nothing is proven: stop it and run again"
        )
    if ruling.outcome is Outcome.INCONCLUSIVE and inputs.get("unsteady"):
        return "; but the run never became steady, so it is reported and not gated"
    return ""


def _say_limit(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    inside = ruling.outcome is Outcome.PASS
    relation = "within" if inside else ("over" if budget.better == "less" else "under")
    return f"{value:.4g} {budget.unit} is {relation} {budget.limit:g} {budget.unit} ({budget.source})"


def _say_tail(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    metric, found = METRICS[budget.metric], ruling.found
    share, misses, frames = metric.share or 0.0, len(inputs["missed"]), inputs["frames"]
    lower, upper = rate_bounds(misses, frames, inputs["alpha"])
    counted = f"{metric.stage} P{100 * share:g} {value:.4g} ms, {misses} of {frames} frames over {budget.limit:g} ms"
    single = inputs["stride"] == 1
    apart = "are independent" if single else f"come in bursts of mostly under {inputs['stride']} frames"
    sure = f"({100 * (1 - inputs['alpha']):g} % sure if misses {apart})"
    if found.decision == "pass":
        return f"{counted}: at most {100 * (upper if single else 1 - share):.2g} % late {sure}"
    if found.decision == "fail":
        return f"{counted}: at least {100 * (lower if single else 1 - share):.2g} % late {sure}"
    needed = f"{found.frames_needed} frames" if found.frames_needed else "more than a million frames"
    return f"{counted}: needs about {needed} with no further miss to pass {sure}"


def _say_loss(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    found, parity = ruling.found, measurement.parity
    assert parity is not None
    low, high = 100 * found.low, 100 * found.high
    what = f"loss {parity.loss_points:.3g} points [{low:.3g}, {high:.3g}] on {parity.frames} frames beside the parent"
    relation = {
        Outcome.PASS: f"within {budget.limit:g}", Outcome.FAIL: f"over {budget.limit:g}",
    }.get(ruling.outcome, f"not shown to be within {budget.limit:g}: {_frames_wanted(found)}")  # fmt: skip
    return f"{what}: {relation} ({budget.source}, {100 * (1 - ALPHA):g} % sure)"


def _frames_wanted(found: Any) -> str:
    needed = found.needed if hasattr(found, "needed") else found.frames_needed
    return f"about {needed} labelled frames would do" if needed else "more labelled frames would decide"


def _say_flips(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    found = ruling.found
    counted = f"{inputs['flips']} of {inputs['frames']} answers differ from the parent's, {value:.3g} %"
    return f"{counted} [{100 * found.low:.3g}, {100 * found.high:.3g}]; allowed {budget.limit:g} % ({budget.source})"


SENTENCES = {
    "limit/1": _say_limit, "tail-stream/1": _say_tail, "tango/1": _say_loss, "clusters/1": _say_loss,
    "resamples/1": _say_loss, "agreement/1": _say_flips,
}  # fmt: skip
# "Under" means under for these; everywhere else a value at its limit is within it.
STRICT = ("accuracy_loss_points", "fps_fluctuation_percent")
# One frame of a hundred is a whole point: fewer labelled frames than this say nothing about a limit.
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
    "label_flips_percent": "see in which slices the answers changed, and calibrate on frames like these",
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
            "label_flips_percent": "no parent variant, or a task whose answers are not labels",
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
