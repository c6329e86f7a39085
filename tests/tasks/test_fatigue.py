from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.tasks.fatigue import perclos


@pytest.mark.parametrize(
    ("closed", "window", "shares"),
    [
        ([1, 0, 0, 1], None, [50]),
        ([1, 0, 0, 1], 2, [50, 0, 50]),
        ([1, 1, 0, 0], 4, [50]),
        ([0, 1], 1, [0, 100]),
    ],
)
def test_perclos_is_the_share_of_closed_frames_in_each_full_window(closed, window, shares):
    assert perclos([bool(one) for one in closed], window).tolist() == shares


@given(st.lists(st.booleans(), min_size=1), st.integers(1, 20))
def test_perclos_is_that_of_the_slow_definition(closed, window):
    window = min(window, len(closed))
    slow = [100 * sum(closed[at : at + window]) / window for at in range(len(closed) - window + 1)]
    assert np.allclose(perclos(closed, window), slow)


@pytest.mark.parametrize(("frames", "window"), [(0, None), (3, 0), (3, 4), (3, -1)])
def test_a_window_that_does_not_fit_is_refused(frames, window):
    with pytest.raises(ConfigError, match=r"window of .* frames does not fit a clip of"):
        perclos([True] * frames, window)
