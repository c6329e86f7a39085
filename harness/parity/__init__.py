"""A variant beside the variant that it was made from, on the same labelled frames. Pure.

What decides is a few hundred plain numbers, and decides the same when they are read again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import HarnessError
from harness.parity.losses import Losses, losses_of
from harness.stats.multiplicity import benjamini_hochberg
from harness.tasks import Task

FALSE_DISCOVERY_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class SliceLoss:
    """The loss in one condition. p_value: of such a loss between equals, one-sided.

    significant: after Benjamini and Hochberg over all slices, at 5 %; it is advice.
    """

    frames: int
    loss_points: float
    p_value: float
    significant: bool = False


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A variant beside its parent on the same frames.

    loss_points: the parent's score less the variant's. flips: frames whose answer differs between the two, None where
    the task has no such thing. slices: by "condition=value". rule, inputs: what decides, besides margin and alpha;
    plain numbers, losses as shares:
    "tango/1", a frame is right or wrong and stands alone: `only_reference_right`, `only_candidate_right`, `frames`.
    "clusters/1", a mean over `frames`: sums of `losses` over the frames of each cluster, and their number `weights`;
    `discordant` holds the two counts of Tango's rule where a frame is right or wrong, otherwise None.
    "resamples/1", any other score: `loss` and the `losses` of `resamples` random drawings of `clusters`, sorted, of
    `frames`; a drawing that has no score is missing.
    """

    frames: int
    loss_points: float
    flips: int | None
    rule: str
    inputs: Mapping[str, Any]
    slices: Mapping[str, SliceLoss]


def compare_with_parent(
    task: Task,
    parent_predictions: Sequence[Array],
    predictions: Sequence[Array],
    truths: Sequence[Array],
    samples: Sequence[Mapping[str, Any]],
) -> Parity:
    """Both variants on the same frames. samples: what is known of each, `subject`, `clip` and `slices`.

    Frames of one driver are not independent: samples of one subject, or else of one clip, are judged as one cluster.
    Raises what the task's `score` raises for predictions and truths that do not fit.
    """
    losses = losses_of(task, (parent_predictions, predictions), truths, cluster_of_frames(samples))
    changed = task.changed(parent_predictions, predictions, truths)
    rule, inputs = losses.evidence()
    return Parity(
        frames=len(truths), loss_points=100 * losses.loss, flips=None if changed is None else int(changed.sum()),
        rule=rule, inputs=inputs, slices=_slices(losses, samples),
    )  # fmt: skip


def slice_advice(case: str, parity: Parity) -> list[str]:
    """One sentence for each condition in which the variant is proven worse; never red."""
    return [
        f"{case}: loses {one.loss_points:.2g} points where {name} ({one.frames} frames, p {one.p_value:.2g}, "
        f"significant after Benjamini and Hochberg over {len(parity.slices)} slices): advice"
        for name, one in parity.slices.items() if one.significant
    ]  # fmt: skip


def cluster_of_frames(samples: Sequence[Mapping[str, Any]]) -> Array:
    """The number of each frame's cluster [frames], by first appearance: its subject, else its clip, else it alone."""
    numbers: dict[Hashable, int] = {}
    names = [_cluster_name(sample) or index for index, sample in enumerate(samples)]
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def _cluster_name(sample: Mapping[str, Any]) -> Hashable:
    return next(((kind, sample[kind]) for kind in ("subject", "clip") if sample.get(kind)), None)


def _slices(losses: Losses, samples: Sequence[Mapping[str, Any]]) -> dict[str, SliceLoss]:
    """A slice for which the score means nothing, such as one without any truth, is left out."""
    found: dict[str, SliceLoss] = {}
    for name, members in sorted(_members(samples).items()):
        with suppress(HarnessError):
            part = losses.part(members)
            loss_points = 100 * part.loss
            found[name] = SliceLoss(frames=int(members.sum()), loss_points=loss_points, p_value=part.p_value())
    worse = benjamini_hochberg({name: one.p_value for name, one in found.items()}, FALSE_DISCOVERY_SHARE)
    return {name: replace(one, significant=name in worse) for name, one in found.items()}


def _members(samples: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """The frames of each slice, bool [frames]."""
    members: dict[str, Array] = {}
    for index, sample in enumerate(samples):
        for condition, value in sample.get("slices", {}).items():
            members.setdefault(f"{condition}={value}", np.zeros(len(samples), bool))[index] = True
    return members
