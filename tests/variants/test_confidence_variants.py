"""What quantisation does to confidences: a planted temperature is found, mends what it can, and is never made up."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.confidences import add_confidence_command
from harness.errors import ConfigError, DatasetError
from harness.model import ModelCard, read_card
from harness.stats.confidence import calibration
from harness.tasks.candidates import softmax
from harness.variants.frames import Frames
from harness.variants.frames.frameset import FrameSet
from harness.variants.study.confidence import (
    box_answers,
    chance_percent,
    class_answers,
    confidence,
    fitted_and_judged,
)
from tests.variants.rawmodel import CALIBRATION, pictures, raw_model

SHIPPED = Path(__file__).parents[2] / "suites" / "models"
PLANTED = 2.5
BOX = np.array([20.0, 20.0, 60.0, 60.0])
UNLABELLED = '[calibration]\ndataset = { path = "calibration.y8", labels = "", classes = [], truth = "" }'
TENSORS = CALIBRATION + 'tensors = "ready.npy"\n'


@pytest.fixture
def card(tmp_path) -> ModelCard:
    return read_card(raw_model(tmp_path / "eyes", calibrated=2_300))


def frames_of(card: ModelCard, tmp_path: Path) -> Frames:
    return Frames(card=card, cache=tmp_path / "cache", calibration_frames=800)


def sure(temperature: float, spoilt: int = 0) -> Callable[[FrameSet], list[np.ndarray]]:
    """Logits that are `temperature` times too large: divided by it, they are right as often as they are sure."""

    def predict(frames: FrameSet) -> list[np.ndarray]:
        random = np.random.default_rng([len(frames), 7])
        found = []
        for truth in frames.truths:
            margin = abs(random.normal(0, 2))
            right = random.random() < 1 / (1 + np.exp(-margin))
            wins = int(truth[0, 0]) if right else 1 - int(truth[0, 0])
            found.append(temperature * margin * np.eye(2)[[wins]])
        return [one * np.nan if row < spoilt else one for row, one in enumerate(found)]

    return predict


def test_the_planted_temperature_of_logits_is_found_and_mends_the_error(card, tmp_path):
    found = confidence(card, sure(PLANTED), frames_of(card, tmp_path))
    assert found.temperature == pytest.approx(PLANTED, rel=0.15)
    assert found.before.answers == found.after.answers == 1500
    assert found.before.error_percent > 8
    assert found.after.error_percent < 4
    assert found.after.log_loss < found.before.log_loss
    assert 0.5 < found.chance_percent < 3


def test_what_is_as_sure_as_it_is_right_stays_as_it_is(card, tmp_path):
    found = confidence(card, sure(1.0), frames_of(card, tmp_path))
    assert found.temperature == pytest.approx(1.0, rel=0.15)
    assert found.before.error_percent < 2 * found.chance_percent


@pytest.mark.parametrize("steps", [0, 256], ids=["float", "of an INT8 softmax"])
def test_shares_say_the_same_as_the_logits_that_they_were_made_of(card, tmp_path, steps):
    def shares(frames: FrameSet) -> list[np.ndarray]:
        made = [softmax(one) for one in sure(PLANTED)(frames)]
        return [np.round(one * steps) / steps for one in made] if steps else made

    frames = frames_of(card, tmp_path)
    plain, shared = (confidence(card, one, frames) for one in (sure(PLANTED), shares))
    if not steps:
        assert shared.temperature == pytest.approx(plain.temperature, rel=1e-3)
    assert shared.before.error_percent == pytest.approx(plain.before.error_percent, abs=0.3)


def test_frames_without_an_answer_are_left_out(card, tmp_path):
    found = confidence(card, sure(PLANTED, spoilt=100), frames_of(card, tmp_path))
    assert found.before.answers == 1400
    assert found.temperature == pytest.approx(PLANTED, rel=0.15)


def test_too_few_answers_give_nothing(card, tmp_path):
    assert confidence(card, sure(PLANTED, spoilt=760), frames_of(card, tmp_path)) is None


def test_a_task_without_confidence_gives_nothing_and_asks_nobody(tmp_path):
    def predict(frames: FrameSet) -> list[np.ndarray]:
        raise AssertionError("asked")

    gaze = read_card(SHIPPED / "gaze")
    assert confidence(gaze, predict, Frames(card=gaze, cache=tmp_path)) is None


def test_without_labelled_calibration_frames_half_of_the_tuning_frames_is_fitted_on(tmp_path):
    card = read_card(raw_model(tmp_path / "eyes", calibrated=700, more=TENSORS))
    np.save(card.folder / "ready.npy", (pictures(300, seed=3)[:, None] / 255).astype(np.float32))
    frames = Frames(card=card, cache=tmp_path / "cache", calibration_frames=300)
    fitted, judged = fitted_and_judged(frames)
    assert len(fitted) == len(judged) == len(frames.tuning) // 2 > 300
    assert not fitted.hashes & judged.hashes
    assert fitted.hashes | judged.hashes == frames.tuning.hashes
    assert confidence(card, sure(PLANTED), frames).temperature == pytest.approx(PLANTED, rel=0.3)


def test_without_any_labels_there_is_an_error_that_says_so(tmp_path):
    card = read_card(raw_model(tmp_path / "eyes", calibrated=700, more=UNLABELLED))
    with pytest.raises(DatasetError, match="taken without labels"):
        confidence(card, sure(1.0), Frames(card=card, cache=tmp_path / "cache", calibration_frames=300))


def test_a_box_is_right_where_it_lies_on_its_truth():
    scores = (0.9, 0.6, 0.3)
    shown = [np.array([[*BOX, score, 0.0]]) for score in scores] + [np.zeros((0, 6))]
    wanted = [np.array([[*BOX, 0.0]]), np.array([[*(BOX + 100), 0.0]]), np.array([[*BOX, 0.0]]), np.zeros((0, 5))]
    answers = box_answers(read_card(SHIPPED / "head_counting"), shown, wanted)
    assert answers.right.tolist() == [1, 0, 1]
    assert answers.judged == 1
    assert 1 / (1 + np.exp(-answers.logits[:, 1])) == pytest.approx(scores)


def test_boxes_that_are_too_sure_are_cooled_down():
    """Each box is right half of the time and 0.9 sure."""
    shown = [np.array([[*BOX, 0.9, 0.0]])] * 200
    wanted = [np.array([[*(BOX + 100 * (row % 2)), 0.0]]) for row in range(200)]
    answers = box_answers(read_card(SHIPPED / "head_counting"), shown, wanted)
    assert calibration(answers).error_percent == pytest.approx(40.0)
    assert calibration(answers, 50.0).error_percent == pytest.approx(1.1, abs=0.2)


def test_the_error_by_chance_is_that_of_honest_answers():
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (2_000, 2))
    chances = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    truths = [np.array([[int(draw > chance)]]) for draw, chance in zip(random.random(2_000), chances)]
    answers = class_answers(read_card(SHIPPED / "eye_state"), list(logits[:, None]), truths)
    expected = chance_percent(answers, 1.0)
    assert calibration(answers).error_percent == pytest.approx(expected, rel=0.6)
    assert chance_percent(answers, 0.01) < 0.2, "who is always sure and right shows none"
    assert expected == chance_percent(answers, 1.0), "the same each time"


@pytest.fixture
def command(tmp_path, checkout, monkeypatch):
    """`harness confidence eyes` in a repository with the simulated device, whose engine answers by brightness."""
    folder = raw_model(tmp_path / "suites" / "models" / "eyes", calibrated=700)
    (folder / "fp32.sim").write_text('{"shape": [1, 1, 10, 16], "error_share": 0.1}')
    (tmp_path / "devices").mkdir()
    for name in ("simulated", "host"):
        text = (checkout / "devices" / f"{name}.toml").read_text()
        (tmp_path / "devices" / f"{name}.toml").write_text(text)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_confidence_command(parser.add_subparsers(), lambda said: None)
        parsed = parser.parse_args(["confidence", "eyes", *arguments])
        return parsed.command(parsed)

    return run


def test_the_command_has_a_line_for_each_variant_on_each_runtime(command):
    head, columns, line, meaning = command("--device=simulated", "--frames=200").splitlines()
    assert head == "confidences of eyes"
    assert columns.split()[:4] == ["variant", "on", "answers", "error"]
    cells = line.split()
    assert cells[:3] == ["fp32", "simulated", "200"]
    before, temperature, after = map(float, cells[3:6])
    assert after < before
    assert 0.1 < temperature < 3
    assert "by chance" in meaning


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--variant=int8",), "no variant called 'int8'"),
        (("--frames=0",), "--frames=0: at least 1"),
        (("--device=host",), "no runtime of host takes a file of fp32"),
    ],
)
def test_wrong_use_is_refused(command, arguments, said):
    with pytest.raises(ConfigError, match=said):
        command(*(arguments if "--device=host" in arguments else ("--device=simulated", *arguments)))


def test_a_variant_that_cannot_be_asked_has_its_reason(command, tmp_path):
    (tmp_path / "suites/models/eyes/fp32.sim").write_text('{"fault": "refuse"}')
    text = command("--device=simulated")
    assert "fp32 on simulated: the simulated engine refuses the model" in text
    assert "1500" not in text
