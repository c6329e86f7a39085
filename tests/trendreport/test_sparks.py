"""Sparklines and bars: shapes for outcomes, rings for invalid sessions, nothing that leaves the picture."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pagesamples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case
from harness.trendreport.model import OUTCOMES, SPARK_SESSIONS, Band, Limit, ParetoChart, ParetoPoint
from harness.trendreport.page.axes import round_numbers
from harness.trendreport.page.bars import WIDTH, interval_bar, margin_bar
from harness.trendreport.page.paretosvg import COLOURS, colour_of, pareto_svg
from harness.trendreport.page.sparks import spark

CASE = Case("orin", "eyes", "int8", "ort")
PLAIN: dict[str, Any] = {"limits": (), "band": None, "steps": ()}


def drawn(
    values: list[float], outcomes: list[int] | None = None, valid: list[bool] | None = None, **changes: Any
) -> Any:
    """The sparkline of a case with these sessions, as XML."""
    count = len(values)
    codes = np.array([samples.PASS] * count if outcomes is None else outcomes, np.int8)
    one = samples.series(1, count, "m", "ms", 1.0, **{**PLAIN, "value": np.array(values), "outcome": codes, **changes})
    track = samples.track(
        CASE, count, valid=np.array([True] * count if valid is None else valid), identity=np.zeros(count)
    )
    return ElementTree.fromstring(str(spark(one, track)))


def points(svg: Any, name: str) -> list[tuple[int, int]]:
    """Where the marks of a class lie."""
    found = [one.get("d") for one in svg if one.get("class") == f"m-{name}"]
    return [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)", "".join(found))]


def test_the_newest_thirty_sessions_are_shown_with_the_newest_at_the_right() -> None:
    at = points(drawn([float(one) for one in range(100)]), "pass")
    assert len(at) == SPARK_SESSIONS
    assert at == sorted(at), "from left to right"
    assert at[0][1] > at[-1][1], "larger is higher"
    assert points(drawn([1.0, 2.0]), "pass")[-1][0] == at[-1][0], "few sessions end at the right too"


def test_each_outcome_has_its_mark_and_an_invalid_session_a_ring() -> None:
    svg = drawn([1.0] * 7, outcomes=[0, 1, 2, 3, 4, 5, 5], valid=[True] * 6 + [False])
    names = ("fail", "inconclusive", "not-comparable", "no-baseline", "pass")
    assert [len(points(svg, name)) for name in names] == [1] * 5
    assert len(points(svg, "invalid")) == 2
    assert svg.get("aria-label") == "last 7: 1 to 1 ms, 1 FAIL, 2 INVALID"


def test_the_line_leaves_out_invalid_sessions_and_breaks_where_the_hardware_changed() -> None:
    one = samples.series(1, 4, "m", "ms", 1.0, value=np.arange(4.0), **PLAIN)
    track = samples.track(CASE, 4, valid=np.array([True, False, True, True]), identity=np.array([0, 0, 0, 1]))
    line = re.search(r'class="line" d="([^"]+)"', str(spark(one, track)))
    assert line is not None
    assert [len(part.split()) // 2 for part in line.group(1).split("M")[1:]] == [2, 1]


@pytest.mark.parametrize(("limit", "lines"), [(10.5, 1), (11.5, 1), (30.0, 0)])
def test_a_budget_is_drawn_where_it_does_not_press_the_points_flat(limit: float, lines: int) -> None:
    svg = drawn([10.0, 11.0], limits=(Limit(limit=limit, gate=True),))
    assert len([one for one in svg if one.get("class") == "limit"]) == lines


def test_the_band_of_the_baseline_is_drawn() -> None:
    svg = drawn([10.0, 11.0], band=Band(low=9.5, high=11.2, first=0, sessions=12))
    assert len([one for one in svg if one.get("class") == "edge"]) == 2


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_all_points_lie_within_the_picture(values: list[float]) -> None:
    svg = drawn(values)
    _, _, width, height = map(int, svg.get("viewBox").split())
    at = points(svg, "pass")
    assert len(at) == min(len(values), SPARK_SESSIONS)
    assert all(0 < x < width and 0 < y < height for x, y in at)


def test_a_series_without_points_has_no_picture() -> None:
    one = samples.series(1, 0, "m", "ms", 1.0, **PLAIN)
    assert spark(one, samples.track(CASE, 0)) == ""


@pytest.mark.parametrize(
    ("margin_percent", "width"), [(100.0, 0), (40.0, 48), (0.0, 80), (-20.0, 96), (-900.0, 120), (250.0, 0)]
)
def test_the_margin_bar_shows_how_much_of_the_limit_is_used(margin_percent: float, width: int) -> None:
    svg = ElementTree.fromstring(str(margin_bar(margin_percent, "FAIL")))
    bar = next(one for one in svg if one.get("class") == "f-fail")
    assert f"h{width}v" in bar.get("d", "")


def interval(**changes: Any) -> tuple[int, int, int, int]:
    """Where the lower and upper end, the change and the tolerance lie."""
    text = str(interval_bar(samples.change(**changes), "PASS"))
    ends = re.search(r'd="M(\d+) 6H(\d+)', text)
    dot, tolerance = re.search(r'class="dot" d="M(\d+)', text), re.search(r'class="limit" d="M(\d+)', text)
    assert ends is not None
    assert dot is not None
    assert tolerance is not None
    return int(ends.group(1)), int(ends.group(2)), int(dot.group(1)), int(tolerance.group(1))


def test_the_interval_lies_around_zero_with_the_tolerance_on_its_right() -> None:
    low, high, middle, tolerance = interval(percent=1.0, low=-1.0, high=3.0)
    assert low < WIDTH / 2 < middle < high < tolerance < WIDTH


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(None, 2.0, (0, None)), (-1.0, None, (None, WIDTH)), (None, None, (0, WIDTH)), (-900.0, 900.0, (0, WIDTH))],
)
def test_a_side_that_nothing_bounds_reaches_the_edge(
    low: float | None, high: float | None, ends: tuple[int | None, int | None]
) -> None:
    found = interval(percent=1.0, low=low, high=high)
    assert all(want is None or have == want for have, want in zip(found[:2], ends, strict=True))
    assert all(0 <= one <= WIDTH for one in found)


def test_a_comparison_without_a_tolerance_can_be_drawn() -> None:
    assert interval(percent=0.0, low=0.0, high=0.0, tolerance_percent=0.0) == (60, 60, 60, 60)


@pytest.mark.parametrize(("tolerance", "marks"), [(5.0, 1), (0.0, 0)])
def test_what_does_not_matter_has_its_mark_between_zero_and_the_tolerance(tolerance: float, marks: int) -> None:
    text = str(interval_bar(samples.change(tolerance_percent=tolerance), "FAIL"))
    at = [int(one) for one in re.findall(r'class="care" d="M(\d+)', text)]
    assert len(at) == marks
    end = re.search(r'class="limit" d="M(\d+)', text)
    assert end is not None
    assert all(WIDTH / 2 < one < int(end.group(1)) for one in at)


def chart(*points: tuple[float, float, bool], y_better: Any = "more") -> Any:
    made = tuple(ParetoPoint(case=Case("orin", "eyes", f"v{place}", "ort"), x=x, y=y, front=front)
                 for place, (x, y, front) in enumerate(points))  # fmt: skip
    drawn = ParetoChart(title="eyes", x_name="frame p50, ms", y_name="accuracy, %", y_better=y_better, points=made)
    return ElementTree.fromstring(str(pareto_svg(drawn)))


def test_the_front_is_a_line_and_what_lies_behind_it_a_ring() -> None:
    svg = chart((5.0, 90.0, True), (7.0, 95.0, True), (8.0, 91.0, False))
    kinds = [one.get("class", "").split()[0] for one in svg if one.tag == "circle"]
    assert sorted(kinds) == ["disc", "disc", "ring"]
    front = next(one for one in svg if one.get("class") == "front")
    assert front.get("d", "").count("H") == 1
    texts = [one.text for one in svg if one.tag == "text"]
    assert {"v0 ort", "v1 ort", "v2 ort"} <= set(texts)
    assert "v2 ort: 8, 91" in svg.get("aria-label", "")


def test_a_colour_belongs_to_the_name_and_not_to_its_place() -> None:
    # The very numbers: a colour must not change with the version.
    assert [colour_of(name) for name in ("orin/eyes/int8/ort frame_p99_ms", "\ud800", "")] == [4, 5, 0]
    assert {colour_of(f"v{one} ort") for one in range(40)} == set(range(COLOURS))
    both, turned = chart((5.0, 90.0, True), (7.0, 95.0, True)), chart((7.0, 95.0, True), (5.0, 90.0, True))
    classes = [sorted(str(one.get("class")) for one in svg if one.tag == "circle") for svg in (both, turned)]
    assert classes[0] == classes[1]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_names_of_equal_points_do_not_lie_on_each_other(count: int) -> None:
    svg = chart(*[(5.0, 90.0, True)] * count)
    heights = sorted(float(one.get("y", 0)) for one in svg if (one.text or "").endswith("ort"))
    assert len(heights) == count
    assert all(later - earlier >= 12 for earlier, later in pairwise(heights))


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_round_numbers_are_few_even_and_inside(low: float, span: float) -> None:
    found = round_numbers(low, low + span)
    slack = 1e-9 * max(abs(low), abs(low + span))
    assert 2 <= len(found) <= 6
    assert all(low - slack <= one <= low + span + slack for one in found)


def test_the_shapes_of_the_outcomes_differ() -> None:
    svg = drawn([1.0] * 6, outcomes=list(range(6)))
    assert len({one.get("class") for one in svg if one.get("class", "").startswith("m-")}) == len(OUTCOMES)
