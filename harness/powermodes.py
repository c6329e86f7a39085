"""Latency against watts over the power modes of a device, or over cores and clocks of this host.

A point is on the front where no other is both quicker and more frugal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.measurement import Measurement
from harness.record import SessionRecord

LATENCY, POWER = "frame_p99_ms", "power_mean_w"
CPUFREQ = "sys/devices/system/cpu"
AT, NO_MODE = "@", "default"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One case in one mode. watts: mean power while frames ran; what nobody measured is None.

    spread_ms: least and largest latency of the processes.
    """

    mode: str
    latency_ms: float | None = None
    watts: float | None = None
    spread_ms: tuple[float, float] | None = None
    processes: int = 0

    @property
    def known(self) -> bool:
        """Whether it can be compared."""
        return self.latency_ms is not None and self.watts is not None

    @property
    def costs(self) -> tuple[float, float]:
        """Latency in ms and power in W; ValueError where one of them is not known."""
        if self.latency_ms is None or self.watts is None:
            raise ValueError(self.fault)
        return self.latency_ms, self.watts

    @property
    def fault(self) -> str:
        """What is missing; empty for a whole point."""
        missing = [name for name, value in ((LATENCY, self.latency_ms), (POWER, self.watts)) if value is None]
        return f"{self.mode}: nobody measured {' and '.join(missing)}" if missing else ""


@dataclass(frozen=True, kw_only=True)
class Front:
    """points: those that nothing beats, quickest first. beaten: the others, each with a mode that is better in both.

    faults: sentences of modes that cannot be compared. within: the mode of least watts that keeps the budget.
    """

    points: tuple[Point, ...]
    beaten: tuple[tuple[Point, str], ...]
    faults: tuple[str, ...]
    within: Point | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say."""
        on = [f"{one.mode}: {one.latency_ms:.2f} ms at {one.watts:.2f} W" for one in self.points]
        off = [f"{one.mode}: {one.latency_ms:.2f} ms at {one.watts:.2f} W, {by} is better in both"
               for one, by in self.beaten]  # fmt: skip
        kept = [f"the least watts within the budget: {self.within.mode}"] if self.within else []
        return (*on, *off, *kept, *self.faults)


def front(points: Iterable[Point], budget_ms: float | None = None) -> Front:
    """The modes that nothing beats; equal ones are all on it."""
    told = list(points)
    known = sorted((one for one in told if one.known), key=lambda one: (one.costs, one.mode))
    better = {one.mode: _better(one, known) for one in known}
    within = [one for one in known if budget_ms is not None and one.costs[0] <= budget_ms]
    return Front(
        points=tuple(one for one in known if not better[one.mode]),
        beaten=tuple((one, better[one.mode]) for one in known if better[one.mode]),
        faults=tuple(one.fault for one in told if one.fault),
        within=min(within, key=lambda one: one.costs[1], default=None),
    )


def point(mode: str, values: Mapping[str, Sequence[float]], latency: str = LATENCY) -> Point:
    """The point of measured values, one for each process, by the names of metrics."""
    told, watts = values.get(latency, ()), values.get(POWER, ())
    return Point(
        mode=mode, latency_ms=median(told) if told else None, watts=median(watts) if watts else None,
        spread_ms=(min(told), max(told)) if told else None, processes=len(told),
    )  # fmt: skip


def point_of(measured: Measurement, latency: str = LATENCY) -> Point:
    """The point of a case that was measured in the mode that its device's name says."""
    mode = measured.case.device.partition(AT)[2] or NO_MODE
    told = {name: measured.value(name) for name in (latency, POWER)}
    return point(mode, {name: (value,) for name, value in told.items() if value is not None}, latency)


def points_of(records: Iterable[SessionRecord], latency: str = LATENCY) -> dict[str, tuple[Point, ...]]:
    """Of sessions of a history, oldest first, the newest valid one of each mode, by "device/model/variant/runtime".

    A device without a mode in its name ("orin", not "orin@15W") is the mode "default".
    """
    newest: dict[str, dict[str, SessionRecord]] = {}
    for one in records:
        device, _, mode = one.case.device.partition(AT)
        if one.valid:
            key = f"{device}/{one.case.model}/{one.case.variant}/{one.case.runtime}"
            newest.setdefault(key, {})[mode or NO_MODE] = one
    return {
        key: tuple(point(mode, record.values, latency) for mode, record in modes.items())
        for key, modes in newest.items()
    }  # fmt: skip


def _better(one: Point, known: Sequence[Point]) -> str:
    """A mode that is no worse in both and better in one; empty where there is none."""
    own, others = one.costs, ((other.mode, other.costs) for other in known)
    return next((mode for mode, (ms, watts) in others if ms <= own[0] and watts <= own[1] and (ms, watts) != own), "")


def host_clocks_khz(root: Path = Path("/")) -> tuple[int, ...]:
    """The clocks that cpufreq offers for the first core, ascending; only the ends where it has a range."""
    folder = root / CPUFREQ / "cpu0" / "cpufreq"
    listed = _numbers(folder / "scaling_available_frequencies")
    ends = (*_numbers(folder / "cpuinfo_min_freq"), *_numbers(folder / "cpuinfo_max_freq"))
    return tuple(sorted(set(listed or ends)))


def host_fault(root: Path = Path("/")) -> str:
    """Why the clocks of this host cannot be set, so that only its core counts can be compared; empty where they can."""
    folder = root / CPUFREQ / "cpu0" / "cpufreq"
    if not folder.is_dir():
        return f"no cpufreq here ({folder}), as on most virtual machines: compare core counts instead"
    if not os.access(folder / "scaling_max_freq", os.W_OK):
        return f"{folder / 'scaling_max_freq'} is not writable: run as root, or compare core counts instead"
    return "" if len(host_clocks_khz(root)) > 1 else f"{folder} offers one clock only: compare core counts instead"


def core_counts(cores: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """The sets of cores to compare: one core, then twice as many, up to all of them."""
    known = tuple(sorted(set(cores)))
    sizes = [size for size in (2**power for power in range(len(known).bit_length())) if size < len(known)]
    return tuple(known[:size] for size in (*sizes, len(known))) if known else ()


def _numbers(path: Path) -> tuple[int, ...]:
    try:
        return tuple(int(one) for one in path.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return ()
