"""A session against sessions of before: the accepted baseline, and the last ones in the history. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any, Literal

from harness.case import Run
from harness.context import context_of, disturbed
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.rules import Outcome, Ruling, decide
from harness.stats.multiplicity import holm_levels
from harness.stats.sessions import SessionComparison, compare_sessions
from harness.verdict import Change, Verdict, conditions, error_class, given
from harness.wording import reservation

FEWEST_SESSIONS = 5
# Chosen by simulation (docs/verdict.md): false FAIL per run of four metrics at most 0.5 %, heavy tails included.
ALPHA_FAIL, ALPHA_PASS = 0.005, 0.02
TEST = {"floor": 0.003, "dont_care": 0.005, "alpha_fail": ALPHA_FAIL, "alpha_pass": ALPHA_PASS, "fail_from": 2}
KNOWN_WORK_SIGMAS = 3.0
KNOWN_WORK_FLOOR = 0.02


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """Sessions of before. name: for the reader. logs: metric -> one log per session, larger is worse.

    known_work_ns: of each session, where it is known. advice: metrics too noisy here to gate.
    """

    name: str
    logs: Mapping[str, Sequence[float]]
    known_work_ns: Sequence[float] = ()
    advice: frozenset[str] = field(default_factory=frozenset)


def session_log(runs: Sequence[Run], metric: str) -> float | None:
    """The mean of the logs of one number per process, larger is worse; None where one that should tells none."""
    values = [METRICS[metric].value(run) for run in runs]
    known = [math.log(one) for one in values if one is not None and one > 0]
    sign = 1 if METRICS[metric].better == "less" else -1
    return sign * mean(known) if known and (METRICS[metric].once or len(known) == len(values)) else None


def judge_change(measurement: Measurement, earlier: Earlier, tolerances: Mapping[str, float]) -> list[Verdict]:
    """One verdict per metric that both sides know; FAIL is spent once over all of them (Holm).

    NO_BASELINE where `earlier` holds fewer than 5 sessions or knows none of the metrics.
    """
    questions = dict(_questions(measurement, earlier, tolerances))
    if not questions:
        return [given(measurement.case, "baseline", Outcome.NO_BASELINE, _too_few(earlier))]
    levelled = _with_levels(questions, earlier)
    return [_verdict(measurement, earlier, metric, inputs) for metric, inputs in levelled.items()]


def usable(sessions: Sequence[Sequence[Run]], earlier: Earlier) -> list[Sequence[Run]]:
    """The sessions on a machine left alone, where known work took as long as it did before."""
    return [one for one in sessions if not disturbed(one) and not _odd_speed(one, earlier)]


def _undisturbed(measurement: Measurement, earlier: Earlier) -> list[Sequence[Run]]:
    """The usable sessions whose device was as its profile asks."""
    return [one for one in usable(measurement.sessions, earlier) if not measurement.condition_faults(one)]


def _questions(
    measurement: Measurement, earlier: Earlier, tolerances: Mapping[str, float]
) -> Iterator[tuple[str, dict[str, Any]]]:
    good = _undisturbed(measurement, earlier)
    for metric, tolerance_percent in sorted(tolerances.items()):
        before = list(earlier.logs.get(metric, ()))
        judged = good if METRICS[metric].speed else measurement.sessions
        now = [session_log(one, metric) for one in judged or measurement.sessions]
        if len(before) < FEWEST_SESSIONS or not now or None in now:
            continue
        # Sessions that were disturbed are left out, or make the verdict invalid: they need no second word.
        runs = [run for one in judged or measurement.sessions for run in one]
        surroundings = {**conditions(METRICS[metric], measurement, runs), "disturbed": False}
        yield metric, {
            **surroundings,
            "invalid": surroundings["invalid"] or ("" if judged else _why_unusable(measurement, earlier)),
            "baseline": before, "candidate": now, "margin": tolerance_percent / 100, **TEST,
        }  # fmt: skip


def _with_levels(questions: Mapping[str, dict[str, Any]], earlier: Earlier) -> dict[str, dict[str, Any]]:
    """Each gate gets the error level at which Holm's procedure comes to it; advice keeps its own."""
    p_values = {
        metric: decide("sessions-t/1", inputs).found.p_value
        for metric, inputs in questions.items()
        if metric not in earlier.advice and not inputs["invalid"] and not inputs["unjudged"]
    }
    levels = holm_levels(p_values, ALPHA_FAIL)
    return {metric: {**inputs, "alpha_fail": levels.get(metric, inputs["alpha_fail"])}
            for metric, inputs in questions.items()}  # fmt: skip


def _verdict(measurement: Measurement, earlier: Earlier, metric: str, inputs: dict[str, Any]) -> Verdict:
    ruling, gate = decide("sessions-t/1", inputs), metric not in earlier.advice
    found = ruling.found
    change = None if found is None else change_of(metric, earlier.name, inputs, found)
    value, unit = _shown(metric, mean(inputs["candidate"])), METRICS[metric].unit
    return Verdict(
        case=measurement.case, metric=metric, value=value, unit=unit, limit=None, gate=gate, outcome=ruling.outcome,
        sentence=_sentence(measurement, metric, inputs, ruling, change), rule="sessions-t/1", inputs=inputs,
        change=change, error_class=error_class(measurement, inputs),
    )  # fmt: skip


def change_of(metric: str, against: str, inputs: Mapping[str, Any], found: SessionComparison) -> Change:
    """What the rule sessions-t/1 found in its inputs; without `before` for a metric that this version does not know."""
    return Change(
        against=against, before=_shown(metric, mean(inputs["baseline"])) if metric in METRICS else None,
        percent=percent(found.change), low_percent=bound_percent(found.low), high_percent=bound_percent(found.high),
        tolerance_percent=100 * inputs["margin"],
        detectable_percent=100 * found.minimum_detectable, count=len(inputs["candidate"]), improved=found.improved,
    )  # fmt: skip


def _sentence(
    measurement: Measurement, metric: str, inputs: Mapping[str, Any], ruling: Ruling, change: Change | None
) -> str:
    if change is None:
        return str(inputs["invalid"] or inputs["unjudged"])
    unit, clock = METRICS[metric].unit, _clock(metric)
    value, before = _shown(metric, mean(inputs["candidate"])), change.before
    figures = (
        f"{value:.4g} {unit}, {change.interval} against "
        f"{before:.4g} {unit} of the {change.against} ({len(inputs['baseline'])} sessions), tolerated "
        f"{change.tolerance_percent:g} %{clock}"
    )
    effort = f"{change.count} session{'s' * (change.count > 1)}; it would have seen {change.detectable}"
    said = {
        Outcome.FAIL: "proven worse", Outcome.PASS: "proven within the tolerance", Outcome.INCONCLUSIVE: "not decided",
    }.get(ruling.outcome, "not judged")  # fmt: skip
    better = "; a large improvement that nobody accepted: it would hide later losses" if ruling.found.improved else ""
    return f"{said}: {figures}; {effort}{better}{reservation(measurement, inputs, ruling)}"


def split_check(logs: Sequence[float], margin: float) -> Literal["same", "noisy", "moved"]:
    """The first half of a baseline's sessions against the second, each way.

    "moved": they differ by more than the margin. "noisy": they may, and nobody can tell.
    """
    middle = len(logs) // 2
    halves = (logs[:middle], logs[middle:])
    ways = [compare_sessions(*pair, margin=margin) for pair in (halves, halves[::-1])]
    limit = math.log1p(margin)
    if all(way.high < limit for way in ways):
        return "same"
    return "moved" if any(way.low > limit / 2 for way in ways) else "noisy"


def percent(log_ratio: float) -> float:
    """A difference of logs in per cent."""
    return 100 * math.expm1(log_ratio)


def bound_percent(log_ratio: float) -> float | None:
    """The same of a bound; None where it is infinite."""
    return percent(log_ratio) if math.isfinite(log_ratio) else None


def improved(verdict: Verdict) -> bool:
    """True where the metric is better than before by more than is tolerated, and proven so."""
    return verdict.change is not None and verdict.change.improved


def _shown(metric: str, log: float) -> float:
    return math.exp(log if METRICS[metric].better == "less" else -log)


def _clock(metric: str) -> str:
    if METRICS[metric].unit != "ms":
        return ""
    return ", clock: the thread's CPU time" if "_cpu_" in metric else ", clock: wall time"


def _odd_speed(runs: Sequence[Run], earlier: Earlier) -> bool:
    """True where known work took longer or shorter than three standard deviations of the earlier sessions allow."""
    now = context_of(runs).get("known_work_ns")
    if not isinstance(now, (int, float)) or now <= 0 or len(earlier.known_work_ns) < FEWEST_SESSIONS:
        return False
    logs = [math.log(one) for one in earlier.known_work_ns]
    return abs(math.log(now) - mean(logs)) > KNOWN_WORK_SIGMAS * max(stdev(logs), KNOWN_WORK_FLOOR)


def _why_unusable(measurement: Measurement, earlier: Earlier) -> str:
    if any(disturbed(one) for one in measurement.sessions):
        shares = [float(context_of(one).get("background_percent", 0)) for one in measurement.sessions]
        return f"other load took {max(shares):.0f} % of the cores in every session: stop it and run again"
    return (
        "a fixed piece of work took another time than in the baseline's sessions, so the machine is not the same: "
        "check clocks, heat and power mode"
    )


def _too_few(earlier: Earlier) -> str:
    count = max((len(one) for one in earlier.logs.values()), default=0)
    return f"the {earlier.name} holds {count} sessions and needs {FEWEST_SESSIONS}: harness accept measures more"
