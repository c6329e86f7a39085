"""`harness doctor`: what a device can measure, with each sensor's real reading, or why not and what to do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.dispatch import run_survey
from harness.errors import printable
from harness.identity import absences
from harness.powersensor import PowerSensor, Window, rails_of, smallest_step
from harness.probes import PROBES
from harness.profile import DeviceProfile
from harness.survey import Survey, SurveyJob
from harness.telemetry import Telemetry, Trace

SECONDS = 3.0
# Found without a word in the profile: a meter needs an address, and the simulated one is no sensor.
TRIED = tuple(name for name in PROBES if name not in ("meter", "simulated"))
WIDEST_NAME = 28


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """lines: for a terminal; able: True where latency can be measured."""

    lines: tuple[str, ...]
    able: bool


def diagnose(profile: DeviceProfile, seconds: float = SECONDS) -> Diagnosis:
    """Ask the device itself: its clock, its engines, and every sensor for a few seconds.

    Raises what dispatch.run_survey raises.
    """
    entries = {name: {"kind": name, **options} for name, options in profile.probes.items()}
    named = {str(options["kind"]) for options in entries.values()}
    others = {name: {"kind": name} for name in TRIED if name not in named and name not in entries}
    engines = {name: {"engine": profile.engine(name), **profile.engine_options(name)} for name in profile.runtimes}
    job = SurveyJob(engines=engines, telemetry=Telemetry(probes={**entries, **others}), seconds=seconds)
    with tempfile.TemporaryDirectory(prefix="dms-doctor-") as folder:
        found = run_survey(job, profile, Path(folder) / "survey")
    return Diagnosis(lines=tuple(_lines(profile, found)), able=_able(found))


def _able(found: Survey) -> bool:
    return found.timer_resolution_ns > 0 and not all(found.engines.values())


def _lines(profile: DeviceProfile, found: Survey) -> Iterator[str]:
    facts = found.facts
    yield f"{profile.name}: {printable(profile.description)}"
    yield _line("machine", f"{facts.get('board') or facts.get('cpu', '?')}, {facts.get('cores', '?')} cores, "
                f"{facts.get('os', '?')}, Python {facts['python']}")  # fmt: skip
    yield _line("clock", f"steps of {found.timer_resolution_ns} ns")
    for entry, fault in found.engines.items():
        yield _line(f"engine {entry}", printable(fault) or "can be imported")
    for one in absences(profile):
        yield _line("missing", printable(one))
    named = [one for one in found.traces if one.probe in profile.probes]
    for trace in named:
        yield from _sensor_lines(trace, "")
    others = [one for one in found.traces if one.probe not in profile.probes]
    for trace in sorted(others, key=lambda one: bool(one.missing)):
        yield from _sensor_lines(trace, ", not in the profile")
    yield _line("power", _power(profile, found))
    yield _line("latency", "can be measured" if _able(found) else "cannot be measured: no engine can be used")


def _sensor_lines(trace: Trace, note: str) -> Iterator[str]:
    name = f"sensor {trace.probe}"
    if trace.missing or trace.ended:
        yield _line(name, printable(trace.missing or trace.ended) + note)
        return
    yield _line(name, f"{_rate(trace)}{note}")
    for index, channel in enumerate(trace.channels):
        known = trace.values[:, index][np.isfinite(trace.values[:, index])]
        step = smallest_step(channel, known)
        resolution = ", did not move" if step is None else f", steps of {step:.6g}"
        reading = f"{known[-1]:.6g} {channel.unit}{resolution}" if len(known) else "told nothing"
        yield _line(f"  {channel.name}", reading)
    for reason, count in trace.reasons.items():
        yield _line("", f"{count} x {printable(reason)}")


def _rate(trace: Trace) -> str:
    asked = 1e9 / trace.period_ns
    if len(trace.time_ns) < 2:
        return f"{len(trace.time_ns)} samples at {asked:g} Hz"
    came = 1e9 / float(np.diff(trace.time_ns).mean())
    return f"{came:.1f} Hz of {asked:g} Hz"


def _power(profile: DeviceProfile, found: Survey) -> str:
    """Whether the profile's rule can be followed, and what it tells now."""
    rule = profile.power
    if rule is None:
        return "no rule in the profile: energy is not measured ([power])"
    trace = next(one for one in found.traces if one.probe == rule.probe)
    sensor = trace.missing or rails_of(trace, rule.rails)
    if not isinstance(sensor, PowerSensor):
        return f"{rule.rule}: {printable(sensor)}"
    if not len(sensor.time_ns):
        return f"{rule.rule}: {', '.join(rule.rails)} told nothing together"
    whole = Window(start_ns=sensor.time_ns[0], end_ns=sensor.time_ns[-1])
    now = f"{sensor.mean_w(whole):.3f} W in the mean" if len(sensor.time_ns) > 1 else "one sample"
    return f"{rule.rule}: {' + '.join(rule.rails)} ({rule.scope}), {now}"


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDEST_NAME}}{text}"
