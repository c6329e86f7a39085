from __future__ import annotations

import contextlib
import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import Array
from harness.datasets.headers import exif_orientation, read_header
from harness.datasets.images import MAX_PIXELS, read_image
from harness.errors import DatasetError

COLOUR = np.zeros((16, 24, 3), np.uint8)
COLOUR[...] = (200, 100, 20)  # RGB


def npy(array: Array, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, colour_type: int, depth: int, rows: bytes, *extra: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def put(folder: Path, data: bytes, name: str = "picture") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".pgm"])
def test_lossless_grey_comes_back_exactly_and_stays_grey(tools: Any, tmp_path: Path, suffix: str) -> None:
    picture = tools.grey_picture()
    frame = read_image(put(tmp_path, tools.encoded(suffix, picture)))
    # A BMP writes grey as a palette, which OpenCV reads back as grey or as three equal channels.
    assert np.array_equal(frame if frame.ndim == 2 else frame[..., 0], picture)
    assert frame.dtype == np.uint8


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm"])
def test_lossless_colour_comes_back_as_rgb(tools: Any, tmp_path: Path, suffix: str) -> None:
    frame = read_image(put(tmp_path, tools.encoded(suffix, COLOUR[..., ::-1].copy())))
    assert np.array_equal(frame, COLOUR)


def test_a_jpeg_comes_back_as_rgb(tools: Any, tmp_path: Path) -> None:
    frame = read_image(put(tmp_path, tools.encoded(".jpg", COLOUR[..., ::-1].copy())))
    assert np.abs(frame.astype(int) - COLOUR).max() <= 4


@pytest.mark.parametrize(
    ("data", "bits", "expected"),
    [
        (png(1, 1, 0, 16, b"\0\x50\x61"), 16, 0x50),
        (png(1, 1, 0, 16, b"\0\x03\xff"), 10, 255),
        (b"P5 1 1 65535\n\x50\x61", 16, 0x50),
        (b"P5\n# sensor\n1 1\n1023\n\x02\x07", 16, 0x207 >> 2),
        (npy(np.array([[0x0FFF]], np.uint16)), 12, 255),
        (npy(np.array([[0x0FFF]], ">u2")), 16, 15),
        (npy(np.array([[[9]]], np.uint8)), 16, 9),
        (png(1, 1, 4, 8, b"\0\x50\x00"), 16, 0x50),
    ],
)
def test_sixteen_bits_lose_the_lowest_of_their_significant_bits(
    tmp_path: Path, data: bytes, bits: int, expected: int
) -> None:
    frame = read_image(put(tmp_path, data), bits)
    assert frame.reshape(-1)[0] == expected
    assert frame.dtype == np.uint8


@pytest.mark.parametrize(
    "data", [png(1, 1, 6, 8, b"\0\x0a\x14\x1e\x00"), npy(np.array([[[10, 20, 30, 0]]], np.uint8))], ids=["png", "npy"]
)
def test_alpha_is_dropped_and_not_blended(tmp_path: Path, data: bytes) -> None:
    assert read_image(put(tmp_path, data)).tolist() == [[[10, 20, 30]]]


UPRIGHT = [
    (1, lambda p: p),
    (2, np.fliplr),
    (3, lambda p: np.rot90(p, 2)),
    (4, np.flipud),
    (5, np.transpose),
    (6, lambda p: np.rot90(p, -1)),
    (7, lambda p: np.rot90(p, 2).T),
    (8, np.rot90),
]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize(("orientation", "turn"), UPRIGHT)
def test_the_exif_orientation_of_a_jpeg_is_applied(
    tools: Any, tmp_path: Path, orientation: int, turn: Any, order: str
) -> None:
    jpeg = tools.encoded(".jpg", tools.grey_picture())
    plain = read_image(put(tmp_path, jpeg, "plain.jpg"))
    turned = read_image(put(tmp_path, tools.with_exif(jpeg, orientation, order), "turned.jpg"))
    assert np.array_equal(turned, turn(plain))


def test_the_exif_rule_is_the_one_of_opencv(tools: Any, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    for orientation, _ in UPRIGHT:
        data = tools.with_exif(tools.encoded(".jpg", tools.grey_picture()), orientation)
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(read_image(put(tmp_path, data)), theirs)


def test_the_exif_orientation_of_a_png_is_applied(tools: Any, tmp_path: Path) -> None:
    data = png(2, 1, 0, 8, b"\0\x0a\x14", chunk(b"eXIf", tools.exif_block(6)))
    assert read_image(put(tmp_path, data)).tolist() == [[10], [20]]


def test_a_senseless_exif_block_counts_as_upright(tools: Any) -> None:
    for block in (b"", b"II", b"XX*\0", tools.exif_block(9), tools.exif_block(6)[:-8], b"II*\0\xff\xff\xff\xff"):
        assert exif_orientation(block) == 1


BOMB = png(60000, 60000, 0, 8, b"\0")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
OBJECTS = npy(np.array([[{"a": 1}]], object), allow_pickle=True)
LYING_NPY = npy(np.zeros((4, 4), np.uint8)).replace(b"(4, 4)", b"(9, 9)")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"hello", "no JPEG, PNG"),
        (LFS, "git lfs pull"),
        (b"/annex/objects/SHA256E-s1--0.png\n", "git annex get"),
        (BOMB, f"more than {MAX_PIXELS}"),
        (png(0, 5, 0, 8, b""), "0 x 5"),
        (OBJECTS, "pickled"),
        (LYING_NPY, "holds 16 bytes"),
        (npy(np.zeros((4, 4), np.float32)), "float32"),
        (npy(np.zeros((4, 4, 2), np.uint8)), "2 channels"),
        (npy(np.zeros((2, 3), np.uint8, "F")), "row-major"),
        (b"\x93NUMPY\x01\x00\x10\x00nonsense nonsens", "cannot be read"),
        (b"\x93NUMPY\x09\x00", "cannot be read"),
        (b"P5 4 4 255\nshort", "cut short"),
        (b"P5 4 4 15\n0123456789abcdef", "maximum value 15"),
        (b"P5 four", "header"),
        (b"BM" + bytes(60), "BMP"),
        (png(4, 4, 0, 8, b"\0\1\2\3\4"), "decode"),
        (npy(np.array([[5000]], np.uint16)), "more than 12 bits hold"),
    ],
)
def test_a_bad_picture_is_an_error_with_file_and_reason(tmp_path: Path, data: bytes, says: str) -> None:
    path = put(tmp_path, data)
    with pytest.raises(DatasetError, match="picture") as caught:
        read_image(path, bits=12)
    assert says in str(caught.value)
    assert str(path) in caught.value.where


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".pgm"])
def test_a_picture_cut_anywhere_is_an_error(tools: Any, tmp_path: Path, suffix: str) -> None:
    whole = tools.encoded(suffix, tools.grey_picture())
    for end in range(1, len(whole), max(len(whole) // 60, 1)):
        with pytest.raises(DatasetError):
            read_image(put(tmp_path, whole[:end]))
    with pytest.raises(DatasetError):
        read_image(put(tmp_path, whole[:-1]))


def test_a_flipped_bit_in_a_png_is_an_error(tools: Any, tmp_path: Path) -> None:
    data = bytearray(tools.encoded(".png", tools.grey_picture()))
    data[len(data) // 2] ^= 1
    with pytest.raises(DatasetError, match="checksum"):
        read_image(put(tmp_path, bytes(data)))


def test_without_opencv_the_error_says_how_to_get_it(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded, plain = tools.encoded(".png", COLOUR), npy(COLOUR)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DatasetError, match="dms-harness\\[host\\]"):
        read_image(put(tmp_path, coded))
    assert np.array_equal(read_image(put(tmp_path, plain)), COLOUR)


MAGICS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"P5", b"P6 ", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00", b""]


@given(st.sampled_from(MAGICS), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_a_header_parses_or_is_a_value_error(magic: bytes, rest: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_header(magic + rest)
