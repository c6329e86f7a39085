"""Which rows are on the front, and which one is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.optimise.pareto import best, standings
from harness.optimise.rows import Interval
from tests.optimise.samples import PARENT, row

FP32 = row(PARENT, p50_ms=2.0)


def on_front(*rows) -> set[str]:
    return {name for name, one in standings(rows, PARENT).items() if one.on_front}


def test_a_row_that_is_worse_in_everything_names_who_beats_it():
    found = standings([FP32, row("int8", 1.0, 0.1, 0.3), row("slow", 1.5, 0.2, 0.4)], PARENT)
    assert found["slow on onnxruntime"].dominated_by == ("int8 on onnxruntime",)
    assert found["fp32 on onnxruntime"].on_front  # nothing loses as little
    assert found["int8 on onnxruntime"].on_front


def test_equal_rows_do_not_beat_each_other():
    assert on_front(row("a"), row("b")) == {"a on onnxruntime", "b on onnxruntime"}


def test_energy_counts_where_every_row_has_it_and_only_there():
    small, fast = row("small", 2.0, energy_mj=1.0), row("fast", 1.0, energy_mj=9.0)
    assert on_front(small, fast) == {"small on onnxruntime", "fast on onnxruntime"}
    assert on_front(small, fast, row("unknown", 3.0)) == {"fast on onnxruntime"}


def test_what_was_not_measured_or_is_dead_is_on_no_front():
    dead = row("dead", 0.1, refused="outputs_alive")
    lost = row("lost", values={}, reason="the engine refuses the model")
    assert on_front(row("int8"), dead, lost) == {"int8 on onnxruntime"}


PLACES = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)


@given(PLACES)
def test_every_row_is_on_the_front_or_beaten_by_one_that_is(places):
    rows = [row(f"c{index}", 1.0 + x, float(y), 1.0 + z) for index, (x, y, z) in enumerate(places)]
    found = standings(rows, PARENT)
    front = {name for name, one in found.items() if one.on_front}
    assert front
    for name, one in found.items():
        assert (name in front) != bool(set(one.dominated_by) & front)


def test_the_fastest_that_meets_every_condition_is_taken():
    found = best([FP32, row("a", 1.0), row("b", 0.8), row("c", 0.5, 3.0, refused="accuracy_loss_points")], PARENT)
    assert found.found
    assert found.name == "b on onnxruntime"
    assert "the fastest of 2 that meet every condition" in found.sentence


def test_of_two_as_fast_the_smaller_one_is_taken():
    assert best([row("large", 1.0, size_mb=2.0), row("small", 1.0, size_mb=1.0)], PARENT).name == "small on onnxruntime"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"refused": "accuracy_loss_points"}, "the accuracy loss is FAIL"),
        ({"refused": "frame_p99_ms"}, "the latency is FAIL"),
        ({"refused": "outputs_alive"}, "alive outputs is FAIL"),
        ({"refused": "peak_memory_mb"}, "peak_memory_mb is FAIL: peak_memory_mb was judged"),
        ({"verdicts": ()}, "the accuracy loss was not judged"),
        ({"speedup": 1.0}, "not proven faster than the parent: 1.00 times, at least 0.95"),
        ({"speedup": None}, "how fast it is beside the parent is not known"),
    ],
)
def test_a_row_that_fails_one_condition_is_not_taken_and_says_which(change, why):
    found = best([FP32, row("int8", 0.5, **change)], PARENT)
    assert not found.found
    assert found.name == "int8 on onnxruntime"
    assert why in found.sentence


def test_a_speed_up_without_a_lower_bound_is_no_proof():
    found = best([replace(row("int8"), speedup=Interval(value=3.0))], PARENT)
    assert not found.found
    assert "3.00 times, at least -" in found.sentence


def test_the_nearest_is_the_one_that_fails_least():
    near = row("near", 1.9, refused="accuracy_loss_points")
    far = row("far", 0.1, verdicts=())
    assert best([far, near], PARENT).name == "near on onnxruntime"


def test_without_a_measured_candidate_there_is_no_nearest_one():
    found = best([FP32, row("int8", values={}, reason="it crashed")], PARENT)
    assert (found.found, found.name, found.sentence) == (False, "", "no candidate could be measured")
