"""When overlapped work would have begun and ended, from how long each part took on a clock of its own. Pure.

A simulated engine's time passes for itself alone: threads that pretend to work at once share no clock. So the same
rules as harness/cascade/flow.py keep (one frame in each node, one in each queue) are computed over the durations, with
a core for every node; the same job gives the same nanoseconds on every machine.
"""

from __future__ import annotations

from typing import Dict, Mapping, Sequence, Tuple

import numpy as np

from harness.cascade.flow import SINK, SOURCE, Edge
from harness.case import Array

Times = Tuple[Array, Array]


def graph_times(names: Sequence[str], edges: Sequence[Edge], duration_ns: Array) -> Times:
    """Starts int64 [frames, nodes] and admissions int64 [frames].

    names: in an order in which each comes after what it needs. duration_ns: int64 [frames, nodes].
    """
    starts, admitted = np.zeros_like(duration_ns), np.zeros(len(duration_ns), np.int64)
    places = (SOURCE, *names, SINK)
    free: Dict[str, int] = dict.fromkeys(places, 0)
    taken: Dict[Edge, int] = dict.fromkeys(edges, 0)
    for frame, durations in enumerate(duration_ns.tolist()):
        put: Dict[Edge, int] = {}
        took: Dict[Edge, int] = {}
        lasts: Mapping[str, int] = {SOURCE: 0, SINK: 0, **dict(zip(names, durations))}
        for place in places:
            now = free[place]
            for edge in (one for one in edges if one[1] == place):
                now = took[edge] = max(now, put[edge])
            if place == SOURCE:
                admitted[frame] = now
            elif place != SINK:
                starts[frame, names.index(place)] = now
            now += lasts[place]
            for edge in (one for one in edges if one[0] == place):
                now = put[edge] = max(now, taken[edge])
            free[place] = now
        taken = took
    return starts, admitted


def lane_times(lanes: int, needs: Array, duration_ns: Array) -> Times:
    """The same for `lanes` whole cascades in turn, each a thread that goes through the stages in their order.

    needs: int64 [frames, stages], the number of the frame whose answer of this stage must be there first; -1 for none.
    """
    count = len(duration_ns)
    starts, admitted = np.zeros_like(duration_ns), np.zeros(count, np.int64)
    ends = np.zeros_like(duration_ns)
    begun, dealt, free, out = (np.zeros(count, np.int64) for _ in range(4))
    for frame in range(count):
        before = frame - lanes
        admitted[frame] = dealt[frame - 1] if frame else 0
        dealt[frame] = max(admitted[frame], begun[before] if before >= 0 else 0)
        now = begun[frame] = max(dealt[frame], free[before] if before >= 0 else 0)
        for stage, needed in enumerate(needs[frame]):
            now = starts[frame, stage] = max(now, ends[needed, stage] if needed >= 0 else 0)
            now = ends[frame, stage] = now + duration_ns[frame, stage]
        out[frame] = max(now, out[frame - 1] if frame else 0)
        free[frame] = max(now, out[before] if before >= 0 else 0)
    return starts, admitted
