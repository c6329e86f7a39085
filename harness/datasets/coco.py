"""Detection data in the JSON form of COCO (cocodataset.org/#format-data): boxes, and key points where given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.datasets import Sample
from harness.datasets.files import check_index, class_names, fingerprint, inside, locate, whole
from harness.datasets.images import RULE, read_image
from harness.datasets.labels import Entry, labelled
from harness.datasets.records import Records, identity, numbers
from harness.errors import DatasetError, unknown


@dataclass(frozen=True, kw_only=True)
class _Picture:
    name: str
    where: str
    size: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class _Thing:
    where: str
    row: tuple[float, ...]
    points: tuple[float, ...]


class Coco:
    """Every picture of the COCO file `annotations`, in the order of ids, found under the folder `images`.

    Boxes become x1 y1 x2 y2 class; classes count from 0 in the order of category ids, or as
    `classes` names them, and annotations of other categories are left out. A picture with
    key points of exactly one annotation also has the truth "landmarks"; points that are not
    labelled (v = 0) are NaN. Nothing is evaluated against crowd regions (iscrowd = 1): left out.

    ignored: reason -> number of annotations left out.
    """

    def __init__(
        self, folder: Path, annotations: str, images: str, classes: Sequence[str] = (), bits: int = 16
    ) -> None:
        self._file = locate(folder, annotations, "the annotation file")
        self._root = locate(folder, images, "the folder of pictures")
        self._bits = whole("bits", bits, 8, 16)
        self.ignored: Counter[str] = Counter()
        records = Records.read(self._file)
        self.classes, indices = _classes(records, class_names(classes))
        self._pictures = self._find_pictures(records)
        self._things = self._sort_things(records, indices)
        self._order = sorted(self._pictures)

    def _find_pictures(self, records: Records) -> dict[int, _Picture]:
        pictures: dict[int, _Picture] = {}
        names: dict[str, str] = {}
        for where, one in records.table("images"):
            name = PurePosixPath(_text(one, "file_name", where)).as_posix()
            inside(self._root, name, where)
            if name in names:
                raise DatasetError(f"the file {name!r} again, after {names[name]}", where=where)
            names[name] = where
            number = identity(one, "id", where, taken=pictures)
            pictures[number] = _Picture(name=name, where=where, size=_size(one, where))
        if not pictures:
            raise DatasetError("no pictures", where=f"{self._file}: images")
        return pictures

    def _sort_things(self, records: Records, indices: Mapping[int, int | None]) -> dict[int, list[_Thing]]:
        things: dict[int, list[_Thing]] = {number: [] for number in self._pictures}
        seen: set[int] = set()
        for where, one in records.table("annotations"):
            seen.add(identity(one, "id", where, taken=seen))
            picture = identity(one, "image_id", where, known=things)
            index = indices[identity(one, "category_id", where, known=indices)]
            if one.get("iscrowd", 0) not in (0, 1):
                raise DatasetError(f"iscrowd is {one['iscrowd']!r}, not 0 or 1", where=where)
            box = _box(one, where)
            points = _points(one, where)
            if one.get("iscrowd", 0) or index is None:
                self.ignored["iscrowd" if one.get("iscrowd", 0) else "not in classes"] += 1
                continue
            things[picture].append(_Thing(where=where, row=(*box, index), points=points))
        return things

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the pictures, the annotations and the options; reads every file once."""
        facts = {"kind": "coco", "rule": RULE, "classes": self.classes, "bits": self._bits}
        files = {one.name: self._root / one.name for one in self._pictures.values()}
        return fingerprint(facts, files | {"/annotations": self._file})

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`; IndexError where there is none, DatasetError where it cannot be read."""
        check_index(index, len(self))
        picture = self._pictures[self._order[index]]
        frame = read_image(inside(self._root, picture.name, picture.where), self._bits)
        height, width = frame.shape[:2]
        if picture.size not in (None, (width, height)):
            what = f"annotated as (width, height) = {picture.size}, but the upright picture is {(width, height)}"
            remedy = "annotate the picture that is shipped, in its upright (EXIF) orientation"
            raise DatasetError(what, where=picture.where, remedy=remedy)
        return labelled(_entry(self._things[self._order[index]]), frame)


def _classes(records: Records, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], dict[int, int | None]]:
    """The class names, and category id -> class index (None for those that are not wanted)."""
    names: dict[int, str] = {}
    for where, one in records.table("categories"):
        name = _text(one, "name", where)
        if name in names.values():
            raise DatasetError(f"the category name {name!r} again", where=where)
        names[identity(one, "id", where, taken=names)] = name
    absent = [name for name in wanted if name not in names.values()]
    # A file may use fewer categories than a model has, or more; where both differ, a name is wrong.
    if absent and (set(names.values()) - set(wanted)):
        raise DatasetError(unknown("category", absent[0], names.values()), where=f"{records.path}: categories")
    order = wanted or tuple(names[number] for number in sorted(names))
    return order, {number: order.index(name) if name in order else None for number, name in names.items()}


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise DatasetError(f"{key} is {value!r}, not a text", where=where)
    return value


def _size(record: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    if "width" not in record and "height" not in record:
        return None
    return identity(record, "width", where), identity(record, "height", where)


def _box(record: Mapping[str, Any], where: str) -> tuple[float, float, float, float]:
    left, top, width, height = numbers(record, "bbox", where, count=4)
    if width <= 0 or height <= 0:
        what = f"bbox has width {width:g} and height {height:g}"
        raise DatasetError(what, where=where, remedy="bbox is x y width height; remove empty ones")
    return left, top, left + width, top + height


def _points(record: Mapping[str, Any], where: str) -> tuple[float, ...]:
    """x y v of each key point; empty where there are none or none is labelled."""
    values = numbers(record, "keypoints", where) if record.get("keypoints") else ()
    if len(values) % 3 or any(value not in (0, 1, 2) for value in values[2::3]):
        raise DatasetError("keypoints is no list of x y v with v = 0, 1 or 2", where=where)
    return values if any(values[2::3]) else ()


def _entry(things: Sequence[_Thing]) -> Entry:
    boxes = np.array([thing.row for thing in things], np.float32).reshape(-1, 5)
    truths, pointed = {"boxes": boxes}, [thing.points for thing in things if thing.points]
    if len(pointed) == 1:
        table = np.array(pointed, np.float32).reshape(-1, 3)
        truths["landmarks"] = np.where(table[:, 2:] > 0, table[:, :2], np.float32("nan"))
    return Entry(places=tuple(thing.where for thing in things), truths=truths)
