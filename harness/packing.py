"""A data set's frames packed once for the worker, and kept under a hash of all that decides them."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import queue
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, InputSpec, pack_ragged, read_arrays, unpack_ragged
from harness.datasets import Dataset, Sample, open_dataset, spread
from harness.errors import DatasetError, unknown
from harness.frames import INDEX, Frame, write_pack
from harness.tasks import preprocess

REPORT_FRAMES = 50
PICTURE = ("width", "height", "colour", "resize", "roi", "pad_value")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set by kind and options, so that each thread can open its own."""

    kind: str
    options: Mapping[str, Any]
    folder: Path

    def open(self) -> Dataset:
        """The data set, not yet read."""
        return open_dataset(self.kind, self.options, self.folder)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A prepared pack with the truth of each frame."""

    folder: Path
    truths: tuple[Array, ...]
    samples: tuple[Mapping[str, Any], ...]


def camera_pack(source: Source, roi: str | None, count: int, cache: Path) -> Path:
    """`count` whole camera frames spread over the data set, each with its region `roi`."""
    dataset = source.open()
    _refuse_empty(dataset, source)
    folder = cache / "frames" / _key("camera", dataset.fingerprint, roi, count)
    if not (folder / "frames.json").is_file():
        frames = (_camera_frame(dataset[index], roi) for index in spread(dataset, count))
        _publish(folder, lambda temporary: write_pack(temporary, frames))
    return folder


def prepared_pack(source: Source, truth: str, spec: InputSpec, count: int, cache: Path, progress: Progress) -> Labelled:
    """`count` frames cropped and resized for one model, with their truths.

    The pictures are what the measured preprocessing makes before it normalises. Rendering or
    decoding runs in threads, one per core: it is OpenCV's and numpy's work, done without Python's lock.
    """
    dataset = source.open()
    _refuse_empty(dataset, source)
    shape = {key: value for key, value in asdict(spec).items() if key in PICTURE}
    code = inspect.getsource(preprocess)
    folder = cache / "frames" / _key("prepared", dataset.fingerprint, truth, shape, count, code, preprocess.RESIZER)
    if not (folder / "frames.json").is_file():
        indices = list(spread(dataset, count))
        _publish(folder, lambda temporary: _write_prepared(temporary, source, truth, spec, indices, progress))
    return _read_labelled(folder)


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
    """In order. Each thread opens the data set once and takes one block, so that a video is read forwards."""
    threads = os.cpu_count() or 1
    size = max(-(-len(indices) // threads), 1)
    blocks = [indices[start : start + size] for start in range(0, len(indices), size)]
    with ThreadPoolExecutor(threads) as pool:
        queues = [queue.SimpleQueue[Prepared | BaseException | None]() for _ in blocks]
        for block, out in zip(blocks, queues, strict=True):
            pool.submit(_prepare, source, truth, spec, block, out)
        for out in queues:
            yield from _drain(out)


def _prepare(source: Source, truth: str, spec: InputSpec, indices: Sequence[int], out: Any) -> None:
    try:
        dataset, make = source.open(), preprocess.Preprocess(spec)
        for index in indices:
            out.put(_prepared(dataset[index], index, truth, spec, make))
        out.put(None)
    except BaseException as error:
        out.put(error)


def _drain(waiting: queue.SimpleQueue[Any]) -> Iterator[Prepared]:
    while (one := waiting.get()) is not None:
        if isinstance(one, BaseException):
            raise one
        yield one


def _prepared(sample: Sample, index: int, truth: str, spec: InputSpec, make: preprocess.Preprocess) -> Prepared:
    if truth not in sample.truths:
        raise DatasetError(
            f"frame {index}: {unknown('truth', truth, sample.truths)}", where="[dataset] truth of the card"
        )
    pixels, geometry = make.pixels(sample.frame, _region(sample, spec.roi))
    facts = {"subject": sample.subject, "clip": sample.clip, "slices": dict(sample.slices)}
    return Frame(pixels.copy(), None, geometry), sample.truths[truth], facts


def _camera_frame(sample: Sample, roi: str | None) -> Frame:
    return Frame(sample.frame, _region(sample, roi))


def _region(sample: Sample, roi: str | None) -> tuple[float, float, float, float] | None:
    if roi is None:
        return None
    if roi not in sample.rois:
        raise DatasetError(unknown("region", roi, sample.rois), where="[input] roi of the card")
    return sample.rois[roi]


def _read_labelled(folder: Path) -> Labelled:
    try:
        arrays = read_arrays(folder / "truths.npz")
        truths = unpack_ragged(arrays["values"], arrays["counts"])
        samples = tuple(json.loads((folder / "samples.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"labelled pack is not readable: {error}", where=str(folder), remedy="delete the folder and run again"
        ) from error
    return Labelled(folder=folder, truths=truths, samples=samples)


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
        raise DatasetError(f"the data set {source.kind} holds no frame", where=str(source.folder))


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
