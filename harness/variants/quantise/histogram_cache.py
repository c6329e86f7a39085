"""Histograms that outlive a run: one file for one model, its calibration frames and the number of bins."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from harness.variants.kept import keep
from harness.variants.quantise.histograms import Histogram

Histograms = Mapping[str, Histogram]


def cached(cache: Path, kind: str, decides: Sequence[str], make: Callable[[], Histograms]) -> Histograms:
    """What is kept for all that `decides`; made, and kept, where it is not there or cannot be read.

    Percentiles and entropy take their ranges from the same histograms, so the method decides nothing. ConfigError
    where it cannot be kept.
    """
    key = hashlib.sha256("/".join(decides).encode()).hexdigest()[:32]
    path = cache / "histograms" / f"{kind}-{key}.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return _unpacked(stored)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        found = make()
    keep(path, _packed(found))
    return found


def without_values(extremes: Mapping[str, tuple[float, float]]) -> Histograms:
    """Ranges alone, kept as histograms are."""
    nothing = np.zeros(1, np.int64)
    return {name: Histogram(low=low, high=high, counts=nothing) for name, (low, high) in extremes.items()}


def _packed(found: Histograms) -> bytes:
    stream, each = io.BytesIO(), list(found.values())
    np.savez_compressed(
        stream, names=np.array(list(found)), low=[one.low for one in each], high=[one.high for one in each],
        counts=[one.counts for one in each], zeros=[one.zeros for one in each],
    )  # fmt: skip
    return stream.getvalue()


def _unpacked(stored: Any) -> Histograms:
    columns = zip(*(stored[name] for name in ("names", "low", "high", "counts", "zeros")), strict=True)
    return {
        str(name): Histogram(low=float(low), high=float(high), counts=counts, zeros=int(zeros))
        for name, low, high, counts, zeros in columns
    }
