"""QUESTIONS: what can be asked of a measured case beside its budgets, by name. Pure."""

from __future__ import annotations

from collections.abc import Callable

from harness.measurement import Measurement
from harness.questions.cascade import STAGES_RAN, stages_ran
from harness.questions.scenarios import scenario_margins
from harness.questions.soak import SOAK_QUESTIONS
from harness.verdict import Verdict, judge_liveness

QUESTIONS: dict[str, Callable[[Measurement], list[Verdict]]] = {
    "outputs_alive": lambda measurement: [judge_liveness(measurement)],
    "scenario_margins": scenario_margins,
    **SOAK_QUESTIONS,
    STAGES_RAN: stages_ran,
}
