"""Raw frames as a camera driver dumps them: no header, one frame after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.case import Array
from harness.datasets import Sample
from harness.datasets.clips import Clips
from harness.datasets.files import check_index, choice, locate, read_head, read_part, whole
from harness.datasets.images import check_size, to_eight_bits
from harness.datasets.labels import labelled
from harness.errors import ConfigError, DatasetError

FORMATS = ("Y8", "Y10", "NV12")
SUFFIXES = (".raw", ".bin", ".yuv", ".nv12", ".y8", ".y10")


class RawFrames:
    """Every frame of the raw file `path`, or of the raw files under the folder `path`.

    format: "Y8"; "Y10", 16-bit little endian with the value in the low 10 bits, shown as value >> 2;
        "NV12", a plane of Y, then one of interleaved U V at half the height.
    width, height: in pixels. stride: bytes from row to row, 0 for no padding.
    colour: of NV12, "rgb" (BT.601, limited range, chroma repeated) or "gray" (the plane of Y as it is).
    labels, classes, unlabelled, step, clip: as for Video.
    """

    def __init__(
        self, folder: Path, path: str, format: str, width: int, height: int, stride: int = 0, colour: str = "",
        step: int = 1, labels: str = "", classes: Sequence[str] = (), unlabelled: str = "error",
    ) -> None:  # fmt: skip
        root = locate(folder, path, "the raw file")
        self._format = choice("format", format, FORMATS)
        self._colour = _colour(self._format, colour)
        self._width, self._height, self._stride = _geometry(self._format, width, height, stride)
        rows = self._height * 3 // 2 if self._format == "NV12" else self._height
        self._shape = (rows, self._stride)
        self._clips = Clips(root, SUFFIXES, step=step, labels=labels, classes=classes, unlabelled=unlabelled)
        self._samples = self._clips.samples({name: self._count(one) for name, one in self._clips.files.items()})

    def _count(self, path: Path) -> int:
        rows, stride = self._shape
        size, frame = path.stat().st_size, rows * stride
        read_head(path)
        if size % frame:
            count, over = divmod(size, frame)
            what = f"{size} bytes are {count} frames of {rows} x {stride} = {frame} bytes and {over} over"
            remedy = "check format, width, height and stride, or whether the file is cut short"
            raise DatasetError(what, where=str(path), remedy=remedy)
        return size // frame

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the raw files, the labels and the options; reads every file once."""
        geometry = {"width": self._width, "height": self._height, "stride": self._stride}
        return self._clips.fingerprint({"kind": "raw", "format": self._format, "colour": self._colour, **geometry})

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`; IndexError where there is none, DatasetError where it cannot be read."""
        check_index(index, len(self))
        (name, frame), entry = self._samples[index]
        path = self._clips.files[name]
        picture = self._picture(self._read(path, frame), f"{path}, frame {frame}")
        return labelled(replace(entry, clip=entry.clip or path.name), picture)

    def _read(self, path: Path, frame: int) -> Array:
        rows, stride = self._shape
        data = read_part(path, frame * rows * stride, rows * stride)
        if len(data) < rows * stride:
            raise DatasetError(f"frame {frame} is gone: the file shrank since it was opened", where=str(path))
        return np.frombuffer(data, np.uint8).reshape(rows, stride)

    def _picture(self, plane: Array, where: str) -> Array:
        width, height = self._width, self._height
        if self._format == "Y10":
            return to_eight_bits(plane.view("<u2")[:, :width], 10, where)
        if self._colour == "rgb":
            return nv12_to_rgb(plane[:height, :width], plane[height:, :width])
        return plane[:height, :width].copy()


def nv12_to_rgb(luma: Array, chroma: Array) -> Array:
    """RGB [h, w, 3] of Y [h, w] and interleaved U V [h / 2, w], all uint8.

    ITU-R BT.601, limited range (Y below 16 is black), in 8-bit fixed point: the same on every machine.
    """
    pairs = chroma.reshape(chroma.shape[0], -1, 2).repeat(2, axis=0).repeat(2, axis=1).astype(np.int32) - 128
    bright = np.maximum(luma.astype(np.int32) - 16, 0) * 298 + 128
    blue, red = pairs[..., 0], pairs[..., 1]
    rgb = np.dstack([bright + 409 * red, bright - 100 * blue - 208 * red, bright + 516 * blue])
    picture: Array = np.clip(rgb >> 8, 0, 255).astype(np.uint8)
    return picture


def _colour(format: str, colour: str) -> str:
    if format != "NV12" and colour not in ("", "gray"):
        raise ConfigError(f"the data set option 'colour' is {colour!r}, but {format} frames are gray")
    return choice("colour", colour or ("rgb" if format == "NV12" else "gray"), ("rgb", "gray"))


def _geometry(format: str, width: int, height: int, stride: int) -> tuple[int, int, int]:
    """Width, height and bytes a row, checked."""
    check_size(whole("width", width, 1, 1 << 20), whole("height", height, 1, 1 << 20), "the data set options")
    least = width * 2 if format == "Y10" else width
    used = whole("stride", stride, 0, 1 << 22) or least
    if used < least:
        raise ConfigError(f"the data set option 'stride' is {stride}, but a {format} row of {width} has {least} bytes")
    if (format == "NV12" and (width % 2 or height % 2)) or (format == "Y10" and used % 2):
        raise ConfigError(f"{format} frames of {width} x {height} with stride {used}: these must be even")
    return width, height, used
