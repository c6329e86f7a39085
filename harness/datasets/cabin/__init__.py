"""A synthetic cabin: near-infrared frames of a driver and passengers, drawn from a seed, with exact truth."""

from __future__ import annotations

import hashlib
import importlib
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.datasets import Sample
from harness.datasets.cabin import camera, draw, truth
from harness.datasets.cabin.parts import FRAMES_PER_SECOND, Scene
from harness.datasets.cabin.scene import scene_at
from harness.datasets.cabin.script import subject_of
from harness.datasets.cabin.subjects import SPLITS
from harness.datasets.files import check_index
from harness.errors import ConfigError, DatasetError, unknown

LENGTHS = {"train": 12000, "calibration": 400, "eval": 2000}
LONGEST_FRAMES = 1_000_000


class Cabin:
    """Frames of `split` (train, calibration, eval): 1280 x 800, 8-bit grey, 10 frames per second.

    frames: how many there are. clip_frames: how many consecutive ones show one recording.
    Splits share no subject. Truths: faces, heads, eye_state (0 open, 1 closed), gaze, distraction
    (attentive, phone, looking_away, reaching, drinking). Regions: face, eyes, driver. A frame is a pure
    function of seed, split, clip_frames and index, for one version of OpenCV.
    """

    def __init__(
        self, folder: Path, *, split: str = "eval", frames: int | None = None, seed: int = 7, clip_frames: int = 20
    ) -> None:
        del folder
        if split not in SPLITS:
            raise ConfigError(unknown("cabin split", split, SPLITS), where="dataset.split")
        self.split, self.seed = split, _whole("seed", seed, 0, 2**32 - 1)
        self.clip_frames = _whole("clip_frames", clip_frames, 1, 10_000)
        self.frames = _whole("frames", LENGTHS[split] if frames is None else frames, 1, LONGEST_FRAMES)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of this package's sources, of OpenCV's version and of the parameters."""
        digest = hashlib.sha256(f"{self.split} {self.seed} {self.frames} {self.clip_frames}".encode())
        digest.update(_cv2().__version__.encode())
        for source in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.frames

    def scene(self, index: int) -> Scene:
        """What is in frame `index`; IndexError where there is none."""
        check_index(index, self.frames)
        clip, frame = divmod(index, self.clip_frames)
        return scene_at(self.seed, self.split, clip, frame, self.clip_frames)

    def __getitem__(self, index: int) -> Sample:
        """Frame `index` with its truths; IndexError where there is none, DatasetError without OpenCV."""
        seen, cv2 = self.scene(index), _cv2()
        clip = index // self.clip_frames
        painted = draw.paint(seen, cv2, list(camera.shades(self.seed)))
        return Sample(
            frame=camera.expose(painted, seen, cv2, self.seed),
            truths=truth.truths(seen, cv2),
            rois=truth.rois(seen),
            subject=subject_of(self.seed, self.split, clip).name,
            clip=f"{self.split}-{clip:05d}",
            slices=truth.slices(seen),
        )


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}", where=f"dataset.{name}")
    return value


def _cv2() -> Any:
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise DatasetError(
            "the cabin needs OpenCV to draw its frames", where="dataset.kind = cabin",
            remedy="pip install 'dms-harness[host]'",
        ) from error  # fmt: skip


__all__ = ["FRAMES_PER_SECOND", "SPLITS", "Cabin"]
