"""Rendered once, kept small: each net's input pictures and truths, cached in a folder outside git."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.datasets import Sample
from harness.datasets.cabin import Cabin
from harness.errors import DatasetError
from harness.tasks.preprocess import Preprocess
from harness.zoo.recipes import RECIPES, Recipe

SEED = 7
CLIP_FRAMES = 20
TRAIN_FRAMES, TRAIN_STEP = 16_000, 5
CALIBRATION_FRAMES, CALIBRATION_STEP = 400, 21
EVALUATION_FRAMES = 8000
MOST_BOXES = 8
_CHUNK = 200


@dataclass(frozen=True, kw_only=True)
class Split:
    """`frames` of a split of the cabin, every `step`-th, so that many recordings are seen."""

    name: str
    frames: int
    step: int

    def open(self) -> Cabin:
        """The data set that the frames are taken from."""
        return Cabin(Path(), split=self.name, frames=self.frames * self.step, seed=SEED, clip_frames=CLIP_FRAMES)

    @property
    def key(self) -> str:
        return f"{self.name}-{self.frames}x{self.step}"


TRAIN = Split(name="train", frames=TRAIN_FRAMES, step=TRAIN_STEP)
CALIBRATION = Split(name="calibration", frames=CALIBRATION_FRAMES, step=CALIBRATION_STEP)


def evaluation(frames: int) -> Split:
    """The first `frames` frames of split eval, as the harness sees them."""
    return Split(name="eval", frames=frames, step=1)


@dataclass(frozen=True, kw_only=True)
class Examples:
    """One net's pictures uint8 [n, height, width] and targets float32 (boxes: [n, 8, 4], absent ones NaN)."""

    pictures: Array
    targets: Array


def examples(recipe: Recipe, split: Split, cache: Path) -> Examples:
    """The examples of one net, rendered first where the cache does not hold them."""
    folder = cache / split.key
    prepare(split, folder)
    pictures = np.load(folder / f"{recipe.name}.pictures.npy", mmap_mode="r")
    return Examples(pictures=pictures, targets=np.load(folder / f"{recipe.name}.targets.npy"))


def frame_hashes(split: Split, cache: Path) -> frozenset[str]:
    """The content hashes of a split's frames."""
    folder = cache / split.key
    prepare(split, folder)
    return frozenset(np.load(folder / "hashes.npy").tolist())


def require_disjoint(calibration: frozenset[str], evaluated: frozenset[str]) -> None:
    """DatasetError where a frame is used to calibrate and to evaluate."""
    shared = calibration & evaluated
    if shared:
        raise DatasetError(
            f"{len(shared)} calibration frames are evaluation frames too", where="harness.zoo",
            remedy="calibrate on split calibration only",
        )  # fmt: skip


def prepare(split: Split, folder: Path) -> None:
    """Render a split into `folder`, with two processes; nothing where it is there and still valid.

    Rendered beside it and renamed when whole: a training that still reads the old files keeps them.
    """
    stamp = {"fingerprint": split.open().fingerprint, "inputs": repr([one.input for one in RECIPES.values()])}
    done = folder / "done.json"
    if done.exists() and json.loads(done.read_text(encoding="utf-8")) == stamp:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fresh = Path(place) / "fresh"
        fresh.mkdir()
        _render_all(split, fresh)
        (fresh / "done.json").write_text(json.dumps(stamp), encoding="utf-8")
        if folder.exists():
            folder.rename(Path(place) / "stale")
        fresh.rename(folder)


def _render_all(split: Split, folder: Path) -> None:
    for recipe in RECIPES.values():
        shape = (split.frames, recipe.input.height, recipe.input.width)
        _new(folder / f"{recipe.name}.pictures.npy", np.uint8, shape)
        _new(folder / f"{recipe.name}.targets.npy", np.float32, (split.frames, *target_shape(recipe)))
    _new(folder / "hashes.npy", np.dtype("U64"), (split.frames,))
    jobs = [(split, folder, start) for start in range(0, split.frames, _CHUNK)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for number, _ in enumerate(pool.imap_unordered(_render, jobs), 1):
            print(f"\r{split.key}: rendered {number}/{len(jobs)} chunks", end="", flush=True)
    print()


def _new(path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()


def target_shape(recipe: Recipe) -> tuple[int, ...]:
    """The shape of one example's target."""
    if recipe.task in ("detection", "counting"):
        return (MOST_BOXES, 4)
    return (2,) if recipe.task == "gaze" else (1,)


def _render(job: tuple[Split, Path, int]) -> None:
    import cv2

    cv2.setNumThreads(1)
    split, folder, start = job
    cabin = split.open()
    stores = {
        name: tuple(np.load(folder / f"{name}.{kind}.npy", mmap_mode="r+") for kind in ("pictures", "targets"))
        for name in RECIPES
    }
    hashes = np.load(folder / "hashes.npy", mmap_mode="r+")
    makers = {name: Preprocess(recipe.input) for name, recipe in RECIPES.items()}
    for row in range(start, min(start + _CHUNK, split.frames)):
        sample = cabin[row * split.step]
        hashes[row] = hashlib.sha256(sample.frame.tobytes()).hexdigest()
        for name, recipe in RECIPES.items():
            pictures, targets = stores[name]
            pictures[row], targets[row] = example(recipe, makers[name], sample)


def example(recipe: Recipe, maker: Preprocess, sample: Sample) -> tuple[Array, Array]:
    """One sample as a net's picture [height, width] and its target in the picture's pixels."""
    roi = sample.rois[recipe.input.roi] if recipe.input.roi else None
    pixels, geometry = maker.pixels(sample.frame, roi)
    truth = sample.truths[recipe.truth]
    if recipe.task not in ("detection", "counting"):
        return pixels[:, :, 0], truth[0]
    scale = (geometry.scale_x, geometry.scale_y) * 2
    offset = (geometry.offset_x, geometry.offset_y) * 2
    boxes = np.full((MOST_BOXES, 4), np.nan, np.float32)
    boxes[: len(truth)] = (truth[:, :4] - offset) / scale
    return pixels[:, :, 0], boxes
