"""How much slower a model's tail is beside other work: the matrix load x case of P99, from paired windows.

A block has one window without load and one beside each load, in random order; the ratio of their P99 is one value, so
that whatever drifts slowly drifts in both. Estimate and interval: Hodges and Lehmann, and the inverted signed-rank test
(harness.stats.paired) on the logs. Pure but for `windows`, which runs the loads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.case import Array
from harness.interference.loads import NONE, running
from harness.stats.bounds import nearest_rank
from harness.stats.paired import hodges_lehmann, signed_rank_bounds

ALPHA = 0.05
BLOCKS = 10
FEWEST_FRAMES = 100
# The interval inverts a rank test: with fewer pairs every order of signs is too likely by chance.
FEWEST_BLOCKS = 6
Window = Callable[[str], Array]


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
    """Frame times in ns of one window by load, `none` among them. cpu_s: what each load took of the cores in wall_s."""

    frames: Mapping[str, Array]
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    wall_s: Mapping[str, float] = field(default_factory=dict)


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


def cells(rows: Sequence[Sequence[Degradation]]) -> list[list[str]]:
    """The matrix for a reader, its head first: a line for each case, a column for each load."""
    if not rows or not rows[0]:
        return []
    head = ["", "P99 alone, ms", *(row[0].load for row in rows)]
    return [head, *([column[0].case, _alone(column), *map(cell, column)] for column in zip(*rows, strict=True))]


def lines(rows: Sequence[Sequence[Degradation]]) -> list[str]:
    """The same as text."""
    table = cells(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([one.ljust(widths[0]) for one in line[:1]] + [one.rjust(width) for one, width in
                                                               zip(line[1:], widths[1:], strict=True)])
        for line in table
    ]  # fmt: skip


def windows(
    window: Window, loads: Collection[str], *, blocks: int = BLOCKS, cores: Collection[int] = (), seed: int = 0
) -> tuple[Block, ...]:
    """Measure: each block calls `window` once without load and once beside each, in random order; it is told the load
    and gives frame times in ns.

    HarnessError where a load cannot start or ends too soon.
    """
    random = np.random.default_rng(seed)
    names = [NONE, *(one for one in loads if one != NONE)]
    return tuple(_block(window, [names[one] for one in random.permutation(len(names))], cores) for _ in range(blocks))


def _block(window: Window, names: Sequence[str], cores: Collection[int]) -> Block:
    frames: dict[str, Array] = {}
    taken: dict[str, float] = {}
    lasted: dict[str, float] = {}
    for name in names:
        with running(name, cores=cores) as load:
            before, begin = load.cpu_s(), time.monotonic()
            frames[name] = np.asarray(window(name))
            taken[name], lasted[name] = load.cpu_s() - before, time.monotonic() - begin
    return Block(frames=frames, cpu_s=taken, wall_s=lasted)


def _alone(column: Sequence[Degradation]) -> str:
    known = (one.quiet_p99_ms for one in column if one.quiet_p99_ms is not None)
    return next((f"{one:.2f}" for one in known), "-")


def cell(one: Degradation) -> str:
    """ "x1.32 (1.20 to 1.45)", or that there is no number."""
    if one.ratio is None or one.low is None or one.high is None:
        return "not measured"
    if not math.isfinite(one.high):
        return f"x{one.ratio:.2f} (no interval)"
    return f"x{one.ratio:.2f} ({one.low:.2f} to {one.high:.2f})"
