"""A pack of frames on disk: one file of pixels, one of JSON that says where each frame lies.

`prepared` packs hold pictures already cropped and resized for one model (uint8, before
normalisation) with their geometry; other packs hold whole camera frames with their region.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from harness.case import Array
from harness.errors import DatasetError
from harness.tasks import Geometry

PIXELS, INDEX = "frames.bin", "frames.json"


@dataclass(frozen=True)
class Frame:
    """uint8 pixels with the region to look at, or with the geometry of a prepared picture."""

    pixels: Array
    roi: Optional[Tuple[float, float, float, float]] = None
    geometry: Optional[Geometry] = None


def write_pack(folder: Path, frames: Iterable[Frame]) -> int:
    """Write `frames` into `folder`; returns how many. The index comes last: no index, no pack.

    DatasetError for pixels that are not uint8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: List[Dict[str, Any]] = []
    offset = 0
    with open(folder / PIXELS, "wb") as out:
        for frame in frames:
            if frame.pixels.dtype != np.uint8:
                raise DatasetError(f"frame {len(entries)} is {frame.pixels.dtype}, wanted uint8", where=str(folder))
            out.write(np.ascontiguousarray(frame.pixels).tobytes())
            entries.append(_entry(frame, offset))
            offset += frame.pixels.size
    (folder / INDEX).write_text(json.dumps(entries), encoding="utf-8")
    return len(entries)


def read_pack(folder: Path, mapped: bool = False) -> Tuple[Frame, ...]:
    """The frames of a pack, in memory or `mapped` from the file; DatasetError where the pack is not whole."""
    try:
        entries = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        path = folder / PIXELS
        # An empty file cannot be mapped.
        pixels = np.memmap(path, np.uint8, "r") if mapped and entries else np.fromfile(path, np.uint8)
        return tuple(_frame(entry, pixels) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"frame pack is not readable: {error}", where=str(folder), remedy="delete the folder and run again"
        ) from error


def _entry(frame: Frame, offset: int) -> Dict[str, Any]:
    geometry = asdict(frame.geometry) if frame.geometry else None
    return {"shape": frame.pixels.shape, "offset": offset, "roi": frame.roi, "geometry": geometry}


def _frame(entry: Dict[str, Any], pixels: Array) -> Frame:
    shape = tuple(entry["shape"])
    if min(shape) < 0:
        raise ValueError(f"a frame of {list(shape)} pixels")
    size = int(np.prod(shape))
    start = entry["offset"]
    if start + size > pixels.size:
        raise ValueError("the pixel file is shorter than its index says")
    roi = tuple(entry["roi"]) if entry["roi"] else None
    geometry = Geometry(**entry["geometry"]) if entry["geometry"] else None
    return Frame(pixels[start : start + size].reshape(shape), roi, geometry)
