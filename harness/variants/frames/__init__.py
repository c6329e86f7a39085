"""The frames that variants are made with: calibration, tuning, training; none of them is ever evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.datasets import spread
from harness.errors import ConfigError, DatasetError
from harness.model import CALIBRATION_FRAMES, FEWEST_FRAMES, MOST_FRAMES, ModelCard
from harness.packing import Source, chosen_pack, prepared_pack
from harness.prepare import source_of
from harness.variants.frames.degrade import degraded
from harness.variants.frames.disjoint import require_disjoint
from harness.variants.frames.frameset import FrameSet
from harness.variants.frames.normalisation import require_normalisation
from harness.variants.frames.sources import calibration_source, is_named, training_source, truth_of
from harness.variants.frames.strata import stratified
from harness.variants.frames.tensorfile import read_tensors

POOL_PER_FRAME = 4
COMPARED_FRAMES = 200
Say = Callable[[str], None]

__all__ = ["FrameSet", "Frames"]


def quiet(sentence: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Where the frames of one model come from; each set is made when it is first asked for, and kept in `cache`.

    calibration_frames to evaluation_frames: how many of each. seed: of what is drawn. degraded_percent: of the
    calibration frames that are blurred or darkened. tensors: a file to calibrate on. None: as the card says.
    fewest: calibration frames below which a set is refused; trials may lower it.
    """

    card: ModelCard
    cache: Path
    calibration_frames: int | None = None
    tuning_frames: int = 1_500
    training_frames: int = 16_000
    evaluation_frames: int = 8_000
    seed: int = 1
    degraded_percent: float | None = None
    tensors: Path | None = None
    fewest: int = FEWEST_FRAMES
    say: Say = quiet

    @cached_property
    def calibration(self) -> FrameSet:
        """300 to 800 frames, stratified over the conditions: ranges and temperatures are fitted on them."""
        if not self._degraded_percent:
            return self._undegraded
        if self._tensor_file is not None:
            raise ConfigError(
                "ready tensors cannot be blurred or darkened", where=str(self._tensor_file),
                remedy="do it before they are written, or calibrate on a data set",
            )  # fmt: skip
        return degraded(self._undegraded, self._degraded_percent, self.seed)

    @property
    def tunable(self) -> bool:
        """Whether there are labelled frames to tune on: without them nothing can be searched."""
        return is_named(self.card, "calibration") and bool(truth_of(self.card, "calibration"))

    @cached_property
    def tuning(self) -> FrameSet:
        """Labelled frames of the calibration split beside the calibration frames: searches are judged on them."""
        pool, drawn = self._pool, self._undegraded.hashes
        if not pool.truths:
            raise _unlabelled(self.card)
        rest = [row for row, digest in enumerate(pool.digests) if digest not in drawn]
        if not rest:
            raise DatasetError(
                f"all {len(pool)} frames of the calibration data set are calibrated on, none is left to tune on",
                where=_place(self.card, "[calibration]"), remedy="give it more frames, or calibrate on fewer",
            )  # fmt: skip
        taken = min(self.tuning_frames, len(rest))
        return pool.part([rest[index * len(rest) // taken] for index in range(taken)], "tuning")

    @cached_property
    def training(self) -> FrameSet:
        """Frames to fine-tune and to distil on."""
        return self._packed("training", training_source(self.card, self.training_frames), self.training_frames)

    @cached_property
    def evaluation(self) -> FrameSet:
        """The frames that the pipeline scores a model on; for that, and to be sure that no other set holds one."""
        source, truth, spec = source_of(self.card), str(self.card.dataset.get("truth", "")), self.card.input_spec("")
        self.say(f"{self.card.name}: evaluation frames")
        labelled = prepared_pack(source, truth, spec, self.evaluation_frames, self.cache, self._progress("evaluation"))
        return FrameSet.read("evaluation", labelled, spec)

    def require_disjoint(self, *names: str) -> None:
        """DatasetError where a frame of these sets is evaluated on: calibration, tuning, training.

        Without names: calibration, and tuning where there is one. By the hash of each picture, before it is blurred or
        darkened.
        """
        for name in names or ("calibration", *(["tuning"] if self.tunable else [])):
            used = self._undegraded if name == "calibration" else getattr(self, name)
            require_disjoint(used, self.evaluation, _place(self.card, f"[{_TABLES[name]}]"))

    @cached_property
    def _undegraded(self) -> FrameSet:
        path = self._tensor_file
        if path is not None:
            found = read_tensors(path, self.card.input_spec(""))
            self._require_count(len(found), str(path))
            require_normalisation(found, self._compared, self.card.input_spec(""), str(path))
            return found
        self._require_count(self._wanted, "calibration frames wanted")
        if len(self._pool) < self._wanted:
            raise DatasetError(
                f"the calibration data set holds {len(self._pool)} frames and {self._wanted} are wanted",
                where=_place(self.card, "[calibration]"),
                remedy=f"give it more frames, or calibrate on fewer ({self.fewest} at least)",
            )
        return self._pool.part(stratified(self._pool.samples, self._wanted, self.seed), "calibration")

    @cached_property
    def _pool(self) -> FrameSet:
        """What calibration and tuning frames are drawn from."""
        count = POOL_PER_FRAME * self._wanted + self.tuning_frames
        return self._packed("calibration", calibration_source(self.card, count), count)

    @cached_property
    def _compared(self) -> FrameSet:
        """Frames as the card makes them, to compare the statistics of ready tensors with."""
        return self._packed("comparison", source_of(self.card), COMPARED_FRAMES, labelled=False)

    @property
    def _wanted(self) -> int:
        """How many calibration frames."""
        if self.calibration_frames is not None:
            return self.calibration_frames
        return self.card.calibration.frames if self.card.calibration else CALIBRATION_FRAMES

    @property
    def _degraded_percent(self) -> float:
        if self.degraded_percent is not None:
            return self.degraded_percent
        return self.card.calibration.degraded_percent if self.card.calibration else 0.0

    @property
    def _tensor_file(self) -> Path | None:
        if self.tensors is not None:
            return self.tensors
        table = self.card.calibration
        return self.card.folder / table.tensors if table and table.tensors else None

    def _packed(self, name: str, source: Source, count: int, *, labelled: bool = True) -> FrameSet:
        dataset, spec = source.open(), self.card.input_spec("")
        if len(dataset) == 0:
            raise DatasetError(
                f"the {name} set is empty: its data set {source.kind} holds no frame",
                where=_place(self.card, f"[{_TABLES.get(name, 'dataset')}]"), remedy="name one that holds frames",
            )  # fmt: skip
        truth = truth_of(self.card, _TABLES[name]) if labelled else ""
        indices = list(spread(dataset, count))
        pack = chosen_pack(source, truth, spec, indices, self.cache, self._progress(name))
        return FrameSet.read(name, pack, spec, indices)

    def _progress(self, name: str) -> Callable[[str, int, int], None]:
        return lambda phase, done, of: self.say(f"{self.card.name}: {name} {phase} {done} of {of}")

    def _require_count(self, count: int, where: str) -> None:
        bounds = f"{FEWEST_FRAMES} to {MOST_FRAMES}"
        if count == 0:
            raise DatasetError("the calibration set is empty", where=where, remedy=f"give it {bounds} frames")
        if not self.fewest <= count <= MOST_FRAMES:
            raise DatasetError(
                f"{count} calibration frames, {self.fewest} to {MOST_FRAMES} are taken: fewer miss conditions, more "
                "widen the ranges to what hardly occurs", where=where, remedy=f"take {bounds}",
            )  # fmt: skip


_TABLES = {"calibration": "calibration", "tuning": "calibration", "training": "training"}


def _place(card: ModelCard, table: str) -> str:
    return f"{card.folder / 'model.toml'}, {table}"


def _unlabelled(card: ModelCard) -> DatasetError:
    return DatasetError(
        "the calibration data set is taken without labels, and a search needs labelled frames to be judged on",
        where=_place(card, "[calibration] dataset"),
        remedy="label them and name their truth",
    )
