"""Were ready tensors normalised as the card says? By their statistics beside those of the card's own frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import DatasetError
from harness.tasks.preprocess import Preprocess
from harness.variants.frames.frameset import FrameSet

GREYS = 256
# Values may reach over the card's range by this share of it: resizing overshoots.
OVERSHOOT = 0.05
# The distance up to which other frames of the same camera explain a difference, and that beyond which nothing does.
ALIKE, STRANGE = 0.25, 1.0
IMAGENET: Mapping[str, Any] = {"scale": 255.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of input values, [channels] each."""

    low: Array
    high: Array
    mean: Array
    std: Array

    @property
    def said(self) -> str:
        """One phrase, channel by channel."""
        rows = zip(self.low, self.high, self.mean, self.std, strict=True)
        return "; ".join(f"{low:.3g} to {high:.3g}, mean {mean:.3g}, std {std:.3g}" for low, high, mean, std in rows)


def require_normalisation(found: FrameSet, own: FrameSet, spec: InputSpec, where: str) -> None:
    """DatasetError where the ready tensors of `found` are not normalised as `spec` does it with the frames of `own`.

    It names both statistics and what was likely forgotten.
    """
    assert found.ready is not None
    given, counts = of_tensors(found.ready), histograms(own.pictures)
    wanted = statistics(counts, spec)
    distance = apart(given, wanted)
    cause, nearest = min(
        ((cause, apart(given, expected)) for cause, expected in suspects(counts, spec)), key=lambda one: one[1],
        default=("", np.inf),
    )  # fmt: skip
    explained = distance > ALIKE and nearest < distance / 2
    if explained or distance > STRANGE or _outside(given, spec):
        likely = cause if nearest < min(distance, STRANGE) else "they come from other pictures, or are scaled otherwise"
        raise DatasetError(
            f"the calibration tensors are not normalised as the card says: they hold {given.said}, and the card's own "
            f"frames {wanted.said} (channel by channel); likely cause: {likely}",
            where=where, remedy="make them as [input] says: (pixel / scale - mean) / std",
        )  # fmt: skip


def suspects(counts: Array, spec: InputSpec) -> Iterator[tuple[str, Statistics]]:
    """What often goes wrong, with the statistics that the same pixels would then have. counts: [channels, 256]."""
    raw: Mapping[str, Any] = {"mean": (0.0,), "std": (1.0,)}
    colours = {"the mean and std of ImageNet were applied": IMAGENET} if spec.channels == 3 else {}
    changes: dict[str, Mapping[str, Any]] = {
        "pixels from 0 to 255 were not divided by scale": {"scale": 1.0},
        "pixels from 0 to 255 were not divided by scale, mean and std were left out": {"scale": 1.0, **raw},
        "mean and std were left out": raw,
        "they were scaled to 0..1": {"scale": 255.0, **raw},
        "they were scaled to -1..1": {"scale": 127.5, "mean": (1.0,), "std": (1.0,)},
        "std was left out": {"std": (1.0,)},
        "they were divided by scale twice": {"scale": spec.scale**2},
        **colours,
    }
    for cause, change in changes.items():
        other = replace(spec, dtype="float32", **change)
        if not np.allclose(_table(other), _table(spec)):
            yield cause, statistics(counts, other)
    if spec.channels == 3:
        backwards = statistics(counts[::-1], replace(spec, mean=tuple(spec.mean)[::-1], std=tuple(spec.std)[::-1]))
        yield f"the channels are in the wrong order, the card wants {spec.colour}", backwards


def of_tensors(values: Array) -> Statistics:
    """Of tensors [frames, channels, height, width], frame by frame: as doubles they would not fit into memory."""
    doubles = (one.astype(np.float64).reshape(len(one), -1) for one in values)
    each = np.array([(one.min(1), one.max(1), one.mean(1), (one**2).mean(1)) for one in doubles])
    mean, square = each[:, 2].mean(0), each[:, 3].mean(0)
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    return Statistics(low=each[:, 0].min(0), high=each[:, 1].max(0), mean=mean, std=std)


def histograms(pictures: Array) -> Array:
    """How often each grey occurs in uint8 [frames, height, width, channels]: [channels, 256]."""
    return np.array([np.bincount(pictures[..., one].ravel(), minlength=GREYS) for one in range(pictures.shape[-1])])


def statistics(counts: Array, spec: InputSpec) -> Statistics:
    """Of pixels with these histograms, normalised as `spec` says."""
    table, shares = _table(spec), counts / counts.sum(axis=1, keepdims=True)
    mean = (table * shares).sum(1)
    return Statistics(
        low=np.where(counts > 0, table, np.inf).min(1), high=np.where(counts > 0, table, -np.inf).max(1), mean=mean,
        std=np.sqrt(((table - mean[:, None]) ** 2 * shares).sum(1)),
    )  # fmt: skip


def apart(found: Statistics, wanted: Statistics) -> float:
    """How far two are apart, of the worst channel: in means by the wanted std, and in the logarithm of the stds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.abs(found.mean - wanted.mean) / wanted.std
        spreads = np.abs(np.log(found.std / wanted.std))
        worst = float((means + spreads).max())
    return worst if np.isfinite(worst) else np.inf


def greys(values: Array, spec: InputSpec) -> Array:
    """The pixels uint8 [frames, height, width, channels] whose tensors are nearest to these."""
    table = _table(spec)
    middles = (table[:, 1:] + table[:, :-1]) / 2
    found = np.empty((len(values), *values.shape[2:], spec.channels), np.uint8)
    for row, tensor in enumerate(values):
        for channel, plane in enumerate(tensor):
            found[row, ..., channel] = np.searchsorted(middles[channel], plane)
    return found


def _outside(found: Statistics, spec: InputSpec) -> bool:
    table = _table(spec)
    low, high = table.min(1), table.max(1)
    spare = OVERSHOOT * (high - low)
    return bool(((found.low < low - spare) | (found.high > high + spare)).any())


def _table(spec: InputSpec) -> Array:
    """What each grey becomes, float64 [channels, 256]."""
    ramp = np.arange(GREYS, dtype=np.uint8).reshape(16, 16, 1).repeat(spec.channels, axis=2)
    tensor = Preprocess(replace(spec, layout="NCHW")).tensor(ramp)
    return tensor.reshape(spec.channels, GREYS).astype(np.float64)
