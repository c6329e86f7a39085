"""How much slower a model's tail is beside other work: the matrix load x case of P99, from paired windows.

A block has one window without load and one beside each load, in random order; the ratio of their P99 is one value, so
that whatever drifts slowly drifts in both. Estimate and interval: Hodges and Lehmann, and the inverted signed-rank test
(harness.stats.paired) on the logs. Pure but for `windows`, which runs the loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.case import Array
from harness.loads import NONE, running
from harness.stats.bounds import nearest_rank
from harness.stats.paired import hodges_lehmann, signed_rank_bounds

ALPHA = 0.05
BLOCKS = 10
FEWEST_FRAMES = 100
Window = Callable[[], Array]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """P99 beside a load over P99 without, as a ratio with its two-sided interval of 95 %; infinite with too few blocks.

    fault: why nothing is known; then the numbers are None.
    """

    load: str
    case: str
    blocks: int = 0
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    quiet_p99_ms: float | None = None
    loaded_p99_ms: float | None = None
    fault: str = ""

    @property
    def proven(self) -> bool:
        """Whether the load makes the tail slower beyond chance."""
        return self.low is not None and self.low > 1


@dataclass(frozen=True, kw_only=True)
class Block:
    """Frame times in ns of one window by load, `none` among them. cpu_s: what each load took meanwhile."""

    frames: Mapping[str, Array]
    cpu_s: Mapping[str, float] = field(default_factory=dict)


def degradation(load: str, case: str, blocks: Sequence[Block], share: float = 0.99) -> Degradation:
    """What one load does to one case."""
    pairs = [(one.frames[NONE], one.frames[load]) for one in blocks if NONE in one.frames and load in one.frames]
    fewest = min((min(map(len, pair)) for pair in pairs), default=0)
    if fewest < FEWEST_FRAMES:
        said = f"{len(pairs)} pairs of windows, the smallest of {fewest} frames, needs {FEWEST_FRAMES}"
        return Degradation(load=load, case=case, blocks=len(pairs), fault=said)
    quiet, loaded = np.array([[nearest_rank(one, share) for one in pair] for pair in pairs]).T
    ratios = np.log(loaded / quiet)
    low, high = signed_rank_bounds(ratios, ALPHA / 2)
    return Degradation(
        load=load, case=case, blocks=len(pairs), ratio=math.exp(hodges_lehmann(ratios)), low=math.exp(low),
        high=math.exp(high) if math.isfinite(high) else math.inf,
        quiet_p99_ms=float(np.median(quiet)) / 1e6, loaded_p99_ms=float(np.median(loaded)) / 1e6,
    )  # fmt: skip


def matrix(measured: Mapping[str, Sequence[Block]], loads: Sequence[str]) -> tuple[tuple[Degradation, ...], ...]:
    """A row for each load, a column for each case of `measured`."""
    return tuple(tuple(degradation(load, case, blocks) for case, blocks in measured.items()) for load in loads)


def lines(rows: Sequence[Sequence[Degradation]]) -> list[str]:
    """The matrix as text, one line for each load."""
    if not rows or not rows[0]:
        return []
    width = max(24, *(len(one.case) + 2 for one in rows[0]))
    head = f"{'P99 beside':<12}" + "".join(f"{one.case:>{width}}" for one in rows[0])
    return [head, *(f"{row[0].load:<12}" + "".join(f"{_cell(one):>{width}}" for one in row) for row in rows)]


def windows(
    window: Window, loads: Collection[str], *, blocks: int = BLOCKS, cores: Collection[int] = (), seed: int = 0
) -> tuple[Block, ...]:
    """Measure: each block calls `window` (frame times in ns) once without load and once beside each, in random order.

    HarnessError where a load cannot start or ends too soon.
    """
    random = np.random.default_rng(seed)
    names = [NONE, *(one for one in loads if one != NONE)]
    return tuple(_block(window, [names[one] for one in random.permutation(len(names))], cores) for _ in range(blocks))


def _block(window: Window, names: Sequence[str], cores: Collection[int]) -> Block:
    frames: dict[str, Array] = {}
    taken: dict[str, float] = {}
    for name in names:
        with running(name, cores=cores) as load:
            before = load.cpu_s()
            frames[name] = np.asarray(window())
            taken[name] = load.cpu_s() - before
    return Block(frames=frames, cpu_s=taken)


def _cell(one: Degradation) -> str:
    if one.ratio is None or one.low is None or one.high is None:
        return "not measured"
    if not math.isfinite(one.high):
        return f"x{one.ratio:.2f} (no interval)"
    return f"x{one.ratio:.2f} ({one.low:.2f} to {one.high:.2f})"
