"""Columns as short lists of whole numbers: runs, deltas, scaled values. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.case import Array

# So many digits of the median size of a series are kept.
DIGITS = 4
# 2**53 has 16: beyond it a reader's floating-point numbers are no longer exact.
MOST_DIGITS = 15


def runs_of(codes: Array) -> list[int]:
    """Equal neighbours as pairs, flattened: [code, count, code, count, ...]."""
    if not len(codes):
        return []
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    counts = np.diff(np.append(starts, len(codes)))
    flat: list[int] = np.column_stack((codes[starts], counts)).astype(np.int64).ravel().tolist()
    return flat


def deltas_of(numbers: Array) -> list[int]:
    """The first number, then differences."""
    flat: list[int] = np.diff(numbers, prepend=0).tolist()
    return flat


def scaled(values: Array) -> tuple[float, list[int]]:
    """(scale, deltas): finite values as whole multiples of the scale, a power of ten; off by at most half of it."""
    exponent = _exponent(np.abs(values))
    whole = np.rint(values / 10.0**exponent if exponent >= 0 else values * 10.0**-exponent).astype(np.int64)
    return float(f"1e{exponent}"), deltas_of(whole)


def seconds_of(times: tuple[str, ...]) -> Array:
    """Seconds since 1970 of times like "2026-01-31T23:59:59Z" (UTC), int64."""
    # numpy refuses the zone's letter, so the column is as wide as the rest.
    return np.array(times, dtype="U19").astype("datetime64[s]").astype(np.int64)


def shortened(value: float | None) -> float | None:
    """Six significant digits; None where there is no finite number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def _exponent(sizes: Any) -> int:
    """Of the scale: 4 digits for the median, but no more for the largest than a reader keeps exact."""
    known = sizes[sizes > 0]
    if not len(known):
        return 0
    # The upper median: the mean of two huge numbers may be infinite.
    median = float(np.partition(known, len(known) // 2)[len(known) // 2])
    wanted = math.floor(math.log10(median)) + 1 - DIGITS
    needed = math.ceil(math.log10(float(known.max()))) - MOST_DIGITS
    return max(wanted, needed, -300)
