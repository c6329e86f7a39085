"""Is the model still fast enough on this device?"""

import pytest

from harness.replay import ReplayTimer

replay = ReplayTimer()


def test_frame_p99_is_within_budget(check):
    check("frame_p99_ms")


def test_mean_frame_rate_is_within_budget(check):
    check("fps_mean")


def test_frame_rate_is_steady(check):
    check("fps_fluctuation_percent")


@pytest.mark.benchmark(timer=replay)
def test_frames_reach_pytest_benchmark(measurement, benchmark):
    """The measured frames in pytest-benchmark's own storage: --benchmark-json, --benchmark-histogram."""
    benchmark.extra_info.update(measurement.runs[0].facts)
    replay.play(measurement.runs[0].frame_ns)
    benchmark.pedantic(replay.next_frame, rounds=len(measurement.runs[0].frame_ns), iterations=1)
    if benchmark.disabled:
        pytest.skip("pytest-benchmark is switched off")
    assert benchmark.stats.stats.max * 1e9 == pytest.approx(measurement.runs[0].frame_ns.max(), abs=1)
