"""real_time of the simulated engine: the same nanoseconds, and the time that they take."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from harness.runtimes.simulated import STANDSTILL_NS, PacedClock, Simulated
from harness.telemetry import Telemetry


def test_a_run_tells_the_same_whether_it_takes_its_time_or_not(make_job, measured, quick):
    plan = replace(quick, frames=20, warmup_cap_frames=10)
    sim = {"infer_ms": 10, "sigma": 0.1, "load_ms": 30}
    telemetry = Telemetry(probes={"board": {"kind": "simulated"}})
    runs, spent_s = [], []
    for real_time in (False, True):
        start = time.monotonic()
        options = {"seed": 1, "real_time": real_time}
        runs.append(measured(make_job(sim, plan=plan, options=options, telemetry=telemetry)))
        spent_s.append(time.monotonic() - start)
    virtual, real = runs
    assert real.frame_ns.tolist() == virtual.frame_ns.tolist()
    assert real.start_ns.tolist() == virtual.start_ns.tolist()
    assert real.marks == virtual.marks
    assert [one.values.tolist() for one in real.traces] == [one.values.tolist() for one in virtual.traces]
    assert real.facts["simulated"] is True
    assert spent_s[1] >= (real.marks["load_ns"] + real.frame_ns.sum() + real.warmup_ns.sum()) / 1e9


def test_the_time_is_idle(tmp_path):
    (tmp_path / "model.sim").write_text(json.dumps({"infer_ms": 1, "load_ms": 300}))
    engine = Simulated(str(tmp_path / "model.sim"), real_time=True)
    engine.prepare()
    before = time.process_time()
    with engine:
        assert time.process_time() - before < 0.1


def test_what_the_machine_took_meanwhile_is_slept_less():
    clock, start = PacedClock(), time.monotonic_ns()
    while time.monotonic_ns() < start + STANDSTILL_NS // 2:
        pass
    clock.advance(STANDSTILL_NS)
    assert clock.now_ns == STANDSTILL_NS
    assert time.monotonic_ns() - start >= STANDSTILL_NS


@pytest.mark.parametrize("stood_still_s", [0.1, 0.2])
def test_a_standstill_is_not_made_up_for(stood_still_s):
    clock = PacedClock()
    time.sleep(stood_still_s)
    clock.advance(1_000)
    start = time.monotonic_ns()
    clock.advance(40_000_000)
    assert time.monotonic_ns() - start >= 39_000_000
