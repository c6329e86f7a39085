"""What was decided about the sessions of `trendhistory`: by the program's own rules, once for all that are alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.trendworld import ACCEPTED, ACCURACY, FRAMES, PROCESSES, CaseHistory, World, compact
from harness.comparison import FEWEST_SESSIONS, TEST, percent
from harness.rules import decide
from harness.stats.bounds import ALPHA
from harness.trendreport.metricwords import better_of, unit_of

JUDGED_IN_FULL = 30
TYPICAL, TAIL = "frame_p25_ms", "frame_p99_ms"
LIMITS = {TAIL: 50.0, ACCURACY: 94.0}
MARGIN = 0.05
# A second session of a candidate that seems to have changed, which is what the program would measure.
SECOND = 0.001
CALM = {"invalid": "", "unjudged": "", "disturbed": False, "unsteady": False}
DISTURBED = "other load took 23 % of the cores in every session: stop it and run again"
PLACE = "@"
Row = tuple[Any, ...]


def verdicts(world: World, history: CaseHistory) -> list[list[Row]]:
    """Per session, rows of the table verdict without their first two columns; accepted sessions have none."""
    found: list[list[Row]] = [[] for _ in world.slots]
    compared = list(_compared(world, history)) if TYPICAL in history.values else []
    for rows in (compared, *(list(_limited(history, metric)) for metric in LIMITS if metric in history.values)):
        for slot, row in zip(world.slots, rows):
            if slot.accepted is None:
                found[slot.index].append(row)
    for slot in world.slots[-JUDGED_IN_FULL:]:
        if slot.accepted is None:
            found[slot.index].append(_given("outputs_alive", "PASS", "outputs are finite and differ between frames"))
    return found


def _compared(world: World, history: CaseHistory) -> Iterator[Row]:
    """Every session against the accepted ones, by what it takes typically."""
    logs = np.log(history.values[TYPICAL]).mean(axis=1).tolist()
    for slot, now, valid in zip(world.slots, logs, history.valid):
        before = () if slot.baseline is None else tuple(logs[slot.baseline : slot.baseline + ACCEPTED])
        if len(before) < FEWEST_SESSIONS:
            yield _given("baseline", "NOT_COMPARABLE", "not measured under the conditions of the accepted baseline")
            continue
        first = now - sum(before) / len(before)
        candidate = [now, now + SECOND] if abs(first) > MARGIN else [now]
        value, change = math.exp(mean(candidate)), first + _reach(before, len(candidate))[2]
        outcome = _outcome(before, len(candidate), change) if valid else "INVALID"
        said = f"{value:.4g} ms, {percent(change):+.2f} % against the accepted baseline"
        inputs = _inputs(before, bool(valid)).replace(f'"{PLACE}"', str(candidate))
        yield _row(TYPICAL, outcome, "sessions-t/1", inputs, said, value, None, bool(valid))


@lru_cache(maxsize=10_000)
def _inputs(before: tuple[float, ...], valid: bool) -> str:
    surroundings = {**CALM, "invalid": "" if valid else DISTURBED}
    return compact({**surroundings, "baseline": before, "candidate": PLACE, "margin": MARGIN, **TEST})


def _outcome(before: tuple[float, ...], count: int, change: float) -> str:
    """As the rule sessions-t/1 says: how far its bounds reach does not depend on the change."""
    below, above, _ = _reach(before, count)
    if change - below > math.log1p(TEST["dont_care"]):
        return "FAIL"
    return "PASS" if change + above < math.log1p(MARGIN) else "INCONCLUSIVE"


@lru_cache(maxsize=10_000)
def _reach(before: tuple[float, ...], count: int) -> tuple[float, float, float]:
    level = sum(before) / len(before)
    candidate = [level, level + SECOND][:count]
    found = decide("sessions-t/1", {"baseline": before, "candidate": candidate, "margin": MARGIN, **TEST}).found
    return found.change - found.low, found.high - found.change, found.change


def _limited(history: CaseHistory, metric: str) -> Iterator[Row]:
    """Every session against a budget."""
    limit, better, unit = LIMITS[metric], better_of(metric), unit_of(metric)
    values = history.values[metric].mean(axis=1).tolist()
    for value, valid, missed in zip(values, history.valid.tolist(), history.missed.tolist()):
        if metric == TAIL:
            outcome, inputs, rule = *_tail(missed, valid), "tail-stream/1"
        else:
            kept = value <= limit if better == "less" else value >= limit
            outcome = "INVALID" if not valid else "PASS" if kept else "FAIL"
            inputs, rule = _limit_inputs(limit, better, valid).replace(f'"{PLACE}"', repr(value)), "limit/1"
        said = f"{value:.4g} {unit} against {limit:g} {unit}"
        yield _row(metric, outcome, rule, inputs, said, value, limit, valid)


@lru_cache
def _tail(missed: int, valid: bool) -> tuple[str, str]:
    """Outcome and inputs for so many late frames, spread evenly."""
    frames = PROCESSES * FRAMES
    late = np.linspace(0, frames - 1, missed).astype(int).tolist()
    surroundings = {**CALM, "invalid": "" if valid else DISTURBED}
    inputs = {**surroundings, "frames": frames, "missed": late, "share": 0.99, "alpha": ALPHA, "stride": 1}
    return decide("tail-stream/1", inputs).outcome.value, compact(inputs)


@lru_cache
def _limit_inputs(limit: float, better: str, valid: bool) -> str:
    surroundings = {**CALM, "invalid": "" if valid else DISTURBED}
    return compact({**surroundings, "value": PLACE, "limit": limit, "better": better, "strict": False})


def _row(
    metric: str, outcome: str, rule: str, inputs: str, said: str, value: float, limit: float | None, valid: bool
) -> Row:
    said, error_class = (said, "") if valid else (DISTURBED, "INFRA")
    return metric, outcome, True, rule, inputs, said, value, limit, error_class


def _given(metric: str, outcome: str, sentence: str) -> Row:
    return metric, outcome, True, "given/1", compact({"outcome": outcome}), sentence, None, None, ""
