"""One exit code for all cases of all boards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.unattended.exitcodes import CODES, class_of_status, exit_code

CLASSES = [name for name, _ in CODES]
WORST_FIRST = [4, 3, 1, 2, 75, 6, 5, 0]


@pytest.mark.parametrize(
    ("classes", "code"),
    [
        ([], 5),
        (["PASS"], 0),
        (["PASS", "FAIL"], 1),
        (["DUT"], 1),
        (["CONFIG", "FAIL", "INFRA", "PASS"], 4),
        (["INFRA", "PASS"], 6),
        (["INFRA", "BUSY"], 75),
        (["INFRA", "FAIL", "BUSY"], 1),
        (["NOTHING"], 5),
        (["NOTHING", "PASS"], 5),
        (["NOTHING", "INFRA"], 6),
        (["BUG", "FAIL"], 3),
        (["INTERRUPTED", "PASS"], 2),
        (["a class of tomorrow"], 3),
    ],
)
def test_the_worst_class_decides(classes, code):
    assert exit_code(classes) == code


@given(st.lists(st.sampled_from(CLASSES)), st.sampled_from(CLASSES))
def test_one_more_class_never_makes_the_code_greener(classes, more):
    before, after = exit_code(classes), exit_code([*classes, more])
    if classes:
        assert WORST_FIRST.index(after) <= WORST_FIRST.index(before)


@given(st.lists(st.sampled_from(CLASSES)))
def test_only_passing_cases_are_green_and_nothing_is_not(classes):
    assert (exit_code(classes) == 0) == (bool(classes) and set(classes) == {"PASS"})


@given(st.permutations(CLASSES))
def test_the_order_of_the_classes_says_nothing(classes):
    assert exit_code(classes) == 4


@pytest.mark.parametrize(
    ("status", "classes", "added"),
    [
        (0, ["PASS"], ""),
        (1, ["FAIL"], ""),
        (1, ["PASS"], "FAIL"),
        (1, [], "FAIL"),
        (2, [], "INTERRUPTED"),
        (3, [], "BUG"),
        (4, [], "CONFIG"),
        (5, ["PASS"], "NOTHING"),
        (6, [], "INFRA"),
        (75, [], "BUSY"),
        (-9, [], "INFRA"),
        (137, [], "INFRA"),
        (42, [], "BUG"),
    ],
)
def test_the_status_of_one_process_adds_a_class(status, classes, added):
    assert class_of_status(status, classes) == added
