"""Frames of video files, by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from harness.case import Array
from harness.datasets import Sample
from harness.datasets.clips import Clips
from harness.datasets.files import check_index, choice, locate, read_head
from harness.datasets.images import check_size, opencv
from harness.datasets.labels import Entry, Key, labelled
from harness.errors import DatasetError

SUFFIXES = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm")
_CACHED_FRAMES = 8
_STARTS = {0: (b"RIFF", b"\x1aE\xdf\xa3"), 4: (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")}


class Video:
    """Every `step`-th frame of the video file `path`, or of all video files under the folder `path`.

    Frames are numbered by decoding from the start, because seeking by index lands elsewhere in
    many files; asking backwards decodes again. The first `len` counts the frames by decoding once.
    labels: a CSV file (harness.datasets.labels) beside the videos, with a column `frame`, and
        `file` where `path` is a folder; "" for none. A frame is known by its number in its file, whatever `step`.
    classes, unlabelled: as for Folder. colour: "rgb" or "gray". clip: the file's name unless labelled.
    """

    def __init__(
        self, folder: Path, path: str, step: int = 1, labels: str = "", classes: Sequence[str] = (),
        unlabelled: str = "error", colour: str = "rgb",
    ) -> None:  # fmt: skip
        root = locate(folder, path, "the video")
        self._colour = choice("colour", colour, ("rgb", "gray"))
        self._clips = Clips(root, SUFFIXES, step=step, labels=labels, classes=classes, unlabelled=unlabelled)
        self._reader: _Reader | None = None

    @cached_property
    def _samples(self) -> list[tuple[Key, Entry]]:
        return self._clips.samples({name: count_frames(path) for name, path in self._clips.files.items()})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the videos, the labels and the options; reads every file once."""
        return self._clips.fingerprint({"kind": "video", "colour": self._colour})

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`; IndexError where there is none, DatasetError where it cannot be decoded."""
        check_index(index, len(self))
        (name, frame), entry = self._samples[index]
        path = self._clips.files[name]
        if self._reader is None or self._reader.path != path:
            self._reader = _Reader(path, self._colour)
        return labelled(replace(entry, clip=entry.clip or path.name), self._reader.frame(frame))


class _Reader:
    """Frames of one file by number: decodes onwards, keeps the last few, starts again to go back."""

    def __init__(self, path: Path, colour: str) -> None:
        self.path = path
        self._colour = colour
        self._capture = open_capture(path)
        self._next = 0
        self._kept: dict[int, Array] = {}

    def frame(self, index: int) -> Array:
        if index not in self._kept:
            if len(self._kept) == _CACHED_FRAMES:
                del self._kept[next(iter(self._kept))]
            self._kept[index] = self._decode(index)
        return self._kept[index].copy()

    def _decode(self, index: int) -> Array:
        if index < self._next:
            self._capture, self._next = open_capture(self.path), 0
        while self._next <= index:
            if not self._capture.grab():
                raise _damaged(self.path, f"frame {self._next} cannot be decoded")
            self._next += 1
        done, picture = self._capture.retrieve()
        if not done:
            raise _damaged(self.path, f"frame {index} cannot be decoded")
        cv2 = opencv()
        colour = cv2.COLOR_BGR2GRAY if self._colour == "gray" else cv2.COLOR_BGR2RGB
        converted: Array = cv2.cvtColor(picture, colour)
        return converted


def count_frames(path: Path) -> int:
    """How many frames decode; DatasetError where the file promises clearly more, or none decodes."""
    state = path.stat()
    return _count_frames(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)  # a session opens the same video many times, and counting decodes all of it
def _count_frames(path: Path, size: int, changed_ns: int) -> int:
    del size, changed_ns  # only tell one state of the file from another
    capture = open_capture(path)
    promised = int(capture.get(opencv().CAP_PROP_FRAME_COUNT))
    count = 0
    while capture.grab():
        count += 1
    # Some containers only estimate their length; a hundredth is more than they err, less than a cut loses.
    if not count or count < promised - max(1, promised // 100):
        raise _damaged(path, f"{count} frames can be decoded where the file promises {max(promised, 0)}")
    return count


def open_capture(path: Path) -> Any:
    """An OpenCV capture of a local container file; DatasetError where it is none.

    The first bytes are checked because FFmpeg also opens playlists, which name other files and hosts.
    """
    head = read_head(path)
    if not any(head.startswith(starts, at) for at, starts in _STARTS.items()):
        raise DatasetError("no AVI, MP4, MOV, MKV or WebM file", where=str(path), remedy="rewrite it as one of them")
    cv2 = opencv()
    software = [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_NONE]  # the same pixels on every machine
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, software)
    if not capture.isOpened():
        raise _damaged(path, "the video cannot be opened")
    size = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    check_size(int(size[0]), int(size[1]), str(path))
    return capture


def _damaged(path: Path, what: str) -> DatasetError:
    remedy = "copy it again; where it plays, rewrite it with `ffmpeg -i old -c copy new.mp4`"
    return DatasetError(what, where=str(path), remedy=remedy)
