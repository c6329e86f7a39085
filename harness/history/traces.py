"""The samples of sensors as whole-number columns and back: thousandths of a unit, which no sensor here resolves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.case import Array
from harness.telemetry import Trace

PREFIX = "trace_"
PER_UNIT = 1000
UNKNOWN = np.iinfo(np.int64).min


def columns_of(traces: Sequence[Trace]) -> dict[str, Array]:
    """int64 columns by name: times in ns, channels in thousandths; what is not known is the lowest number."""
    found: dict[str, Array] = {}
    for index, trace in enumerate(traces):
        found[f"{PREFIX}{index}_time"] = trace.time_ns
        for number, column in enumerate(trace.values.T):
            found[f"{PREFIX}{index}_{number}"] = _whole(column)
    return found


def traces_of(wires: Sequence[Mapping[str, Any]], columns: Mapping[str, Array]) -> tuple[Trace, ...]:
    """The traces that `columns_of` took apart; wires: Trace.to_wire of each. KeyError or ValueError where damaged."""
    return tuple(_trace(index, wire, columns) for index, wire in enumerate(wires))


def _trace(index: int, wire: Mapping[str, Any], columns: Mapping[str, Array]) -> Trace:
    time_ns = columns[f"{PREFIX}{index}_time"]
    values = [_real(columns[f"{PREFIX}{index}_{number}"]) for number in range(len(wire["channels"]))]
    return Trace.from_wire(wire, time_ns, np.stack(values, axis=1) if values else np.zeros((len(time_ns), 0)))


def _whole(column: Array) -> Array:
    known = np.isfinite(column)
    whole: Array = np.where(known, np.round(np.where(known, column, 0) * PER_UNIT), UNKNOWN).astype(np.int64)
    return whole


def _real(whole: Array) -> Array:
    real: Array = np.where(whole == UNKNOWN, np.nan, whole / PER_UNIT)
    return real
