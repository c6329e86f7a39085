"""Sections of the camera's pace, soaks and cascades: of the newest sessions that have them, and absent without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case, Plan, Run
from harness.history import open_history
from harness.record import SessionRecord
from harness.trendreport import read_trends
from harness.trendreport.model import Section, Trends
from harness.trendreport.page import page
from harness.trendreport.page.timesvg import legend, time_svg
from harness.trendreport.timecharts import MOST_POINTS, TimeChart, TimeLine, TimePanel, thinned
from harness.trendreport.twins import TWINS
from tests.paced import CAMERA, SOAK, STALLING, cascaded, paced_run
from tests.trendreport.histories import CASE, IDENTITY, PARENT, frames_run, session, write_history
from tests.trendreport.reading import read

PACED = {**IDENTITY, "arrivals": "0" * 12}
SOAKED = {**PACED, "plan_minimum_s": 600.0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "stalled": paced_run(folder, **STALLING),
        "drifting": paced_run(folder, SOAK, 4.5, drift_per_frame=1e-5),
        "warming": paced_run(folder, SOAK, 5.0, warming_c_per_s=0.02),
    }


def taken(day: int, run: Run, case: Case = CASE, plan: Plan = CAMERA, **changes: Any) -> SessionRecord:
    identity = {CAMERA: PACED, SOAK: SOAKED}.get(plan, IDENTITY)
    return session(day, {"frame_p25_ms": [5.0]}, case=case, runs=(run,), plan=plan, identity=identity, **changes)


def told(path: Path, *sessions: SessionRecord) -> Trends:
    with open_history(write_history(path / "h.sqlite", sessions)) as history:
        return read_trends(history)


def section(trends: Trends, name: str) -> Section:
    return next(one for one in trends.sections if one.name == name)


def test_a_history_without_a_camera_has_no_section(tmp_path: Path) -> None:
    trends = told(tmp_path, session(1, {"frame_p25_ms": [5.0]}, runs=(frames_run(),)))
    assert trends.sections == ()
    shown = page(trends)
    assert not [one for one in ("#pace", "#soak", "#cascade", 'class="time"') if one in shown]


def test_the_newest_session_at_the_cameras_pace_is_shown_whatever_came_after(tmp_path: Path, runs: Any) -> None:
    sessions = [taken(1, runs["warming"]), taken(2, runs["stalled"]), session(3, {"frame_p25_ms": [5.0]})]
    found = section(told(tmp_path, *sessions), "pace")
    times, misses, seconds = found.tables
    assert [row[:3] for row in times.rows] == [
        ("bench/eyes/int8/ort, 2026-01-03", "30 fps, drop-stale", "response"),
        ("bench/eyes/int8/ort, 2026-01-03", "", "service"),
    ]
    assert misses.rows[0][1:5] == ("1", "29", "3,000", "1 (0.721..1.35)")
    assert seconds.rows[0][3:5] == ("4 of 30", "20")
    assert any("hide stalls" in note for note in times.notes)


def test_the_chart_of_a_case_keeps_the_second_that_stalled_and_the_frame_that_took_it(
    tmp_path: Path, runs: Any
) -> None:
    (chart,) = section(told(tmp_path, taken(1, runs["stalled"])), "pace").charts
    results, due = chart.panels[0].lines
    response, service = chart.panels[1].lines
    assert (min(results.known), set(due.known)) == (4, {30})
    assert max(response.known) == max(service.known) == pytest.approx(1000, abs=1)
    assert len(response.at) <= MOST_POINTS
    assert chart.end == 100


def test_a_soak_is_drawn_with_heat_clock_and_memory_on_one_axis(tmp_path: Path, runs: Any) -> None:
    trends = told(tmp_path, taken(1, runs["warming"], plan=SOAK, simulated=True))
    found = section(trends, "soak")
    (chart,) = found.charts
    assert chart.title == "Soak of bench/eyes/int8/ort, 2026-01-02 [SIMULATED]"
    assert [one.quantity for one in chart.panels] == ["latency", "temperature", "clocks", "memory"]
    assert all(line.at[:2] == (0.5, 1.5) and len(line.at) == 10 for one in chart.panels for line in one.lines)
    heat = chart.panels[1].lines[0].known
    assert heat == sorted(heat)
    (table,) = found.tables
    assert [row[0] for row in table.rows] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize(("days", "rankings"), [((1, 1), 1), ((1, 2), 0)])
def test_cases_are_ranked_with_those_of_their_run(
    tmp_path: Path, runs: Any, days: tuple[int, int], rankings: int
) -> None:
    one, other = (taken(day, runs[name], case, SOAK) for day, name, case in
                  zip(days, ("drifting", "warming"), (CASE, PARENT), strict=True))  # fmt: skip
    found = [table for table in section(told(tmp_path, one, other), "soak").tables if table.title.startswith("Ranking")]
    assert len(found) == rankings
    for table in found:
        assert [row[0].split(",")[0] for row in table.rows] == [CASE.key, PARENT.key]
        assert [(row[1], row[4]) for row in table.rows] == [("1.", "2."), ("2.", "1.")]
        assert "the ranking turns round" in table.notes[0]


def test_a_cascade_has_a_table_of_its_stages(tmp_path: Path) -> None:
    run = cascaded(frames_run(), order=["face", "eyes"])
    (found,) = told(tmp_path, taken(1, run, plan=Plan("quick", 300))).sections
    assert (found.name, found.charts) == ("cascade", ())
    (table,) = found.tables
    assert table.title == "Stages of bench/eyes/int8/ort, 2026-01-02, serial, ms"
    assert [row[0] for row in table.rows] == ["face", "eyes"]


def test_more_cases_than_are_shown_are_counted(tmp_path: Path, runs: Any) -> None:
    short = replace(CAMERA, frames=60)
    run = paced_run(tmp_path, short)
    cases = [Case("bench", f"eyes{number}", "int8", "ort") for number in range(26)]
    sessions = [
        replace(taken(1, run, one), identity={**PACED, "device": "bench"}, plan=short, simulated=True) for one in cases
    ]
    found = section(told(tmp_path, *sessions), "pace")
    assert len(found.tables[1].rows) == 24
    assert found.notes == ("2 further cases at the camera's pace not shown here: see the rows above",)


def test_the_page_shows_a_section_with_its_figures_its_tables_and_a_way_there(tmp_path: Path, runs: Any) -> None:
    shown = read(page(told(tmp_path, taken(1, runs["stalled"]), taken(1, runs["warming"], PARENT, SOAK))))
    assert [
        one.attributes["href"] for one in shown.one("nav").find("a") if one.attributes["href"] in ("#pace", "#soak")
    ]
    pace, soak = (shown.one("section", id=name) for name in ("pace", "soak"))
    assert (len(pace.find("svg")), len(soak.find("svg"))) == (2, 1)
    assert "P99 solid, P50 dashed" in soak.one("figure").text
    said = soak.find("svg")[0].attributes["aria-label"]
    assert said.startswith("Soak of bench/eyes/fp32/ort, 2026-01-02, over 10 of time, minutes: latency, P99: 5.")
    assert len(pace.find("table")) == 3


def test_the_twins_tell_the_sections_too(tmp_path: Path, runs: Any) -> None:
    trends = told(tmp_path, taken(1, runs["stalled"]))
    (kept,) = json.loads(TWINS["json"].make(trends, {}))["sections"]
    assert (kept["name"], len(kept["tables"]), len(kept["charts"])) == ("pace", 3, 1)
    assert "<summary>At the camera's pace: misses, gaps, age: 1</summary>" in TWINS["markdown"].make(trends, {})


def test_the_page_of_24_soaks_of_an_hour_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(1)
    line = TimeLine(name="P99", at=tuple(np.arange(240.0)), value=tuple(noise.random(240)))
    panel = TimePanel(quantity="latency", unit="ms", lines=(line, line))
    chart = TimeChart(title="soak", x_name="time, minutes", end=240.0, panels=(panel,) * 4)
    assert len(time_svg(chart)) < 20_000


VALUES = st.none() | st.floats(-1e9, 1e9)


@given(st.lists(st.lists(VALUES, min_size=1, max_size=8), min_size=1, max_size=4), st.booleans())
def test_any_values_are_drawn_inside_the_figure(columns: list[list[float | None]], from_zero: bool) -> None:
    lines = tuple(
        TimeLine(name=f"line {number}", at=tuple(map(float, range(len(one)))), value=tuple(one))
        for number, one in enumerate(columns)
    )
    chart = TimeChart(
        title="any", x_name="s", end=8.0,
        panels=(TimePanel(quantity="one", unit="ms", lines=lines, from_zero=from_zero),),
    )  # fmt: skip
    drawn = ElementTree.fromstring(str(time_svg(chart)))
    paths = [one.attrib["d"] for one in drawn.iter("path") if "line" in one.attrib["class"]]
    pieces = sum(bool(one) for one in paths)
    assert pieces == sum(any(value is not None for value in one) for one in columns)
    assert legend(chart) == ("" if len(columns) == 1 else f"one: {', '.join(_names(len(columns)))}")


def _names(count: int) -> list[str]:
    looks = ("solid", "dashed", "dotted", "dash-dotted")
    return [f"line {number} {looks[number]}" for number in range(count)]


def test_a_gap_breaks_the_line_and_a_single_value_is_seen() -> None:
    line = TimeLine(name="P99", at=(0.0, 1.0, 2.0, 3.0, 4.0), value=(1.0, 2.0, None, 3.0, None))
    panel = TimePanel(quantity="latency", unit="ms", lines=(line,))
    drawn = ElementTree.fromstring(str(time_svg(TimeChart(title="", x_name="s", end=4.0, panels=(panel,)))))
    (path,) = (one.attrib["d"] for one in drawn.iter("path") if "line" in one.attrib["class"])
    first, second = path.split("M")[1:]
    assert (first.count("l"), second.endswith("h1")) == (1, True)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_what_stands_out_stays_when_a_line_is_thinned(values: list[float]) -> None:
    column = np.array(values)
    kept = thinned(column)
    assert len(kept) <= MOST_POINTS
    assert (column[kept].min(), column[kept].max()) == (column.min(), column.max())
    assert (np.diff(kept) > 0).all()
