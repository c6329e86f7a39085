"""How far a student's answers are from its teacher's: raw outputs, each in units of the teacher's spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.variants.export.torch_side import listed
from harness.variants.libraries import library
from harness.variants.training.batches import Batches

SPREAD_FRAMES = 256
LEAST_SPREAD = 1e-3
DETECTORS = ("detection", "counting")


def precision() -> str:
    """What nets are trained in: bfloat16 where this CPU multiplies it (1.6 to 2.2 times as fast), else float32."""
    able = getattr(library("torch").cpu, "_is_avx512_bf16_supported", None)
    return "bfloat16" if able and able() else "float32"


def computed(net: Any, tensor: Any, *, low: bool) -> tuple[Any, ...]:
    """The outputs of a net in float32; `low`: its convolutions in bfloat16 where that is quicker."""
    torch = library("torch")
    with torch.autocast("cpu", torch.bfloat16, enabled=low and precision() == "bfloat16"):
        return tuple(one.float() for one in listed(net(tensor)))


@dataclass(frozen=True, kw_only=True)
class Imitation:
    """The loss of a student. spreads: per output, of each number on its last axis.

    detector: which outputs are boxes and which scores, None where the task has none. There most cells see nothing: how
    surely is a matter of taste, so scores are compared as probabilities, and boxes count by the teacher's objectness.
    low: both may compute in bfloat16.
    """

    teacher: Any
    spreads: tuple[Any, ...]
    detector: tuple[int, int] | None
    low: bool

    def __call__(self, student: Any, tensor: Any) -> Any:
        """The mean loss of one batch."""
        with library("torch").no_grad():
            wanted = computed(self.teacher, tensor, low=self.low)
        given = computed(student, tensor, low=self.low)
        distances = [self._distance(at, given[at], wanted[at]) for at in range(len(wanted))]
        if self.detector is None:
            return sum(one.mean() for one in distances)
        boxes, scores = self.detector
        weight = objectness(wanted[scores])
        divergence = _divergence(given[scores], wanted[scores])
        return ((distances[boxes].mean(-1) * weight).sum() + divergence.sum()) / weight.sum()

    def _distance(self, at: int, given: Any, wanted: Any) -> Any:
        spread = self.spreads[at]
        return library("torch").nn.functional.smooth_l1_loss(given / spread, wanted / spread, reduction="none")


def _divergence(given: Any, wanted: Any) -> Any:
    """Kullback and Leibler's, of what two logits say of one thing: yes or no."""
    cross = library("torch").nn.functional.binary_cross_entropy_with_logits
    truth = wanted.sigmoid()
    return cross(given, truth, reduction="none") - cross(wanted, truth, reduction="none")


def imitation(teacher: Any, batches: Batches, task: str, *, low: bool) -> Imitation:
    """The loss for a card's task, with the teacher's spreads over some of the frames as they are."""
    torch = library("torch")
    rows = np.linspace(0, len(batches.pictures) - 1, min(SPREAD_FRAMES, len(batches.pictures))).astype(int)
    parts = []
    for some in np.array_split(rows, max(1, len(rows) // batches.size)):
        with torch.no_grad():
            parts.append(computed(teacher, batches.plain(some), low=low))
    outputs = [torch.cat(one) for one in zip(*parts, strict=True)]
    detector = _detector(outputs) if task in DETECTORS else None
    weight = objectness(outputs[detector[1]]) if detector else None
    spreads = tuple(_spread(one, weight if detector and at == detector[0] else None) for at, one in enumerate(outputs))
    return Imitation(teacher=teacher, spreads=spreads, detector=detector, low=low)


def _detector(outputs: Sequence[Any]) -> tuple[int, int] | None:
    """Which of two outputs [n, cells, ...] are the boxes and which the scores; None where they are not told apart."""
    if len(outputs) != 2 or outputs[0].ndim != 3 or outputs[0].shape[:2] != outputs[1].shape[:2]:
        return None
    fours = [one.shape[-1] == 4 for one in outputs]
    return None if fours[0] == fours[1] else (fours.index(True), fours.index(False))


def objectness(logits: Any) -> Any:
    """How surely a cell sees anything, 0..1 [n, cells], of its classes' logits [n, cells, classes]."""
    return logits.sigmoid().amax(-1)


def _spread(output: Any, weight: Any) -> Any:
    """The standard deviation of each number on the last axis, over all others."""
    rows = output.reshape(-1, output.shape[-1])
    share = (weight.reshape(-1, 1) if weight is not None else rows.new_ones(len(rows), 1)) / len(rows)
    share = share / share.sum()
    mean = (rows * share).sum(0)
    return (((rows - mean) ** 2 * share).sum(0)).sqrt().clamp(min=LEAST_SPREAD)
