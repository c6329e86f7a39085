"""What `harness interference` found out, as text, Markdown and JSON."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import __version__
from harness.errors import printable
from harness.files import write_atomically
from harness.interference.loads import LOADS, NONE, tool
from harness.interference.matrix import ALPHA, Block, Degradation, cells, lines
from harness.markup import escape, table
from harness.report.plain import plain
from harness.session import Session

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Found:
    """The matrix of P99 beside loads. rows: one for each load, with every case.

    tool: whose loads ran. cores_taken: by load, the mean of what it took of the cores. notes: what spoils it.
    """

    device: str
    machine: str
    at: str
    harness: str
    seconds: float
    blocks: int
    tool: str
    simulated: bool
    rows: tuple[tuple[Degradation, ...], ...]
    cores_taken: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether any cell has a number."""
        return any(one.ratio is not None for row in self.rows for one in row)

    @property
    def head(self) -> str:
        """What was measured, where and how."""
        marked = "SIMULATED, which no load can slow: " if self.simulated else ""
        return (
            f"{marked}P99 of a frame, back to back, beside a load over P99 without, on {self.device}, {self.machine}, "
            f"{self.at[:10]}, harness {self.harness}: {self.blocks} windows of {self.seconds:g} s each, in random order"
        )

    @property
    def foot(self) -> str:
        """What the numbers mean."""
        sure = f"{100 * (1 - ALPHA):g} %"
        return (
            f"x: median ratio of paired windows (Hodges-Lehmann) with its interval of {sure}; where that holds 1, "
            "nothing is proven"
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What each load is and took, and why a cell has no number."""
        loads = [
            f"{name}: {LOADS[name].what}, by {self.tool}; it took {taken:.2f} cores"
            for name, taken in self.cores_taken.items()
        ]
        known = dict.fromkeys((one.case, one.fault) for row in self.rows for one in row if one.fault)
        return (*loads, *(f"{case}: not measured: {fault}" for case, fault in known), *self.notes)


def found_of(
    session: Session, loads: Sequence[str], blocks: int, rows: tuple[tuple[Degradation, ...], ...],
    measured: Mapping[str, Sequence[Block]],
) -> Found:  # fmt: skip
    """Everything of one call of the command."""
    setup = session.setup
    return Found(
        device=setup.profile.name, machine=platform.machine(), at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        harness=__version__, seconds=setup.plan.minimum_s, blocks=blocks, tool=tool(),
        simulated=setup.profile.simulated, rows=rows,
        cores_taken={load: taken for load in loads if (taken := _cores_taken(load, measured)) is not None},
        notes=tuple(session.notes),
    )  # fmt: skip


def write_found(found: Found, folder: Path) -> list[Path]:
    """interference.md and interference.json; HarnessError where they cannot be written."""
    files = {"interference.md": "\n".join(markdown(found)) + "\n", "interference.json": as_json(found) + "\n"}
    return [write_atomically(folder / name, content, option="--out") for name, content in files.items()]


def as_json(found: Found) -> str:
    """For programs; an interval that nothing bounds has null there."""
    return json.dumps({"format": FORMAT, **plain(asdict(found))}, indent=1, sort_keys=True, allow_nan=False)


def text(found: Found) -> list[str]:
    """For a terminal."""
    said = [found.head, "", *lines(found.rows), "", *found.sentences, found.foot]
    return [printable(one, 1000) for one in said]


def markdown(found: Found) -> Iterator[str]:
    """The same for a page."""
    yield from ("# Interference", "", escape(found.head, limit=1000), "")
    if shown := cells(found.rows):
        yield from table(shown[0], shown[1:], left=1)
    yield from ("", *(f"- {escape(one, limit=1000)}" for one in (*found.sentences, found.foot)))


def _cores_taken(load: str, measured: Mapping[str, Sequence[Block]]) -> float | None:
    """CPU time of the load over that of its windows; None where nobody measured."""
    told: list[tuple[float, float]] = [
        (one.cpu_s[load], one.wall_s[load]) for blocks in measured.values() for one in blocks
        if load != NONE and load in one.cpu_s and load in one.wall_s
    ]  # fmt: skip
    wall_s = math.fsum(wall for _, wall in told)
    return math.fsum(used for used, _ in told) / wall_s if wall_s else None
