"""The script's pure functions, called in the browser: decoding, scales, thinning, words."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.trendreport.cells import number
from harness.trendreport.page.columns import deltas_of, runs_of, scaled

Call = Callable[..., Any]


@pytest.mark.parametrize("column", [[], [7], [0, 0, 0], [1, 0, 0, 2, 2, 1]])
def test_runs_become_one_value_per_session_again(call: Call, column: list[int]) -> None:
    assert call("expand(arguments[0])", runs_of(np.array(column, np.int64))) == column


@pytest.mark.parametrize("column", [[], [3], [3, 5, 4], [0, 2**40, -7]])
def test_deltas_become_the_numbers_again(call: Call, column: list[int]) -> None:
    assert call("[...undelta(arguments[0])]", deltas_of(np.array(column, np.int64))) == column


def test_values_come_back_within_half_of_their_scale(call: Call) -> None:
    values = 5.0 * np.exp(np.random.default_rng(1).standard_normal(500))
    scale, deltas = scaled(values)
    found = np.array(call("[...undelta(arguments[0], arguments[1])]", deltas, scale))
    assert np.abs(found - values).max() <= 0.5000001 * scale


@pytest.mark.parametrize(
    ("numbers", "wanted", "place"), [([], 1, 0), ([5], 5, 0), ([5], 6, 1), ([1, 3, 3, 9], 3, 1), ([1, 3, 3, 9], 4, 3)]
)
def test_the_search_finds_the_first_that_is_not_smaller(
    call: Call, numbers: list[int], wanted: int, place: int
) -> None:
    assert call("bisect(arguments[0], arguments[1])", numbers, wanted) == place


@pytest.mark.parametrize(
    ("low", "high", "count", "texts"),
    [
        (0, 10, 5, ["0", "2", "4", "6", "8", "10"]),
        (0.12, 0.31, 4, ["0.15", "0.20", "0.25", "0.30"]),
        (-3, 3, 3, ["-2", "0", "2"]),
        (1200, 9100, 4, ["2,000", "4,000", "6,000", "8,000"]),
        (1e9, 3e9, 2, ["1e+9", "2e+9", "3e+9"]),
        (1e-9, 3e-9, 2, ["1e-9", "2e-9", "3e-9"]),
        (5, 5, 4, []), (1, math.inf, 4, []), (2, 1, 4, []),
    ],
)  # fmt: skip
def test_ticks_are_round_and_inside(call: Call, low: float, high: float, count: int, texts: list[str]) -> None:
    bounds = f"{low}, {'Infinity' if math.isinf(high) else high}, {count}"
    assert call(f"ticks({bounds}).map(one => one.text)") == texts


def test_ticks_are_never_many_and_always_within(call: Call) -> None:
    rng = np.random.default_rng(2)
    low = rng.standard_normal(300) * 10.0 ** rng.integers(-12, 12, 300)
    high = low + rng.random(300) * 10.0 ** rng.integers(-12, 12, 300)
    apart = high - low > 1e-9 * np.abs(low)
    pairs = np.column_stack((low, high))[apart].tolist()
    made = call("arguments[0].map(([low, high]) => ticks(low, high, 6).map(one => one.at))", pairs)
    for (start, end), found in zip(pairs, made, strict=True):
        slack = 1e-6 * (end - start)
        assert len(found) <= 7
        assert all(start - slack <= one <= end + slack for one in found)
        assert all(one < other for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("start", "end", "texts"),
    [
        ("2026-01-01T00:00", "2026-01-01T04:00", [f"01-01 0{hour}:00" for hour in range(5)]),
        ("2026-01-30T12:00", "2026-02-02T12:00", ["2026-01-31", "2026-02-01", "2026-02-02"]),
        ("2025-11-15T00:00", "2026-03-15T00:00", ["2025-12", "2026-01", "2026-02", "2026-03"]),
        ("2020-06-01T00:00", "2026-06-01T00:00", ["2022-01", "2024-01", "2026-01"]),
    ],
)  # fmt: skip
def test_ticks_of_dates_are_whole_hours_days_and_months(call: Call, start: str, end: str, texts: list[str]) -> None:
    seconds = [datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp() for one in (start, end)]
    assert call("dateTicks(arguments[0], arguments[1], 5).map(one => one.text)", *seconds) == texts


@pytest.mark.parametrize(("low", "high"), [(0, 1e300), (-1e300, 5), (3, 3), (5, 4)])
def test_dates_beyond_all_calendars_have_no_ticks(call: Call, low: float, high: float) -> None:
    assert call("dateTicks(arguments[0], arguments[1], 5)", low, high) == []


@pytest.mark.parametrize("value", ["null", "NaN", "Infinity"])
def test_what_is_no_number_is_a_dash(call: Call, value: str) -> None:
    assert call(f"number({value})") == "-"


def test_a_number_is_written_as_the_tables_write_it(call: Call) -> None:
    rng = np.random.default_rng(3)
    drawn = (rng.choice((-1, 1), 2000) * 10.0 ** rng.uniform(-12, 14, 2000)).tolist()
    round_ones = [sign * digit * 10.0**power for sign in (-1, 1) for digit in (1, 5, 9.9995) for power in range(-9, 12)]
    values = [0.0, -3.5, 50.0, 1234.5678, 1e-6, 9.999e8, *round_ones, *drawn]
    assert call("arguments[0].map((one) => number(one))", values) == [number(one) for one in values]


@pytest.mark.parametrize(
    ("low", "high", "lines", "bottom", "top"),
    [
        (30, 40, [], lambda it: 28 < it < 30, lambda it: 40 < it < 42),
        (30, 40, [50], lambda it: it < 30, lambda it: it > 50),
        (30, 31, [50], lambda it: it > 29, lambda it: it < 32),
        (1, 40, [], lambda it: it == 0, lambda it: it > 40),
        (5, 5, [], lambda it: 4 < it < 5, lambda it: 5 < it < 6),
        (0, 0, [], lambda it: it == 0, lambda it: it > 0),
        (-4, -4, [], lambda it: it < -4, lambda it: it > -4),
    ],
)  # fmt: skip
def test_lines_join_the_height_where_they_are_near_and_zero_too(
    call: Call,
    low: float,
    high: float,
    lines: list[float],
    bottom: Callable[[float], bool],
    top: Callable[[float], bool],
) -> None:
    found = call("heightOf(arguments[0], arguments[1], arguments[2])", low, high, lines)
    assert bottom(found[0])
    assert top(found[1])


@pytest.mark.parametrize("seed", range(5))
def test_thinning_keeps_the_extremes_and_the_worst_of_every_pixel(call: Call, seed: int) -> None:
    rng = np.random.default_rng(seed)
    value, rank = rng.standard_cauchy(3000), rng.integers(0, 7, 3000)
    script = "decimate([...arguments[0].keys()], (i) => Math.floor(i / 20), arguments[0], (i) => arguments[1][i])"
    call_script = script.replace("arguments[1][i]", "ranks[i]").replace("arguments[0]", "values")
    kept = call(f"((values, ranks) => {call_script})(arguments[0], arguments[1])", value.tolist(), rank.tolist())
    assert kept == sorted(set(kept))
    assert len(kept) <= 3 * 150
    for start in range(0, 3000, 20):
        here = [one for one in kept if start <= one < start + 20]
        assert value[here].min() == value[start : start + 20].min()
        assert value[here].max() == value[start : start + 20].max()
        assert rank[here].min() == rank[start : start + 20].min()


@pytest.mark.parametrize(
    ("fragment", "state"),
    [
        ("#row=a%2Fb+c&x=date&filter.device=orin&q=x%20y", {"row": "a/b c", "x": "date", "device": "orin", "q": "x y"}),
        ("#from=-20&to=-3.5", {"from": -20, "to": -3.5}),
        ("#from=5&to=1", {}), ("#from=x&to=1e999", {}), ("#x=toString", {}), ("#__proto__=1", {}), ("", {}),
        ("#open", {"open": ""}),
    ],
)  # fmt: skip
def test_the_fragment_is_read_and_nonsense_in_it_ignored(call: Call, fragment: str, state: dict[str, Any]) -> None:
    found = call("readState(arguments[0])", fragment)
    assert {name: value for name, value in found.items() if value is not None} == state


def test_a_state_survives_its_fragment(call: Call) -> None:
    state = {"row": "orin/a&b=c/#%/x m", "q": "+ &", "device": "ori\u202en", "from": -20, "to": 3, "x": "commit"}
    found = call("readState('#' + fragmentOf(arguments[0]))", state)
    assert {name: value for name, value in found.items() if value is not None} == state


@pytest.mark.parametrize(("starts", "shifts"), [([0, 0, 0], [0, 3, 6]), ([0, 3.5, 8], [0, 0, 0]), ([], [])])
def test_processes_stand_behind_each_other_whatever_their_clock(
    call: Call, starts: list[float], shifts: list[float]
) -> None:
    frames = [{"seconds": [start, start + 3]} for start in starts]
    assert call("offsets(arguments[0])", frames) == shifts
