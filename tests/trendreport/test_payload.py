"""What the page carries for its script: exact positions and outcomes, values within the stated rounding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pagesamples as samples
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.case import Case
from harness.trendreport.model import NOT_JUDGED, OUTCOMES, Series, Trends
from harness.trendreport.page.columns import runs_of, scaled
from harness.trendreport.page.embed import json_text
from harness.trendreport.page.payload import payload_of

CASE = Case("orin", "eyes", "int8", "ort")
VALUES = st.one_of(st.floats(-1e6, 1e6), st.floats(-1e300, 1e300))


def carried(trends: Trends) -> Any:
    """The payload as a reader of the page gets it."""
    return json.loads(json_text(payload_of(trends)))


def expanded(runs: Sequence[int]) -> list[int]:
    return [code for code, count in zip(runs[::2], runs[1::2], strict=True) for _ in range(count)]


def decoded(series: Any, count: int) -> tuple[list[int], list[float], list[int]]:
    """Positions, values and outcomes, as docs/trend-report.md says."""
    index = list(range(count)) if series["index"] is None else list(accumulate(series["index"]))
    return index, [whole * series["scale"] for whole in accumulate(series["value"])], expanded(series["outcome"])


@given(st.lists(st.tuples(VALUES, st.integers(0, NOT_JUDGED), st.booleans()), max_size=60))
@example([(0.0, 0, True)])
@example([(1e300, 0, True), (-1e300, 1, True)])
@example([(5e-324, 0, True)])
@example([(0.001, 5, True)] * 9 + [(1e12, 0, True)])
def test_what_is_decoded_is_what_was_encoded(points: list[tuple[float, int, bool]]) -> None:
    kept = [place for place, (_, _, there) in enumerate(points) if there]
    value = np.array([points[place][0] for place in kept])
    one = samples.series(
        1, 1, "frame_p99_ms", "ms", 40.0, index=np.array(kept, np.int64), value=value,
        outcome=np.array([points[place][1] for place in kept], np.int8),
    )  # fmt: skip
    sent = carried(samples_with(one, len(points)))["series"][0]
    index, shown, outcome = decoded(sent, len(points))
    assert index == kept
    assert outcome == [points[place][1] for place in kept]
    assert len(shown) == len(kept)
    rounding = 0.5 * sent["scale"] * (1 + 1e-9)
    assert all(abs(a - b) <= rounding + 1e-12 * abs(b) for a, b in zip(shown, value.tolist(), strict=True))


def samples_with(series: Series, sessions: int) -> Trends:
    """A history of one series."""
    return replace(samples.EMPTY, tracks=(samples.track(CASE, sessions),), series=(series,), identities=({}, {}))


@given(st.lists(st.floats(1e-200, 1e200), min_size=1, max_size=40))
def test_four_digits_of_the_median_are_kept_unless_a_spike_needs_them(values: list[float]) -> None:
    scale, _ = scaled(np.array(values))
    median = sorted(values)[len(values) // 2]
    if max(values) < 1e11 * median:
        assert 999.999 <= median / scale < 10000.001
    assert max(values) / scale < 2**53


@given(st.lists(st.integers(0, 3)))
def test_runs_hold_the_codes_in_order(codes: list[int]) -> None:
    runs = runs_of(np.array(codes, np.int64))
    assert expanded(runs) == codes
    assert all(one != other for one, other in zip(runs[::2], runs[2::2], strict=False)), "neighbours are joined"


def test_a_case_tells_of_every_session_who_when_and_of_what() -> None:
    trends = samples.trends(2, 30)
    sent = carried(trends)
    for case, track in zip(sent["cases"], trends.tracks, strict=True):
        assert case["parts"] == [track.case.device, track.case.model, track.case.variant, track.case.runtime]
        ids = [case["ids"][8 * place : 8 * place + 8] for place in range(case["count"])]
        assert ids == [one[:8] for one in track.ids]
        seconds = np.array([one[:19] for one in track.at], "datetime64[s]").astype(int).tolist()
        assert list(accumulate([case["start"], *case["steps"]])) == seconds
        assert expanded(case["valid"]) == track.valid.astype(int).tolist()
        assert expanded(case["identity"]) == track.identity.tolist()
        commits = [tuple(sent["commits"][one]) for one in expanded(case["commit"])]
        assert commits == list(zip(track.commit, track.subject, strict=True))
        assert [sent["builds"][one] for one in expanded(case["build"])] == list(track.build)
        assert [sent["commands"][one] for one in expanded(case["command"])] == list(track.command)
        assert [sent["purposes"][one] for one in expanded(case["purpose"])] == list(track.purpose)
        assert case["boundaries"] == [[15, "engine: 1.30 to 1.31"]]


def test_the_keys_are_those_of_the_contract(checkout: Any) -> None:
    contract = (checkout / "docs/trend-report.md").read_text(encoding="utf-8")
    sent = carried(samples.trends())
    for part in (sent, sent["cases"][0], sent["series"][0], sent["annotations"][0]):
        assert not [key for key in part if f"`{key}`" not in contract and f'"{key}"' not in contract]
    assert sent["schema"] == 1
    assert sent["outcomes"] == list(OUTCOMES)


def test_a_track_without_sessions_and_a_history_without_tracks_can_be_told() -> None:
    empty = samples.track(CASE, 0)
    case = carried(replace(samples.EMPTY, tracks=(empty,)))["cases"][0]
    assert (case["count"], case["start"], case["steps"], case["ids"]) == (0, None, [], "")
    assert carried(samples.EMPTY)["cases"] == []


def test_a_value_that_is_no_number_is_absent_and_never_zero() -> None:
    one = samples.series(1, 3, "frame_p99_ms", "ms", 40.0, value=np.array([40.0, np.nan, np.inf]))
    index, values, outcome = decoded(carried(samples_with(one, 3))["series"][0], 3)
    assert (index, values, outcome) == ([0], pytest.approx([40.0]), [NOT_JUDGED])


def test_a_remark_on_a_case_without_sessions_is_not_drawn_on_all_the_others() -> None:
    assert [one["case"] for one in carried(samples.trends())["annotations"]] == [None, 0]


def test_fifty_series_of_two_thousand_sessions_stay_small() -> None:
    text = json_text(payload_of(samples.trends(10, 2000)))
    assert len(text) < 1.1e6
