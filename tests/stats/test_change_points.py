"""Change points: the stated error rate, what is found and what is not, marks, floor, and the null distribution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from harness.stats.changes import ChangePoint, change_points, significant_series
from harness.stats.intervals import (
    CRITICAL_SHIFTS,
    LEVELS,
    SHORTEST_INTERVAL,
    critical_shifts,
    distinct_ranks,
    largest_shift,
    search_p_values,
    seeded_intervals,
    standardised_shifts,
)

NOISE = 0.01
sizes = st.integers(6, 400)


def noise(seed: int, size: int):
    return NOISE * np.random.default_rng(seed).standard_normal(size)


def steps(size: int, *changes: tuple[int, float]):
    level = np.zeros(size)
    for index, share in changes:
        level[index:] += math.log1p(share)
    return level


def told(values, **options) -> list[int]:
    return [point.index for point in change_points(values, **options)]


@pytest.mark.parametrize("share", [0.05, 0.2, 3, -0.05, -0.5])
@pytest.mark.parametrize(("size", "index"), [(24, 12), (60, 20), (100, 50), (100, 90), (101, 8), (365, 180)])
def test_a_step_is_told_once_where_it_is_and_as_large_as_it_is(size, index, share):
    values = noise(size, size) + steps(size, (index, share))
    (point,) = change_points(values)
    assert abs(point.index - index) <= 1
    assert point.change == pytest.approx(math.log1p(share), abs=0.01)
    assert point.before == np.median(values[: point.index])
    assert point.after == np.median(values[point.index :])
    assert point.change == point.after - point.before
    assert 0 < point.p_value <= 0.01


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ([(50, 0.05), (60, -0.05)], 100),
        ([(30, 0.05), (60, 0.05)], 90),
        ([(40, 0.1), (80, -0.05), (120, 0.05), (160, -0.1)], 200),
        ([(100, 0.03), (110, -0.03)], 200),
    ],
    ids=["an excursion", "two steps up", "a tour", "a small excursion"],
)
def test_every_one_of_several_changes_is_told(changes, size):
    found = change_points(noise(3, size) + steps(size, *changes))
    assert len(found) == len(changes)
    for point, (index, share) in zip(found, changes):
        assert abs(point.index - index) <= 3
        assert point.change == pytest.approx(math.log1p(share), abs=0.01)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.0],
        [0.0, 0.0, 5.0, 5.0, 5.0],
        [0.0] * 5 + [5.0] * 5,
        [0.0] * 100,
        [0.0, 1.0] * 50,
        [0.0] * 50 + [9.0] + [0.0] * 49,
        [0.0] * 50 + [9.0, 9.0] + [0.0] * 48,
        [*noise(1, 98), 0.5, 0.5],
    ],
    ids=["empty", "one", "five", "ten", "constant", "alternating", "outlier", "two outliers", "last two"],
)
def test_nothing_is_told_of_too_little_and_of_single_outlying_sessions(values):
    assert change_points(values) == []


def test_two_levels_without_noise_are_one_change():
    (point,) = change_points([0.0] * 20 + [1.0] * 30)
    assert (point.index, point.change, point.before, point.after) == (20, 1, 0, 1)


@pytest.mark.parametrize(
    ("share", "magnitude", "count"),
    [(0.03, 0.02, 1), (0.01, 0.02, 0), (0.01, 0, 1), (0.03, 0.05, 0), (-0.03, 0.02, 1), (-0.03, 0.05, 0)],
)
def test_changes_below_the_floor_are_not_told(share, magnitude, count):
    values = noise(5, 200) / 4 + steps(200, (100, share))
    assert len(told(values, magnitude=magnitude)) == count


def test_the_smallest_change_below_the_floor_goes_first_and_its_size_goes_to_its_neighbours():
    values = noise(2, 150) / 20 + steps(150, (60, 0.019), (100, 0.012))
    assert told(values, magnitude=0.01) == [60, 100]
    (point,) = change_points(values, magnitude=0.02)
    assert point.index == 60
    assert point.change == pytest.approx(math.log(1.019) + math.log(1.012), abs=0.002)


@pytest.mark.parametrize("marks", [[50], [50, 50], [0, 50], [50, 52, 20]])
def test_a_step_that_people_expected_is_not_told(marks):
    values = noise(7, 100) + steps(100, (50, 0.1))
    assert told(values) == [50]
    assert told(values, marks=marks) == []


def test_a_step_beside_a_mark_is_told_at_its_place_in_the_whole_series_and_compared_on_its_side_only():
    values = noise(9, 200) + steps(200, (50, 0.2), (120, 0.05))
    (point,) = change_points(values, marks=[50])
    assert point.index == 120
    assert point.before == np.median(values[50:120])


def test_the_stretches_between_marks_share_the_error_rate():
    values = noise(9, 200) + steps(200, (150, 0.02))
    (alone,) = change_points(values[100:], magnitude=0)
    (shared,) = change_points(values, marks=[100], magnitude=0)
    assert shared.p_value == pytest.approx(2 * alone.p_value, rel=0.9)
    assert shared.p_value > alone.p_value


@pytest.mark.parametrize(
    ("values", "marks", "wrong"),
    [
        ([0.0] * 9 + [math.nan], [], "session 9"),
        ([0.0, math.inf] + [0.0] * 9, [], "session 1"),
        ([0.0] * 10, [10], r"marks \[10\]"),
        ([0.0] * 10, [3, -1], r"marks \[-1\]"),
        ([], [0], "outside the 0 sessions"),
    ],
)
def test_a_value_that_is_not_finite_and_a_mark_outside_are_refused(values, marks, wrong):
    with pytest.raises(ValueError, match=wrong):
        change_points(values, marks=marks)


series = st.lists(st.integers(-64, 64), min_size=6, max_size=60, unique=True).map(lambda found: np.array(found) / 64)


@settings(max_examples=40, deadline=None)
@given(series, st.integers(0, 59), st.integers(-64, 64))
def test_level_and_direction_do_not_matter(values, index, shift):
    values[index:] += shift + 1 / 128  # no ties
    found = change_points(values)
    evidence = [(one.index, one.change, one.p_value) for one in found]
    assert [(one.index, one.change, one.p_value) for one in change_points(values + 3)] == evidence
    assert [(one.index, -one.change, one.p_value) for one in change_points(-values)] == evidence


@settings(max_examples=40, deadline=None)
@given(series, st.integers(0, 59), st.lists(st.integers(0, 5)))
def test_what_is_told_keeps_its_promises(values, index, marks):
    values[index:] += 1
    found = change_points(values, marks=marks, alpha=0.05)
    bounds = sorted({0, *marks, *(one.index for one in found), len(values)})
    assert [one.index for one in found] == sorted({one.index for one in found} - set(marks))
    for one in found:
        assert 0 < one.p_value <= 0.05
        assert abs(one.change) >= math.log1p(0.02)
        place = bounds.index(one.index)
        assert one.before == np.median(values[bounds[place - 1] : one.index])
        assert one.after == np.median(values[one.index : bounds[place + 1]])
        assert min(one.index - bounds[place - 1], bounds[place + 1] - one.index) >= 3


@pytest.mark.parametrize("size", [50, 100])
def test_independent_sessions_alarm_at_most_as_often_as_stated(size):
    alarms = sum(bool(told(noise(seed, size), magnitude=0)) for seed in range(300))
    assert alarms <= 8  # 1 % of 300 gives more once in 270 draws


def test_autocorrelated_sessions_alarm_rarely_although_the_bare_search_takes_them_for_changes():
    random = np.random.default_rng(4)
    values = NOISE * lfilter([1], [1, -0.5], random.standard_normal((200, 150)), axis=-1)[:, 50:]
    assert (search_p_values(largest_shift(values), 100) <= 0.01).mean() > 0.4
    assert sum(bool(told(one, magnitude=0)) for one in values) <= 10


@pytest.mark.parametrize("size", [20, 50, 60, 140])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_the_table_of_critical_shifts_can_be_computed_again(size, level):
    runs = 4_000 if size <= 60 else 2_000
    shifts = largest_shift(np.random.default_rng(size).random((runs, size)))
    share = (shifts >= critical_shifts(size)[LEVELS.index(level)]).mean()
    assert share == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / runs))


@pytest.mark.parametrize("size", [6, 7, 8])
def test_of_all_orders_of_a_few_sessions_no_more_are_told_than_stated(size):
    shifts = largest_shift(np.array(list(itertools.permutations(range(size)))))
    p_values = search_p_values(shifts, size)
    for level in LEVELS:
        assert (p_values <= level).mean() <= level


@pytest.mark.parametrize("size", [6, 7, 8])
def test_the_statistic_has_variance_one_over_all_orders(size):
    squares = standardised_shifts(np.array(list(itertools.permutations(range(size))))) ** 2
    assert squares.mean(axis=0) == pytest.approx(1)


@pytest.mark.parametrize("highs", [1, 2, 4, 6, 10])
def test_values_that_repeat_alarm_no_more_often_than_values_that_do_not(highs):
    orders = [np.isin(range(12), places).astype(float) for places in itertools.combinations(range(12), highs)]
    p_values = search_p_values(largest_shift(np.array([distinct_ranks(one) for one in orders])), 12)
    for level in (0.05, 0.01):
        assert (p_values <= level).mean() <= level


@given(st.lists(st.integers(0, 9), max_size=60))
def test_equal_values_get_neighbouring_ranks_and_no_rank_is_given_twice(values):
    ranks = distinct_ranks(np.array(values, dtype=float))
    assert sorted(ranks) == list(range(len(values)))
    assert [values[place] for place in np.argsort(ranks)] == sorted(values)


@given(st.lists(st.integers(-1000, 1000), min_size=6, max_size=80, unique=True))
def test_only_the_order_of_the_values_counts(values):
    array = np.array(values)
    assert largest_shift(array) == largest_shift(array**3) == largest_shift(distinct_ranks(array))


def test_critical_shifts_grow_with_the_length_and_with_rarity():
    table = np.array(list(CRITICAL_SHIFTS.values()))
    assert list(CRITICAL_SHIFTS) == sorted(CRITICAL_SHIFTS)
    assert table.shape[1] == len(LEVELS) - 1
    assert (np.diff(table, axis=1) > 0).all()
    assert (np.diff(table[:, : LEVELS.index(0.005)], axis=0) > 0).all()  # rarer ones only within sampling error


@given(st.integers(6, 5000), st.lists(st.floats(0, 30), min_size=2, max_size=9))
def test_larger_shifts_have_smaller_p_values(size, shifts):
    p_values = search_p_values(np.sort(shifts), size)
    assert (np.diff(p_values) <= 0).all()
    assert ((p_values >= 0) & (p_values <= 1)).all()


@given(sizes)
def test_seeded_intervals_lie_inside_the_series_and_reach_from_end_to_end(size):
    first, *others = seeded_intervals(size)
    assert first == (size, (0,))
    for length, starts in others:
        assert SHORTEST_INTERVAL <= length < size
        assert starts[0] == 0
        assert starts[-1] == size - length
        assert max(np.diff(starts)) <= length / 2 + 1


def point(p_value: float) -> ChangePoint:
    return ChangePoint(index=5, change=0.1, p_value=p_value, before=0.0, after=0.1)


@pytest.mark.parametrize(
    ("p_values", "kept"),
    [
        ({}, set()),
        ({"a": []}, set()),
        ({"a": [0.009]}, {"a"}),
        ({"a": [0.009, 0.2], "b": [], "c": []}, {"a"}),
        ({"a": [0.009], "b": [], "c": [], "d": [], "e": [], "f": []}, set()),
        ({"a": [0.009], "b": [0.001], "c": [], "d": [], "e": [], "f": []}, {"a", "b"}),
    ],
)
def test_the_more_series_are_searched_the_more_one_of_them_must_show(p_values, kept):
    found = {key: [point(one) for one in several] for key, several in p_values.items()}
    assert significant_series(found) == {key: found[key] for key in kept}


def test_a_report_of_series_with_the_same_evidence_keeps_all_even_at_a_share_of_one():
    found = {key: [point(0.009)] for key in range(5)} | {"quiet": []}
    assert significant_series(found, q=1.0).keys() == set(range(5))
