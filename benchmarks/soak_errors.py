"""How often a soak's verdict is wrong: clean simulated soaks, and soaks with one planted fault.

`python benchmarks/soak_errors.py [REPEATS]` prints for each the share of soaks with anything wrong raised, with the
95 % bounds of Clopper and Pearson, and the share in which the planted fault is found under its name. Seeded; with 500
repeats about ten minutes on one core.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from harness.soak.simulated import CLEAN, Planted, simulated_soak
from harness.soak.verdict import judge
from harness.stats.bounds import rate_bounds

REPEATS, SEED = 500, 90_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """A kind of soak and what must be raised on it; nothing where `kind` is empty."""

    name: str
    planted: Planted = CLEAN
    kind: str = ""
    minutes: float = 10.0


ROWS = (
    Row(name="clean, 10 min"),
    Row(name="clean, 60 min", minutes=60.0),
    Row(name="leak of 100 kB per frame", planted=Planted(leak_kb=100), kind="leak"),
    Row(name="leak of 5 kB per frame", planted=Planted(leak_kb=5), kind="leak"),
    Row(name="10 % slower after 5 min", planted=Planted(slower=0.1), kind="throttle"),
    Row(name="30 % slower after 5 min", planted=Planted(slower=0.3), kind="throttle"),
    Row(name="the same, no sensor told", planted=Planted(slower=0.3, sensors=False), kind="step"),
    Row(name="drift of 10 % in 10 min", planted=Planted(drift=0.10), kind="drift"),
    Row(name="100 ms stall every 20 s", planted=Planted(stall_ms=100), kind="periodic stall"),
    Row(name="1 s stall every 20 s", planted=Planted(stall_ms=1000), kind="periodic stall"),
    Row(name="one stall of 1 s", planted=Planted(stall_ms=1000, stalls_at_s=(222.0,)), kind="single stall"),
    Row(name="six stalls of 300 ms", planted=Planted(stall_ms=300, stalls_at_s=(22, 67, 190, 199, 410, 555)),
        kind="random stalls"),
)  # fmt: skip


def raised(row: Row, repeats: int) -> Iterator[tuple[str, ...]]:
    """The kinds of findings of each soak."""
    for repeat in range(repeats):
        soak = simulated_soak(SEED + repeat, row.planted, minutes=row.minutes)
        yield tuple(one.kind for one in judge(soak).findings)


def line(row: Row, repeats: int) -> str:
    """The rates of one row; what is raised besides the planted fault is wrong."""
    begin, found = time.perf_counter(), Counter(raised(row, repeats))
    wrong = sum(times for kinds, times in found.items() if set(kinds) - {row.kind})
    low, high = rate_bounds(wrong, repeats, 0.025)
    named = sum(times for kinds, times in found.items() if row.kind in kinds)
    share = f"{named / repeats:7.1%}" if row.kind else "      -"
    wanted = (row.kind,) if row.kind else ()
    others = ", ".join(f"{'+'.join(kinds) or 'nothing'} {times}" for kinds, times in found.items() if kinds != wanted)
    return (
        f"{row.name:<28}{share} found {wrong / repeats:7.2%} wrong ({low:.2%} to {high:.2%}) "
        f"{(time.perf_counter() - begin) / repeats:6.2f} s  {others}"
    )


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    for row in ROWS:
        print(line(row, repeats), flush=True)


if __name__ == "__main__":
    main()
