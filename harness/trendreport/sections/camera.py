"""The section of what was measured at the camera's pace: tables, and of each case its seconds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.camera import Paced
from harness.camera.pacing import paced_of_run
from harness.cameratimes import response_ns, service_ns
from harness.case import Array
from harness.fpsstability import Stability
from harness.record import SessionRecord
from harness.summaries.camera import CameraSummary, arrivals_text, camera_summary
from harness.summaries.tables import camera_misses_table, camera_seconds_table, camera_times_table
from harness.trendreport.cells import number
from harness.trendreport.model import Section
from harness.trendreport.sections.chosen import named, said_left_out, shown_table
from harness.trendreport.timecharts import TimeChart, TimeLine, TimePanel, thinned

MS, NS = 1e6, 1e9


@dataclass(frozen=True, kw_only=True)
class CameraCase:
    """One session; chart: None where it is too short."""

    name: str
    summary: CameraSummary
    chart: TimeChart | None


def camera_case(session: SessionRecord) -> list[CameraCase]:
    """None or one."""
    summary = camera_summary(session.runs)
    if summary is None:
        return []
    name = named(session)
    return [CameraCase(name=name, summary=summary, chart=_chart(name, session, summary))]


def camera_section(cases: Sequence[CameraCase], left_out: int) -> Section | None:
    """None without a case."""
    if not cases:
        return None
    summaries = [(one.name, one.summary) for one in cases]
    makers = (camera_times_table, camera_misses_table, camera_seconds_table)
    made = (maker(summaries, number) for maker in makers)
    return Section(
        name="pace", heading="At the camera's pace", tables=tuple(shown_table(one) for one in made if one.rows),
        charts=tuple(one.chart for one in cases if one.chart), notes=said_left_out(left_out, "at the camera's pace"),
    )  # fmt: skip


def _chart(name: str, session: SessionRecord, summary: CameraSummary) -> TimeChart | None:
    """Of the process with the worst second."""
    stability = summary.stability
    known = (paced for one in session.runs if (paced := paced_of_run(one)) is not None and len(paced.index))
    paced = next((one for one, its in zip(known, summary.stabilities, strict=True) if its is stability), None)
    if stability is None or paced is None:
        return None
    return TimeChart(
        title=f"{name}: {arrivals_text(summary.arrivals)}", x_name="time, s", end=float(len(stability.completed)),
        panels=(_seconds(stability), _latency(paced)),
    )  # fmt: skip


def _seconds(found: Stability) -> TimePanel:
    kept = thinned(found.completed)
    lines = ((label, values[kept]) for label, values in (("results", found.completed), ("due", found.expected)))
    return TimePanel(
        quantity="results in each second", unit="1/s",
        lines=tuple(_line(label, kept + 0.5, values) for label, values in lines),
    )  # fmt: skip


def _latency(paced: Paced) -> TimePanel:
    kept = thinned(response_ns(paced))
    at_s = (paced.due_ns[kept] - paced.due_ns[0]) / NS
    times = (("response", response_ns(paced)), ("service", service_ns(paced)))
    return TimePanel(
        quantity="time of a frame", unit="ms",
        lines=tuple(_line(label, at_s, values[kept] / MS) for label, values in times),
    )  # fmt: skip


def _line(name: str, at: Array, values: Array) -> TimeLine:
    return TimeLine(name=name, at=tuple(np.round(at, 2).tolist()), value=tuple(np.round(values, 3).tolist()))
