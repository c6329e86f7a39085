"""What must not become worse at all: where a model runs, in what precision, how well fused. Pure.

These numbers are the same in every process, so that one session decides; a board measured 3.17 ms with 93 % of the
nodes on its accelerator and 87.38 ms with 25 %, and a fall that the budget still bears is a fall all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.rules import Outcome, decide
from harness.verdict import Change, Verdict

EXACT = tuple(name for name, metric in METRICS.items() if metric.exact)
# Baseline files keep four significant digits: of 93.333 that is 93.33, of a count of 12,345 it is 12,340.
SLACK, SLACK_SHARE, LARGE = 0.006, 0.001, 1000.0
RULE = "exact/1"


def judge_unchanged(measurement: Measurement, before: Mapping[str, Sequence[float]], name: str) -> list[Verdict]:
    """One gate for each exact metric of `before`. before: metric -> values of the sessions called `name`.

    FAIL too where an engine no longer tells what it told then: nobody knows that it did not fall.
    """
    return list(_verdicts(measurement, before, name))


def untold_before(measurement: Measurement, before: Mapping[str, Sequence[float]]) -> list[str]:
    """The exact metrics that the runs tell now and `before` does not."""
    return [metric for metric in EXACT if metric not in before and measurement.value(metric) is not None]


def _verdicts(measurement: Measurement, before: Mapping[str, Sequence[float]], name: str) -> Iterator[Verdict]:
    for metric in EXACT:
        if not before.get(metric):
            continue
        now = [METRICS[metric].value(run) for run in measurement.runs]
        known = [one for one in now if one is not None]
        inputs = {
            "before": list(before[metric]), "now": known, "better": METRICS[metric].better,
            "slack": slack(before[metric]),
        }  # fmt: skip
        silent = not known or len(known) < len(now)
        yield _lost(measurement, metric, name) if silent else _verdict(measurement, metric, inputs, name)


def slack(values: Sequence[float]) -> float:
    """What rounding in a baseline file may have moved."""
    return SLACK if max(values) < LARGE else SLACK_SHARE * max(values)


def _verdict(measurement: Measurement, metric: str, inputs: dict[str, Any], name: str) -> Verdict:
    value, earlier = _worst(inputs, "now"), _worst(inputs, "before")
    unit = METRICS[metric].unit
    ruling = decide(RULE, inputs)
    said = f"{_figure(value, unit)}, {_figure(earlier, unit)} in the {name}"
    worse = "; worse, whatever the time says: see which nodes, and what changed (engine, driver, model)"
    return Verdict(
        case=measurement.case, metric=metric, value=value, unit=unit, limit=None, gate=True, outcome=ruling.outcome,
        sentence=said + (worse if ruling.outcome is Outcome.FAIL else ""), rule=RULE, inputs=inputs,
        change=change_of(name, inputs, len(measurement.sessions)),
    )  # fmt: skip


def change_of(against: str, inputs: Mapping[str, Any], count: int) -> Change | None:
    """What the inputs of the rule exact/1 say; None where nothing moved, or there is nothing to be per cent of."""
    value, earlier = _worst(inputs, "now"), _worst(inputs, "before")
    lost = earlier - value if inputs["better"] == "more" else value - earlier
    if not earlier or abs(lost) <= inputs["slack"]:
        return None
    percent = 100 * lost / earlier
    return Change(
        against=against, before=earlier, percent=percent, low_percent=percent, high_percent=percent,
        tolerance_percent=0.0, detectable_percent=None, count=count, improved=lost < 0,
    )  # fmt: skip


def _worst(inputs: Mapping[str, Any], side: str) -> float:
    found: float = (min if inputs["better"] == "more" else max)(inputs[side])
    return found


def _lost(measurement: Measurement, metric: str, name: str) -> Verdict:
    return Verdict(
        case=measurement.case, metric=metric, value=None, unit=METRICS[metric].unit, limit=None, gate=True,
        outcome=Outcome.FAIL, sentence=f"the engine does not tell it any more; it did in the {name}",
        inputs={"outcome": Outcome.FAIL.value},
    )  # fmt: skip


def _figure(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()
