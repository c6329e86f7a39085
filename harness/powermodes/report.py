"""What `harness power-modes` found out, as text, Markdown and JSON."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import __version__
from harness.errors import printable
from harness.files import write_atomically
from harness.markup import escape, table
from harness.powermodes.front import AT, CORES, Front, Point
from harness.report.plain import plain
from harness.session import Session

FORMAT = 1
COLUMNS = ("mode", "P99 ms", "W", "cores", "")
NO_WATTS = (
    "nobody measured watts (the profile has no [power], or its sensor told nothing): the front is over cores only, and "
    "says nothing about energy"
)


@dataclass(frozen=True, kw_only=True)
class CaseFront:
    """One case over all modes. budget_ms: the device's gate on its latency, where it has one."""

    case: str
    points: tuple[Point, ...]
    front: Front
    budget_ms: float | None = None

    @property
    def rows(self) -> list[list[str]]:
        """A line for each mode."""
        on = {one.mode for one in self.front.points}
        beaten = {one.mode: by for one, by in self.front.beaten}
        return [_row(one, "on the front" if one.mode in on else self._why(one, beaten)) for one in self.points]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the table does not say."""
        within = self.front.within
        what = "cores" if self.front.by == CORES else "watts"
        return (f"the least {what} within {self.budget_ms:g} ms: {within.mode}",) if within and self.budget_ms else ()

    def _why(self, one: Point, beaten: dict[str, str]) -> str:
        return f"{beaten[one.mode]} beats it" if one.mode in beaten else one.fault(self.front.by)


@dataclass(frozen=True, kw_only=True)
class Found:
    """kind: what the modes are. notes: what went wrong."""

    device: str
    machine: str
    at: str
    harness: str
    plan: str
    kind: str
    simulated: bool
    cases: tuple[CaseFront, ...]
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether any mode has a latency."""
        return any(one.latency_ms is not None for case in self.cases for one in case.points)

    @property
    def head(self) -> str:
        """What was measured, where and how."""
        marked = "SIMULATED: " if self.simulated else ""
        return (
            f"{marked}P99 of a frame from its start, on {self.device}, {self.machine}, {self.at[:10]}, harness "
            f"{self.harness}, plan {self.plan}: {self.kind}; median [lowest, highest] of the processes"
        )


def found_of(kind: str, sessions: Sequence[Session], cases: tuple[CaseFront, ...], notes: Sequence[str]) -> Found:
    """Everything of one call of the command."""
    setup = sessions[0].setup
    return Found(
        device=setup.profile.name.partition(AT)[0], machine=platform.machine(), harness=__version__,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), plan=setup.plan.name, kind=kind,
        simulated=setup.profile.simulated, cases=cases, notes=tuple(dict.fromkeys([*_without_watts(cases), *notes])),
    )  # fmt: skip


def write_found(found: Found, folder: Path) -> list[Path]:
    """power-modes.md and power-modes.json; HarnessError where they cannot be written."""
    told = json.dumps({"format": FORMAT, **plain(asdict(found))}, indent=1, sort_keys=True, allow_nan=False)
    files = {"power-modes.md": "\n".join(markdown(found)) + "\n", "power-modes.json": told + "\n"}
    return [write_atomically(folder / name, content, option="--out") for name, content in files.items()]


def text(found: Found) -> list[str]:
    """For a terminal."""
    said = [found.head]
    for one in found.cases:
        said += ["", one.case, *(f"  {line}" for line in _aligned([list(COLUMNS), *one.rows]))]
        said += [f"  {line}" for line in one.sentences]
    return [printable(one, 1000) for one in [*said, "", *found.notes]]


def markdown(found: Found) -> Iterator[str]:
    """The same for a page."""
    yield from ("# Power modes", "", escape(found.head, limit=1000))
    for one in found.cases:
        yield from ("", f"## {escape(one.case)}", "", *table(COLUMNS, one.rows, left=1))
        yield from ("", *(f"- {escape(line, limit=1000)}" for line in one.sentences)) if one.sentences else ()
    yield from ("", *(f"- {escape(line, limit=1000)}" for line in found.notes))


def _without_watts(cases: Sequence[CaseFront]) -> list[str]:
    return [NO_WATTS] if any(one.front.by == CORES for one in cases) else []


def _row(one: Point, said: str) -> list[str]:
    latency = "-" if one.latency_ms is None else f"{one.latency_ms:.2f}"
    if one.spread_ms is not None and one.processes > 1:
        latency += f" [{one.spread_ms[0]:.2f}, {one.spread_ms[1]:.2f}]"
    watts, cores = ("-" if value is None else f"{value:g}" for value in (one.watts and round(one.watts, 3), one.cores))
    return [one.mode, latency, watts, cores, said]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
