"""What the profile asks of the device's state before, during and after the frames, and which knob was not so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.camera.pacing import paced_of_run
from harness.cameratimes import generator_fault
from harness.case import Array, Run
from harness.profile import Conditions
from harness.surroundings import CELSIUS, EVENTS, RATED_EVENTS, STATE, columns, start_c
from harness.telemetry import Channel, Trace

MIB = 2**20
CLOCK_LIMIT = re.compile(r"\.(min|max)$")
LONGEST_GAP_PERIODS = 3.0
DOCTOR = "harness doctor says why"
REMEDIES = {
    "power_mode": "sudo nvpmodel -m ID",
    "clocks": "--pin-clocks",
    "online_cores": "nvpmodel decides on a Jetson",
    "governor": "--pin-clocks",
}


class Watched(Protocol):
    """A run, or rounds of two builds: what its sensors told, and in facts["phases"] when its frames ran."""

    @property
    def traces(self) -> tuple[Trace, ...]: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


def faults(run: Run, wanted: Conditions) -> list[str]:
    """A sentence for everything that was not as the profile asks, and for every throttle; each names the knob."""
    return [*_states(run, wanted), *_amounts(run, wanted), *_untold_rate(run, wanted), *passing_faults(run, wanted)]


def passing_faults(run: Watched, wanted: Conditions) -> list[str]:
    """Those that came while frames ran and may not come again: the run is worth another try."""
    ended = dict.fromkeys(f"sensors: {trace.ended}" for trace in run.traces if trace.ended)
    watched = [one for trace in run.traces for one in _watched(trace, run)]
    silent = dict.fromkeys(fault for one in watched if (fault := one.silence))
    throttles = _throttles(watched, run, wanted)
    return [*ended, *silent, *throttles, *_moved_clocks(watched), *_too_hot(run, wanted), *_late_camera(run)]


def _late_camera(run: Watched) -> Iterator[str]:
    """Frames that did not come when the camera sends them are another experiment."""
    paced = paced_of_run(run) if isinstance(run, Run) else None
    if paced is not None and (fault := generator_fault(paced)):
        yield fault


def _states(run: Run, wanted: Conditions) -> Iterator[str]:
    expected: dict[str, Any] = {
        "power_mode": wanted.power_mode, "online_cores": list(wanted.online_cores), "governor": wanted.governor,
        "clocks": "pinned" if wanted.clocks_pinned else "",
    }  # fmt: skip
    for knob, value in expected.items():
        for when in ("before", "after"):
            found = _told(run, knob, when)
            if value and found != value:
                said, remedy = ("nobody told", DOCTOR) if found is None else (found, REMEDIES[knob])
                yield f"{knob} {when} the frames: {said}, the profile wants {value} ({remedy})"


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


def _amounts(run: Run, wanted: Conditions) -> Iterator[str]:
    """What may be so much and no more, or must be so much at least: told, allowed, and what to do."""
    background, capacity = run.marks.get("background_ns"), run.marks.get("capacity_ns")
    asked = (
        ("temperature at the start", start_c(run), wanted.max_start_c, 1.0, "C", "let it cool"),
        ("swap in use", run.marks.get("swap_used_bytes"), wanted.max_swap_mib, MIB, "MiB", "sudo swapoff -a"),
        ("load of others", 100 * background / capacity if background is not None and capacity else None,
         wanted.max_background_percent, 1.0, "%", "stop it"),
    )  # fmt: skip
    for name, told, most, unit, label, remedy in asked:
        if most is not None and told is None:
            yield f"{name}: nobody told, the profile allows {most:g} {label} (harness doctor says why)"
        elif most is not None and told is not None and told / unit > most:
            yield f"{name}: {told / unit:.4g} {label}, the profile allows {most:g} {label}: {remedy}"
    if wanted.max_c is not None and _hottest_c(run) is None:
        yield f"temperature: nobody told, the profile allows {wanted.max_c:g} C ({DOCTOR})"
    free = run.marks.get("free_disk_bytes")
    if free is not None and free < wanted.min_free_disk_mib * MIB:
        yield f"free disk: {free / MIB:.0f} MiB, the profile wants {wanted.min_free_disk_mib:g} MiB: free some space"


def _too_hot(run: Watched, wanted: Conditions) -> Iterator[str]:
    hottest = _hottest_c(run)
    if wanted.max_c is not None and hottest is not None and hottest > wanted.max_c:
        remedy = "look for its fan, or take a lower power mode"
        yield f"temperature: {hottest:.4g} C, the profile allows {wanted.max_c:g} C: {remedy}"


def _hottest_c(run: Watched) -> float | None:
    known = [column[np.isfinite(column)] for _, column in columns(run.traces, CELSIUS)]
    return max((float(one.max()) for one in known if len(one)), default=None)


@dataclass(frozen=True, kw_only=True)
class _Channel:
    """One channel from the last sample before the frames to the first after them. silence: why it tells nothing."""

    probe: str
    channel: Channel
    known: Array
    silence: str


def _watched(trace: Trace, run: Watched) -> Iterator[_Channel]:
    """The channels that show throttles and clocks that were set."""
    start_ns, end_ns = run.facts.get("phases", {}).get("frames", (0, 0))
    first = max(int(np.searchsorted(trace.time_ns, start_ns, side="right")) - 1, 0)
    last = int(np.searchsorted(trace.time_ns, end_ns)) + 1
    times, allowed_s = trace.time_ns[first:last], LONGEST_GAP_PERIODS * trace.period_ns / 1e9
    gap_s = _longest_gap_s(times, start_ns, end_ns)
    for index, channel in enumerate(trace.channels):
        if channel.unit not in (EVENTS, STATE) and not _limits_a_clock(channel):
            continue
        values = trace.values[first:last, index]
        finite = np.isfinite(values)
        silence = ""
        if gap_s > allowed_s or not len(times):
            silence = f"sensors: {trace.probe} told nothing for {gap_s:.2f} s while frames ran"
        elif finite.any() and _fell_silent(channel, finite, times, start_ns, end_ns, allowed_s):
            silence = f"sensors: {trace.probe} fell silent about {channel.name} while frames ran"
        yield _Channel(probe=trace.probe, channel=channel, known=values[finite], silence=silence)


def _fell_silent(channel: Channel, finite: Array, times: Array, start_ns: int, end_ns: int, allowed_s: float) -> bool:
    """A counter and a limit show at the end what was meanwhile; a state shows nothing but the moment."""
    missed = channel.unit == STATE and _longest_gap_s(times[finite], start_ns, end_ns) > allowed_s
    return missed or not finite[-1]


def _longest_gap_s(times: Array, start_ns: int, end_ns: int) -> float:
    """Without a sample before and after the frames, what was before the first and after the last counts too."""
    begin = [] if len(times) and times[0] <= start_ns else [start_ns]
    end = [] if len(times) and times[-1] >= end_ns else [end_ns]
    return float(np.diff(np.concatenate([begin, times, end])).max(initial=0.0)) / 1e9


def _throttles(watched: Sequence[_Channel], run: Watched, wanted: Conditions) -> Iterator[str]:
    for one in watched:
        name, known = one.channel.name, one.known
        if one.channel.unit == STATE and len(known) and known.max() > 0:
            yield f"throttled: {name} was on while frames ran"
        if one.channel.unit == EVENTS and len(known) and known[-1] > known[0]:
            rise = float(known[-1] - known[0])
            if not RATED_EVENTS.search(name) or _too_often(rise, run, wanted):
                yield f"throttled: {name} rose by {rise:g} while frames ran"


def _untold_rate(run: Watched, wanted: Conditions) -> Iterator[str]:
    told = (one for trace in run.traces for one in _watched(trace, run) if RATED_EVENTS.search(one.channel.name))
    if wanted.max_oc3_per_s is not None and not any(len(one.known) for one in told):
        yield f"oc3: nobody told, and the profile has max_oc3_per_s ({DOCTOR})"


def _too_often(rise: float, run: Watched, wanted: Conditions) -> bool:
    start_ns, end_ns = run.facts["phases"]["frames"]
    return wanted.max_oc3_per_s is not None and rise * 1e9 / (end_ns - start_ns) > wanted.max_oc3_per_s


def _moved_clocks(watched: Sequence[_Channel]) -> Iterator[str]:
    """The limits of a clock stay while frames run, whoever set them."""
    for one in watched:
        if _limits_a_clock(one.channel) and (moved := one.known[one.known != one.known[:1]]).size:
            name = one.channel.name
            yield f"clocks: {name} went from {one.known[0]:.0f} to {moved[0]:.0f} kHz while frames ran"


def _limits_a_clock(channel: Channel) -> bool:
    return channel.unit == "kHz" and bool(CLOCK_LIMIT.search(channel.name))
