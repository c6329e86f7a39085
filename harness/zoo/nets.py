"""The five nets: ReLU convolutions that keep their speed-up in INT8 on every engine.

Inputs are [1, 1, height, width] float32 in 0..1. Batch normalisation exists in training only:
`folded` gives the same net without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from harness.variants.training.nets import folded as folded
from harness.variants.training.nets import multiply_accumulates as multiply_accumulates
from harness.variants.training.nets import parameters as parameters

STRIDES = (8, 16)
PRIOR_LOGIT = -4.0
PRIOR_DISTANCE_STRIDES = 1.5


class Conv(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Separable(nn.Sequential):
    """A depthwise convolution, then a pointwise one.

    The pointwise one strides: the result is the same, and torch trains strided depthwise
    convolutions on a CPU ten times slower.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(Conv(inputs, inputs, groups=inputs), Conv(inputs, outputs, size=1, stride=stride))


class Classifier(nn.Module):
    """A trunk, its spatial mean, and one linear layer: `outputs` numbers per picture."""

    def __init__(self, trunk: nn.Module, channels: int, outputs: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(channels, outputs)

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.head(self.trunk(picture).mean((2, 3)))
        return scores


class Regressor(nn.Module):
    """As Classifier, but keeps where things are: a coarse grid instead of the mean; `gain` scales the numbers."""

    def __init__(self, trunk: nn.Module, channels: int, cells: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.squeeze = Conv(channels, 32, size=1)
        self.head = nn.Linear(32 * cells, outputs)
        self.gain = gain

    def forward(self, picture: Tensor) -> Tensor:
        cells = self.squeeze(self.trunk(picture)).flatten(1)
        numbers: Tensor = self.head(cells) * self.gain
        return numbers


class Detector(nn.Module):
    """Two levels (strides 8 and 16), one cell one box: distances to its sides and one logit."""

    def __init__(self, stem: nn.Module, deep: nn.Module, channels: tuple[int, int], width: int) -> None:
        super().__init__()
        self.stem, self.deep = stem, deep
        self.merge = nn.ModuleList(Conv(one, width, size=1) for one in channels)
        self.mix = nn.ModuleList(Conv(width, width) for _ in channels)
        self.boxes = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in channels)
        self.scores = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in channels)
        for boxes, scores in zip(self.boxes, self.scores, strict=True):
            nn.init.constant_(boxes.bias, PRIOR_DISTANCE_STRIDES)
            nn.init.constant_(scores.bias, PRIOR_LOGIT)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """boxes [n, cells, 4] and scores [n, cells, 1], strides in order, cells row by row."""
        fine = self.stem(picture)
        levels = [fine, self.deep(fine)]
        mixed = [mix(merge(level)) for level, merge, mix in zip(levels, self.merge, self.mix, strict=True)]
        boxes = [torch.relu(head(level)) for level, head in zip(mixed, self.boxes, strict=True)]
        scores = [head(level) for level, head in zip(mixed, self.scores, strict=True)]
        return _cells(boxes), _cells(scores)


def _cells(maps: Sequence[Tensor]) -> Tensor:
    rows = [one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, one.shape[1]) for one in maps]
    return torch.cat(rows, 1)


def eye_state(part: int = 1) -> nn.Module:
    """96 x 96 face: open, closed. As in all nets here, `part` divides the channels: 2 leaves a quarter of the work."""
    trunk = nn.Sequential(
        Conv(1, 32 // part, stride=2),
        Conv(32 // part, 64 // part),
        Conv(64 // part, 64 // part, stride=2),
        Conv(64 // part, 80 // part),
        Conv(80 // part, 80 // part),
        Conv(80 // part, 96 // part, stride=2),
        Conv(96 // part, 96 // part, stride=2),
    )
    return Classifier(trunk, 96 // part, 2)


def gaze(part: int = 1) -> nn.Module:
    """160 x 80 eyes: yaw and pitch in degrees."""
    trunk = nn.Sequential(
        Conv(1, 32 // part, stride=2),
        Conv(32 // part, 64 // part, stride=2),
        Conv(64 // part, 96 // part),
        Conv(96 // part, 96 // part),
        Conv(96 // part, 96 // part, stride=2),
        Conv(96 // part, 96 // part, stride=2),
    )
    return Regressor(trunk, 96 // part, 5 * 10, 2, 30.0)


def distraction(part: int = 1) -> nn.Module:
    """192 x 160 upper body: five activities; depthwise-separable after stride 8."""
    trunk = nn.Sequential(
        Conv(1, 16 // part, stride=2),
        Conv(16 // part, 96 // part, stride=2),
        Conv(96 // part, 128 // part, stride=2),
        Separable(128 // part, 256 // part, stride=2),
        Separable(256 // part, 256 // part),
        Separable(256 // part, 320 // part),
    )
    return Classifier(trunk, 320 // part, 5)


def face_detection(part: int = 1) -> nn.Module:
    """256 x 160 cabin: faces; depthwise-separable after stride 8."""
    stem = nn.Sequential(
        Conv(1, 16 // part, stride=2),
        Conv(16 // part, 96 // part, stride=2),
        Conv(96 // part, 128 // part, stride=2),
        Separable(128 // part, 128 // part),
    )
    deep = nn.Sequential(Separable(128 // part, 192 // part, stride=2), Separable(192 // part, 192 // part))
    return Detector(stem, deep, (128 // part, 192 // part), 64 // part)


def head_counting(part: int = 1) -> nn.Module:
    """320 x 208 cabin: heads."""
    stem = nn.Sequential(
        Conv(1, 16 // part, stride=2), Conv(16 // part, 48 // part, stride=2), Conv(48 // part, 96 // part, stride=2)
    )
    deep = nn.Sequential(Conv(96 // part, 112 // part, stride=2), Conv(112 // part, 96 // part))
    return Detector(stem, deep, (96 // part, 96 // part), 64 // part)


# What the cards name as students: half of the channels.
eye_state_student = partial(eye_state, 2)
gaze_student = partial(gaze, 2)
distraction_student = partial(distraction, 2)
face_detection_student = partial(face_detection, 2)
head_counting_student = partial(head_counting, 2)

NETS: dict[str, Callable[[], nn.Module]] = {
    "distraction": distraction,
    "eye_state": eye_state,
    "face_detection": face_detection,
    "gaze": gaze,
    "head_counting": head_counting,
}
