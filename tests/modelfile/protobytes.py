"""The protobuf wire format, written by hand, for files that no library would write."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """An unsigned number; a negative one as int64 writes it."""
    value &= (1 << 64) - 1
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def model(graph: bytes, opset: int = 17) -> bytes:
    """An ONNX file around the graph's fields, with one output 'y' of shape [1]."""
    shape = block(2, block(1, number(1, 1)))
    output = block(12, block(1, b"y") + block(2, block(1, number(1, 1) + shape)))
    return number(1, 8) + block(7, graph + output) + block(8, number(2, opset))


def nested_ifs(depth: int) -> bytes:
    """A graph with `depth` If nodes, each inside the branch of the one before."""
    graph = b""
    for _ in range(depth):
        graph = block(1, block(4, b"If") + block(5, block(1, b"then_branch") + block(6, graph)))
    return graph
