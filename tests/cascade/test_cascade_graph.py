"""The order of stages, their cycles, the longest chain of a frame, and where a stage looks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cascade import Crop
from harness.cascade.crops import region
from harness.cascade.graph import critical_paths, leaves, ordered

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_stages_stand_behind_what_they_come_after_and_otherwise_as_given():
    assert ordered({"d": ("b", "c"), "b": ("a",), "z": (), "c": ("a",), "a": ()}) == ("z", "a", "b", "c", "d")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"a": ("a",)}, "a after a"),
        ({"a": ("b",), "b": ("a",)}, "a after b after a"),
        ({"free": (), "x": ("free", "a"), "a": ("b",), "b": ("c", "free"), "c": ("a",)}, "a after b after c after a"),
    ],
)
def test_a_cycle_is_named(after, said):
    with pytest.raises(ValueError, match=f"wait for each other: {said}$"):
        ordered(after)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_an_order_is_found_or_a_cycle_that_is_one(pairs):
    after = {str(number): tuple({str(b) for a, b in pairs if a == number}) for number in range(7)}
    try:
        found = ordered(after)
    except ValueError as error:
        chain = str(error).split(": ")[1].split(" after ")
        assert chain[0] == chain[-1]
        assert all(other in after[one] for one, other in itertools.pairwise(chain))
    else:
        assert sorted(found) == sorted(after)
        assert all(found.index(one) > found.index(other) for one, before in after.items() for other in before)


@pytest.mark.parametrize(
    ("work", "length", "chain"),
    [
        ([1, 5, 2, 4], 10, ("a", "b", "d")),
        ([1, 2, 5, 4], 10, ("a", "c", "d")),
        ([9, 0, 0, 0], 9, ("a",)),
        ([1, 0, 2, 4], 7, ("a", "c", "d")),
        ([0, 0, 0, 0], 0, ()),
    ],
)
def test_the_critical_path_is_the_longest_chain_of_this_frame(work, length, chain):
    lengths, chains = critical_paths(DIAMOND, np.array([work, [1, 1, 1, 1]], np.int64))
    assert lengths.tolist() == [length, 3]
    assert chains == [chain, ("a", "b", "d")]


def test_a_stage_beside_may_be_the_critical_one():
    _, chains = critical_paths({"face": (), "eyes": ("face",), "heads": ()}, np.array([[2, 1, 4], [2, 3, 4]]))
    assert chains == [("heads",), ("face", "eyes")]


def test_the_last_stages_are_those_that_no_other_comes_after():
    assert leaves(DIAMOND) == ("d",)
    assert leaves({"face": (), "eyes": ("face",), "heads": ()}) == ("eyes", "heads")


NO_WIDTH = np.array([[5, 5, 5, 9, 1, 0]])
BOXES = np.array([[10, 20, 30, 60, 0.9, 0], [0, 0, 60, 50, 0.5, 0], [0, 0, 90, 90, 0.4, 1], [np.nan] * 6], np.float32)


@pytest.mark.parametrize(
    ("crop", "wanted"),
    [
        (Crop("face"), (0, 0, 90, 90)),
        (Crop("face", "best"), (10, 20, 30, 60)),
        (Crop("face", label=0), (0, 0, 60, 50)),
        (Crop("face", "best", margin=(0.5, 0.25, 0, -0.5)), (0, 10, 30, 40)),
        (Crop("face", "best", margin=(9, 9, 9, 9)), (0, 0, 200, 100)),
        (Crop("face", label=2), None),
    ],
)
def test_a_stage_looks_at_a_box_with_its_margin_within_the_frame(crop, wanted):
    assert region(BOXES, crop, (100, 200)) == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    "boxes",
    [np.zeros((0, 6), np.float32), BOXES[3:], np.array([[500, 0, 600, 50, 0.9, 0]]), NO_WIDTH],
)
def test_where_nothing_is_found_there_is_nowhere_to_look(boxes):
    assert region(boxes, Crop("face"), (100, 200)) is None
