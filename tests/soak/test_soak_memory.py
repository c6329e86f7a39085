"""The memory of the engine's processes over a soak: who is sampled, what a simulated engine leaks, and wear."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from harness.plans import PLANS
from harness.probes.device_memory import DeviceMemory
from harness.runtimes import open_runtime
from harness.sampling import with_own_memory
from harness.soakplan import cooling_s, is_soak, too_short
from harness.telemetry import Telemetry

DARK = np.zeros((1, 1, 20, 32), np.float32)


@pytest.mark.parametrize(
    ("probes", "always", "expected"),
    [
        ({}, False, {}),
        ({}, True, {"device_memory": {"kind": "device_memory", "rate_hz": 1.0, "pid": 7, "also": [8]}}),
        ({"thermal": {}}, False, {"thermal": {}}),
        ({"device_memory": {}}, True, {"device_memory": {"pid": 7, "also": [8]}}),
        ({"ram": {"kind": "device_memory"}}, False, {"ram": {"kind": "device_memory", "pid": 7, "also": [8]}}),
        ({"ram": {"kind": "device_memory", "pid": 3}}, True, {"ram": {"kind": "device_memory", "pid": 3}}),
        ({"device_memory": {"kind": "simulated"}}, True, {
            "device_memory": {"kind": "simulated"},
            "own device_memory": {"kind": "device_memory", "rate_hz": 1.0, "pid": 7, "also": [8]},
        }),
    ],
)  # fmt: skip
def test_a_probe_of_memory_without_a_process_gets_the_workers(probes, always, expected):
    assert with_own_memory(Telemetry(probes=probes), (7, 8), always).probes == expected


def resident(probe):
    with probe:
        (sample,) = probe.read()
        return dict(zip([one.name for one in probe.channels], sample[1], strict=True))["process"]


def test_the_processes_of_an_engine_are_counted_together():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            own, both = resident(DeviceMemory(os.getpid())), resident(DeviceMemory(os.getpid(), also=(other.pid,)))
        finally:
            other.kill()
    assert both > own > 1e6


def test_a_process_that_is_not_there_is_a_reason_and_no_smaller_sum():
    assert isinstance(resident(DeviceMemory(os.getpid(), also=(2**22 + 1,))), str)


def test_a_worker_samples_itself_where_the_profile_names_no_process(make_job, measured):
    telemetry = Telemetry(probes={"device_memory": {"kind": "device_memory", "rate_hz": 20.0}})
    found = measured(make_job(engine="null", options={}, telemetry=telemetry))
    (trace,) = found.traces
    assert trace.missing == trace.ended == ""
    assert (trace.column("process") > 10e6).all()


def test_a_soak_is_ten_minutes_and_watches_on_a_tenth_of_it():
    assert {name: is_soak(plan) for name, plan in PLANS.items()} == {
        name: name.startswith("soak") for name in PLANS
    }  # fmt: skip
    assert cooling_s(PLANS["soak"]) == 60
    assert cooling_s(PLANS["standard"]) == 0
    assert too_short(PLANS["soak"]) == ""
    assert "run --plan=soak" in too_short(PLANS["standard"])


@pytest.fixture
def engine(tmp_path):
    """The simulated engine, loaded, over a .sim file with this content."""

    def open_it(**content):
        path = tmp_path / "model.sim"
        path.write_text(json.dumps({"infer_ms": 10.0, "sigma": 0.0, **content}))
        found = open_runtime("simulated", str(path), {})
        found.prepare()
        return found.__enter__()

    return open_it


def times_ms(engine, frames):
    found = []
    for _ in range(frames):
        begin = engine.clock.now_ns
        engine.infer({"image": DARK})
        found.append((engine.clock.now_ns - begin) / 1e6)
    return np.array(found)


def test_what_a_simulated_engine_leaks_is_told_as_its_processs_memory(engine):
    leaky = engine(leak_bytes=100_000)
    times_ms(leaky, 10)
    sampling = leaky.sampling(Telemetry(probes={"ram": {"kind": "device_memory", "rate_hz": 10}}), ())
    sampling.start()
    times_ms(leaky, 100)
    (trace,) = sampling.stop()
    held = trace.column("process")
    assert held[-1] - held[0] == 100 * 100_000
    assert (np.diff(held) >= 0).all()
    assert trace.facts["simulated"]


def test_a_planted_throttle_slows_every_frame_from_its_moment_and_shows_in_the_sensors(engine):
    hot = engine(throttle_after_s=1.0, throttle_slower=0.5)
    sampling = hot.sampling(Telemetry(probes={"board": {"kind": "simulated", "rate_hz": 10}}), ())
    sampling.start()
    taken = times_ms(hot, 200)
    (trace,) = sampling.stop()
    assert taken[:100] == pytest.approx(10)
    assert taken[101:] == pytest.approx(15)
    clock = trace.column("cpu0.cur")
    assert (clock[0], clock[-1]) == pytest.approx((2_000_000, 2_000_000 / 1.5))
    events = trace.column("oc1")
    assert events[0] == 0
    assert events[-1] > 10


def test_a_planted_stall_comes_at_its_beat(engine):
    taken = times_ms(engine(stall_every_s=0.5, stall_ms=100.0), 200)
    stalled = np.flatnonzero(taken > 50)
    assert taken[stalled] == pytest.approx(100)
    assert np.diff(np.cumsum(taken)[stalled]) == pytest.approx(500, abs=10.1)


def test_what_is_not_planted_is_not_there(engine):
    assert times_ms(engine(), 300) == pytest.approx(10)
