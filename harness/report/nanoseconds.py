"""Nanosecond columns as short text: what the history keeps, as base64; docs/results-format.md documents it."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from harness.case import Array
from harness.history.nanoseconds import pack_ns


def encode_ns(values: Array) -> str:
    """int64 [n] as text: each value minus the one before it, little-endian, deflated, base64."""
    return base64.b64encode(pack_ns(values)).decode("ascii")


def decode_ns(text: str) -> Array:
    """The int64 [n] array that `encode_ns` gave; ValueError where the text is damaged."""
    try:
        differences = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), "<i8")
    except zlib.error as error:
        raise ValueError(f"damaged nanoseconds: {error}") from error
    return np.cumsum(differences, dtype=np.int64)
