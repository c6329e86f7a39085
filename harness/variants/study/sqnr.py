"""How far one tensor is from another: signal to noise, direction, largest error. Pure, and summed frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from harness.case import Array

MOST_DB = 150.0
"""No ratio is told beyond it: the rounding of float32 itself lies at about 150 dB."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Sums over all values of a parent's tensor and of the same tensor of its variant; two add up.

    signal, variant, noise: squares of the parent's values, of the variant's, and of their differences. product: of
    both. largest_error: the largest absolute difference. low, high: of the parent's values. channels: signal and noise
    of each; none where the tensor has no channels.
    """

    values: int = 0
    signal: float = 0.0
    variant: float = 0.0
    noise: float = 0.0
    product: float = 0.0
    largest_error: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    channels: tuple[tuple[float, float], ...] = ()

    def __add__(self, other: Distance) -> Distance:
        return Distance(
            values=self.values + other.values, signal=self.signal + other.signal, variant=self.variant + other.variant,
            noise=self.noise + other.noise, product=self.product + other.product,
            largest_error=max(self.largest_error, other.largest_error),
            low=min(self.low, other.low), high=max(self.high, other.high), channels=self._channels_with(other),
        )  # fmt: skip

    def _channels_with(self, other: Distance) -> tuple[tuple[float, float], ...]:
        if not self.values or not other.values:
            return self.channels or other.channels
        pairs = zip(self.channels, other.channels, strict=True)
        return tuple((one[0] + two[0], one[1] + two[1]) for one, two in pairs)

    @property
    def sqnr_db(self) -> float:
        """Signal to quantisation noise in dB, at most MOST_DB either way."""
        return decibels(self.signal, self.noise)

    @property
    def median_channel_db(self) -> float | None:
        """The same of the median channel that has a signal; None without channels.

        One channel with large values holds most of the signal, and hides how little is left of all others.
        """
        told = [decibels(signal, noise) for signal, noise in self.channels if signal]
        return median(told) if told else None

    @property
    def cosine(self) -> float:
        """Of the angle between both, 1 where they point alike; 1 for two zeros, 0 where only one is zero."""
        if not self.signal or not self.variant:
            return float(self.signal == self.variant)
        if math.isinf(self.variant):
            return 0.0
        return float(np.clip(self.product / math.sqrt(self.signal) / math.sqrt(self.variant), -1.0, 1.0))

    @property
    def relative_error(self) -> float | None:
        """The largest error as a share of the parent's range, of its one value where all are the same; None without."""
        width = (self.high - self.low) or abs(self.high)
        return self.largest_error / width if width and math.isfinite(self.largest_error) else None

    def facts(self) -> Mapping[str, Any]:
        """What a person reads, as plain values; 0.01 dB is far below what other frames would change."""
        relative, channel_db = self.relative_error, self.median_channel_db
        return {
            "sqnr_db": round(self.sqnr_db, 2), "cosine": round(self.cosine, 6),
            "relative_error": None if relative is None else round(relative, 6),
            **({} if channel_db is None else {"median_channel_sqnr_db": round(channel_db, 2)}),
        }  # fmt: skip


def decibels(signal: float, noise: float) -> float:
    """The ratio of two sums of squares, at most MOST_DB either way: without noise, and without signal."""
    if not noise:
        return MOST_DB
    if not signal or math.isinf(noise):
        return -MOST_DB
    return float(np.clip(10 * (math.log10(signal) - math.log10(noise)), -MOST_DB, MOST_DB))


def distance(parent: Array, variant: Array, channel_axis: int | None = None) -> Distance:
    """Of two arrays with equally many values; a variant's NaN or infinity is infinite noise.

    channel_axis: of the parent's array, where its channels are to be told apart. ValueError for other sizes, for no
    value, and for a parent with values that are not finite.
    """
    wanted, found = np.asarray(parent, np.float64), np.asarray(variant, np.float64)
    if wanted.size != found.size or not wanted.size:
        raise ValueError(f"{wanted.size} values of the parent beside {found.size} of the variant")
    if not np.isfinite(wanted).all():
        raise ValueError("the parent's values are not all finite")
    found = found.reshape(wanted.shape)
    finite = bool(np.isfinite(found).all())
    apart = wanted - found if finite else np.full_like(wanted, np.inf)
    return Distance(
        values=wanted.size, signal=_squares(wanted), variant=_squares(found) if finite else math.inf,
        noise=_squares(apart), product=float(wanted.ravel() @ found.ravel()) if finite else 0.0,
        largest_error=float(np.abs(apart).max()), low=float(wanted.min()), high=float(wanted.max()),
        channels=() if channel_axis is None else _channels(wanted, apart, channel_axis),
    )  # fmt: skip


def total(distances: Iterable[Distance]) -> Distance:
    """All of them together; one without values for none."""
    return sum(distances, Distance())


def _squares(values: Array) -> float:
    return float((values.ravel() ** 2).sum())


def _channels(wanted: Array, apart: Array, axis: int) -> tuple[tuple[float, float], ...]:
    others = tuple(at for at in range(wanted.ndim) if at != axis % wanted.ndim)
    return tuple(zip((wanted**2).sum(axis=others).tolist(), (apart**2).sum(axis=others).tolist(), strict=True))
