"""Pictures as a net is shown them in training: drawn, exposed and disturbed by the numbers of the seed and the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.case import Array, InputSpec
from harness.variants.libraries import library


@dataclass(frozen=True, kw_only=True)
class Batches:
    """pictures: uint8 [frames, height, width, channels]. input: of the card. size: of one batch."""

    pictures: Array
    input: InputSpec
    size: int
    seed: int
    mirrored: bool = False

    def rows(self, step: int) -> Array:
        """Which frames a step shows: each one once per round, but for what is left of the last batch."""
        size = min(self.size, len(self.pictures))
        turn, place = divmod(step, len(self.pictures) // size)
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.pictures))
        return np.sort(order[place * size : (place + 1) * size])

    def __call__(self, step: int) -> Any:
        """The input of one step, [size, channels, height, width]: its frames, exposed and disturbed at random."""
        drawn = int(np.random.default_rng([self.seed, step, 1]).integers(2**31))
        numbers = library("torch").Generator().manual_seed(drawn)
        return normalised(
            augmented(planes(self.pictures[self.rows(step)]), numbers, mirrored=self.mirrored), self.input
        )

    def plain(self, rows: Array) -> Any:
        """The input of these frames as they are."""
        return normalised(planes(self.pictures[rows]) / 255.0, self.input)


def planes(pictures: Array) -> Any:
    """uint8 [n, channels, height, width] of pictures that have their channels last."""
    return library("torch").from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)


def augmented(pictures: Any, numbers: Any, *, mirrored: bool) -> Any:
    """Pictures [n, channels, height, width] of 0..255 as floats of 0..1, with other exposure and noise."""
    torch = library("torch")
    count = (len(pictures), 1, 1, 1)
    gain = torch.exp(torch.empty(count).uniform_(-0.35, 0.35, generator=numbers)) / 255.0
    light = pictures * gain + torch.empty(count).uniform_(-0.05, 0.05, generator=numbers)
    light += torch.randn(light.shape, generator=numbers) * torch.empty(count).uniform_(0, 0.02, generator=numbers)
    if mirrored:
        light = torch.where(torch.rand(count, generator=numbers) < 0.5, light.flip(3), light)
    return light.clamp(0, 1)


def normalised(light: Any, spec: InputSpec) -> Any:
    """Pictures of 0..1 as the card's [input] says."""
    torch = library("torch")
    mean, std = (torch.tensor(one).reshape(1, -1, 1, 1) for one in (spec.mean, spec.std))
    tensor = (light * (255.0 / spec.scale) - mean) / std
    return tensor.contiguous(memory_format=torch.channels_last)
