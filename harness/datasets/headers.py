"""What an image file says of itself before a pixel is decoded: kind, size, orientation, wholeness.

Pure functions over bytes; a file that is not right gives ValueError with the reason.
"""

from __future__ import annotations

import io
import math
import re
import struct
import tokenize
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_NOT_SIZES = {0xC4, 0xC8, 0xCC}  # JPEG markers among C0..CF that are no frame header
_SCAN_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a scan, FF00 is data and D0..D7 are restarts
_NETPBM = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What stands before the pixels.

    orientation: EXIF orientation 1..8, 1 where the file says none.
    dtype: numpy name of the pixels where they lie open in the file from `offset` on, "" where coded.
    maximum: the largest value a pixel may have where the file says so, else 0.
    """

    kind: str
    width: int
    height: int
    channels: int = 0
    orientation: int = 1
    dtype: str = ""
    offset: int = 0
    maximum: int = 0


def read_header(data: bytes) -> Header:
    """The header of JPEG, PNG, BMP, PGM, PPM or .npy `data`; ValueError for others and for cut files."""
    for magic, reader in _READERS.items():
        if data.startswith(magic):
            try:
                return reader(data)
            except (struct.error, IndexError) as error:
                raise ValueError("the file is cut short") from error
    raise ValueError("no JPEG, PNG, BMP, PGM, PPM or .npy file")


def _jpeg(data: bytes) -> Header:
    size, orientation = (0, 0), 1
    for marker, body in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_SIZES:
            height, width = struct.unpack_from(">HH", body, 1)
            size = (width, height)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = exif_orientation(body[6:])
    return Header(kind="JPEG", width=size[0], height=size[1], orientation=orientation)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of every segment; ValueError where the end marker is missing."""
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xD9:
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
        if marker == 0xDA:
            at = _scan_end(data, at)


def _scan_end(data: bytes, at: int) -> int:
    found = _SCAN_MARKER.search(data, at)
    if found is None:
        raise ValueError("the file is cut short: no end marker")
    return found.start()


def exif_orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory of an EXIF block; 1 where it is missing or senseless."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == 0x0112 and kind == 3:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _png(data: bytes) -> Header:
    width, height, orientation, at, kind = 0, 0, 1, len(PNG_MAGIC), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        (expected,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(body, zlib.crc32(kind)) != expected:
            raise ValueError(f"damaged: checksum of chunk {kind!r} at byte {at}")
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", body)
        elif kind == b"eXIf":
            orientation = exif_orientation(body)
        at += 12 + length
    return Header(kind="PNG", width=width, height=height, orientation=orientation)


def _bmp(data: bytes) -> Header:
    offset, length, width, height, _, bits, coding = struct.unpack_from("<IIiiHHI", data, 10)
    if length < 40 or coding not in (0, 3):
        raise ValueError("a compressed or very old BMP")
    if len(data) < offset + (max(width, 0) * bits + 31) // 32 * 4 * abs(height):
        raise ValueError("the file is cut short")
    return Header(kind="BMP", width=width, height=abs(height))


def _netpbm(data: bytes) -> Header:
    found = _NETPBM.match(data)
    if found is None:
        raise ValueError("a PGM or PPM header that cannot be read")
    kind, width, height, maximum = (int(group) for group in found.groups())
    if not 255 <= maximum <= 65535:
        raise ValueError(f"a PGM or PPM with maximum value {maximum}, not 255..65535")
    return Header(
        kind="PGM" if kind == 5 else "PPM", width=width, height=height, channels=1 if kind == 5 else 3,
        dtype="uint8" if maximum == 255 else ">u2", offset=found.end(), maximum=maximum,
    )  # fmt: skip


def _npy(data: bytes) -> Header:
    stream = io.BytesIO(data)
    shape, fortran, dtype = _npy_header(stream)
    if dtype.hasobject:
        raise ValueError("a .npy of pickled Python objects, which are never loaded")
    if dtype.str not in ("|u1", "<u2", ">u2") or fortran or len(shape) not in (2, 3):
        raise ValueError(f"a .npy of {dtype.name} {shape}, not row-major uint8 or uint16 [h, w] or [h, w, c]")
    if len(data) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a .npy that says {shape} but holds {len(data) - stream.tell()} bytes of pixels")
    return Header(
        kind=".npy", width=shape[1], height=shape[0], channels=shape[2] if len(shape) == 3 else 1,
        dtype=dtype.str, offset=stream.tell(),
    )  # fmt: skip


def _npy_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(stream)
        return np.lib.format.read_array_header_2_0(stream)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ValueError("a .npy header that cannot be read") from error


_READERS = {
    b"\xff\xd8\xff": _jpeg,
    PNG_MAGIC: _png,
    b"BM": _bmp,
    b"P5": _netpbm,
    b"P6": _netpbm,
    b"\x93NUMPY": _npy,
}
