"""Training is seeded and resumable, and its targets are what the decoders will read back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")

from harness.zoo import data, train  # noqa: E402
from harness.zoo.recipes import RECIPES  # noqa: E402

FEW = data.Split(name="train", frames=128, step=40)
SHORT = dataclasses.replace(RECIPES["eye_state"], epochs=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    data.prepare(FEW, folder / FEW.key)
    return folder


def test_an_interrupted_training_ends_as_an_uninterrupted_one(cache: Path) -> None:
    said: list[str] = []
    whole = train.train(SHORT, seed=5, cache=cache, split=FEW, say=said.append).state_dict()
    (cache / "eye_state-seed5.pt").unlink()
    with pytest.raises(KeyboardInterrupt):
        train.train(SHORT, seed=5, cache=cache, split=FEW, say=_interrupt_in_the_second_epoch)
    resumed = train.train(SHORT, seed=5, cache=cache, split=FEW, say=said.append).state_dict()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert [line.split(" step")[0] for line in said] == [
        "eye_state: epoch 1/2", "eye_state: epoch 2/2", "eye_state: epoch 2/2",
    ]  # fmt: skip


def test_a_finished_training_is_not_repeated(cache: Path) -> None:
    train.train(SHORT, seed=6, cache=cache, split=FEW, say=lambda _: None)
    said: list[str] = []
    train.train(SHORT, seed=6, cache=cache, split=FEW, say=said.append)
    assert said == []


def test_every_box_is_assigned_to_the_level_of_its_size_and_read_back_exactly() -> None:
    boxes = torch.full((1, 8, 4), torch.nan)
    boxes[0, 0] = torch.tensor([20.0, 30.0, 38.0, 50.0])
    boxes[0, 1] = torch.tensor([100.0, 40.0, 146.0, 98.0])
    wanted, is_object = train.assign(boxes, 160, 256)
    grid = train.cells(160, 256)
    assert set(grid[is_object[0], 2].tolist()) == {8.0, 16.0}
    for (x, y, stride), sides in zip(grid[is_object[0]], wanted[is_object], strict=True):
        left, top, right, bottom = sides * stride
        found = torch.stack([x - left, y - top, x + right, y + bottom])
        assert torch.allclose(found, boxes[0, 0 if stride == 8 else 1], atol=1e-4)


def test_pictures_without_a_box_have_no_object_and_a_finite_loss() -> None:
    from harness.zoo import nets

    boxes = torch.full((2, 8, 4), torch.nan)
    assert not train.assign(boxes, 160, 256)[1].any()
    assert torch.isfinite(train.detection_loss(nets.face_detection(), torch.rand(2, 1, 160, 256), boxes))


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], 1.0),
        ([2.0, 1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 1.0], 0.0),
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0], 0.5),
    ],
)
def test_generalised_iou_of_known_boxes(first: list[float], second: list[float], overlap: float) -> None:
    found = train.generalised_iou(torch.tensor([first]), torch.tensor([second]))
    assert found.item() == pytest.approx(overlap)


def test_a_mirrored_face_looks_the_other_way() -> None:
    pictures = torch.zeros(64, 8, 8, dtype=torch.uint8)
    pictures[:, :, 0] = 200
    angles = torch.tensor([[10.0, 5.0]]).repeat(64, 1)
    seen, turned = train.augmented(RECIPES["gaze"], pictures, angles, torch.Generator().manual_seed(1))
    mirrored = seen[:, 0, :, -1].mean(1) > seen[:, 0, :, 0].mean(1)
    assert 10 < mirrored.sum() < 54
    assert torch.equal(turned[:, 0], torch.where(mirrored, -10.0, 10.0))
    assert (turned[:, 1] == 5.0).all()


def _interrupt_in_the_second_epoch(line: str) -> None:
    if "epoch 2/" in line:
        raise KeyboardInterrupt
