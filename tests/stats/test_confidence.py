"""Confidences: the calibration error and the temperature of samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.confidence import (
    Answers,
    calibration,
    expected_error,
    fitted_temperature,
    log_loss,
    probabilities,
)


def drawn(count: int, temperature: float, seed: int = 1, classes: int = 3) -> Answers:
    """Answers whose logits are `temperature` times too large: divided by it, they are exactly as sure as right."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2, (count, classes))
    shares = probabilities(honest)
    right = (shares.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return Answers(logits=honest * temperature, right=right)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_planted_is_found(temperature: float) -> None:
    assert fitted_temperature(drawn(20_000, temperature)) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_scaling_by_the_fitted_temperature_mends_the_error(temperature: float) -> None:
    fitted = fitted_temperature(drawn(5_000, temperature, seed=2))
    held_out = drawn(20_000, temperature, seed=3)
    before, after = calibration(held_out), calibration(held_out, fitted)
    assert before.error_percent > 5
    assert after.error_percent < 2
    assert after.log_loss < before.log_loss


def test_the_error_of_a_table_written_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.65, 0.65])
    right = np.array([True, True, True, False, True, False])
    # Of six: four at 0.95 of which 0.75 are right, two at 0.65 of which 0.5 are right.
    assert expected_error(confidence, right, bins=10) == pytest.approx((4 * 0.20 + 2 * 0.15) / 6)


def test_full_confidence_belongs_to_the_last_bin() -> None:
    assert expected_error(np.ones(4), np.ones(4, bool)) == 0.0


def test_few_answers_give_no_figure() -> None:
    few = drawn(49, 1.0)
    assert calibration(few) is None
    assert fitted_temperature(few) is None


def test_boxes_are_judged_by_the_chance_of_being_right() -> None:
    logits = np.stack([np.zeros(100), np.full(100, np.log(0.2 / 0.8))], axis=1)
    boxes = Answers(logits=logits, right=(np.arange(100) < 50).astype(int), judged=1)
    assert calibration(boxes).error_percent == pytest.approx(30.0)


def test_answers_without_a_mistake_want_more_sureness_and_still_give_a_number() -> None:
    sure = Answers(logits=np.tile([3.0, 0.0], (60, 1)), right=np.zeros(60, int))
    assert np.exp(-4) <= fitted_temperature(sure) < 0.2


@settings(max_examples=60, deadline=None)
@given(st.integers(50, 300), st.floats(0.05, 20), st.integers(0, 999))
def test_the_fitted_temperature_is_never_worse_than_none(count: int, temperature: float, seed: int) -> None:
    answers = drawn(count, temperature, seed)
    fitted = fitted_temperature(answers)
    assert log_loss(answers, fitted) <= log_loss(answers) + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_error_lies_between_nothing_and_everything(rows: list[tuple[float, bool]]) -> None:
    confidence, right = np.array([one for one, _ in rows]), np.array([one for _, one in rows])
    assert 0.0 <= expected_error(confidence, right) <= 1.0
