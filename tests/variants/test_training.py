"""A student learns what its teacher answers: the same from the same seed, also after an interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'dms-harness[zoo]'")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from harness.case import InputSpec  # noqa: E402
from harness.errors import ConfigError  # noqa: E402
from harness.variants import Bench, Recipe  # noqa: E402
from harness.variants.training import loop as training  # noqa: E402
from harness.variants.training.batches import Batches, augmented, normalised  # noqa: E402
from harness.variants.training.courses import Course, settings  # noqa: E402
from harness.variants.training.loop import Trained, distil  # noqa: E402
from harness.variants.training.state import state_path  # noqa: E402
from tests.variants import toynets  # noqa: E402
from tests.variants.rawmodel import HEIGHT, WIDTH, pictures  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
COURSE = Course(technique="distilled", steps=10, learning_rate=1e-2, batch=16)


@pytest.fixture(autouse=True)
def _often_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 4)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return toynets.bench(tmp_path_factory.mktemp("toy"))


def taught(bench: Bench, cache: Path, course: Course = COURSE, *, says: Any = lambda line: None) -> Trained:
    torch.manual_seed(9)
    student, teacher = toynets.student(), toynets.classifier().eval()
    return distil(student, teacher, replace(bench, cache=cache, say=says), course)


def weights(trained: Trained) -> dict[str, Any]:
    return dict(trained.net.state_dict())


def same(first: Trained, second: Trained) -> bool:
    return all(torch.equal(one, weights(second)[name]) for name, one in weights(first).items())


def test_a_student_comes_closer_to_its_teacher_and_the_curve_says_so(bench: Bench, tmp_path: Path) -> None:
    found = taught(bench, tmp_path, replace(COURSE, steps=60))
    assert found.curve[-1][0] == 60
    assert found.curve[-1][1] < found.curve[0][1] / 4
    assert found.facts["training_steps"] == 60
    assert not found.net.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(bench: Bench, tmp_path: Path) -> None:
    first, second = taught(bench, tmp_path / "1"), taught(bench, tmp_path / "2")
    assert same(first, second)
    assert first.curve == second.curve
    assert not same(first, taught(bench, tmp_path / "3", replace(COURSE, seed=2)))


def test_an_interrupted_training_ends_as_an_uninterrupted_one(bench: Bench, tmp_path: Path) -> None:
    def interrupted(line: str) -> None:
        if "step 8 of 10" in line:
            raise KeyboardInterrupt

    whole, said = taught(bench, tmp_path / "whole"), []
    with pytest.raises(KeyboardInterrupt):
        taught(bench, tmp_path / "cut", says=interrupted)
    resumed = taught(bench, tmp_path / "cut", says=said.append)
    assert [line.partition(",")[0].partition(": ")[2] for line in said] == ["step 10 of 10"]
    assert same(whole, resumed)
    assert whole.curve == resumed.curve


def test_a_finished_training_is_taken_from_the_cache(bench: Bench, tmp_path: Path) -> None:
    said: list[str] = []
    first = taught(bench, tmp_path)
    again = taught(bench, tmp_path, says=said.append)
    assert said == []
    assert same(first, again)
    assert (again.curve, again.spent_s) == (first.curve, first.spent_s)


def test_a_damaged_state_is_said_and_trained_anew(bench: Bench, tmp_path: Path) -> None:
    said: list[str] = []
    first = taught(bench, tmp_path)
    path = state_path(replace(bench, cache=tmp_path), COURSE)
    path.write_bytes(path.read_bytes()[:1000])
    again = taught(bench, tmp_path, says=said.append)
    assert "cannot be read" in said[0]
    assert "begins anew" in said[0]
    assert same(first, again)


def test_nothing_half_written_is_left_beside_the_state(bench: Bench, tmp_path: Path) -> None:
    taught(bench, tmp_path)
    assert [path.suffix for path in (tmp_path / "training").iterdir()] == [".pt"]


@pytest.mark.parametrize(
    "other",
    [
        {"technique": "pruned"}, {"steps": 11}, {"learning_rate": 2e-2}, {"batch": 8}, {"seed": 2}, {"mirrored": True},
        {"float32": True}, {"made": {"ratio": 0.25}},
    ],
)  # fmt: skip
def test_another_option_is_another_training(bench: Bench, other: dict[str, Any]) -> None:
    assert state_path(bench, COURSE) != state_path(bench, replace(COURSE, **other))


def test_other_frames_or_another_parent_are_another_training(bench: Bench, tmp_path: Path) -> None:
    paths = [
        state_path(replace(toynets.bench(tmp_path / name, **other), cache=tmp_path), COURSE)
        for name, other in (("a", {}), ("b", {"training": 65}), ("c", {"seed": 2}), ("d", {}))
    ]
    keys = [path.stem.rpartition("-")[2] for path in paths]
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3


def test_no_training_frame_is_an_error(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no training frame"):
        taught(toynets.bench(tmp_path, training=0), tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"step": 5}, "option of technique 'distilled' called 'step'.*steps"),
        ({"steps": 0}, "option steps = 0 .* a whole number above 0, for example 100"),
        ({"steps": 2.5}, "option steps = 2.5"),
        ({"steps": True}, "option steps = True"),
        ({"learning_rate": float("nan")}, "a number above 0"),
        ({"learning_rate": float("inf")}, "a number above 0"),
        ({"learning_rate": "fast"}, "option learning_rate = 'fast'"),
        ({"float32": 1}, "true or false"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    usual = {"steps": 100, "learning_rate": 1e-3, "float32": False}
    with pytest.raises(ConfigError, match=reason):
        settings(Recipe(name="small", technique="distilled", options=options), usual)


def test_options_replace_the_usual_ones_and_a_whole_learning_rate_is_one() -> None:
    found = settings(Recipe(name="a", technique="b", options={"learning_rate": 1}), {"steps": 5, "learning_rate": 0.1})
    assert found == {"steps": 5, "learning_rate": 1.0}


def test_every_frame_is_shown_once_per_round() -> None:
    batches = Batches(
        pictures=np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), input=InputSpec(1, 1), size=4, seed=3
    )
    turns = [np.concatenate([batches.rows(step) for step in range(turn, turn + 3)]) for turn in (0, 3)]
    assert all(sorted(one) == list(range(12)) for one in turns)
    assert not np.array_equal(*turns)


def test_a_step_is_shown_the_same_pictures_whenever_it_is_asked_and_other_pictures_in_the_next_round() -> None:
    batches = Batches(pictures=pictures(8, seed=1)[..., None], input=InputSpec(WIDTH, HEIGHT), size=8, seed=3)
    assert torch.equal(batches(1), batches(1))
    assert not torch.equal(batches(0), batches(1))
    assert tuple(batches(0).shape) == (8, 1, HEIGHT, WIDTH)


def test_pictures_stay_within_what_a_camera_gives_and_are_mirrored_only_on_request() -> None:
    shown = torch.zeros(64, 1, 4, 8, dtype=torch.uint8)
    shown[..., 0] = 250
    plain, turned = (augmented(shown, torch.Generator().manual_seed(1), mirrored=one) for one in (False, True))
    assert 0 <= float(plain.min()) <= float(plain.max()) <= 1
    brighter_left = [(one[..., 0].mean((1, 2)) > one[..., -1].mean((1, 2))).sum() for one in (plain, turned)]
    assert brighter_left[0] == 64
    assert 16 < brighter_left[1] < 48


def test_pictures_are_normalised_as_the_harness_does_it() -> None:
    from harness.tasks.preprocess import Preprocess

    spec = InputSpec(4, 3, colour="rgb", scale=127.5, mean=(1.0, 0.9, 0.8), std=(0.5, 0.6, 0.7))
    picture = np.random.default_rng(1).integers(0, 256, (3, 4, 3), np.uint8)
    ours = normalised(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255.0, spec)
    assert np.allclose(ours.numpy(), Preprocess(spec).tensor(picture), atol=1e-5)
