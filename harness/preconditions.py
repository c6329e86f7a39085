"""What the profile asks of the device's state before, during and after the frames, and which knob was not so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.case import Array, Run
from harness.profile import Conditions
from harness.surroundings import EVENTS, STATE, during, start_c
from harness.telemetry import Channel

MIB = 2**20
# OC3 counts events at full load that cost next to nothing: only their rate says something, and that per board.
RATED_EVENTS = re.compile(r"(^|\.)oc3$")
CLOCK_LIMIT = re.compile(r"\.(min|max)$")
REMEDIES = {
    "power_mode": "sudo nvpmodel -m ID",
    "clocks": "--pin-clocks",
    "online_cores": "nvpmodel decides on a Jetson",
    "governor": "--pin-clocks",
}


def faults(run: Run, wanted: Conditions) -> list[str]:
    """A sentence for everything that was not as the profile asks, and for every throttle; each names the knob."""
    return [*_states(run, wanted), *_start(run, wanted), *passing_faults(run, wanted)]


def passing_faults(run: Run, wanted: Conditions) -> list[str]:
    """Those that came while frames ran and may not come again: the run is worth another try."""
    return [*_throttles(run, wanted), *_moved_clocks(run), *_silences(run)]


def _states(run: Run, wanted: Conditions) -> Iterator[str]:
    expected: dict[str, Any] = {
        "power_mode": wanted.power_mode, "online_cores": list(wanted.online_cores), "governor": wanted.governor,
        "clocks": "pinned" if wanted.clocks_pinned else "",
    }  # fmt: skip
    for knob, value in expected.items():
        for when in ("before", "after"):
            found = _told(run, knob, when)
            if value and found != value:
                said = "nobody told" if found is None else found
                yield f"{knob} {when} the frames: {said}, the profile wants {value} ({REMEDIES[knob]})"


def _told(run: Run, knob: str, when: str) -> Any:
    """What the first probe that knows the knob told of it; None where none does."""
    name = {"clocks": "pinned", "governor": "governors"}.get(knob, knob)
    for trace in run.traces:
        facts = trace.facts if when == "before" else trace.facts_after
        if facts.get(name) is not None:
            return _pins(facts[name]) if knob == "clocks" else facts[name]
    return None


def _pins(pinned: dict[str, bool | None]) -> str | None:
    """ "pinned", or which clocks are not; None where none is known."""
    known = {name: one for name, one in pinned.items() if one is not None}
    loose = [name for name, one in known.items() if not one]
    return f"{', '.join(loose)} not pinned" if loose else ("pinned" if known else None)


def _start(run: Run, wanted: Conditions) -> Iterator[str]:
    if wanted.max_start_c is not None:
        celsius = start_c(run)
        if celsius is None:
            yield "temperature at the start: nobody told, and the profile has max_start_c"
        elif celsius > wanted.max_start_c:
            yield f"temperature at the start: {celsius:.1f} C, at most {wanted.max_start_c:g} C: let it cool"
    if wanted.max_swap_mib is not None:
        swap = run.marks.get("swap_used_bytes")
        if swap is None:
            yield "swap: nobody told, and the profile has max_swap_mib"
        elif swap > wanted.max_swap_mib * MIB:
            yield f"swap: {swap / MIB:.0f} MiB in use, at most {wanted.max_swap_mib:g} MiB: sudo swapoff -a"


def _throttles(run: Run, wanted: Conditions) -> Iterator[str]:
    for channel, known in _around_frames(run):
        if channel.unit == STATE and known.max() > 0:
            yield f"throttled: {channel.name} was on while frames ran"
        rise = float(known[-1] - known[0])
        if channel.unit == EVENTS and rise > 0 and _counts(channel, rise, run, wanted):
            yield f"throttled: {channel.name} rose by {rise:g} while frames ran"


def _counts(channel: Channel, rise: float, run: Run, wanted: Conditions) -> bool:
    if not RATED_EVENTS.search(channel.name):
        return True
    start_ns, end_ns = run.facts["phases"]["frames"]
    return wanted.max_oc3_per_s is not None and rise * 1e9 / (end_ns - start_ns) > wanted.max_oc3_per_s


def _moved_clocks(run: Run) -> Iterator[str]:
    """The limits of a clock stay while frames run, whoever set them."""
    for channel, known in _around_frames(run):
        if channel.unit == "kHz" and CLOCK_LIMIT.search(channel.name) and (moved := known[known != known[0]]).size:
            yield f"clocks: {channel.name} went from {known[0]:.0f} to {moved[0]:.0f} kHz while frames ran"


def _silences(run: Run) -> Iterator[str]:
    """What a sampler that died did not see, nobody knows."""
    return (f"sensors: {trace.ended}" for trace in run.traces if trace.ended)


def _around_frames(run: Run) -> Iterator[tuple[Channel, Array]]:
    """Every channel with its known values while frames ran and one sample more on each side, where it has any."""
    for trace in run.traces:
        chosen = _with_neighbours(during(trace, run))
        for index, channel in enumerate(trace.channels):
            values = trace.values[chosen, index]
            if np.isfinite(values).any():
                yield channel, values[np.isfinite(values)]


def _with_neighbours(inside: Array) -> Array:
    wider = inside.copy()
    wider[1:] |= inside[:-1]
    wider[:-1] |= inside[1:]
    return wider
