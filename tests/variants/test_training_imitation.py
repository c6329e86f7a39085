"""What a student is judged by: its distance from the teacher, in the teacher's own units, where the teacher looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets are judged in torch: pip install 'dms-harness[zoo]'")

from harness.case import InputSpec  # noqa: E402
from harness.variants.training.batches import Batches  # noqa: E402
from harness.variants.training.imitation import Imitation, imitation  # noqa: E402

FRAMES = np.arange(0, 256, 4, dtype=np.uint8).reshape(64, 1, 1, 1)
BATCHES = Batches(pictures=FRAMES, input=InputSpec(1, 1), size=16, seed=1)
SEES, NOTHING = 4.0, -4.0


class Fixed(torch.nn.Module):
    """Gives the same outputs for every picture, [1, ...] each."""

    def __init__(self, *outputs: Any) -> None:
        super().__init__()
        self.outputs = [torch.tensor(one)[None] for one in outputs]

    def forward(self, pictures: Any) -> Any:
        found = tuple(one.expand(len(pictures), *one.shape[1:]) for one in self.outputs)
        return found if len(found) > 1 else found[0]


class Levels(torch.nn.Module):
    """The picture's level, times each of the `gains`."""

    def __init__(self, *gains: float) -> None:
        super().__init__()
        self.gains = torch.tensor(gains)

    def forward(self, pictures: Any) -> Any:
        return pictures.mean((1, 2, 3))[:, None] * self.gains


def detector(*, boxes: float = 1.0, moved: int = -1, logits: tuple[float, float] = (SEES, NOTHING)) -> Any:
    """Two cells; the box of cell `moved` is 1 further away."""
    rows = [[boxes + (at == moved)] * 4 for at in range(2)]
    return Fixed(rows, [[one] for one in logits])


def loss(student: Any, teacher: Any, task: str = "detection") -> float:
    found = imitation(teacher, BATCHES, task, low=False)
    found = Imitation(teacher=teacher, spreads=tuple(1.0 for _ in found.spreads), detector=found.detector, low=False)
    return float(found(student, BATCHES(0)))


def test_an_output_is_measured_in_units_of_the_teacher_s_spread() -> None:
    found = imitation(Levels(1.0, 100.0), BATCHES, "gaze", low=False)
    deviation = float((FRAMES / 255).std())
    assert found.spreads[0].tolist() == pytest.approx([deviation, 100 * deviation], rel=1e-3)
    apart = [float(found(Levels(*gains), BATCHES(0))) for gains in ((1.1, 100.0), (1.0, 110.0))]
    assert apart[0] == pytest.approx(apart[1], rel=1e-4)
    assert float(found(Levels(1.0, 100.0), BATCHES(0))) == 0


def test_an_output_that_never_changes_is_no_division_by_zero() -> None:
    found = imitation(Levels(0.0), BATCHES, "gaze", low=False)
    assert np.isfinite(float(found(Levels(1.0), BATCHES(0))))


def test_a_box_counts_where_the_teacher_sees_something() -> None:
    seen, unseen = loss(detector(moved=0), detector()), loss(detector(moved=1), detector())
    assert seen == pytest.approx(0.5 / (1 + np.exp(NOTHING)) / (1 + np.exp(NOTHING) / (1 + np.exp(NOTHING))), rel=0.05)
    assert unseen < seen / 40


@pytest.mark.parametrize(
    ("logits", "least", "most"),
    [
        ((SEES, NOTHING), 0.0, 1e-6),
        ((SEES, NOTHING - 4), 0.0, 0.06),
        ((SEES, 0.0), 0.5, 1.0),
        ((0.0, NOTHING), 0.5, 1.0),
    ],
)
def test_scores_are_compared_as_probabilities(logits: tuple[float, float], least: float, most: float) -> None:
    assert least <= loss(detector(logits=logits), detector()) <= most


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        ("classification", ([[1.0] * 4] * 2, [[1.0]] * 2)),
        ("detection", ([[1.0] * 6] * 2,)),
        ("detection", ([[1.0] * 4] * 2, [[1.0] * 4] * 2)),
        ("counting", ([[1.0] * 4] * 2, [[1.0]] * 3)),
    ],
)
def test_outputs_that_are_no_boxes_with_scores_are_plain_numbers(task: str, outputs: Any) -> None:
    assert imitation(Fixed(*outputs), BATCHES, task, low=False).detector is None


@pytest.mark.parametrize("task", ["detection", "counting"])
def test_boxes_and_scores_are_told_apart_in_either_order(task: str) -> None:
    boxes, scores = [[1.0] * 4] * 2, [[1.0] * 3] * 2
    assert imitation(Fixed(boxes, scores), BATCHES, task, low=False).detector == (0, 1)
    assert imitation(Fixed(scores, boxes), BATCHES, task, low=False).detector == (1, 0)
