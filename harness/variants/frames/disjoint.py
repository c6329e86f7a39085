"""A frame that a variant was made with says nothing about how good the variant is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import DatasetError
from harness.variants.frames.frameset import FrameSet

SHOWN = 3


def require_disjoint(used: FrameSet, evaluated: FrameSet, where: str) -> None:
    """DatasetError where a picture of `used` is one of `evaluated` too, by content. where: the card's table."""
    shared = [row for row, digest in enumerate(used.digests) if digest in evaluated.hashes]
    if not shared:
        return
    remedy = "take recordings of other drivers, or another split"
    if used.hashes == evaluated.hashes:
        what = f"the {used.name} set is the {evaluated.name} set: all {len(used)} frames are the same"
        raise DatasetError(what, where=where, remedy=remedy)
    examples = ", ".join(_said(row, used.samples) for row in shared[:SHOWN])
    more = ", ..." if len(shared) > SHOWN else ""
    raise DatasetError(
        f"{len(shared)} of {len(used)} {used.name} frames are {evaluated.name} frames too: {examples}{more}",
        where=where, remedy=remedy,
    )  # fmt: skip


def _said(row: int, samples: tuple[Mapping[str, Any], ...]) -> str:
    sample = samples[row] if samples else {}
    clip = f" of {sample['clip']}" if sample.get("clip") else ""
    return f"frame {sample.get('index', row)}{clip}"
