"""A soak minute by minute: latency, frames, heat, clocks and power on one axis of time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.soak.sensors import KILOHERTZ, columns_of, hottest, mean_w, throttled_share
from harness.soak.sensors import MINUTE_NS as MINUTE_NS
from harness.stats.bounds import nearest_rank

FEWEST_FOR_P99 = 100
SHORTEST_MINUTE = 0.5
MS = 1e6


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One minute; what nobody told is None.

    number: from 1. seconds: 60, less in the last one. fps: completed frames per second. p99_ms: None below 100 frames.
    temperature_c: mean of the thermometer that became hottest. clocks_mhz: mean of each clock by "probe/channel".
    """

    number: int
    seconds: float
    frames: int
    fps: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    dropped: int | None
    temperature_c: float | None
    clocks_mhz: Mapping[str, float]
    throttled_share: float | None
    power_w: float | None


def minutes(soak: Soak) -> tuple[Minute, ...]:
    """Every whole minute, and the last one where at least half of it is there; a frame belongs to where it was due."""
    if not len(soak.due_ns):
        return ()
    edges = np.arange(soak.start_ns, soak.end_ns, MINUTE_NS).astype(float)
    edges = np.append(edges, max(float(soak.end_ns), edges[-1]))
    if len(edges) > 2 and edges[-1] - edges[-2] < SHORTEST_MINUTE * MINUTE_NS:
        edges = edges[:-1]
    return tuple(_minute(soak, index + 1, start, end) for index, (start, end) in enumerate(pairwise(edges)))


def _minute(soak: Soak, number: int, start_ns: float, end_ns: float) -> Minute:
    latency = soak.latency_ns[(soak.due_ns >= start_ns) & (soak.due_ns < end_ns)]
    dropped, seconds = soak.dropped_ns, (end_ns - start_ns) / 1e9
    hot = hottest(soak)
    clocks = {one.name: one.mean(start_ns, end_ns) for one in columns_of(soak, KILOHERTZ)}
    return Minute(
        number=number, seconds=seconds, frames=len(latency), fps=len(latency) / seconds,
        p50_ms=_rank_ms(latency, 0.5, 1), p99_ms=_rank_ms(latency, 0.99, FEWEST_FOR_P99),
        max_ms=_rank_ms(latency, 1.0, 1),
        dropped=None if dropped is None else int(((dropped >= start_ns) & (dropped < end_ns)).sum()),
        temperature_c=hot.mean(start_ns, end_ns) if hot else None,
        clocks_mhz={name: khz / 1e3 for name, khz in clocks.items() if khz is not None},
        throttled_share=throttled_share(soak, start_ns, end_ns), power_w=mean_w(soak, start_ns, end_ns),
    )  # fmt: skip


def _rank_ms(latency_ns: Array, share: float, fewest: int) -> float | None:
    return nearest_rank(latency_ns, share) / MS if len(latency_ns) >= fewest else None
