"""What the measuring itself cost in the recent runs, and whether the sensors were read as they should be. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from harness.case import Run
from harness.energy import Energy, energy_of, power_rule
from harness.record import SessionRecord
from harness.telemetry import Trace
from harness.trendreport.cells import MISSING, SIMULATED, number, some
from harness.trendreport.model import Table

OVERHEAD_NOTE = (
    "of the recent processes, with a pipeline that does nothing: what the harness adds to a frame (the median of the "
    "medians, the largest P99), its share of their median frame, and the clock's smallest step"
)
COVERAGE_NOTE = (
    "of the recent processes while frames ran: samples received of those that the rate asks for, values that a sensor "
    "did not give, and the longest time without a sample; power: as the energy was told, without its first samples"
)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How one sensor was read in one process; without an expectation nothing of it is known but the fault.

    fault: why it tells less than it should, empty where it does not.
    """

    expected: int = 0
    received: int = 0
    missing: int = 0
    gap_s: float = 0.0
    fault: str = ""


def overhead_table(recent: Sequence[SessionRecord]) -> Table:
    """One row per device whose recent runs tell what the harness costs."""
    rows = (_overhead_row(device, runs) for device, runs in _by_device(recent).items())
    return Table(
        title="Cost of the harness",
        columns=("device", "processes", "per frame us", "P99 us", "of a frame %", "clock step ns"),
        rows=tuple(row for row in rows if row), notes=(OVERHEAD_NOTE,),
    )  # fmt: skip


def _overhead_row(device: str, runs: Sequence[Run]) -> tuple[str, ...]:
    told = [run for run in runs if "harness_cost_median_ns" in run.marks]
    if not told:
        return ()
    cost_ns = median(run.marks["harness_cost_median_ns"] for run in told)
    frames_ns = [float(np.median(run.frame_ns)) for run in told if len(run.frame_ns)]
    share = 100 * cost_ns / median(frames_ns) if frames_ns and median(frames_ns) > 0 else None
    tail, step = (_largest(told, mark) for mark in ("harness_cost_p99_ns", "timer_resolution_ns"))
    return (
        device, str(len(told)), number(cost_ns / 1e3), number(None if tail is None else tail / 1e3), number(share),
        number(step),
    )  # fmt: skip


def _largest(runs: Iterable[Run], mark: str) -> float | None:
    return max((run.marks[mark] for run in runs if mark in run.marks), default=None)


def coverage_table(recent: Sequence[SessionRecord]) -> Table:
    """One row per device and sensor, and one per power rule."""
    found: dict[tuple[str, str], list[Coverage]] = defaultdict(list)
    for device, runs in _by_device(recent).items():
        for run in runs:
            for sensor, one in _coverages(run):
                found[device, sensor].append(one)
    return Table(
        title="Coverage of the sensors",
        columns=("device", "sensor", "processes", "samples", "not given", "longest gap s", "faults"),
        rows=tuple((*key, *_coverage_cells(told)) for key, told in sorted(found.items())),
        left=2, notes=(COVERAGE_NOTE,),
    )  # fmt: skip


def _coverages(run: Run) -> Iterator[tuple[str, Coverage]]:
    for trace in run.traces:
        yield trace.probe, _sampled(trace, run)
    rule = power_rule(run)
    if rule is not None:
        yield f"power: {rule.name} ({rule.scope})", _powered(energy_of(run))


def _sampled(trace: Trace, run: Run) -> Coverage:
    """While frames ran; where nobody tells when that was, over the trace's own time."""
    fault = trace.missing or trace.ended
    if not len(trace.time_ns) or not trace.period_ns:
        return Coverage(fault=fault or "no samples")
    phase = run.facts.get("phases", {}).get("frames")
    start_ns, end_ns = phase or (int(trace.time_ns[0]), int(trace.time_ns[-1]))
    inside = (trace.time_ns >= start_ns) & (trace.time_ns <= end_ns)
    edges = np.concatenate([[start_ns], trace.time_ns[inside], [end_ns]])
    expected = int((end_ns - start_ns) / trace.period_ns)
    return Coverage(
        # A window holds one more than it has whole periods where it meets one at each end: that makes up for no gap.
        expected=expected, received=min(int(inside.sum()), expected),
        missing=int(np.isnan(trace.values[inside]).sum()), gap_s=float(np.diff(edges).max()) / 1e9,
        fault=fault or max(trace.reasons, key=lambda why: trace.reasons[why], default=""),
    )  # fmt: skip


def _powered(energy: Energy | str) -> Coverage:
    if isinstance(energy, str):
        return Coverage(fault=energy)
    received = min(energy.received, energy.expected)
    return Coverage(expected=energy.expected, received=received, gap_s=energy.longest_gap_s)


def _coverage_cells(told: Sequence[Coverage]) -> tuple[str, ...]:
    expected, received = sum(one.expected for one in told), sum(one.received for one in told)
    gaps = [one.gap_s for one in told if one.expected]
    share = f" ({math.floor(100 * received / expected)} %)" if expected else ""
    faults = dict.fromkeys(one.fault for one in told if one.fault)
    return (
        str(len(told)), f"{received} of {expected}{share}" if expected else MISSING,
        str(sum(one.missing for one in told)) if expected else MISSING, number(max(gaps, default=None)),
        some(list(faults)),
    )  # fmt: skip


def _by_device(recent: Sequence[SessionRecord]) -> Mapping[str, list[Run]]:
    """The runs of each device, sorted by its name, which says where it is simulated."""
    found: dict[str, list[Run]] = defaultdict(list)
    for one in sorted(recent, key=lambda record: (record.case.device, record.at, record.id)):
        name = f"{one.case.device} {SIMULATED}" if one.simulated else one.case.device
        found[name].extend(one.runs)
    return found
