"""The graph of a cascade: its order, its cycles, and the longest chain of a frame. Pure."""

from __future__ import annotations

from typing import List, Mapping, Sequence, Tuple

import numpy as np

from harness.case import Array

After = Mapping[str, Sequence[str]]


def ordered(after: After) -> Tuple[str, ...]:
    """The stages, each behind all that it comes after, otherwise as given; ValueError where they go round in a cycle.

    Every name in a value must be a key.
    """
    left, found = dict(after), []
    while left:
        free = [name for name, before in left.items() if not set(before) & set(left)]
        if not free:
            raise ValueError(f"the stages wait for each other: {' after '.join(cycle(left))}")
        found.append(free[0])
        del left[free[0]]
    return tuple(found)


def cycle(after: After) -> Tuple[str, ...]:
    """A cycle among stages each of which comes after another one of them, its first stage once more at its end."""
    path = [next(iter(after))]
    while path[-1] not in path[:-1]:
        path.append(next(name for name in after[path[-1]] if name in after))
    return tuple(path[path.index(path[-1]) :])


def critical_paths(after: After, work_ns: Array) -> Tuple[Array, List[Tuple[str, ...]]]:
    """Of each frame the longest chain of stages: its nanoseconds int64 [frames], and its stages.

    after: in the order of `ordered`. work_ns: int64 [frames, stages], 0 where a stage did not run; such a stage is in
    no chain. It is what a frame would take with an engine and a core for every stage.
    """
    names, frames = list(after), np.arange(len(work_ns))
    ends, before = np.zeros_like(work_ns), np.full(work_ns.shape, -1)
    for column, name in enumerate(names):
        earlier = [names.index(one) for one in after[name]]
        if earlier:
            last = np.array(earlier)[ends[:, earlier].argmax(axis=1)]
            before[:, column] = last
            ends[:, column] = ends[frames, last]
        ends[:, column] += work_ns[:, column]
    lasts = ends.argmax(axis=1) if len(names) else frames
    return ends.max(axis=1, initial=0), [
        _chain(names, before[frame], work_ns[frame], int(lasts[frame])) for frame in frames
    ]


def _chain(names: Sequence[str], before: Array, work_ns: Array, last: int) -> Tuple[str, ...]:
    chain = []
    while last >= 0:
        if work_ns[last]:
            chain.append(names[last])
        last = int(before[last])
    return tuple(reversed(chain))


def leaves(after: After) -> Tuple[str, ...]:
    """The stages that no other one comes after."""
    needed = {one for before in after.values() for one in before}
    return tuple(name for name in after if name not in needed)
