"""Reading tables of records from JSON that somebody else wrote: every surprise is a DatasetError."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.files import read_text
from harness.errors import DatasetError

LARGEST_ID = 1 << 62
LARGEST_PIXEL = 1e9


@dataclass(frozen=True)
class Records:
    """The object at the top of the JSON file `path`."""

    path: Path
    top: Mapping[str, Any]

    @staticmethod
    def read(path: Path) -> Records:
        """Parse the file; DatasetError where it is no JSON object."""
        text = read_text(path)
        try:
            top = json.loads(text)
        except json.JSONDecodeError as error:
            raise DatasetError(f"no JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
        except (ValueError, RecursionError) as error:
            raise DatasetError("no JSON that can be read: too deep, or a number too long", where=str(path)) from error
        if not isinstance(top, dict):
            raise DatasetError(f"the file holds a {type(top).__name__}, not an object", where=str(path))
        return Records(path, top)

    def table(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Place and contents of each record of the list `name`."""
        rows = self.top.get(name)
        if not isinstance(rows, list):
            raise DatasetError(f"there is no list {name!r}", where=str(self.path))
        for index, row in enumerate(rows):
            where = f"{self.path}: {name}[{index}]"
            if not isinstance(row, dict):
                raise DatasetError(f"a {type(row).__name__}, not an object", where=where)
            yield where, row


def identity(
    record: Mapping[str, Any], key: str, where: str,
    taken: Collection[int] = (), known: Collection[int] | None = None,
) -> int:  # fmt: skip
    """The integer under `key`, not among `taken` and among `known`."""
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_ID:
        raise DatasetError(f"{key} is {value!r}, not an integer from 0", where=where)
    if value in taken:
        raise DatasetError(f"{key} {value} is already taken", where=where)
    if known is not None and value not in known:
        raise DatasetError(f"{key} {value} does not exist", where=where)
    return value


def numbers(record: Mapping[str, Any], key: str, where: str, count: int | None = None) -> tuple[float, ...]:
    """The list of finite numbers under `key`."""
    values = record.get(key)
    if not isinstance(values, list) or not all(_is_number(value) for value in values):
        raise DatasetError(f"{key} is no list of numbers", where=where)
    if count is not None and len(values) != count:
        raise DatasetError(f"{key} has {len(values)} numbers, not {count}", where=where)
    return tuple(float(value) for value in values)


def _is_number(value: object) -> bool:
    """A number of sensible size; comparing first keeps huge integers from overflowing."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -LARGEST_PIXEL <= value <= LARGEST_PIXEL and math.isfinite(value)
