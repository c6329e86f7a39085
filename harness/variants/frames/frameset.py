"""Pictures as a model sees them, with what is known of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.case import Array, InputSpec, TensorSpec
from harness.frames import PIXELS, read_pack
from harness.packing import Labelled
from harness.tasks.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSet:
    """Pictures as the model sees them, before they are normalised.

    pictures: uint8 [frames, height, width, channels]. truths: one 2-D array per frame in the form that harness.tasks
    documents, in the pixels of the camera frame; none where there are no labels. samples: subject, clip and slices of
    each frame, and its index in the data set. geometries: where each picture lies in its camera frame.
    ready: tensors [frames, channels, height, width] that somebody else made; the pictures are then their nearest.
    """

    name: str
    pictures: Array
    truths: tuple[Array, ...] = ()
    samples: tuple[Mapping[str, Any], ...] = ()
    geometries: tuple[Any, ...] = ()
    ready: Array | None = None

    @classmethod
    def read(cls, name: str, pack: Labelled, spec: InputSpec, indices: Sequence[int] = ()) -> FrameSet:
        """The frames of a prepared pack, mapped from its file. indices: of each in its data set, where known."""
        frames = read_pack(pack.folder, mapped=True)
        pixels = np.memmap(pack.folder / PIXELS, np.uint8, "r")
        known = [{"index": index} for index in indices] or [{} for _ in frames]
        return cls(
            name=name, pictures=pixels.reshape(len(frames), spec.height, spec.width, spec.channels),
            truths=pack.truths if all(one.shape[1] for one in pack.truths) else (),
            samples=tuple({**facts, **own} for facts, own in zip(pack.samples, known, strict=True)),
            geometries=tuple(one.geometry for one in frames),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each picture, in their order."""
        return tuple(hashlib.sha256(np.ascontiguousarray(one).data).hexdigest() for one in self.pictures)

    @cached_property
    def hashes(self) -> frozenset[str]:
        """The SHA-256 of every picture."""
        return frozenset(self.digests)

    @cached_property
    def key(self) -> str:
        """One hash of all pictures in their order, and of the tensors where they are somebody else's."""
        digest = hashlib.sha256(f"{self.pictures.shape} {' '.join(self.digests)}".encode())
        if self.ready is not None:
            digest.update(np.ascontiguousarray(self.ready).data)
        return digest.hexdigest()

    def part(self, rows: Sequence[int], name: str) -> FrameSet:
        """The frames of these rows, in memory."""
        chosen = list(rows)
        lists = {key: tuple(one[row] for row in chosen) if (one := getattr(self, key)) else () for key in _LISTS}
        ready = None if self.ready is None else self.ready[chosen]
        return replace(self, name=name, pictures=np.array(self.pictures[chosen]), ready=ready, **lists)

    def tensors(self, spec: InputSpec, declared: TensorSpec | None = None) -> Iterator[Array]:
        """The input tensor of each picture, [1, ...] in the layout of `spec`, as the harness itself would make it.

        Ready ones are taken as they are. declared: the input of the file that they are for, as its engine declares it.
        """
        if self.ready is None or self.ready.dtype == np.uint8:
            # Ready pixels are the pictures.
            make = Preprocess(spec, declared)
            return (make.tensor(one) for one in self.pictures)
        order = (0, 1, 2, 3) if spec.layout == "NCHW" else (0, 2, 3, 1)
        dtype = np.dtype(declared.dtype if declared else spec.dtype)
        return (np.ascontiguousarray(_typed(one[None].transpose(order), dtype, declared)) for one in self.ready)


def _typed(values: Array, dtype: np.dtype[Any], declared: TensorSpec | None) -> Array:
    """Normalised values as an input of this type takes them, in its own steps where it is quantised."""
    if dtype.kind in "iu" and values.dtype.kind == "f":
        steps = values / declared.scale + declared.zero_point if declared and declared.scale else values
        values = np.rint(steps).clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    return values.astype(dtype, copy=False)


_LISTS = ("truths", "samples", "geometries")
