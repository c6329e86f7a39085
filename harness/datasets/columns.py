"""The columns that a label file may have, and how one cell is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import DatasetError, unknown

LARGEST_CLASS = 1 << 20  # far below where float32 loses whole numbers
_BOX = ("x1", "y1", "x2", "y2")
_POINT = re.compile(r"lm(0|[1-9][0-9]{0,3})_[xy]")
_ROI = re.compile(r"roi_(.+)_(?:x1|y1|x2|y2)")
_PLAIN = ("label", *_BOX, "class", "yaw", "pitch", "lm0_x", "lm0_y", "subject", "clip")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which groups of columns a header has; `points` counts the landmarks."""

    label: bool
    boxes: bool
    classed: bool
    gaze: bool
    points: int
    rois: tuple[str, ...]
    slices: tuple[str, ...]

    @property
    def landmarks(self) -> tuple[str, ...]:
        """The columns lm0_x, lm0_y, lm1_x, ... in this order."""
        return tuple(f"lm{index}_{axis}" for index in range(self.points) for axis in "xy")


def read_header(header: Sequence[str], keys: tuple[str, ...], where: str) -> Columns:
    """The groups of `header`; DatasetError for unknown, doubled, missing and half groups."""
    for name in header:
        _known(name, keys, where)
    if len(set(header)) < len(header):
        raise DatasetError("a column stands there twice", where=where, remedy=f"the header is {', '.join(header)}")
    rois = tuple(dict.fromkeys(found[1] for name in header if (found := _ROI.fullmatch(name))))
    points = sum(1 for name in header if _POINT.fullmatch(name)) // 2
    columns = Columns(
        label="label" in header, boxes="x1" in header, classed="class" in header, gaze="yaw" in header,
        points=points, rois=rois, slices=tuple(name[6:] for name in header if name.startswith("slice_")),
    )  # fmt: skip
    _whole_groups(header, columns, keys, where)
    return columns


def _known(name: str, keys: tuple[str, ...], where: str) -> None:
    if name in (*keys, *_PLAIN) or _POINT.fullmatch(name) or _ROI.fullmatch(name):
        return
    if not (name.startswith("slice_") and len(name) > 6):
        known = (*keys, *_PLAIN, "slice_…", "roi_…_x1")
        raise DatasetError(unknown("column", name, known), where=where, remedy="further facts go in slice_… columns")


def _whole_groups(header: Sequence[str], columns: Columns, keys: tuple[str, ...], where: str) -> None:
    present = set(header)
    groups = [keys, *(tuple(f"roi_{roi}_{edge}" for edge in _BOX) for roi in columns.rois), columns.landmarks]
    groups += [group for group in (_BOX, ("yaw", "pitch")) if present.intersection(group)]
    groups += [_BOX] if columns.classed else []
    groups += [("lm0_x", "lm0_y")] if any(_POINT.fullmatch(name) for name in header) else []
    for group in groups:
        for name in group:
            if name not in present:
                raise DatasetError(f"the column {name!r} is missing", where=where, remedy=f"needed: {', '.join(group)}")


def number(text: str, name: str, where: str) -> float:
    """The finite number in a cell; DatasetError for anything else."""
    try:
        value = float(text)
    except ValueError as error:
        raise DatasetError(f"{name} is {text!r}, not a number", where=where) from error
    if not math.isfinite(value) or abs(value) > 1e9:
        raise DatasetError(f"{name} is {text!r}, not a finite number of sensible size", where=where)
    return value


def numbers(cells: Mapping[str, str], names: Sequence[str], where: str) -> tuple[float, ...] | None:
    """The numbers of a group of cells; None where all are empty."""
    if not any(cells[name] for name in names):
        return None
    return tuple(number(cells[name], name, where) for name in names)


def box(cells: Mapping[str, str], prefix: str, where: str) -> tuple[float, float, float, float] | None:
    """x1 y1 x2 y2 of the cells that start with `prefix`; None where empty."""
    edges = numbers(cells, [prefix + edge for edge in _BOX], where)
    if edges is None:
        return None
    left, top, right, bottom = edges
    if right <= left or bottom <= top:
        what = f"the box {prefix}{left:g} {top:g} {right:g} {bottom:g} has no area"
        raise DatasetError(what, where=where, remedy="x1 < x2 and y1 < y2: corners, not x y width height")
    return left, top, right, bottom


def landmarks(cells: Mapping[str, str], columns: Columns, where: str) -> list[tuple[float, ...]] | None:
    """x y of each point, NaN where its two cells are empty; None where all are."""
    names = columns.landmarks
    points = [numbers(cells, pair, where) for pair in zip(names[::2], names[1::2], strict=True)]
    if not any(points):
        return None
    return [point or (math.nan, math.nan) for point in points]


def class_index(text: str, classes: Sequence[str], where: str) -> int:
    """The index of a class name or number."""
    if text in classes:
        return classes.index(text)
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    if 0 <= index < (len(classes) or LARGEST_CLASS):
        return index
    if classes:
        raise DatasetError(unknown("class", text, classes), where=where)
    remedy = "name the classes in the data set option `classes`"
    raise DatasetError(f"the class is {text!r}, not an integer from 0", where=where, remedy=remedy)


def gaze(cells: Mapping[str, str], where: str) -> tuple[float, ...] | None:
    """Yaw and pitch in degrees; None where empty."""
    angles = numbers(cells, ("yaw", "pitch"), where)
    if angles is not None and (abs(angles[0]) > 180 or abs(angles[1]) > 90):
        what = f"yaw {angles[0]:g}, pitch {angles[1]:g} are no angles in degrees"
        raise DatasetError(what, where=where, remedy="yaw lies in -180..180, pitch in -90..90")
    return angles
