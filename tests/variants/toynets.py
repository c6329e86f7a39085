"""Torch nets of a few convolutions, a card that names them, and a bench over frames that they are trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.model import read_card
from harness.variants import Bench
from harness.variants.frames.frameset import FrameSet
from harness.variants.training.nets import folded
from tests.variants.rawmodel import HEIGHT, WIDTH, pictures

CELLS = (HEIGHT // 2) * (WIDTH // 2)
CARD = f"""task = "classification"
[input]
width = {WIDTH}
height = {HEIGHT}
[formats.onnx]
outputs = {{ scores = "scores" }}
[options]
classes = ["dark", "bright"]
[training]
net = "tests.variants.toynets:classifier"
student = "tests.variants.toynets:student"
[variants.fp32]
files = {{ onnx = "fp32.onnx" }}
"""
DETECTOR_CARD = f"""task = "detection"
[input]
width = {WIDTH}
height = {HEIGHT}
[formats.onnx]
outputs = {{ boxes = "boxes", scores = "scores" }}
[options]
decoder = "anchor_free"
strides = [2]
classes = ["face"]
[training]
net = "tests.variants.toynets:detector"
[variants.fp32]
files = {{ onnx = "fp32.onnx" }}
"""


class Scores(nn.Sequential):
    """The mean of each channel, and one linear layer."""

    def __init__(self, trunk: nn.Module, channels: int) -> None:
        super().__init__(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))


class Detector(nn.Module):
    """One level of stride 2: boxes [n, CELLS, 4] and logits [n, CELLS, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = conv(1, 16, stride=2)
        self.boxes, self.scores = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 1, 1)

    def forward(self, picture: Any) -> tuple[Any, Any]:
        shared = self.trunk(picture)
        boxes, scores = (head(shared).flatten(2).transpose(1, 2) for head in (self.boxes, self.scores))
        return boxes, scores


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def classifier() -> nn.Module:
    return Scores(nn.Sequential(conv(1, 16, stride=2), conv(16, 32)), 32)


def student() -> nn.Module:
    return Scores(nn.Sequential(conv(1, 8, stride=2), conv(8, 16)), 16)


def wider() -> nn.Module:
    return Scores(nn.Sequential(conv(1, 16, stride=2), conv(16, 48)), 48)


def deeper() -> nn.Module:
    return Scores(nn.Sequential(conv(1, 16, stride=2), conv(16, 32), conv(32, 32)), 32)


def shallower() -> nn.Module:
    return Scores(nn.Sequential(conv(1, 16, stride=2)), 16)


def leaky() -> nn.Module:
    """The weights of `classifier`, used otherwise."""
    net = classifier()
    net[0][1][2] = nn.LeakyReLU(0.5)
    return net


def detector() -> nn.Module:
    return Detector()


not_a_net, no_function = dict, 7


def bench(
    folder: Path, make: Callable[[], nn.Module] = classifier, *, card: str = CARD, training: int = 64, seed: int = 1
) -> Bench:
    """Over the ONNX file of a net with weights by chance; its labels are its own answers. `training` frames."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.toml").write_text(card)
    torch.manual_seed(seed)
    net = made(make)
    outputs = ["boxes", "scores"] if make is detector else ["scores"]
    torch.onnx.export(
        net, (torch.zeros(1, 1, HEIGHT, WIDTH),), str(folder / "fp32.onnx"), dynamo=False,
        input_names=["image"], output_names=outputs,
    )  # fmt: skip
    return Bench(
        card=read_card(folder), files={"onnx": folder / "fp32.onnx"}, formats=("onnx",), engines=("onnxruntime",),
        folder=folder / "made", cache=folder / "cache", say=lambda sentence: None, frames=frames(net, training),
    )  # fmt: skip


def made(make: Callable[[], nn.Module]) -> Any:
    """A net as a training leaves it: its statistics are those of the frames, and it takes no class for granted."""
    net = make()
    for _ in range(20):
        answers = net(shown(pictures(64, seed=5)))
    if isinstance(answers, torch.Tensor):
        net[-1].bias.data -= answers.mean(0).detach()
    return folded(net)


def frames(net: Any, training: int) -> Any:
    some, truths = sure(net, pictures(200, seed=6))
    return SimpleNamespace(
        calibration=FrameSet(name="calibration", pictures=pictures(40, seed=3)[..., None]), tunable=bool(truths),
        tuning=FrameSet(name="tuning", pictures=some[..., None], truths=truths, samples=({},) * len(truths)),
        training=FrameSet(name="training", pictures=pictures(training, seed=4)[..., None]),
    )  # fmt: skip


def sure(net: Any, some: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The half of the pictures that a classifier is surest of, with its answers; a detector has no labels."""
    answers: Any = net(shown(some))
    if isinstance(answers, tuple):
        return some, ()
    apart = (answers[:, 0] - answers[:, 1]).abs()
    rows = (apart > apart.median()).numpy()
    return some[rows], tuple(np.array([[one]], np.float32) for one in answers.argmax(1).numpy()[rows])


def shown(some: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(some)[:, None] / 255.0
