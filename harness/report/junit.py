"""A measurement as name and value strings for the properties of a JUnit testcase."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.budgets import DERIVED
from harness.errors import printable
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.report.values import simulated
from harness.summaries.camera import arrivals_text, camera_summary
from harness.summaries.cascade import cascade_summary
from harness.summaries.soak import soak_summary

FACTS = {
    "engine": "engine", "version": "engine_version", "precision": "precision", "threads": "threads",
    "placement": "placement", "model_sha256": "model_sha256", "steady": "steady",
}  # fmt: skip
UNLABELLED = ("memory_share_percent",)


def properties(measurement: Measurement) -> list[tuple[str, str]]:
    """Metrics that need no labels and have a value (each name says its unit), and what really ran; safe in XML."""
    pairs = (*_identity(measurement), *_metrics(measurement), *_camera(measurement), *_soak(measurement),
             *_cascade(measurement))  # fmt: skip
    return [(printable(name), printable(value)) for name, value in pairs]


def score_properties(measurement: Measurement) -> list[tuple[str, str]]:
    """The score and what follows from it, which is known later than the rest."""
    derived = (pair for name in DERIVED if name not in UNLABELLED for pair in _number(name, measurement.value(name)))
    return [(printable(name), printable(value)) for name, value in (*derived, *_score(measurement))]


def _identity(measurement: Measurement) -> Iterator[tuple[str, str]]:
    facts = measurement.facts
    yield "case", measurement.case.key
    yield "plan", measurement.plan.name
    yield "simulated", _text(simulated(measurement))
    yield from ((name, _text(facts[fact])) for fact, name in FACTS.items() if fact in facts)


def _metrics(measurement: Measurement) -> Iterator[tuple[str, str]]:
    for name in (*METRICS, *UNLABELLED):
        yield from _number(name, measurement.value(name))


def _camera(measurement: Measurement) -> Iterator[tuple[str, str]]:
    """What of the camera's pace is no metric."""
    found = camera_summary(measurement.runs)
    if found is None:
        return
    missed = found.times.misses
    yield "arrivals", arrivals_text(found.arrivals)
    yield "deadline_misses", f"{missed.missed} of {missed.frames}"
    yield from _number("deadline_misses_lower_percent", 100 * missed.lower)
    yield from _number("deadline_misses_upper_percent", 100 * missed.upper)
    if found.stability is not None:
        yield from _number("fps_converged_s", found.stability.converged_s)
    if found.hint:
        yield "stalls_hidden", found.hint


def _soak(measurement: Measurement) -> Iterator[tuple[str, str]]:
    """The ends of the first process that is a soak."""
    found = next(filter(None, map(soak_summary, measurement.runs)), None)
    if found is not None:
        yield "soak_minutes", str(len(found.minutes))
        yield from _number("soak_first_minute_p99_ms", found.minutes[0].p99_ms)
        yield from _number("soak_last_minute_p99_ms", found.minutes[-1].p99_ms)


def _cascade(measurement: Measurement) -> Iterator[tuple[str, str]]:
    found = cascade_summary(measurement.runs)
    if found is not None:
        yield "cascade_execution", found.execution
        for stage in found.stages:
            yield from _number(f"stage_{stage.name}_p99_ms", stage.p99_ms)
            yield from _number(f"stage_{stage.name}_critical_share", stage.critical_share)


def _score(measurement: Measurement) -> Iterator[tuple[str, str]]:
    score = measurement.score
    if score is not None:
        yield "score_name", score.name
        yield from _number("score_percent", score.value)
        yield from _number("score_trivial_percent", score.trivial)
        yield "score_frames", f"{score.frames} of {score.of_frames}"
        for name, value in score.extras.items():
            yield from _number(f"score_{name}", value)


def _number(name: str, value: float | None) -> Iterator[tuple[str, str]]:
    if value is not None and math.isfinite(value):
        yield name, f"{value:.6g}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(share)}" for key, share in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
