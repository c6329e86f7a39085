"""The flatbuffer format, as far as TFLite needs it: tables, vectors and text, every offset checked."""

from __future__ import annotations

import struct
from typing import List, Optional, Tuple

import numpy as np

from harness.case import Array
from harness.modelfile.source import Source


class Table:
    """The table at `position` of a flatbuffer; its fields are read by their number in the schema."""

    def __init__(self, source: Source, position: int) -> None:
        source.spend()
        self.source, self.position = source, position
        vtable = position - _unpack(source, "<i", position)
        size = _unpack(source, "<H", vtable)
        if size < 4 or size % 2:
            raise source.damaged(f"the table at byte {position} has a layout of {size} bytes")
        _, inline, *offsets = struct.unpack(f"<{size // 2}H", source.read(vtable, size))
        if position + inline > source.size:
            raise source.damaged(f"the table at byte {position} is said to have {inline} bytes")
        self._offsets = offsets

    @staticmethod
    def root(source: Source) -> Table:
        """The outermost table of the file."""
        return Table(source, _unpack(source, "<I", 0))

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar; kind: a struct letter."""
        place = self._place(field)
        return default if place is None else _unpack(self.source, "<" + kind, place)

    def text(self, field: int, what: str) -> str:
        """A text, "" where it is absent."""
        start = self._target(field)
        if start is None:
            return ""
        length = _unpack(self.source, "<I", start)
        return self.source.text(start + 4, start + 4 + length, what)

    def table(self, field: int) -> Optional[Table]:
        """A nested table, None where it is absent."""
        start = self._target(field)
        return None if start is None else Table(self.source, start)

    def tables(self, field: int) -> List[Table]:
        """A vector of tables; each counts as one record."""
        start = self._target(field)
        if start is None:
            return []
        first, count = self._vector(start, 4)
        return [self._element(first + 4 * index) for index in range(count)]

    def array(self, field: int, dtype: str, limit: int) -> Array:
        """A vector of at most `limit` scalars, empty where it is absent."""
        kind = np.dtype(dtype)
        first, stop = self.span(field, kind.itemsize)
        if stop - first > limit * kind.itemsize:
            raise self.source.damaged(f"the vector at byte {first} has more than {limit} entries")
        return np.frombuffer(self.source.read(first, stop - first), kind)

    def span(self, field: int, item_bytes: int = 1) -> Tuple[int, int]:
        """Where the entries of a vector start and stop; (0, 0) where it is absent."""
        start = self._target(field)
        if start is None:
            return 0, 0
        first, count = self._vector(start, item_bytes)
        return first, first + count * item_bytes

    def _element(self, place: int) -> Table:
        return Table(self.source, place + _unpack(self.source, "<I", place))

    def _vector(self, start: int, item_bytes: int) -> Tuple[int, int]:
        count = _unpack(self.source, "<I", start)
        if count * item_bytes > self.source.size - start - 4:
            raise self.source.damaged(f"the vector at byte {start} is said to have {count} entries")
        return start + 4, count

    def _target(self, field: int) -> Optional[int]:
        place = self._place(field)
        return None if place is None else place + _unpack(self.source, "<I", place)

    def _place(self, field: int) -> Optional[int]:
        offset = self._offsets[field] if field < len(self._offsets) else 0
        return self.position + offset if offset else None


def _unpack(source: Source, layout: str, position: int) -> int:
    size = struct.calcsize(layout)
    if position < 0 or position + size > source.size:
        raise source.damaged(f"an offset leads to byte {position}")
    data, base = source.window(position, size)
    value: int = struct.unpack_from(layout, data, position - base)[0]
    return value
