"""Answers that come from a cache are found, whatever its size, and honest engines are not accused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.caching import FASTER, NEEDED, look_for_cache
from harness.frames import Frame

FRAMES = [Frame(np.full((20, 32), grey, np.uint8)) for grey in (10, 240, 60)]
MS = 1_000_000


class Pretended:
    """A pipeline on a clock of its own that remembers the last `size` frames."""

    def __init__(self, size: int, noise: float = 0.0, infer_ms: float = 5.0, hit_share: float = 0.01) -> None:
        self._size, self._known, self._now_ns = size, [], 0
        self._random, self._noise = np.random.default_rng(3), noise
        self._infer_ns, self._hit_share = infer_ms * MS, hit_share
        self.shown = []

    def clock(self) -> int:
        return self._now_ns

    def pre(self, frame):
        return {"image": frame.pixels}, None

    def infer(self, feeds) -> None:
        content = feeds["image"].tobytes()
        self.shown.append(content)
        share = self._hit_share if content in self._known else 1.0
        self._now_ns += round(share * self._infer_ns * np.exp(self._noise * self._random.standard_normal()))
        self._known = [*self._known, content][-self._size :] if self._size else []


def found(pipeline: Pretended) -> dict:
    return look_for_cache(pipeline, FRAMES, pipeline.clock, lambda *words: None)


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_a_cache_of_any_size_is_found(size):
    assert found(Pretended(size, noise=0.1))["repeats_computed"] is False


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3])
def test_an_engine_that_computes_each_frame_is_not_accused_however_noisy(noise):
    facts = found(Pretended(0, noise))
    assert facts["repeats_computed"] is True
    assert facts["repeat_ratio"] == pytest.approx(1.0, abs=0.25)


def test_a_repeat_that_is_eight_per_cent_faster_is_still_tolerated():
    assert found(Pretended(1, hit_share=0.92))["repeats_computed"] is True
    assert found(Pretended(1, hit_share=0.85))["repeats_computed"] is False


def test_every_frame_is_shown_twice_in_a_row_and_was_never_shown_before():
    pipeline = Pretended(0)
    found(pipeline)
    found_first, *pairs = [(content, len(list(times))) for content, times in itertools.groupby(pipeline.shown)]
    assert found_first[1] == 2  # to see how long a frame takes
    assert [times for _, times in pairs] == [1, 2] * (len(pairs) // 2)
    assert len({content for content, _ in pairs}) == len(pairs)


@pytest.mark.parametrize(("infer_ms", "judged"), [(0.1, False), (0.3, True)])
def test_frames_shorter_than_what_surrounds_them_are_not_judged(infer_ms, judged):
    facts = found(Pretended(1, infer_ms=infer_ms))
    assert ("repeats_computed" in facts) is judged
    assert facts["repeat_pairs"] == 32


@pytest.mark.parametrize(("infer_ms", "pairs"), [(5, 32), (60, 16), (150, 8), (10_000, 8)])
def test_a_slow_engine_is_asked_less_often(infer_ms, pairs):
    assert found(Pretended(0, infer_ms=infer_ms))["repeat_pairs"] == pairs


def test_no_number_of_pairs_accuses_by_chance_more_often_than_once_in_250():
    from scipy.stats import binom

    assert FASTER == 0.9
    assert all(binom.sf(needed - 1, pairs, 0.5) < 0.004 for pairs, needed in NEEDED.items())


@pytest.mark.parametrize(("cached", "said"), [(True, "from a cache"), (False, "")])
def test_a_simulated_engine_with_a_cache_is_not_alive(make_session, make_model, cached, said):
    from harness.case import Case

    verdict = make_session(make_model(cached=cached)).check(
        Case("simulated", "eyes", "fp32", "simulated"), "outputs_alive"
    )[0]
    assert verdict.red is cached
    assert said in verdict.sentence
