"""Pareto charts: the front is what nobody beats, and nothing is left out in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case
from harness.trendreport.model import ParetoChart
from harness.trendreport.views.comparisons import views_of
from harness.trendreport.views.pareto import on_front
from tests.trendreport.handmade import Made, trends

CASES = {name: Case("orin", "eyes", name, "ort") for name in ("fp32", "int8", "slow")}


def charts(**values: dict[str, list[float]]) -> tuple[ParetoChart, ...]:
    """The charts of variants with these values."""
    return views_of(trends(*(Made(case=CASES[name], values=one) for name, one in values.items())), {}).charts


def test_the_front_leaves_out_what_another_beats_in_both():
    (chart,) = charts(
        fp32={"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]},
        int8={"frame_p50_ms": [3.0], "accuracy_min_percent": [96.0]},
        slow={"frame_p50_ms": [6.0], "accuracy_min_percent": [95.0]},
    )
    assert {one.case.variant: one.front for one in chart.points} == {"fp32": True, "int8": True, "slow": False}
    assert (chart.x_name, chart.y_name, chart.y_better) == ("frame p50, ms", "accuracy, %", "more")


def test_size_takes_the_place_of_an_accuracy_that_is_not_known():
    (chart,) = charts(
        fp32={"frame_p50_ms": [5.0], "file_size_mb": [12.0]},
        int8={"frame_p50_ms": [3.0], "file_size_mb": [3.0], "accuracy_min_percent": [96.0]},
    )
    assert (chart.y_name, chart.y_better) == ("size, MB", "less")
    assert [one.case.variant for one in chart.points if one.front] == ["int8"]


def test_a_case_that_is_left_out_is_counted():
    (chart,) = charts(
        fp32={"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]},
        int8={"frame_p50_ms": [3.0], "accuracy_min_percent": [96.0]},
        slow={"frame_p50_ms": [6.0]},
    )
    assert "1 case without accuracy or latency left out" in chart.title


def test_one_point_is_no_chart():
    assert charts(fp32={"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]}) == ()


def test_an_invalid_session_is_no_point():
    values = {"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]}
    made = [Made(case=CASES["fp32"], values=values), Made(case=CASES["int8"], values=values, valid=[False])]
    assert views_of(trends(*made), {}).charts == ()


@pytest.mark.parametrize(
    ("simulated", "words"), [((True, True), "[SIMULATED]"), ((False, True), "SIMULATED: int8"), ((False, False), "")]
)
def test_simulated_points_are_marked(simulated, words):
    values = {"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]}
    made = [Made(case=CASES[name], values=values, simulated=one) for name, one in zip(CASES, simulated, strict=False)]
    (chart,) = views_of(trends(*made), {}).charts
    assert words in chart.title
    assert ("SIMULATED" in chart.title) == bool(words)


def test_points_of_other_conditions_are_marked():
    values = {"frame_p50_ms": [5.0], "accuracy_min_percent": [97.0]}
    made = [Made(case=CASES["fp32"], values=values),
            Made(case=CASES["int8"], values=values, identity={"plan_frames": 40})]  # fmt: skip
    assert "measured under different conditions" in views_of(trends(*made), {}).charts[0].title


POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(POINTS, st.sampled_from(["more", "less"]))
def test_the_front_is_what_its_definition_says(points, better):
    sign = -1 if better == "more" else 1
    found = on_front(np.array([float(x) for x, _ in points]), np.array([float(y) for _, y in points]), better)
    for index, (x, y) in enumerate(points):
        beaten = any(a <= x and sign * b <= sign * y and (a < x or sign * b < sign * y) for a, b in points)
        assert found[index] == (not beaten)
