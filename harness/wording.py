"""The sentence of a verdict: what was found, against what, how sure, and what to try next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from harness.budgets import DERIVED, Budget
from harness.case import STAGES
from harness.context import background_share
from harness.measurement import CAMERA_FPS, Measurement
from harness.metrics import METRICS, MINIMUM_WINDOWS, OF_A_CAMERA, RESPONSE, WINDOW_FRAMES, counted_frames
from harness.rules import Outcome, Ruling
from harness.stats.bounds import ALPHA, rate_bounds


def sentence_of(
    budget: Budget, measurement: Measurement, value: float | None, rule: str, inputs: Mapping[str, Any], ruling: Ruling
) -> str:
    """What `rule` found about a budget; after a FAIL what to try next, and where it may not be one, why."""
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
            f"; but other load took {share:.0f} % of the cores meanwhile{_culprits(measurement)}, so nothing is "
            "proven: stop it and run again"
        )
    if ruling.outcome is Outcome.INCONCLUSIVE and inputs.get("unsteady"):
        return "; but the run never became steady, so it is reported and not gated"
    return ""


def _culprits(measurement: Measurement) -> str:
    """Who it was, where a sensor watched the processes."""
    seen = [name for run in measurement.runs for trace in run.traces
            for name in trace.facts_after.get("foreign_processes", ())]  # fmt: skip
    return f" ({', '.join(list(dict.fromkeys(seen))[:3])})" if seen else ""


def _say_limit(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    inside = ruling.outcome is Outcome.PASS
    relation = "within" if inside else ("over" if budget.better == "less" else "under")
    return f"{value:.4g} {budget.unit} is {relation} {budget.limit:g} {budget.unit} ({budget.source})"


def _say_tail(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    metric, found = METRICS[budget.metric], ruling.found
    share, misses, frames = metric.share or 0.0, len(inputs["missed"]), inputs["frames"]
    lower, upper = rate_bounds(misses, frames, inputs["alpha"])
    late = f"over {budget.limit:g} ms" + (" or dropped" if metric.stage == RESPONSE else "")
    counted = f"{metric.stage} P{100 * share:g} {value:.4g} ms, {misses} of {frames} frames {late}"
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
    whose = "the parent's" if budget.metric == "label_flips_percent" else f"those of {measurement.reference_engine}"
    counted = f"{inputs['flips']} of {inputs['frames']} answers differ from {whose}, {value:.3g} %"
    return f"{counted} [{100 * found.low:.3g}, {100 * found.high:.3g}]; allowed {budget.limit:g} % ({budget.source})"


def _say_power(budget: Budget, measurement: Measurement, value: float, inputs: Any, ruling: Ruling) -> str:
    """Gross power is always told beside: a board can take more than the budget when idle."""
    known = [one for one in measurement.energies if not isinstance(one, str)]
    energy = max(known, key=lambda one: one.net_u_mj)
    gross = f"gross {energy.mean_w:.3g} W at {energy.frames / energy.seconds:.0f} fps, idle {energy.idle_w:.3g} W"
    net = f"net {inputs['net_w']:.3g} +- {inputs['uncertainty_w']:.2g} W at {CAMERA_FPS:g} fps"
    below = "" if energy.resolved else ", net alone below resolution"
    relation = {Outcome.PASS: "within", Outcome.FAIL: "over"}.get(ruling.outcome, "not shown to be within")
    return f"{net}{below}, {relation} {budget.limit:g} W ({budget.source}); {gross} ({energy.rule.scope})"


SENTENCES = {
    "limit/1": _say_limit, "tail-stream/1": _say_tail, "tango/1": _say_loss, "clusters/1": _say_loss,
    "resamples/1": _say_loss, "agreement/1": _say_flips, "power/1": _say_power,
}  # fmt: skip
_MEMORY = "compare model and runtime memory, then the engine's arena and thread settings"
_HEAT = "let the device cool, see to its fan or heat sink, or choose a power mode that it can keep"
_LOAD = "look for other load, then for work that could run on another unit"
_ENERGY = "see which rail takes it, then precision, power mode and how much of the model runs on the accelerator"
_PLACEMENT = "see which nodes the unit refused (the engine's log names them), and change them or the engine's version"
_CAMERA = "see in the report which seconds lack results: a stall, another load, or a model slower than the camera"
_FUSION = "look at the nodes between a convolution and its activation: export again, or fold them"
NEXT_STEPS = {
    "placed_share_percent": _PLACEMENT,
    "accelerator_share_percent": "see what the runtime does around the accelerator: copies, calls, casts at the edges",
    "infer_mean_ms": "the tool tells averages only: see which layers take most of them",
    "build_ms": "keep the built engine: name a cache folder in the entry's options",
    "partitions": _PLACEMENT,
    "float32_share_percent": "see which layers stayed in float, and quantise them or convert the model anew",
    "unfused_share_percent": _FUSION,
    "batch_norms_left": _FUSION,
    "engine_flips_percent": "compare preprocessing, precision and quantisation of the two engines, output by output",
    "deadline_misses_percent": _CAMERA,
    "dropped_per_10000": _CAMERA,
    "age_at_output_max_ms": _CAMERA,
    "age_of_result_max_ms": _CAMERA,
    "camera_utilisation_percent": "make the model faster, or let the camera send fewer frames",
    "backlog_frames": _CAMERA,
    "camera_lateness_p99_ms": "stop what else runs there, or give the run a core of its own",
    "response_p99_ms": _CAMERA,
    "response_p999_ms": _CAMERA,
    "response_max_ms": _CAMERA,
    "fps_fluctuation_percent": "look for other load, for heat and for clocks that change",
    "peak_memory_mb": _MEMORY,
    "memory_share_percent": _MEMORY,
    "model_memory_mb": _MEMORY,
    "runtime_memory_mb": _MEMORY,
    "device_memory_mb": "check that this is the device that the profile means",
    "file_size_mb": "quantise the weights, or store them as float16",
    "memory_growth_kb_per_frame": "look for what keeps every frame: the engine's options, a score function of your own",
    "net_power_w": _ENERGY,
    "power_mean_w": _ENERGY,
    "net_energy_per_frame_mj": _ENERGY,
    "fps_per_w": _ENERGY,
    "pss_mb": _MEMORY,
    "gpu_memory_mb": _MEMORY,
    "temperature_start_c": _HEAT,
    "temperature_end_c": _HEAT,
    "temperature_slope_c_per_min": _HEAT,
    "throttled_share_percent": _HEAT,
    "cpu_utilisation_percent": _LOAD,
    "gpu_utilisation_percent": _LOAD,
    "memory_controller_percent": _LOAD,
    "power_peak_w": _ENERGY,
    "energy_per_frame_mj": _ENERGY,
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
            "engine_flips_percent": "no other engine of this device ran the variant",
            "net_power_w": "the profile names no power sensor ([power])",
        }.get(metric, "no labels: accuracy was not measured")
    if metric in OF_A_CAMERA and measurement.plan.arrivals is None:
        return "frames went back to back: --plan=camera or --camera=30 has a camera send them"
    stage, needed = METRICS[metric].stage, METRICS[metric].min_frames
    frames = min((counted_frames(run, stage) for run in measurement.runs), default=0)
    if frames < needed:
        windows = f" ({MINIMUM_WINDOWS} windows of {WINDOW_FRAMES})" if "fluctuation" in metric else ""
        return f"needs {needed} frames{windows}, has {frames}"
    if metric == "fps_fluctuation_percent" and measurement.plan.arrivals is not None:
        return f"needs {MINIMUM_WINDOWS} whole seconds at a camera's pace"
    return "this engine does not tell" if METRICS[metric].exact else "this device does not tell"
