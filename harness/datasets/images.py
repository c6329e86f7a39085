"""One picture file becomes one frame, by one rule for every decoder.

The rule:
- Formats: JPEG, PNG, BMP through OpenCV; PGM, PPM and .npy (uint8 or uint16, [h, w] or [h, w, c])
  with numpy alone. Others are refused, because their headers are not checked here.
- Grey stays grey [h, w], colour becomes RGB [h, w, 3], alpha is dropped without blending.
- EXIF orientation is applied, and by this module rather than by the decoder, whose habit changes with
  format and version. Labels are understood in the upright picture, as labelling tools show it.
- 16-bit pixels become 8 bits by dropping the lowest of their `bits` significant bits (bits = 16:
  value >> 8; a 10-bit sensor in a 16-bit file: bits = 10, value >> 2). PGM and PPM say `bits` themselves.
- Size and wholeness are read from the header before decoding, so that neither a bomb is unpacked nor a
  cut picture passes as a picture with a grey half. Flipped bits inside a whole JPEG scan cannot be seen.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.datasets.files import read_bytes
from harness.datasets.headers import Header, read_header
from harness.errors import DatasetError

RULE = "1"  # part of every fingerprint; raise it when the rule above changes
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm", ".npy")
MAX_PIXELS = 1 << 26  # 8192 x 8192: above every driver camera, far below what hurts a CI machine
MAX_BYTES = 1 << 29


def read_image(path: Path, bits: int = 16) -> Array:
    """The frame in `path`: uint8 [h, w] or [h, w, 3] RGB; DatasetError where it cannot be had."""
    data = read_bytes(path, MAX_BYTES)
    try:
        header = read_header(data)
    except ValueError as error:
        raise _bad(path, str(error)) from error
    check_size(header.width, header.height, str(path))
    pixels = _open_pixels(data, header, path) if header.dtype else _decode(data, header, path)
    eight = to_eight_bits(pixels, header.maximum.bit_length() or bits, str(path))
    return np.array(upright(eight, header.orientation), order="C")


def check_size(width: int, height: int, where: str) -> None:
    """DatasetError where a picture has no pixels or more than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise DatasetError(f"the picture has {width} x {height} pixels", where=where)
    if width * height > MAX_PIXELS:
        remedy = "scale it to what the camera gives"
        raise DatasetError(f"{width} x {height} pixels are more than {MAX_PIXELS}", where=where, remedy=remedy)


def to_eight_bits(pixels: Array, bits: int, where: str) -> Array:
    """uint8 as it is; uint16 without the lowest of its `bits` significant bits."""
    if pixels.dtype == np.uint8:
        return pixels
    largest = int(pixels.max(initial=0))
    if largest >> bits:
        remedy = "set the option `bits` to the sensor's bit depth, and store the value in the low bits"
        raise DatasetError(f"a pixel is {largest}, more than {bits} bits hold", where=where, remedy=remedy)
    return (pixels >> (bits - 8)).astype(np.uint8)


def upright(picture: Array, orientation: int) -> Array:
    """`picture` turned and mirrored as its EXIF orientation (1..8) asks."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    return picture


def opencv() -> Any:
    """The module cv2; DatasetError where it is not installed."""
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        remedy = "pip install 'dms-harness[host]', or store the frames as .npy or .pgm"
        raise DatasetError("JPEG, PNG, BMP and video need OpenCV, which is not installed", remedy=remedy) from error


def _decode(data: bytes, header: Header, path: Path) -> Array:
    cv2 = opencv()
    # The flags keep depth and greyness, drop alpha, and leave the orientation to `upright`.
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise _bad(path, f"OpenCV refuses this {header.kind}") from error
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise _bad(path, f"OpenCV cannot decode this {header.kind}")
    if picture.shape[:2] != (header.height, header.width):
        raise _bad(path, f"the {header.kind} decodes to another size than its header says")
    pixels: Array = picture[..., ::-1] if picture.ndim == 3 else picture
    return pixels


def _open_pixels(data: bytes, header: Header, path: Path) -> Array:
    count = header.width * header.height * header.channels
    if header.channels not in (1, 3, 4):
        raise _bad(path, f"a picture with {header.channels} channels, not 1, 3 or 4")
    try:
        flat = np.frombuffer(data, header.dtype, count, header.offset)
    except ValueError as error:
        raise _bad(path, "the file is cut short") from error
    if header.channels == 1:
        return flat.reshape(header.height, header.width)
    return flat.reshape(header.height, header.width, header.channels)[..., :3]


def _bad(path: Path, reason: str) -> DatasetError:
    remedy = "write it again as a whole 8-bit or 16-bit JPEG, PNG, BMP, PGM, PPM or .npy"
    return DatasetError(f"cannot be read as a picture: {reason}", where=str(path), remedy=remedy)
