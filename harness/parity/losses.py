"""What a variant loses against its parent on the same frames, and the plain numbers that a rule needs to judge it.

Losses are shares, positive where the variant is worse. Clusters are numbered by first appearance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.case import Array
from harness.errors import DatasetError, HarnessError
from harness.stats.noninferiority import sign_flip_p
from harness.tasks import Reweighable, Task

MOST_CLUSTERS = 200
RESAMPLES, SLICE_RESAMPLES, OWN_SCORE_RESAMPLES = 1_000, 400, 200

Both = tuple[Sequence[Array], Sequence[Array]]
Evidence = tuple[str, dict[str, Any]]


class Losses(Protocol):
    """The losses of some frames."""

    @property
    def loss(self) -> float:
        """Of the whole score."""
        ...

    def evidence(self) -> Evidence:
        """The rule and its inputs."""
        ...

    def part(self, members: Array) -> Losses:
        """Those of some of the frames, bool [frames]; HarnessError where the score means nothing there."""
        ...

    def p_value(self) -> float:
        """Of such a loss between equals, one-sided."""
        ...


def losses_of(task: Task, both: Both, truths: Sequence[Array], clusters: Array) -> Losses:
    """Predictions of both, parent and variant; clusters: the number of each frame's, [frames]."""
    if isinstance(task, Reweighable):
        return ScoreLosses(task, both, truths, clusters)
    parent, variant = (task.score(one, truths) for one in both)
    if parent.per_frame is None or variant.per_frame is None:
        return OwnScoreLosses(Repeating(task), both, truths, clusters)
    return FrameLosses(parent.per_frame - variant.per_frame, clusters)


@dataclass(frozen=True)
class FrameLosses:
    """A score that is a mean over frames. lost: 1 where only the parent is right, -1 where only the variant is."""

    lost: Array
    clusters: Array

    @property
    def loss(self) -> float:
        """Over all frames."""
        return float(self.lost.mean())

    @property
    def _counted(self) -> bool:
        return bool(np.isin(self.lost, (-1, 0, 1)).all())

    @property
    def _alone(self) -> bool:
        return self._counted and len(np.unique(self.clusters)) == len(self.clusters)

    def _sums(self) -> tuple[Array, Array]:
        clusters = gathered(self.clusters)
        return np.bincount(clusters, self.lost), np.bincount(clusters)

    def evidence(self) -> Evidence:
        """By Tango's rule where each frame stands alone, otherwise by clusters."""
        counts, frames = [int((self.lost > 0).sum()), int((self.lost < 0).sum())], len(self.lost)
        if self._alone:
            return "tango/1", {"only_reference_right": counts[0], "only_candidate_right": counts[1], "frames": frames}
        losses, weights = (one.tolist() for one in self._sums())
        discordant = counts if self._counted else None
        return "clusters/1", {"losses": losses, "weights": weights, "frames": frames, "discordant": discordant}

    def part(self, members: Array) -> FrameLosses:
        """The same of fewer frames."""
        return FrameLosses(self.lost[members], self.clusters[members])

    def p_value(self) -> float:
        """By signs: of frames that stand alone, or of clusters."""
        return sign_flip_p(self.lost if self._alone else self._sums()[0])


class ScoreLosses:
    """A score that is no mean over frames, taken again and again of clusters drawn at random.

    Leaving out one cluster at a time would be quicker, and wrong for an average precision: this moves in steps of a
    recall level, which one cluster less seldom reaches (its standard error came out four times too small).
    """

    def __init__(self, task: Reweighable, both: Both, truths: Sequence[Array], clusters: Array) -> None:
        self._task, self._both, self._truths, self._clusters = task, both, truths, clusters
        self._old, self._new = (task.reweighed(one, truths) for one in both)
        self.loss = self._loss(np.ones(len(truths)))

    def _loss(self, weights: Array) -> float:
        return (self._old(weights) - self._new(weights)) / 100

    def _resampled(self, clusters: Array, resamples: int) -> Iterator[float]:
        """The losses of random drawings of as many clusters, without those that have no score."""
        count = int(clusters.max()) + 1
        for drawn in np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), resamples):
            with suppress(HarnessError):
                yield self._loss(drawn[clusters].astype(float))

    def evidence(self, resamples: int = RESAMPLES) -> Evidence:
        """By resamples."""
        clusters = gathered(self._clusters)
        losses = np.sort(list(self._resampled(clusters, resamples))).round(7)
        return "resamples/1", {
            "loss": self.loss, "losses": losses.tolist(), "resamples": resamples, "clusters": int(clusters.max()) + 1,
            "frames": len(clusters),
        }  # fmt: skip

    def part(self, members: Array) -> ScoreLosses:
        """The same of fewer frames."""
        kept = np.flatnonzero(members).tolist()
        old, new = ([one[index] for index in kept] for one in self._both)
        return ScoreLosses(self._task, (old, new), [self._truths[index] for index in kept], self._clusters[members])

    def p_value(self) -> float:
        """How often a drawing shows no loss; one without a score counts as such."""
        if self.loss <= 0:
            return 1.0
        shown = sum(loss > 0 for loss in self._resampled(gathered(self._clusters), SLICE_RESAMPLES))
        return (1 + SLICE_RESAMPLES - shown) / (1 + SLICE_RESAMPLES)


class OwnScoreLosses(ScoreLosses):
    """A score of the user's own, which may take its time: fewer resamples, no slices."""

    def evidence(self, resamples: int = OWN_SCORE_RESAMPLES) -> Evidence:
        """By resamples."""
        return super().evidence(resamples)

    def part(self, members: Array) -> ScoreLosses:
        """None: DatasetError."""
        raise DatasetError("a score of the user's own is not taken of slices")


@dataclass(frozen=True)
class Repeating:
    """Any task's score of frames that count differently: they are shown to it as often."""

    task: Task

    def reweighed(self, predictions: Sequence[Array], truths: Sequence[Array]) -> Callable[[Array], float]:
        """For whole weights [frames]."""

        def value(weights: Array) -> float:
            shown = np.repeat(np.arange(len(weights)), weights.astype(int)).tolist()
            return self.task.score([predictions[index] for index in shown], [truths[index] for index in shown]).value

        return value


def gathered(clusters: Array) -> Array:
    """Numbered from 0 without gaps, 200 at most: neighbours become one, since frames side by side are alike."""
    names, numbers = np.unique(clusters, return_inverse=True)
    return numbers if len(names) <= MOST_CLUSTERS else numbers * MOST_CLUSTERS // len(names)
