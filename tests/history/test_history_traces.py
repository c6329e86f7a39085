"""The samples of sensors are kept with the raw times, and what nobody told stays unknown."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from records import record, run

from harness.history.traces import columns_of, traces_of
from harness.telemetry import Channel, Trace, empty_trace

VALUES = arrays(np.float64, (5, 2), elements=st.one_of(st.just(np.nan), st.floats(-1e9, 1e9, allow_nan=False)))


def trace(values, **changes) -> Trace:
    channels = (Channel("VDD_IN", "mW", 40.0, 10.0), Channel("temp", "C"))
    told = {"reasons": {"asleep": 2}, "facts": {"samples": 512}, "facts_after": {"samples": 512}} | changes
    return Trace("board", channels, np.arange(len(values)) * 50_000_000, np.asarray(values, float), 50_000_000, **told)


@settings(max_examples=100, deadline=None)
@given(values=VALUES)
def test_values_come_back_to_a_thousandth_and_the_unknown_stays_unknown(values):
    kept = trace(values)
    (again,) = traces_of([kept.to_wire()], columns_of([kept]))
    np.testing.assert_allclose(again.values, values, atol=0.00051, rtol=1e-15, equal_nan=True)
    assert again.time_ns.tolist() == kept.time_ns.tolist()
    assert again.to_wire() == kept.to_wire()


def test_traces_come_back_with_their_session(history):
    kept = (trace([[3000.0, 45.5], [np.nan, 46.0]]), empty_trace("rapl", "permission denied"))
    session = record(runs=(run(traces=kept),))
    history.record(session)
    (again,) = history.find(session.id, with_runs=True).runs
    assert [one.to_wire() for one in again.traces] == [one.to_wire() for one in kept]
    np.testing.assert_array_equal(again.traces[0].values, kept[0].values)
    assert again.facts == session.runs[0].facts
