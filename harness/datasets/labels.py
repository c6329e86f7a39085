"""Truths from a CSV file: one row per frame, or one row per box where there are boxes.

The header names the columns: `file` and/or `frame`, then any of `label`; `x1,y1,x2,y2` and `class`;
`yaw,pitch`; `lm0_x,lm0_y,lm1_x,...`; `subject`; `clip`; `slice_<condition>`; `roi_<region>_x1` to `_y2`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from harness.case import Array
from harness.datasets import Box, Sample
from harness.datasets.columns import Columns, box, class_index, gaze, landmarks, read_header
from harness.datasets.files import read_text
from harness.errors import DatasetError

Key = tuple[str, int]  # file name, frame index within the file or NO_FRAME
NO_FRAME = -1  # a picture file is one frame
OVERHANG = 1.0  # pixels that a box may reach out of the frame by rounding; it is clipped


@dataclass(frozen=True, kw_only=True)
class Entry:
    """All that is said of one frame, and where: `places` holds one file:line per box, else one."""

    places: tuple[str, ...] = ("",)
    truths: Mapping[str, Array] = field(default_factory=dict)
    rois: Mapping[str, Box] = field(default_factory=dict)
    subject: str = ""
    clip: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    where: str
    key: Key
    cells: Mapping[str, str]
    box: tuple[float, ...] | None

    @property
    def rest(self) -> dict[str, str]:
        return {name: text for name, text in self.cells.items() if name not in ("x1", "y1", "x2", "y2", "class")}


def read_labels(path: Path, classes: Sequence[str], *, by_file: bool, by_frame: bool) -> dict[Key, Entry]:
    """What `path` says of each frame, in the file's order; DatasetError with file:line where it is wrong.

    Without `by_file` the file name of every key is "", without `by_frame` the frame is NO_FRAME.
    """
    keys = ("file",) * by_file + ("frame",) * by_frame
    lines = _lines(path)
    where, header = next(lines, (f"{path}:1", []))
    columns = read_header([name.strip() for name in header], keys, where)
    groups: dict[Key, list[_Row]] = {}
    for where, values in lines:
        row = _row(where, [name.strip() for name in header], values, columns, classes)
        groups.setdefault(row.key, []).append(row)
    if not groups:
        raise DatasetError("the label file has no rows", where=str(path))
    return {key: _entry(rows, columns, classes) for key, rows in groups.items()}


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for values in reader:
            if any(values):
                yield f"{path}:{reader.line_num}", values
    except csv.Error as error:
        raise DatasetError(f"no CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _row(where: str, header: Sequence[str], values: list[str], columns: Columns, classes: Sequence[str]) -> _Row:
    if len(values) != len(header):
        raise DatasetError(f"{len(values)} cells under {len(header)} columns", where=where)
    cells = dict(zip(header, (value.strip() for value in values), strict=True))
    edges = box(cells, "", where) if columns.boxes else None
    if edges is None:
        if cells.get("class"):
            raise DatasetError("a class without a box", where=where)
        return _Row(where, _key(cells, where), cells, None)
    index = class_index(cells["class"], classes, where) if columns.classed else 0
    return _Row(where, _key(cells, where), cells, (*edges, index))


def _key(cells: Mapping[str, str], where: str) -> Key:
    name, frame = cells.get("file", ""), cells.get("frame")
    if "file" in cells and not name:
        raise DatasetError("the file name is empty", where=where)
    if frame is None:
        return PurePosixPath(name).as_posix(), NO_FRAME
    if not (frame.isascii() and frame.isdigit() and len(frame) < 10):
        raise DatasetError(f"frame is {frame!r}, not an index from 0", where=where)
    return (PurePosixPath(name).as_posix() if name else "", int(frame))


def _entry(rows: list[_Row], columns: Columns, classes: Sequence[str]) -> Entry:
    first = rows[0]
    _refuse_contradictions(rows)
    truths: dict[str, Array] = {}
    if columns.label and first.cells["label"]:
        truths["label"] = _table([(class_index(first.cells["label"], classes, first.where),)], 1)
    if columns.boxes:
        truths["boxes"] = _table([row.box for row in rows if row.box is not None], 5)
    if columns.gaze and (angles := gaze(first.cells, first.where)):
        truths["gaze"] = _table([angles], 2)
    if columns.points and (points := landmarks(first.cells, columns, first.where)):
        truths["landmarks"] = _table(points, 2)
    wanted = {"label": columns.label, "gaze": columns.gaze, "landmarks": columns.points}
    return Entry(
        places=tuple(row.where for row in rows), truths=truths, rois=_rois(first, columns),
        subject=first.cells.get("subject", ""), clip=first.cells.get("clip", ""),
        slices={name: text for name in columns.slices if (text := first.cells[f"slice_{name}"])},
        missing=tuple(name for name, is_wanted in wanted.items() if is_wanted and name not in truths),
    )  # fmt: skip


def _refuse_contradictions(rows: list[_Row]) -> None:
    first, seen = rows[0], {rows[0].box: rows[0].where}
    for row in rows[1:]:
        if row.box is None or first.box is None:
            raise DatasetError(f"a second row for the frame of {first.where}", where=row.where, remedy="keep one")
        if row.rest != first.rest:
            names = ", ".join(name for name, text in row.rest.items() if text != first.rest[name])
            what = f"{names}: not what {first.where} says of the same frame"
            raise DatasetError(what, where=row.where, remedy="rows of one frame differ in their boxes only")
        if row.box in seen:
            raise DatasetError(f"the box of {seen[row.box]} again", where=row.where, remedy="keep one of them")
        seen[row.box] = row.where


def _rois(row: _Row, columns: Columns) -> dict[str, Box]:
    found = {name: box(row.cells, f"roi_{name}_", row.where) for name in columns.rois}
    return {name: edges for name, edges in found.items() if edges is not None}


def _table(rows: Sequence[Sequence[float]], width: int) -> Array:
    return np.array(rows, np.float32).reshape(-1, width)


def labelled(entry: Entry, frame: Array) -> Sample:
    """`frame` with its truths; DatasetError where a box leaves the frame by more than OVERHANG."""
    truths = {name: table.copy() for name, table in entry.truths.items()}
    for index, edges in enumerate(truths.get("boxes", ())):
        edges[:4] = _clipped(edges[:4], frame, entry.places[index])
    rois = {name: _as_box(_clipped(np.array(edges), frame, entry.places[0])) for name, edges in entry.rois.items()}
    return Sample(
        frame=frame, truths=truths, rois=rois, subject=entry.subject, clip=entry.clip, slices=dict(entry.slices)
    )


def _clipped(edges: Array, frame: Array, where: str) -> Array:
    height, width = frame.shape[:2]
    limits = np.array([width, height, width, height], np.float32)
    inside: Array = np.clip(edges, 0, limits)
    if np.abs(inside - edges).max() > OVERHANG or not (inside[2] > inside[0] and inside[3] > inside[1]):
        shown = " ".join(f"{edge:g}" for edge in edges)
        what = f"the box {shown} leaves the frame of {width} x {height}"
        raise DatasetError(what, where=where, remedy="boxes are x1 y1 x2 y2 in pixels of the upright frame")
    return inside


def _as_box(edges: Array) -> Box:
    left, top, right, bottom = (float(edge) for edge in edges)
    return left, top, right, bottom


def keep_labelled(
    frames: Sequence[Key], entries: Mapping[Key, Entry], unlabelled: str, where: str
) -> list[tuple[Key, Entry]]:
    """Each of `frames` with its entry; those that lack a truth are an error, or left out ("skip")."""
    kept: list[tuple[Key, Entry]] = []
    for key in frames:
        entry = entries.get(key, replace(_NOTHING, places=(where,)))
        if not entry.missing:
            kept.append((key, entry))
        elif unlabelled == "error":
            what = f"{_shown(key)} has no {', '.join(entry.missing)}"
            remedy = 'label it, remove it, or set unlabelled = "skip"'
            raise DatasetError(what, where=entry.places[0], remedy=remedy)
    if not kept:
        raise DatasetError("no frame has all its labels", where=where)
    return kept


_NOTHING = Entry(missing=("label row",))


def _shown(key: Key) -> str:
    return key[0] if key[1] == NO_FRAME else f"{key[0]} frame {key[1]}".strip()
