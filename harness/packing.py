"""A data set's frames packed once for the worker, and kept under a hash of all that decides them."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, InputSpec, pack_ragged, read_arrays, unpack_ragged
from harness.datasets import Dataset, Sample, open_dataset, spread, spread_blocks
from harness.errors import DatasetError, unknown
from harness.frames import INDEX, Frame, write_pack
from harness.tasks import preprocess

REPORT_FRAMES = 50
BLOCK_FRAMES = 20
KINDS_WITH_CSV = ("folder", "video", "raw")
LABEL_OPTIONS = ("labels", "classes", "unlabelled")
POSE = "yaw_deg"
NO_TRUTH = np.zeros((0, 0), np.float32)
PICTURE = ("width", "height", "colour", "resize", "roi", "pad_value")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The data set of a card by kind and options, so that each thread can open its own. table: the card's."""

    kind: str
    options: Mapping[str, Any]
    folder: Path
    table: str = "[dataset]"

    def open(self) -> Dataset:
        """The data set, not yet read."""
        return open_dataset(self.kind, self.options, self.folder)

    def unlabelled(self) -> Source:
        """The same frames without their labels, for a data set of files whose labels are wrong."""
        if self.kind == "coco":
            kept = {key: value for key, value in self.options.items() if key == "bits"}
            return replace(self, kind="folder", options={**kept, "path": self.options.get("images", "."), "labels": ""})
        if self.kind not in KINDS_WITH_CSV:
            return self
        kept = {key: value for key, value in self.options.items() if key not in LABEL_OPTIONS}
        return replace(self, options={**kept, "labels": ""})

    def where(self, key: str) -> str:
        """The place of a key in the card that names this data set."""
        return f"{self.folder / 'model.toml'}, {key}"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A prepared pack with the truth of each frame. of_frames: how many the whole data set has."""

    folder: Path
    truths: tuple[Array, ...]
    samples: tuple[Mapping[str, Any], ...]
    of_frames: int


def camera_pack(source: Source, roi: str | None, count: int, cache: Path) -> Path:
    """`count` whole camera frames spread over the data set, each with its region `roi`.

    Latency needs no labels: where they are wrong, the frames are taken without them.
    """
    try:
        return _camera_pack(source, roi, count, cache)
    except DatasetError as error:
        try:
            return _camera_pack(source.unlabelled(), roi, count, cache)
        except DatasetError:
            raise error from None


def _camera_pack(source: Source, roi: str | None, count: int, cache: Path) -> Path:
    dataset = source.open()
    _refuse_empty(dataset, source)
    folder = cache / "frames" / _key("camera", dataset.fingerprint, roi, count)
    if not (folder / INDEX).is_file():
        samples = (dataset[index] for index in spread(dataset, count))
        frames = (Frame(sample.frame, _region(sample, roi, source)) for sample in samples)
        _publish(folder, lambda temporary: write_pack(temporary, frames))
    return folder


def prepared_pack(source: Source, truth: str, spec: InputSpec, count: int, cache: Path, progress: Progress) -> Labelled:
    """About `count` frames cropped and resized for one model, with their truths, in blocks of consecutive frames.

    The pictures are what the measured preprocessing makes before it normalises. Rendering or
    decoding runs in threads, one per core: it is OpenCV's and numpy's work, done without Python's lock.
    """
    dataset = source.open()
    _refuse_empty(dataset, source)
    return chosen_pack(source, truth, spec, spread_blocks(dataset, count, BLOCK_FRAMES), cache, progress)


def chosen_pack(
    source: Source, truth: str, spec: InputSpec, indices: Sequence[int], cache: Path, progress: Progress
) -> Labelled:
    """The same of the frames `indices`; with no `truth` their truths are tables without a column."""
    dataset = source.open()
    shape = {key: value for key, value in asdict(spec).items() if key in PICTURE}
    code = inspect.getsource(preprocess)
    key = _key("prepared", POSE, dataset.fingerprint, truth, shape, indices, code, preprocess.RESIZER)
    folder = cache / "frames" / key
    if not (folder / INDEX).is_file():
        _publish(folder, lambda temporary: _write_prepared(temporary, source, truth, spec, indices, progress))
    return _read_labelled(folder, len(dataset))


def _write_prepared(
    folder: Path, source: Source, truth: str, spec: InputSpec, indices: Sequence[int], progress: Progress
) -> None:
    truths: list[Array] = []
    samples: list[dict[str, Any]] = []

    def frames() -> Iterator[Frame]:
        for frame, one_truth, facts in _prepare_all(source, truth, spec, indices):
            truths.append(one_truth)
            samples.append(facts)
            if len(samples) % REPORT_FRAMES == 0:
                progress("frames", len(samples), len(indices))
            yield frame

    write_pack(folder, frames())
    values, counts = pack_ragged(tuple(truths))
    np.savez(folder / "truths.npz", values=values, counts=counts)
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")


Prepared = tuple[Frame, Array, dict[str, Any]]


def _prepare_all(source: Source, truth: str, spec: InputSpec, indices: Sequence[int]) -> Iterator[Prepared]:
    """In order, a few blocks ahead of the reader. Each thread opens the data set once."""
    threads, own = os.cpu_count() or 1, threading.local()

    def prepare(block: Sequence[int]) -> list[Prepared]:
        if not hasattr(own, "dataset"):
            own.dataset, own.make = source.open(), preprocess.Preprocess(spec)
        return [_prepared(own.dataset[index], index, truth, source, own.make) for index in block]

    blocks = [indices[start : start + BLOCK_FRAMES] for start in range(0, len(indices), BLOCK_FRAMES)]
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(prepare, block) for block in blocks[: 2 * threads])
        for block in blocks[2 * threads :]:
            yield from waiting.popleft().result()
            waiting.append(pool.submit(prepare, block))
        while waiting:
            yield from waiting.popleft().result()


def _prepared(sample: Sample, index: int, truth: str, source: Source, make: preprocess.Preprocess) -> Prepared:
    if truth and truth not in sample.truths:
        what = f"frame {index}: {unknown('truth', truth, sample.truths)}"
        raise DatasetError(what, where=source.where(f"{source.table} truth"))
    pixels, geometry = make.pixels(sample.frame, _region(sample, make.spec.roi, source))
    facts = {"subject": sample.subject, "clip": sample.clip, "slices": dict(sample.slices), **_pose(sample)}
    return Frame(pixels.copy(), None, geometry), sample.truths[truth] if truth else NO_TRUTH, facts


def _pose(sample: Sample) -> dict[str, float]:
    """`yaw_deg`, where the driver looks, if the data set knows it whatever the model is asked."""
    return {POSE: float(sample.truths["gaze"][0, 0])} if "gaze" in sample.truths else {}


def _region(sample: Sample, roi: str | None, source: Source) -> tuple[float, float, float, float] | None:
    if roi is None:
        return None
    if roi not in sample.rois:
        raise DatasetError(unknown("region", roi, sample.rois), where=source.where("[input] roi"))
    return sample.rois[roi]


def _read_labelled(folder: Path, of_frames: int) -> Labelled:
    try:
        arrays = read_arrays(folder / "truths.npz")
        truths = unpack_ragged(arrays["values"], arrays["counts"])
        samples = tuple(json.loads((folder / "samples.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"labelled pack is not readable: {error}", where=str(folder), remedy="delete the folder and run again"
        ) from error
    return Labelled(folder=folder, truths=truths, samples=samples, of_frames=of_frames)


def _publish(folder: Path, write: Callable[[Path], object]) -> None:
    """Write beside, then rename: a reader sees a whole pack or none, also after kill -9."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.rename(folder)
    except OSError as error:
        # Another process may have been first; its pack is as good.
        if not (folder / INDEX).is_file():
            raise DatasetError(
                f"frame pack cannot be written: {error}", where=str(folder), remedy="delete the folder and run again"
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_empty(dataset: Dataset, source: Source) -> None:
    if len(dataset) == 0:
        raise DatasetError(f"the data set {source.kind} holds no frame", where=source.where(source.table))


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
