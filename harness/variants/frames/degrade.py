"""Calibration frames made worse on purpose, as a dirty lens or a dark night would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.case import Array
from harness.errors import ConfigError
from harness.variants.frames.frameset import FrameSet

BLUR_SHARE = (0.01, 0.03)  # standard deviation in shares of the picture's shorter side
DARK_SHARE = (0.15, 0.5)  # of the light that is left
LEAST_BLUR_PX = 0.7  # less would leave a small picture as it is
_STREAM = 2


def degraded(frames: FrameSet, percent: float, seed: int) -> FrameSet:
    """`percent` of the frames, rounded, are blurred or darkened in turn; each keeps its place and truth.

    ConfigError for a share that is none.
    """
    if not 0 <= percent <= 100:
        raise ConfigError(f"{percent} % of the calibration frames are to be degraded", remedy="give 0 to 100")
    random = np.random.default_rng([seed, _STREAM])
    rows = random.permutation(len(frames))[: round(len(frames) * percent / 100)]
    pictures = np.array(frames.pictures)
    for number, row in enumerate(rows):
        change = blurred if number % 2 == 0 else darkened
        low, high = BLUR_SHARE if number % 2 == 0 else DARK_SHARE
        pictures[row] = change(pictures[row], random.uniform(low, high))
    worse = {int(row) for row in rows}
    samples = tuple({**one, "degraded": True} if row in worse else one for row, one in enumerate(frames.samples))
    return replace(frames, pictures=pictures, samples=samples)


def blurred(picture: Array, share: float) -> Array:
    """uint8 [h, w, c] under a Gaussian with a standard deviation of `share` of the shorter side."""
    from scipy.ndimage import gaussian_filter

    sigma = max(share * min(picture.shape[:2]), LEAST_BLUR_PX)
    soft: Array = gaussian_filter(picture.astype(np.float64), (sigma, sigma, 0))
    return np.rint(soft).clip(0, 255).astype(np.uint8)


def darkened(picture: Array, share: float) -> Array:
    """uint8 [h, w, c] with `share` of its light."""
    dark: Array = np.rint(picture * share).astype(np.uint8)
    return dark
