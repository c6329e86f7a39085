"""What the data set tests write by themselves: pictures, EXIF blocks, label files, clips."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Array


def grey_picture(width: int = 24, height: int = 16) -> Array:
    """A smooth picture whose corners all differ: dark at the top left, bright at the bottom right."""
    return (np.add.outer(np.arange(height) * 8, np.arange(width) * 4) % 256).astype(np.uint8)


def encoded(suffix: str, picture: Array) -> bytes:
    cv2 = pytest.importorskip("cv2")
    done, data = cv2.imencode(suffix, picture)
    assert done
    return bytes(data)


def exif_block(orientation: int, order: str = "<") -> bytes:
    """A TIFF block with the one tag 0x0112, written by hand."""
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def with_exif(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    body = b"Exif\0\0" + exif_block(orientation, order)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three grey PNG of 24 x 16: a.png, b.png and sub/c.png."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.png", "sub/c.png")):
        (root / name).write_bytes(encoded(".png", grey_picture() + np.uint8(index)))
    return root


@pytest.fixture
def write_csv(pictures: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (pictures / "labels.csv").write_text(text, encoding="utf-8")
        return pictures

    return write


@pytest.fixture
def coco_table() -> dict[str, Any]:
    """A right annotation file for `pictures`."""
    return {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 24, "height": 16},
            {"id": 3, "file_name": "a.png", "width": 24, "height": 16},
            {"id": 9, "file_name": "sub/c.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 20, "bbox": [2, 3, 10, 5]},
            {"id": 2, "image_id": 3, "category_id": 10, "bbox": [0.5, 0, 4, 4], "keypoints": [1, 2, 2, 0, 0, 0]},
            {"id": 3, "image_id": 7, "category_id": 10, "bbox": [0, 0, 24, 16], "iscrowd": 1},
        ],
        "categories": [{"id": 20, "name": "phone"}, {"id": 10, "name": "driver"}],
    }


@pytest.fixture
def write_coco(pictures: Path) -> Callable[[Any], Path]:
    def write(table: Any) -> Path:
        (pictures / "coco.json").write_text(json.dumps(table), encoding="utf-8")
        return pictures

    return write


def write_video(path: Path, frames: int = 20, code: str = "MJPG") -> Path:
    """A clip of 64 x 48 in which frame i is a flat grey of 10 + 10 i."""
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 30, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 10 + 10 * index, np.uint8))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "drive.avi")


class Tools:
    """The writers above, for tests: pytest loads this file, other modules cannot import it."""

    grey_picture = staticmethod(grey_picture)
    encoded = staticmethod(encoded)
    exif_block = staticmethod(exif_block)
    with_exif = staticmethod(with_exif)
    write_video = staticmethod(write_video)


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
