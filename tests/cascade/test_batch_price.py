"""What a batch gives and what it costs in latency at the camera's pace."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cascade.batching import BatchTimes, price


@pytest.mark.parametrize(
    ("size", "single_ms", "batch_ms", "gain", "first_ms", "mean_ms"),
    [(4, 8.0, 4.0, 2.0, 102.0, 52.0), (1, 2.0, 2.0, 1.0, 0.0, 0.0), (2, 4.0, 5.0, 0.8, 3 + 100 / 3, 3 + 50 / 3)],
)
def test_the_first_picture_waits_for_the_last_and_all_for_the_whole_batch(
    size, single_ms, batch_ms, gain, first_ms, mean_ms
):
    times = BatchTimes("eyes", size, np.array([single_ms * 1e6] * 3), np.array([batch_ms * 1e6] * 3), 0.0)
    found = price(times, fps=30)
    assert found.gain == pytest.approx(gain)
    assert found.added_first_ms == pytest.approx(first_ms)
    assert found.added_mean_ms == pytest.approx(mean_ms)
