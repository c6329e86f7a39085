"""Some of many frames, with each combination of conditions in its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.packing import POSE

# |yaw| from which on a gaze counts as turned, and as far.
POSE_EDGES_DEG = (10.0, 30.0)
Stratum = tuple[tuple[str, str], ...]


def stratified(samples: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[int]:
    """`count` rows of `samples`, ascending: proportional over their strata, at least one of each where that fits.

    ValueError where there are fewer rows.
    """
    if count > len(samples):
        raise ValueError(f"{count} of {len(samples)} frames")
    groups = strata(samples)
    given = shares([len(rows) for rows in groups.values()], count)
    random = np.random.default_rng(seed)
    drawn = [random.choice(rows, taken, replace=False) for rows, taken in zip(groups.values(), given, strict=True)]
    return sorted(int(row) for rows in drawn for row in rows)


def strata(samples: Sequence[Mapping[str, Any]]) -> dict[Stratum, list[int]]:
    """The rows of each combination of conditions, in the order of their names."""
    found: dict[Stratum, list[int]] = {}
    for row, sample in enumerate(samples):
        found.setdefault(_stratum(sample), []).append(row)
    return dict(sorted(found.items()))


def shares(sizes: Sequence[int], count: int) -> list[int]:
    """How many of each group: the nearest to its share of `count`, at least one where there are no more groups.

    Never more than it has, where `count` is not more than all have.
    """
    wanted = np.array(sizes) * count / sum(sizes)
    fewest = 1 if len(sizes) <= count else 0
    given = np.maximum(np.floor(wanted).astype(int), fewest)
    while given.sum() > count:
        given[np.argmax(np.where(given > fewest, given - wanted, -np.inf))] -= 1
    while given.sum() < count:
        given[np.argmax(np.where(given < sizes, wanted - given, -np.inf))] += 1
    return [int(one) for one in given]


def _stratum(sample: Mapping[str, Any]) -> Stratum:
    conditions = {str(name): str(value) for name, value in sample.get("slices", {}).items()}
    if POSE in sample:
        conditions["pose"] = _pose(abs(float(sample[POSE])))
    return tuple(sorted(conditions.items()))


def _pose(yaw_deg: float) -> str:
    turned, far = POSE_EDGES_DEG
    return "frontal" if yaw_deg < turned else "turned" if yaw_deg < far else "far"
