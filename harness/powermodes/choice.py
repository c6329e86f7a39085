"""Which modes `harness power-modes` compares on this machine, and how each is entered.

nvpmodel's where the machine has them; else cores, and the clocks of all of them where this user may set those.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError, unknown
from harness.powermodes.clockcaps import ClockCaps
from harness.powermodes.front import AT, core_counts, host_clocks_khz, host_fault
from harness.powermodes.nvpmodel import Nvpmodel, nvpmodel
from harness.profile import DeviceProfile, read_profile
from harness.runtimes import runtime_class

NEVER_RUN = "NEVER RUN ON A DEVICE: written from NVIDIA's documents"


def _nothing() -> None:
    """For a mode that the worker itself takes."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """profile: of the device in this mode, called DEVICE@NAME. enter: what sets it. cores: how many workers may use."""

    name: str
    profile: DeviceProfile
    enter: Callable[[], None] = _nothing
    cores: int | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """kind: what the modes are, in words. kept: puts back what was before."""

    kind: str
    modes: tuple[Mode, ...]
    kept: Callable[[], AbstractContextManager[None]] = field(default=contextlib.nullcontext)


def modes_of(profile: DeviceProfile, devices: Path, root: Path = Path("/")) -> Choice:
    """All modes of this machine; those of nvpmodel where it has any."""
    if profile.simulated:
        return Choice(kind="core counts of this host, which a simulated engine does not feel", modes=_cores(profile))
    found = nvpmodel(str(root))
    if found is not None:
        modes = tuple(_power_mode(profile, name, found, devices) for name in found.modes)
        return Choice(kind=f"power modes of nvpmodel ({NEVER_RUN})", modes=modes, kept=found.kept)
    if why := host_fault(root):
        return Choice(kind=f"core counts of this host ({why})", modes=_cores(profile))
    caps = ClockCaps(root=root)
    modes = (*_cores(profile), *_clocks(profile, caps, host_clocks_khz(root)))
    return Choice(kind=f"core counts and clocks of this host (clocks: {NEVER_RUN.lower()})", modes=modes,
                  kept=caps.kept)  # fmt: skip


def chosen(choice: Choice, names: Sequence[str]) -> tuple[Mode, ...]:
    """Those modes, all without a name; ConfigError for one that there is not."""
    known = {one.name: one for one in choice.modes}
    for name in names:
        if name not in known:
            raise ConfigError(unknown("mode", name, known), where="--modes")
    return tuple(known[one] for one in names) if names else choice.modes


def _power_mode(profile: DeviceProfile, name: str, tool: Nvpmodel, devices: Path) -> Mode:
    """With what the profile says of the mode, where it has a table for it."""
    known = {read_profile(f"{profile.name}{AT}{one}", devices).conditions.power_mode: one for one in profile.modes}
    if name in known:
        own = read_profile(f"{profile.name}{AT}{known[name]}", devices)
    else:
        conditions = profile.conditions.model_copy(update={"power_mode": name})
        own = profile.model_copy(update={"name": f"{profile.name}{AT}{name}", "conditions": conditions})
    return Mode(name=name, profile=own, enter=lambda: tool.set(name))


def _cores(profile: DeviceProfile) -> tuple[Mode, ...]:
    sets = core_counts(profile.cpu_cores or sorted(os.sched_getaffinity(0)))
    return tuple(_on(profile, cores, _counted(cores)) for cores in sets)


def _clocks(profile: DeviceProfile, caps: ClockCaps, clocks_khz: Sequence[int]) -> Iterator[Mode]:
    """The lowest, the middle and the highest clock of all cores."""
    cores = core_counts(profile.cpu_cores or sorted(os.sched_getaffinity(0)))[-1]
    for khz in sorted({clocks_khz[0], clocks_khz[len(clocks_khz) // 2], clocks_khz[-1]}):
        mode = _on(profile, cores, f"{_counted(cores)}-{khz / 1000:.0f}MHz")
        yield Mode(name=mode.name, profile=mode.profile, cores=mode.cores, enter=lambda khz=khz: caps.set(khz))  # type: ignore[misc]


def _on(profile: DeviceProfile, cores: tuple[int, ...], name: str) -> Mode:
    """The worker confined to these cores, and a thread for each of them where the engine takes a number."""
    runtimes = {
        entry: {**options, "threads": len(cores)} if _takes_threads(profile.engine(entry)) else options
        for entry, options in profile.runtimes.items()
    }
    update = {"name": f"{profile.name}{AT}{name}", "cpu_cores": cores, "runtimes": runtimes}
    return Mode(name=name, profile=profile.model_copy(update=update), cores=len(cores))


def _takes_threads(engine: str) -> bool:
    return "threads" in inspect.signature(runtime_class(engine)).parameters


def _counted(cores: Sequence[int]) -> str:
    return f"{len(cores)}-core{'' if len(cores) == 1 else 's'}"
