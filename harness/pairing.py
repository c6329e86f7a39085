"""Reference against candidate from paired rounds: verdicts for the typical time and for the tail. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.case import Array, Case
from harness.comparison import bound_percent, percent
from harness.metrics import MS
from harness.paired import ARMS, PairedRun
from harness.preconditions import passing_faults
from harness.profile import Conditions
from harness.rules import Outcome, Ruling, decide
from harness.stats.multiplicity import holm_levels
from harness.stats.paired import PairedComparison
from harness.verdict import Change, Verdict, given

ROUNDS = (12, 8, 10, 15, 15)
ALPHA_RUN, ALPHA_PASS = 0.01, 0.05
DONT_CARE = 0.005
RULE = "paired-ranks/1"
REFERENCE, NULL, CANDIDATE = range(len(ARMS))


@dataclass(frozen=True, kw_only=True)
class Question:
    """What two builds are compared in: a quantile of a round's frames on one clock, and what is still tolerated."""

    metric: str
    share: float
    cpu: bool
    tolerance: float
    gate: bool


def questions(knows_cpu: bool) -> tuple[Question, ...]:
    """Wall and CPU time for the typical frame; the tail on the CPU clock where it is known.

    The tail of wall time on a shared machine is the neighbour's; beside a CPU clock it is advice.
    """
    wall = (
        Question(metric="frame_p25_ms", share=0.25, cpu=False, tolerance=0.02, gate=True),
        Question(metric="frame_p95_ms", share=0.95, cpu=False, tolerance=0.10, gate=not knows_cpu),
    )
    cpu = (
        Question(metric="frame_cpu_p25_ms", share=0.25, cpu=True, tolerance=0.02, gate=True),
        Question(metric="frame_cpu_p95_ms", share=0.95, cpu=True, tolerance=0.10, gate=True),
    )
    return (*wall, *cpu) if knows_cpu else wall


def judge_pair(
    case: Case, runs: Sequence[PairedRun], reference: str, wanted: Conditions | None = None
) -> list[Verdict]:
    """One verdict per question over the rounds of all `runs`; `reference` names the other build.

    A FAIL is spent once over all gates and all looks (Holm, 1 % a run). Runs in which the device throttled or was
    clocked anew are left out, and where none is left nothing is judged.
    """
    faults = {index: passing_faults(run, wanted or Conditions()) for index, run in enumerate(runs)}
    clean = [run for index, run in enumerate(runs) if not faults[index]]
    if not clean:
        return [given(case, "frame_p25_ms", Outcome.INVALID, faults[len(runs) - 1][0])]
    return _judged(case, clean, reference)


def _judged(case: Case, runs: Sequence[PairedRun], reference: str) -> list[Verdict]:
    knows_cpu = all(run.cpu_ns.shape[2] for run in runs)
    asked = questions(knows_cpu)
    alpha_null = ALPHA_RUN / sum(one.gate for one in asked)
    inputs = {one.metric: {**_inputs(one, runs), "alpha_null": alpha_null} for one in asked}
    gates = {one.metric: decide(RULE, inputs[one.metric]).found.p_value for one in asked if one.gate}
    levels = {name: level * len(ROUNDS) for name, level in holm_levels(gates, ALPHA_RUN / len(ROUNDS)).items()}
    levelled = {name: {**one, "alpha_fail": levels.get(name, ALPHA_RUN)} for name, one in inputs.items()}
    return [_verdict(case, one, runs, levelled[one.metric], reference) for one in asked]


def decided(verdicts: Sequence[Verdict]) -> bool:
    """True where more rounds would change nothing: a gate failed, or all of them are sure.

    A null arm that stands out is looked at again: chance goes away with more rounds, a bias does not.
    """
    outcomes = {one.outcome for one in verdicts if one.gate}
    return Outcome.FAIL in outcomes or outcomes == {Outcome.PASS}


def _inputs(question: Question, runs: Sequence[PairedRun]) -> dict[str, Any]:
    logs = np.concatenate([_log_quantiles(question, run) for run in runs])
    return {
        "differences": (logs[:, CANDIDATE] - logs[:, REFERENCE]).tolist(),
        "null_differences": (logs[:, NULL] - logs[:, REFERENCE]).tolist(),
        "margin": question.tolerance, "dont_care": DONT_CARE, "alpha_fail": ALPHA_RUN, "alpha_pass": ALPHA_PASS,
        "looks": len(ROUNDS),
    }  # fmt: skip


def _log_quantiles(question: Question, run: PairedRun) -> Array:
    times = run.cpu_ns if question.cpu else run.frame_ns
    found: Array = np.log(np.maximum(np.quantile(times, question.share, axis=2), 1.0))
    return found


def _verdict(
    case: Case, question: Question, runs: Sequence[PairedRun], inputs: dict[str, Any], reference: str
) -> Verdict:
    ruling = decide(RULE, inputs)
    before, value = (_quantile_ms(question, runs, arm) for arm in (REFERENCE, CANDIDATE))
    change = change_of(reference, inputs, ruling.found, before)
    return Verdict(
        case=case, metric=question.metric, value=value, unit="ms", limit=None, gate=question.gate,
        outcome=ruling.outcome, sentence=_sentence(question, ruling, change, inputs), rule=RULE, inputs=inputs,
        change=change,
    )  # fmt: skip


def change_of(against: str, inputs: Mapping[str, Any], found: PairedComparison, before: float | None = None) -> Change:
    """What the rule paired-ranks/1 found in its inputs, which do not hold `before`: they are ratios."""
    return Change(
        against=against, before=before, percent=percent(found.change), low_percent=bound_percent(found.low),
        high_percent=bound_percent(found.high), tolerance_percent=100 * inputs["margin"],
        detectable_percent=_detectable(found), count=len(inputs["differences"]),
    )  # fmt: skip


def _quantile_ms(question: Question, runs: Sequence[PairedRun], arm: int) -> float:
    """Of all frames of an arm; each process has chosen its own count of frames per round."""
    columns = (run.cpu_ns if question.cpu else run.frame_ns for run in runs)
    return float(np.quantile(np.concatenate([one[:, arm].ravel() for one in columns]), question.share)) / MS


def _sentence(question: Question, ruling: Ruling, change: Change, inputs: Mapping[str, Any]) -> str:
    clock = "the thread's CPU time" if question.cpu else "wall time"
    figures = (
        f"{change.interval} against {change.against}, "
        f"tolerated {change.tolerance_percent:g} %, clock: {clock}, {change.count} rounds; "
        f"it would have seen {change.detectable}"
    )
    if ruling.outcome is Outcome.INVALID:
        null = percent(ruling.found.null_change)
        return f"the reference differs from itself by {null:+.2f} % (null arm): {figures}; run again"
    said = {Outcome.FAIL: "proven slower", Outcome.PASS: "proven within the tolerance"}
    return f"{said.get(ruling.outcome, 'not decided')}: {figures}"


def _detectable(found: PairedComparison) -> float | None:
    """The change in per cent that 9 of 10 such comparisons prove, from the bound's distance; None without a bound."""
    if not math.isfinite(found.low):
        return None
    z_level, z_power = 3.1, 1.3  # one-sided 0.1 %, what Holm and five looks leave of 1 %, and 90 % power
    return percent((found.change - found.low) * (z_level + z_power) / z_level)
