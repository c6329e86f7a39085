"""The camera's pace, soaks and cascades as values of results.json; docs/results-format.md documents every field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from harness.fpsstability import Stability
from harness.measurement import Measurement
from harness.summaries.camera import CameraSummary, arrivals_text, camera_summary
from harness.summaries.cascade import cascade_summary
from harness.summaries.soak import SoakSummary, ranks, soak_summary


def pace_values(measured: Measurement) -> Mapping[str, Any]:
    """`camera`, `soak` and `cascade`, each None where the case has nothing of it."""
    camera, cascade = camera_summary(measured.runs), cascade_summary(measured.runs)
    soaks = [soak_summary(run) for run in measured.runs]
    return {
        "camera": _camera(camera) if camera else None,
        "soak": [_soak(one) for one in soaks] if any(soaks) else None,
        "cascade": asdict(cascade) if cascade else None,
    }


def ranking_values(measured: Iterable[Measurement]) -> Mapping[str, Any] | None:
    """Key of each case with a soak, and its places; None where fewer than two cases have one."""
    found = {one.case.key: soak for one in measured for soak in [soak_summary(one.runs[0])] if soak}
    ranked = ranks(found)
    return asdict(ranked) if ranked else None


def _camera(found: CameraSummary) -> Mapping[str, Any]:
    missed = found.times.misses.missed
    times = asdict(found.times)
    return {
        "arrivals": {**asdict(found.arrivals), "text": arrivals_text(found.arrivals)}, "processes": found.processes,
        **times, "misses": {**times["misses"], "missed": missed}, "back_to_back_late": found.back_to_back_late,
        "hint": found.hint, "seconds": [_seconds(one) for one in found.stabilities],
    }  # fmt: skip


def _seconds(found: Stability | None) -> Mapping[str, Any] | None:
    return asdict(found) if found else None


def _soak(found: SoakSummary | None) -> list[Mapping[str, Any]] | None:
    if found is None:
        return None
    return [{**asdict(one), "memory_mb": held} for one, held in zip(found.minutes, found.memory_mb, strict=True)]
