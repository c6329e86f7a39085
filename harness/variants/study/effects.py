"""What a file costs against its parent: accuracy with its interval, changed answers, and the noise in its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.case import Array
from harness.variants import Bench
from harness.variants.export.equality import Answer, file_answers
from harness.variants.frames import FrameSet
from harness.variants.scoring import SCORED_BY, loss, loss_interval, predict
from harness.variants.study.sqnr import distance, total

OUTPUT_FRAMES = 128
"""Frames on which outputs are compared as numbers; far fewer than it takes to see an accuracy."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """On `frames` labelled frames. loss_points: the parent's score less the file's.

    low_points, high_points: its 90 % interval, None where these frames bound it on no side. flips: changed answers,
    None where the task has none. sqnr_db, cosine: of the output that fares worst; None where none has numbers.
    """

    frames: int
    loss_points: float
    low_points: float | None
    high_points: float | None
    flips: int | None
    sqnr_db: float | None
    cosine: float | None

    @property
    def proven_points(self) -> float:
        """The loss that is proven: the lower end of its interval, 0 at least."""
        return max(self.low_points or 0.0, 0.0)

    @property
    def severity(self) -> tuple[float, float]:
        """The larger, the worse: the loss that is proven, and where none is, the noise.

        Without the proof, chance would rank: a file may well answer one frame more rightly than its parent.
        """
        return self.proven_points, math.inf if self.sqnr_db is None else -self.sqnr_db

    @property
    def arm_points(self) -> float:
        """How far the upper end of the interval is from the loss: what these frames cannot tell."""
        return math.inf if self.high_points is None else self.high_points - self.loss_points

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


class Beside:
    """The parent's file of one format, ready to be compared with others on the tuning frames."""

    def __init__(self, bench: Bench, file_format: str) -> None:
        self._bench = bench
        self._parent = bench.parent(file_format)
        self.engine = SCORED_BY[file_format]

    def effect(self, path: Path) -> Effect:
        """What the file at `path` costs."""
        frames, card = self._bench.frames.tuning, self._bench.card
        parity = loss(self._predictions, predict(path, self.engine, card, frames), card, frames)
        low, high = loss_interval(parity)
        sqnr_db, cosine = _noise(self._answers, self._read(path))
        return Effect(
            frames=parity.frames, loss_points=round(parity.loss_points, 6), flips=parity.flips,
            low_points=_finite(low), high_points=_finite(high), sqnr_db=sqnr_db, cosine=cosine,
        )  # fmt: skip

    @cached_property
    def _predictions(self) -> tuple[Array, ...]:
        return predict(self._parent, self.engine, self._bench.card, self._bench.frames.tuning)

    @cached_property
    def _answers(self) -> list[Answer]:
        return self._read(self._parent)

    @cached_property
    def _some(self) -> FrameSet:
        tuning = self._bench.frames.tuning
        taken = min(OUTPUT_FRAMES, len(tuning))
        return tuning.part([index * len(tuning) // taken for index in range(taken)], "outputs")

    def _read(self, path: Path) -> list[Answer]:
        return list(file_answers(path, self._bench.card, self._some, self.engine))


def _noise(parent: Sequence[Answer], variant: Sequence[Answer]) -> tuple[float | None, float | None]:
    """SQNR and cosine of the output with the lowest of each."""
    summed = [_summed(name, parent, variant) for name in parent[0]]
    told = [one for one in summed if one is not None]
    if not told:
        return None, None
    return min(one["sqnr_db"] for one in told), min(one["cosine"] for one in told)


def _summed(name: str, parent: Sequence[Answer], variant: Sequence[Answer]) -> Mapping[str, Any] | None:
    """None where the parent itself gives no numbers, or the output has another size."""
    try:
        return total(distance(one[name], other[name]) for one, other in zip(parent, variant, strict=True)).facts()
    except (KeyError, ValueError):
        return None


def _finite(points: float) -> float | None:
    return round(points, 6) if math.isfinite(points) else None
