"""Energy of a run's timed frames from the samples of its power sensor, with its uncertainty. Pure.

Gross energy is the trapezium over instantaneous power (or the difference of an energy counter) over the frames; net
is what lies above the idle power before and after them. Standard uncertainties follow the GUM (JCGM 100): they
are added as squares and given with k = 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.case import Array, Run
from harness.powersensor import PowerSensor, Window, rails_of, sensor_of
from harness.stats.autocorrelation import independent_samples
from harness.telemetry import PowerRule

COVERAGE_K = 2.0
BELOW_RESOLUTION = 0.20
SHORTEST_S, INTERVALS = 10.0, 50
FEWEST_SAMPLES = 20
# A chip that averages does so without end, each interval over a new share: 1 % is left after 4.6 of them.
SETTLING_INTERVALS, SETTLING_SAMPLES = 5, 2
IDLE_PHASES = ("idle_before", "idle_after")


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Powers in W, energies in mJ per frame; `net_*` above idle, `*_u_*` uncertainties with k = 2.

    samples: expected and received ones; terms_w: standard uncertainties of the net power by their source. beside:
    the same gross energy by another sensor, by its name. rail_w: mean power of each rail.
    """

    rule: PowerRule
    frames: int
    seconds: float
    mean_w: float
    peak_w: float | None
    idle_w: float
    gross_mj: float
    gross_u_mj: float
    net_mj: float
    net_u_mj: float
    expected: int
    received: int
    longest_gap_s: float
    terms_w: Mapping[str, float]
    rail_w: Mapping[str, float]
    beside: Mapping[str, float]

    @property
    def resolved(self) -> bool:
        """False where the net energy is below what the sensor resolves: its uncertainty is above 20 %."""
        return self.net_u_mj <= BELOW_RESOLUTION * abs(self.net_mj)

    def net_w_at(self, fps: float) -> tuple[float, float]:
        """Net power at a frame rate, and its uncertainty: energy per frame times frames per second."""
        return self.net_mj * fps / 1e3, self.net_u_mj * fps / 1e3


def power_rule(run: Run) -> PowerRule | None:
    """The rule of a run whose energy was asked for."""
    raw = run.facts.get("power")
    return PowerRule(**{**raw, "rails": tuple(raw["rails"]), "beside": tuple(raw["beside"])}) if raw else None


def energy_of(run: Run) -> Energy | str:
    """The energy of a run whose facts name a power rule, or why its samples tell none."""
    rule = power_rule(run)
    if rule is None:
        return "no power sensor was asked"
    if run.facts.get("composed"):
        return "power: the tool ran the frames in a process of its own, whose start would be counted too"
    sensor = sensor_of(run, rule)
    if isinstance(sensor, str):
        return sensor
    if not len(run.start_ns) or not {"frames", *IDLE_PHASES} <= run.facts.get("phases", {}).keys():
        return "power: there are no frames with idle time before and after them"
    window, resting = _frames(run, sensor), [_settled(run, name, sensor) for name in IDLE_PHASES]
    faults = [sensor.fault(window), _too_short(run, window, sensor), *map(sensor.fault, resting)]
    if any(faults):
        return next(filter(None, faults))
    # From sample to sample: beyond the last one lies the load, or nothing.
    idles = [sensor.shrunk(one) for one in resting]
    if not all(one.seconds for one in idles):
        return (
            "power: an idle time holds fewer than two samples (idle_s of the profile's [power], rate_hz of the probe)"
        )
    steps = sensor.steps()
    if steps is None:
        return f"power: {', '.join(rule.rails)} never moved and the step of {rule.probe} is not known"
    found = _evaluated(run, rule, sensor, window, idles, steps)
    if found.net_mj < -found.net_u_mj:
        return "power: idle took more than the frames did, so something else ran: stop it and run again"
    return found


def _frames(run: Run, sensor: PowerSensor) -> Window:
    """A whole number of frames, without the first of the samples, which still show what was before."""
    begin_ns = run.facts["phases"]["frames"][0] + _settling_ns(sensor)
    first = int(np.searchsorted(run.start_ns, begin_ns))
    first = min(first, len(run.start_ns) - 1)
    end_ns = float(run.start_ns[-1] + run.frame_ns[-1])
    return Window(start_ns=float(run.start_ns[first]), end_ns=end_ns, frames=len(run.start_ns) - first)


def _settled(run: Run, phase: str, sensor: PowerSensor) -> Window:
    """An idle phase without its beginning, when the load before it still shows."""
    start_ns, end_ns = run.facts["phases"][phase]
    return Window(start_ns=start_ns + _settling_ns(sensor), end_ns=end_ns)


def _settling_ns(sensor: PowerSensor) -> float:
    return max(SETTLING_INTERVALS * sensor.interval_s * 1e9, SETTLING_SAMPLES * sensor.period_ns)


def _too_short(run: Run, window: Window, sensor: PowerSensor) -> str:
    start_ns, end_ns = run.facts["phases"]["frames"]
    lasted_s, settling_s = (end_ns - start_ns) / 1e9, _settling_ns(sensor) / 1e9
    needed_s = max(SHORTEST_S, INTERVALS * sensor.interval_s + settling_s)
    # A frame at either end may be left out.
    if lasted_s < needed_s or window.seconds < 0.95 * INTERVALS * sensor.interval_s:
        lasted, needed = math.floor(10 * lasted_s) / 10, math.ceil(needed_s)
        return f"power: {lasted:.1f} s of frames, needs {needed} s (window_s of the profile's [power])"
    received = int(sensor.within(window).sum())
    if received < FEWEST_SAMPLES:
        return f"power: {received} samples, needs {FEWEST_SAMPLES} (rate_hz of the probe, or window_s)"
    return ""


def _evaluated(
    run: Run, rule: PowerRule, sensor: PowerSensor, window: Window, idles: list[Window], steps: Array
) -> Energy:
    mean_w, idle = sensor.mean_w(window), [sensor.mean_w(one) for one in idles]
    idle_w = float(np.mean(idle))
    terms = _terms(rule, sensor, window, idles, steps)
    gross_u_w = COVERAGE_K * _gross_term_w(rule, sensor, window, steps)
    net_u_w = COVERAGE_K * float(np.sqrt(sum(one**2 for one in terms.values())))
    per_frame = 1e3 * window.seconds / window.frames
    watts = sensor.watts(window)
    return Energy(
        rule=rule, frames=window.frames, seconds=window.seconds, mean_w=mean_w,
        peak_w=float(watts.max()) if len(watts) else None, idle_w=idle_w, gross_mj=mean_w * per_frame,
        gross_u_mj=gross_u_w * per_frame, net_mj=(mean_w - idle_w) * per_frame, net_u_mj=net_u_w * per_frame,
        expected=sensor.expected(window), received=int(sensor.within(window).sum()),
        longest_gap_s=sensor.longest_gap_ns(window) / 1e9, terms_w=terms,
        rail_w={one.name: sensor.joules(window, sensor.values[:, index]) / window.seconds
                for index, one in enumerate(sensor.channels)},
        beside=_beside(run, rule, window),
    )  # fmt: skip


def _terms(rule: PowerRule, sensor: PowerSensor, window: Window, idles: list[Window], steps: Array) -> dict[str, float]:
    """Standard uncertainties of the net power in W, each from one source."""
    idle = [sensor.mean_w(one) for one in idles]
    step_w = abs(sensor.mean_w(window) - float(np.mean(idle)))
    period_s = sensor.period_ns / 1e9
    return {
        "quantisation": float(
            np.hypot(_quantisation_w(sensor, window, steps), _quantisation_w(sensor, idles[0], steps))
        ),
        "gain": rule.gain_percent / 100 * step_w / float(np.sqrt(3)),
        "sampling": float(np.hypot(_sampling_w(sensor, window), np.mean([_sampling_w(sensor, one) for one in idles]))),
        "edges": step_w * (sensor.interval_s + period_s) / window.seconds,
        "idle drift": abs(idle[1] - idle[0]) / 2,
    }


def _gross_term_w(rule: PowerRule, sensor: PowerSensor, window: Window, steps: Array) -> float:
    """Standard uncertainty of the mean power itself, in which no idle power takes part."""
    gain_w = rule.gain_percent / 100 * sensor.mean_w(window) / np.sqrt(3)
    return float(np.hypot(np.hypot(_quantisation_w(sensor, window, steps), gain_w), _sampling_w(sensor, window)))


def _quantisation_w(sensor: PowerSensor, window: Window, steps: Array) -> float:
    """Of a mean: not smaller with more samples, since a constant load does not dither."""
    total = float(np.linalg.norm(steps)) / np.sqrt(12) / 1e3
    # A counter is read at both edges: its step is spread over the window.
    return float(np.sqrt(2) * total / window.seconds if sensor.counts else total)


def _sampling_w(sensor: PowerSensor, window: Window) -> float:
    """Of a mean of samples that resemble their neighbours; a counter misses nothing."""
    if sensor.counts:
        return 0.0
    watts = sensor.watts(window)
    return float(watts.std(ddof=1) / np.sqrt(independent_samples(watts)))


def _beside(run: Run, rule: PowerRule, window: Window) -> dict[str, float]:
    """Gross energy per frame in mJ by the rule's other sensors, where they cover the window."""
    found = {}
    for name in rule.beside:
        entry, _, channel = name.partition("/")
        trace = next((one for one in run.traces if one.probe == entry and not one.missing), None)
        other = rails_of(trace, (channel,)) if trace else ""
        if isinstance(other, PowerSensor) and not other.fault(window):
            found[name] = 1e3 * other.joules(window, other.total) / window.frames
    return found
