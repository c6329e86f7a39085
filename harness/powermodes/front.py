"""Latency against watts over the power modes of a device, or over cores and clocks of this host.

A point is on the front where no other is both quicker and more frugal. Where nobody measures watts, cores stand in for
them: that is no front of power, and says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from harness.measurement import Measurement
from harness.metrics import METRICS

LATENCY, POWER = "frame_p99_ms", "power_mean_w"
CPUFREQ = "sys/devices/system/cpu"
AT, NO_MODE = "@", "default"
Cost = Literal["W", "cores"]
WATTS: Cost = "W"
CORES: Cost = "cores"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One case in one mode. watts: mean power while frames ran; what nobody measured is None.

    spread_ms: least and largest latency of the processes. cores: how many it could use, where the mode decides that.
    """

    mode: str
    latency_ms: float | None = None
    watts: float | None = None
    spread_ms: tuple[float, float] | None = None
    processes: int = 0
    cores: int | None = None

    def cost(self, by: Cost = WATTS) -> float | None:
        """Watts or cores; None where nobody knows."""
        return self.watts if by == WATTS else self.cores

    def costs(self, by: Cost = WATTS) -> tuple[float, float]:
        """Latency in ms and what it costs; ValueError where one of them is not known."""
        cost = self.cost(by)
        if self.latency_ms is None or cost is None:
            raise ValueError(self.fault(by))
        return self.latency_ms, cost

    def fault(self, by: Cost = WATTS) -> str:
        """What is missing; empty for a whole point."""
        asked = ((LATENCY, self.latency_ms), (POWER if by == WATTS else CORES, self.cost(by)))
        missing = [name for name, value in asked if value is None]
        return f"{self.mode}: nobody measured {' and '.join(missing)}" if missing else ""


@dataclass(frozen=True, kw_only=True)
class Front:
    """points: those that nothing beats, quickest first. beaten: the others, each with a mode that beats it.

    faults: sentences of modes that cannot be compared. within: the mode of least cost that keeps the budget. by: watts,
    or cores.
    """

    points: tuple[Point, ...]
    beaten: tuple[tuple[Point, str], ...]
    faults: tuple[str, ...]
    within: Point | None = None
    by: Cost = WATTS

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say."""
        on = [self._said(one) for one in self.points]
        off = [f"{self._said(one)}, {mode} beats it" for one, mode in self.beaten]
        least = "watts" if self.by == WATTS else "cores"
        kept = [f"the least {least} within the budget: {self.within.mode}"] if self.within else []
        return (*on, *off, *kept, *self.faults)

    def _said(self, one: Point) -> str:
        latency_ms, cost = one.costs(self.by)
        if self.by == WATTS:
            return f"{one.mode}: {latency_ms:.2f} ms at {cost:.2f} W"
        return f"{one.mode}: {latency_ms:.2f} ms on {cost:g} core{'' if cost == 1 else 's'}"


def front(points: Iterable[Point], budget_ms: float | None = None, by: Cost = WATTS) -> Front:
    """The modes that nothing beats; equal ones are all on it."""
    told = list(points)
    known = sorted((one for one in told if not one.fault(by)), key=lambda one: (one.costs(by), one.mode))
    better = {one.mode: _better(one, known, by) for one in known}
    within = [one for one in known if budget_ms is not None and one.costs(by)[0] <= budget_ms]
    return Front(
        points=tuple(one for one in known if not better[one.mode]),
        beaten=tuple((one, better[one.mode]) for one in known if better[one.mode]),
        faults=tuple(why for one in told if (why := one.fault(by))),
        within=min(within, key=lambda one: one.costs(by)[1], default=None),
        by=by,
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
    return point(mode, {name: _of_processes(measured, name) for name in (latency, POWER)}, latency)


def _of_processes(measured: Measurement, metric: str) -> tuple[float, ...]:
    """Nothing where the measurement as a whole has no value."""
    told = (METRICS[metric].value(run) for run in measured.runs)
    return tuple(one for one in told if one is not None) if measured.value(metric) is not None else ()


def _better(one: Point, known: Sequence[Point], by: Cost) -> str:
    """A mode that is no worse in both and better in one; empty where there is none."""
    own, others = one.costs(by), ((other.mode, other.costs(by)) for other in known)
    return next((mode for mode, (ms, cost) in others if ms <= own[0] and cost <= own[1] and (ms, cost) != own), "")


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
