"""The question of the scenario times: what frames, filter and warning leave of each, as verdicts. Pure.

A verdict's value is the time from an onset to its warning that the system takes at worst; its limit the public time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.camera import Arrivals, Paced, period_ns
from harness.camera.pacing import paced_of_run
from harness.errors import ConfigError
from harness.events.filtering import Filtering
from harness.events.scenarios import SCENARIOS, FrameTimes, Margin, Scenario, margins
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.rules import Outcome, decide
from harness.verdict import Verdict, conditions, error_class
from harness.wording import reservation

NAME = "scenario_margins"
# Whatever disqualifies the slowest response disqualifies a delay that is made of responses.
MADE_OF = METRICS["response_max_ms"]


def scenario_margins(measurement: Measurement) -> list[Verdict]:
    """One verdict for each scenario time of a state that the model tells; none for frames that went back to back.

    Of several runs the worst one counts for each.
    """
    found, arrivals = measurement.filtering, measurement.plan.arrivals
    if found is None or arrivals is None:
        return []
    asked = [one for one in SCENARIOS if set(one.shows) & set(found.evidence)]
    inputs = conditions(MADE_OF, measurement)
    paced = [one for one in map(paced_of_run, measurement.runs) if one is not None]
    unanswered = _unanswered(found, paced, arrivals)
    if unanswered:
        return [_given(measurement, one, Outcome.INCONCLUSIVE, inputs, unanswered) for one in asked]
    times = [FrameTimes.of(one, arrivals) for one in paced]
    try:
        runs = [margins(one, found.filter, found.hmi_s, asked) for one in times]
    except ConfigError as error:  # too few results in every window: no warning ever comes
        return [_given(measurement, one, Outcome.FAIL, inputs, error.what) for one in asked]
    worst = [min(of_one, key=lambda margin: margin.left_s) for of_one in zip(*runs)]
    return [_of_margin(measurement, margin, inputs) for margin in worst]


def _unanswered(found: Filtering, runs: Sequence[Paced], arrivals: Arrivals) -> str:
    """Why no time can be told; empty where one can."""
    if not runs or not all(len(one.index) for one in runs):
        return "no frame of a camera has a result"
    fps, frames = 1e9 / period_ns(arrivals), min(int(one.index[-1]) + 1 for one in runs)
    window = found.filter.frames(fps)
    return f"the run has {frames} frames, and the filter's window alone takes {window}" if window > frames else ""


def metric_of(scenario: Scenario) -> str:
    """What the verdict on a scenario time is called."""
    return f"scenario_{scenario.name}_s"


def _of_margin(measurement: Measurement, margin: Margin, inputs: dict[str, Any]) -> Verdict:
    taken_s = margin.filter_s + margin.hmi_s + margin.own.worst_s
    decided = {**inputs, "value": taken_s, "limit": margin.scenario.limit_s, "better": "less"}
    return _verdict(measurement, margin.scenario, taken_s, "limit/1", decided, margin.sentence)


def _given(
    measurement: Measurement, scenario: Scenario, outcome: Outcome, inputs: dict[str, Any], said: str
) -> Verdict:  # fmt: skip
    return _verdict(measurement, scenario, None, "given/1", {**inputs, "outcome": outcome.value}, said)


def _verdict(
    measurement: Measurement, scenario: Scenario, taken_s: float | None, rule: str, inputs: dict[str, Any], said: str
) -> Verdict:
    ruling = decide(rule, inputs)
    why = inputs.get("invalid") or inputs.get("unjudged") or reservation(measurement, inputs, ruling)
    return Verdict(
        case=measurement.case, metric=metric_of(scenario), value=taken_s, unit="s", limit=scenario.limit_s,
        gate=measurement.filtering is not None and measurement.filtering.gate,
        outcome=ruling.outcome, sentence=why.removeprefix("; but ") or said, rule=rule, inputs=inputs,
        margin_percent=None if taken_s is None else 100 * (1 - taken_s / scenario.limit_s),
        error_class=error_class(measurement, inputs),
    )  # fmt: skip
