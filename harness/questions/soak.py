"""SOAK_QUESTIONS: what can be asked of a case that was measured under a soak, by name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.camera.pacing import paced_of_run
from harness.cameratimes import generator_fault
from harness.case import Run
from harness.context import disturbed
from harness.measurement import Measurement, residual_fault
from harness.questions.soakanswers import Answer, latency_drift, memory_leak, stalls, throttling
from harness.rules import Outcome, decide
from harness.soak import Soak, soak_of_run
from harness.soakplan import too_short
from harness.verdict import Verdict, given
from harness.wording import reservation

Question = Callable[[Measurement], list[Verdict]]
WHOLE_SHARE = 0.95
KB_PER_FRAME = "kB"
WORST_FIRST = (Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.PASS)


def _of_every_run(name: str, answer: Callable[[Soak], Answer], *, speed: bool) -> Question:
    """The worst answer of all runs. speed: what else ran on the machine, or a late camera, can make it look bad."""

    def asked(measurement: Measurement) -> list[Verdict]:
        if why := too_short(measurement.plan) or ("" if measurement.runs else "nothing was measured"):
            return [given(measurement.case, name, Outcome.INCONCLUSIVE, why)]
        found = [_verdict(name, answer, measurement, run, speed) for run in measurement.runs]
        return [min(found, key=lambda one: WORST_FIRST.index(one.outcome))]

    return asked


def _verdict(
    name: str, answer: Callable[[Soak], Answer], measurement: Measurement, run: Run, speed: bool
) -> Verdict:  # fmt: skip
    soak = soak_of_run(run)
    found = answer(soak)
    inputs: dict[str, Any] = {"outcome": found.outcome.value}
    if found.outcome is Outcome.PASS:
        inputs["unjudged"] = _cut_short(soak, measurement)
    if speed:
        inputs |= {"invalid": _spoilt(run), "disturbed": disturbed([run])}
        inputs["unjudged"] = inputs.get("unjudged") or _never_judged(measurement)
    ruling = decide("given/1", inputs)
    why = [inputs.get("invalid") or inputs.get("unjudged") or ""]
    said = "; seen all the same: ".join(filter(None, [*why, found.sentence]))
    return replace(
        given(measurement.case, name, ruling.outcome, said + reservation(measurement, inputs, ruling)),
        inputs=inputs, value=found.value, limit=found.limit, unit=KB_PER_FRAME if found.value is not None else "",
    )  # fmt: skip


def _cut_short(soak: Soak, measurement: Measurement) -> str:
    wanted = measurement.plan.minimum_s
    whole = soak.seconds >= WHOLE_SHARE * wanted
    return "" if whole else f"only {soak.seconds:.0f} s of the {wanted:g} s of the plan were measured"


def _never_judged(measurement: Measurement) -> str:
    plan = measurement.plan
    return "" if plan.judges_speed else f"the plan {plan.name} is functional and never judges speed"


def _spoilt(run: Run) -> str:
    paced = paced_of_run(run)
    return residual_fault(run) or (generator_fault(paced) if paced is not None else "")


SOAK_QUESTIONS: dict[str, Question] = {
    "latency_drift": _of_every_run("latency_drift", latency_drift, speed=True),
    "throttling": _of_every_run("throttling", throttling, speed=False),
    "memory_leak": _of_every_run("memory_leak", memory_leak, speed=False),
    "stalls": _of_every_run("stalls", stalls, speed=True),
}
