"""The protobuf wire format, as far as ONNX uses it: fields of one message, nothing built in memory."""

from __future__ import annotations

from typing import Iterator, List, Tuple

from harness.modelfile.source import Source

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}

Field = Tuple[int, int, int, int]
"""Field number, wire type, then the value and 0 for a number, or start and stop for bytes."""


def fields(source: Source, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message that lies from `start` to `stop`."""
    position = start
    while position < stop:
        source.spend()
        tag, position = varint(source, position, stop)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT and number:
            value, position = varint(source, position, stop)
            yield number, kind, value, 0
        elif kind == BYTES and number:
            length, position = varint(source, position, stop)
            end = within(source, position, length, stop)
            yield number, kind, position, end
            position = end
        elif kind in _FIXED and number:
            end = within(source, position, _FIXED[kind], stop)
            yield number, kind, position, end
            position = end
        else:
            raise source.damaged(f"byte {position} has no field of a protobuf message")


def within(source: Source, position: int, length: int, stop: int) -> int:
    """Where `length` bytes from `position` end; ModelFileError past `stop`."""
    if length > stop - position:
        raise source.damaged(f"a field at byte {position} is said to be {length} bytes long")
    return position + length


def varint(source: Source, position: int, stop: int) -> Tuple[int, int]:
    """The unsigned number at `position` and the position after it."""
    data, base = source.window(position)
    value, offset, last = 0, position - base, stop - base
    for shift in range(0, 70, 7):
        if offset >= last or offset >= len(data):
            raise source.damaged(f"a number at byte {position} has no end")
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, base + offset
    raise source.damaged(f"a number at byte {position} has more than 10 bytes")


def signed(value: int) -> int:
    """A varint as the signed 64-bit number that int64 fields mean."""
    return value - (1 << 64) if value >> 63 else value


def numbers(source: Source, field: Field, limit: int, what: str) -> List[int]:
    """The signed numbers of one field of a repeated int64, packed or not; at most `limit`."""
    _, kind, first, stop = field
    if kind == VARINT:
        return [signed(first)]
    values: List[int] = []
    while first < stop:
        value, first = varint(source, first, stop)
        values.append(signed(value))
        if len(values) > limit:
            raise source.damaged(f"{what} has more than {limit} numbers")
    return values
