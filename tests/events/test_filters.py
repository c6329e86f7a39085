"""A state begins and ends by the share of a window, and never before its evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.events import NO_ANSWER, YES
from harness.events.filters import StateFilter

FPS = 10.0
SHOWN = st.lists(st.sampled_from([1, 0, -1]), min_size=10, max_size=80).map(lambda one: np.array(one, np.int8))
FILTERS = st.builds(
    StateFilter,
    window_s=st.floats(0.05, 1.0),
    on_share=st.floats(0.5, 1.0),
    off_share=st.floats(0.0, 0.4),
)


def of(text: str) -> np.ndarray:
    """y yes, n no, - no answer."""
    return np.array([{"y": 1, "n": 0, "-": -1}[one] for one in text], np.int8)


def shown(held: np.ndarray) -> str:
    return "".join("#" if one else "." for one in held)


@pytest.mark.parametrize(
    ("answers", "missing", "held"),
    [
        ("nnyyyyyynnnnnn", "absent", "....######...."),
        ("nnynynynynnnnn", "absent", ".............."),
        ("nnyyyynyyynnnn", "absent", "....########.."),
        ("nnyy--yyyynnnn", "absent", "........####.."),
        ("nnyy--yyyynnnn", "skipped", "......######.."),
        ("--------------", "absent", ".............."),
        ("--------------", "skipped", ".............."),
    ],
)
def test_a_state_begins_at_three_of_four_frames_and_ends_at_one_of_four(answers: str, missing: str, held: str) -> None:
    filter = StateFilter(window_s=0.4, on_share=0.75, off_share=0.25, missing=missing)  # type: ignore[arg-type]
    assert shown(filter.states(of(answers), FPS)[0]) == held


def test_the_state_is_dated_back_to_the_first_evidence_of_its_window() -> None:
    _, began = StateFilter(window_s=0.4, on_share=0.75, off_share=0.25).states(of("nynyyyynnnn"), FPS)
    assert began.tolist() == [-1, -1, -1, -1, 1, 1, 1, 1, 1, -1, -1]


@given(SHOWN, FILTERS)
def test_a_state_never_holds_before_enough_frames_have_shown_it(answers: np.ndarray, filter: StateFilter) -> None:
    held, began = filter.states(answers, FPS)
    for index in np.flatnonzero(held):
        assert (answers[: index + 1] == YES).sum() >= filter.needed(FPS)
        assert answers[began[index]] == YES
        assert began[index] <= index


@given(SHOWN, FILTERS, st.data())
def test_a_lost_frame_never_adds_to_a_state(answers: np.ndarray, filter: StateFilter, data: st.DataObject) -> None:
    lost = data.draw(st.lists(st.integers(0, len(answers) - 1)))
    fewer = answers.copy()
    fewer[lost] = NO_ANSWER
    (held, began), (less, later) = filter.states(answers, FPS), filter.states(fewer, FPS)
    assert not (less & ~held).any()
    assert (later[less] >= began[less]).all()


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_window_without_length_is_refused(window_s: float) -> None:
    with pytest.raises(ConfigError, match="holds no frame"):
        StateFilter(window_s=window_s)


@pytest.mark.parametrize(("on", "off"), [(0.3, 0.3), (0.2, 0.5), (1.1, 0.3), (0.7, -0.1), (float("nan"), 0.1)])
def test_shares_that_cannot_be_are_refused(on: float, off: float) -> None:
    with pytest.raises(ConfigError, match="cannot begin at a share"):
        StateFilter(on_share=on, off_share=off)


def test_another_word_for_missing_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither 'absent' nor 'skipped'"):
        StateFilter(missing="held")  # type: ignore[arg-type]


def test_a_window_longer_than_the_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"window of 5 s is longer than the 2 s"):
        StateFilter(window_s=5.0).states(np.zeros(20, np.int8), FPS)
