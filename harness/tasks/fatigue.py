"""Fatigue measures over a clip, from the state of the eyes in each frame. Pure."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from harness.case import Array
from harness.errors import ConfigError


def perclos(closed: Sequence[bool], window_frames: Optional[int] = None) -> Array:
    """PERCLOS in per cent: the share of frames with closed eyes in each full window of `window_frames`.

    closed: one value per frame, frames evenly spaced in time, True where the lid covers 80 % of the pupil or more.
    window_frames: the window's length (60 s is usual); None is the whole clip. Returns float64
    [frames - window_frames + 1], the first value for the first full window.
    ConfigError where the window does not fit the clip.
    Source: Wierwille et al., DOT HS 808 247 (1994); Dinges and Grace, FHWA-MCRT-98-006 (1998).
    """
    window = len(closed) if window_frames is None else window_frames
    if not 1 <= window <= len(closed):
        raise ConfigError(f"a PERCLOS window of {window} frames does not fit a clip of {len(closed)} frames")
    total = np.concatenate([[0], np.cumsum(np.asarray(closed, bool))])
    share: Array = 100.0 * (total[window:] - total[:-window]) / window
    return share
