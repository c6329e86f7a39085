"""Is a step of latency a throttle? What clocks, throttle states and thermometers told before it and after. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.soak import Soak
from harness.soak.sensors import KILOHERTZ, columns_of, hottest, throttled_share

CLOCK_FELL = 0.03
CORE = re.compile(r"(^|/)cpu[0-9]+(\.cur)?$")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Before and after a moment; what nobody told is None.

    clock: the one that fell most, with its means in MHz; of the cores the fastest before against the fastest after, as
    a core that the frames have left idles.
    """

    clock: str | None = None
    before_mhz: float | None = None
    after_mhz: float | None = None
    throttled_before: float | None = None
    throttled_after: float | None = None
    before_c: float | None = None
    after_c: float | None = None

    @property
    def clock_fell(self) -> bool:
        """By more than 3 %."""
        told = self.before_mhz and self.after_mhz
        return bool(told and self.after_mhz < (1 - CLOCK_FELL) * self.before_mhz)  # type: ignore[operator]

    @property
    def throttled(self) -> bool:
        """Whether throttles were at work after the moment more than before it."""
        return (self.throttled_after or 0.0) > (self.throttled_before or 0.0)

    @property
    def told(self) -> bool:
        """Whether any sensor speaks for or against a throttle."""
        return self.clock is not None or self.throttled_after is not None

    @property
    def sentence(self) -> str:
        """What the sensors say; empty where they said nothing."""
        parts = []
        if self.clock is not None:
            parts.append(f"{self.clock} {self.before_mhz:.0f} MHz before and {self.after_mhz:.0f} MHz after")
        if self.throttled_after is not None:
            parts.append(f"throttle at work in {100 * self.throttled_after:.0f} % of the samples after it")
        if self.before_c is not None and self.after_c is not None:
            parts.append(f"{self.before_c:.1f} C before and {self.after_c:.1f} C after")
        return ", ".join(parts)


def evidence(soak: Soak, at_s: float) -> Evidence:
    """What the sensors told before and after this time."""
    moment, start, end = soak.start_ns + at_s * 1e9, float(soak.start_ns), float(soak.end_ns)
    told = {
        one.name: (before / 1e3, after / 1e3)
        for one in columns_of(soak, KILOHERTZ)
        if (before := one.mean(start, moment)) and (after := one.mean(moment, end)) is not None
    }
    clocks = [(after / before, name, before, after) for name, (before, after) in _of_the_fastest_core(told).items()]
    _, clock, before_mhz, after_mhz = min(clocks, default=(None, None, None, None))
    hot = hottest(soak)
    return Evidence(
        clock=clock, before_mhz=before_mhz, after_mhz=after_mhz,
        throttled_before=throttled_share(soak, start, moment), throttled_after=throttled_share(soak, moment, end),
        before_c=hot.mean(start, moment) if hot else None, after_c=hot.mean(moment, end) if hot else None,
    )  # fmt: skip


def _of_the_fastest_core(told: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """All clocks, before and after, and of those of cores one."""
    cores = {name: pair for name, pair in told.items() if CORE.search(name)}
    others = {name: pair for name, pair in told.items() if name not in cores}
    if not cores:
        return others
    fastest = max(cores, key=lambda name: cores[name][0])
    return {**others, fastest: (cores[fastest][0], max(after for _, after in cores.values()))}
