"""Do two files, or a net and its file, give the same numbers? Asked on real frames, never on noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, HarnessError
from harness.model import ModelCard
from harness.runtimes import open_runtime
from harness.variants.export.torch_side import listed
from harness.variants.frames.frameset import FrameSet
from harness.variants.scoring import IN_PICTURE, OPTIONS, SCORED_BY, task_of
from harness.variants.study.graphs import feeds

SAME = 1e-4
FRAMES = 32
NEEDS_LABELS = ("detection", "landmarks")
Answer = Mapping[str, Array]
Pair = tuple[Answer, Answer]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of one output over all frames: the largest ones, NaN where a number is none, and the frame of the largest.

    largest_relative: the difference divided by the largest magnitude that the wanted output has in that frame.
    """

    largest: float
    largest_relative: float
    frame: int

    def within(self, tolerance: float) -> bool:
        """NaN is within nothing."""
        return self.largest <= tolerance or self.largest_relative <= tolerance


@dataclass(frozen=True, kw_only=True)
class Equality:
    """What two sources of answers have in common on the same frames; outputs by the task's names.

    same_decisions_percent: None where the task has no decision, or needs labels that the frames have not.
    """

    frames: int
    outputs: Mapping[str, Difference]
    same_decisions_percent: float | None = None

    @property
    def largest(self) -> float:
        """Of all outputs; NaN where any is."""
        return float(np.max([one.largest for one in self.outputs.values()]))

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        decisions = self.same_decisions_percent
        return {
            "compared_frames": self.frames,
            "largest_difference": self.largest,
            "largest_relative_difference": float(np.max([one.largest_relative for one in self.outputs.values()])),
            **({} if decisions is None else {"same_decisions_percent": decisions}),
        }


def file_answers(path: Path, card: ModelCard, frames: FrameSet, engine: str = "") -> Iterator[Answer]:
    """Raw outputs of a model file as floats, frame by frame, under the task's names where the card knows them.

    engine: one thread of it; by default the one that scores files of this format.
    """
    file_format = path.suffix.removeprefix(".")
    name = engine or SCORED_BY[file_format]
    tasks = {tensor: task for task, tensor in card.outputs(file_format).items()}
    runtime = open_runtime(name, str(path), OPTIONS.get(name, {}))
    runtime.prepare()
    with runtime:
        for one in feeds(path, card, frames):
            found = runtime.infer(one)
            yield {tasks.get(spec.name, spec.name): as_float(found[spec.name], spec) for spec in runtime.outputs}


def net_answers(net: Any, names: Sequence[str], card: ModelCard, frames: FrameSet) -> Iterator[Answer]:
    """As `file_answers`, of a torch net that takes NCHW and gives its outputs in the order of `names`."""
    import torch

    spec = replace(card.input_spec("onnx"), layout="NCHW", dtype="float32")
    for one in frames.tensors(spec):
        with torch.no_grad():
            found = listed(net(torch.from_numpy(one)))
        if len(found) != len(names):
            raise EngineError(f"the net gives {len(found)} outputs, and the model has {len(names)}: {', '.join(names)}")
        yield dict(zip(names, (value.numpy() for value in found), strict=True))


def as_float(values: Array, spec: TensorSpec) -> Array:
    """What a quantised output stands for."""
    if not spec.scale:
        return np.asarray(values, np.float32)
    return (values.astype(np.float32) - spec.zero_point) * np.float32(spec.scale)


def differences(wanted: Iterable[Answer], found: Iterable[Answer]) -> Equality:
    """How far `found` is from `wanted`; EngineError for other outputs or shapes, HarnessError for no frame at all."""
    return _differences(list(zip(wanted, found, strict=True)))


def compared(wanted: Iterable[Answer], found: Iterable[Answer], card: ModelCard, frames: FrameSet) -> Equality:
    """As `differences`, and how many of the decisions are the same."""
    pairs = list(zip(wanted, found, strict=True))
    return replace(_differences(pairs), same_decisions_percent=_same_decisions_percent(pairs, card, frames))


def same_files(parent: Path, path: Path, card: ModelCard, frames: FrameSet) -> Equality:
    """Two files of one format on the engine that scores it; EngineError above SAME."""
    wanted, found = (file_answers(one, card, frames) for one in (parent, path))
    return require_equal(compared(wanted, found, card, frames), str(path))


def require_equal(found: Equality, where: str, tolerance: float = SAME) -> Equality:
    """The same; EngineError, with the output and the frame, where one is further apart than `tolerance`, or NaN.

    tolerance: of the difference, or of the difference divided by the output's largest magnitude in that frame.
    """
    wrong = {name: one for name, one in found.outputs.items() if not one.within(tolerance)}
    if wrong:
        name, worst = max(wrong.items(), key=lambda one: (np.isnan(one[1].largest), one[1].largest))
        raise EngineError(
            f"output {name!r} differs by {worst.largest:.2g} in frame {worst.frame} of {found.frames}; "
            f"{tolerance:g} is allowed", where=where, remedy="it does not compute what it was made from: do not use it",
        )  # fmt: skip
    return found


def first_frames(frames: FrameSet, count: int = FRAMES) -> FrameSet:
    """`count` frames spread evenly over the set: enough to see a difference in arithmetic."""
    rows = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return frames.part([int(one) for one in rows], frames.name)


def _differences(pairs: Sequence[Pair]) -> Equality:
    if not pairs:
        raise HarnessError("there is no frame to compare on", remedy="give at least one calibration frame")
    for number, (one, other) in enumerate(pairs):
        shapes, others = ({name: np.shape(value) for name, value in side.items()} for side in (one, other))
        if shapes != others:
            raise EngineError(f"the outputs are {others} where {shapes} is wanted", where=f"frame {number}")
    return Equality(frames=len(pairs), outputs={name: _difference(pairs, name) for name in pairs[0][0]})


def _difference(pairs: Sequence[Pair], name: str) -> Difference:
    """NumPy's largest keeps NaN, which is no agreement; Python's would pass over it."""
    with np.errstate(invalid="ignore"):
        apart = np.array([np.abs(one[name] - other[name]).max(initial=0.0) for one, other in pairs])
    sizes = np.array([np.abs(one[name]).max(initial=0.0) for one, _ in pairs])
    relative = np.divide(apart, sizes, out=np.where(apart == 0, 0.0, np.inf), where=sizes > 0)
    return Difference(largest=float(apart.max()), largest_relative=float(relative.max()), frame=int(np.argmax(apart)))


def _same_decisions_percent(pairs: Sequence[Pair], card: ModelCard, frames: FrameSet) -> float | None:
    if card.task in NEEDS_LABELS and not frames.truths:
        # Which of their answers count is only known beside labels.
        return None
    task, places = task_of(card), frames.geometries or (IN_PICTURE,) * len(pairs)
    first, second = (
        [task.post(dict(pair[side]), at) for pair, at in zip(pairs, places, strict=True)] for side in (0, 1)
    )
    changed = task.changed(first, second, frames.truths)
    return None if changed is None else 100 * (1 - float(np.mean(changed)))
