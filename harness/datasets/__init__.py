"""Data sets: frames with their truth, as a camera would give them.

A data set is a sequence of samples; sample `i` is the same on every call and every machine.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.case import Array
from harness.errors import ConfigError, unknown
from harness.members import member

DATASETS = {
    "cabin": "harness.datasets.cabin:Cabin",
    "folder": "harness.datasets.folder:Folder",
    "coco": "harness.datasets.coco:Coco",
    "video": "harness.datasets.video:Video",
    "raw": "harness.datasets.raw:RawFrames",
}

Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One frame and all that is known about it.

    frame: uint8 [height, width] (8-bit grey) or [height, width, 3] (RGB).
    truths: truth name -> 2-D float32 array in the form that harness.tasks documents.
    rois: region name -> x1 y1 x2 y2 in frame pixels, as an earlier stage of a cascade would give it.
    subject, clip: who is seen and in which recording; samples of one subject are not independent.
    slices: condition name -> value, for example light -> dark, glasses -> sunglasses.
    """

    frame: Array
    truths: Mapping[str, Array] = field(default_factory=dict)
    rois: Mapping[str, Box] = field(default_factory=dict)
    subject: str = ""
    clip: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)


class Dataset(Protocol):
    """Frames with their truth; opening reads names and labels only, never pixels."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides the pixels and truths (seed and code, or file contents)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`; IndexError where there is none, DatasetError where it cannot be read."""
        ...


def open_dataset(kind: str, options: Mapping[str, Any], folder: Path) -> Dataset:
    """The data set `kind` with its options; relative paths are taken from `folder`.

    ConfigError for an unknown kind or option, DatasetError for data that do not fit.
    """
    maker = checked_maker(kind, options)
    try:
        dataset: Dataset = maker(folder=folder, **options)
    except TypeError as error:
        raise ConfigError(f"data set options do not fit {kind!r}: {error}") from error
    return dataset


def checked_maker(kind: str, options: Mapping[str, Any]) -> Any:
    """The class of a kind that takes these options; nothing of the data is read. ConfigError otherwise."""
    maker = _maker(kind)
    parameters = _options(maker)
    for name in options:
        if name not in parameters:
            raise ConfigError(unknown("option", name, parameters), where=f"[dataset], kind {kind!r}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in options:
            raise ConfigError(f"data set kind {kind!r} needs the option {name!r}", where="[dataset]")
    return maker


def option_names(kind: str) -> list[str]:
    """The options that a kind takes; ConfigError for an unknown kind."""
    return list(_options(_maker(kind)))


def _maker(kind: str) -> Any:
    return member("data set kind", kind, DATASETS, "[dataset] kind")


def _options(maker: Any) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(maker).parameters.items() if name != "folder"}


def spread_blocks(dataset: Dataset, count: int, block: int = 20) -> list[int]:
    """About `count` indices in blocks of consecutive frames spread evenly, so that clips stay whole in time."""
    size = len(dataset)
    if count >= size:
        return list(range(size))
    blocks, places = max(count // block, 1), max(size // block, 1)
    starts = (index * places // blocks * block for index in range(min(blocks, places)))
    return [start + step for start in starts for step in range(min(block, size - start))]


def spread(dataset: Dataset, count: int) -> Iterator[int]:
    """`count` indices spread evenly over the data set (all of them where it is shorter)."""
    size = len(dataset)
    taken = min(count, size)
    return (index * size // taken for index in range(taken))
