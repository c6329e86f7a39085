"""What is asked of a measured cascade beside its budgets. Pure."""

from __future__ import annotations

from harness.measurement import Measurement
from harness.rules import Outcome
from harness.summaries.cascade import StageSummary, cascade_summary
from harness.verdict import Verdict, given

STAGES_RAN = "stages_ran"


def stages_ran(measurement: Measurement) -> list[Verdict]:
    """One verdict: a stage that never had anything to look at makes a cascade quick and proves nothing; none where the
    case is no cascade.
    """
    found = cascade_summary(measurement.runs)
    if found is None:
        return []
    idle = [one.name for one in found.stages if not one.ran]
    if idle:
        outcome = Outcome.INCONCLUSIVE
        sentence = f"{', '.join(idle)} never ran: no frame had anything to look at, so the cascade's times lack it"
    else:
        outcome, sentence = Outcome.PASS, f"all {len(found.stages)} stages ran: {_shares(found.stages)}"
    return [given(measurement.case, STAGES_RAN, outcome, sentence)]


def _shares(stages: tuple[StageSummary, ...]) -> str:
    told = ((one.name, one.ran / max(one.ran + one.held + one.skipped, 1)) for one in stages)
    return ", ".join(f"{name} on {100 * share:.3g} % of the frames" for name, share in told)
