"""The sampler is a process of its own: what it tells, what it costs, and how it can fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sampling import Sampling, read_journal, spare_core
from harness.telemetry import Telemetry


def sampled(seconds: float, cores: tuple[int, ...] = (), **probes):
    sampling = Sampling(Telemetry(probes=probes), cores)
    sampling.start()
    time.sleep(seconds)
    return sampling.stop()


def test_each_sensor_is_read_at_its_own_pace_on_the_clock_of_the_frames():
    before = time.perf_counter_ns()
    fast, slow = sampled(1.0, fast={"kind": "simulated", "rate_hz": 50}, slow={"kind": "simulated", "rate_hz": 5})
    after = time.perf_counter_ns()
    assert 25 <= len(fast.time_ns) <= 52
    assert 4 <= len(slow.time_ns) <= 7
    assert fast.period_ns == 20_000_000
    assert before < fast.time_ns[0] < fast.time_ns[-1] < after
    assert (np.diff(fast.time_ns) > 0).all()


def test_values_reasons_and_facts_arrive_as_the_sensor_told_them():
    (trace,) = sampled(0.5, board={"kind": "simulated", "power_mw": 4321.5, "silent_every": 3})
    power = trace.column("VDD_SIM")
    silent = np.isnan(power)
    assert set(power[~silent]) == {4321.5}
    assert trace.reasons == {"the simulated sensor is silent": 2 * silent.sum()}
    assert trace.ended == trace.missing == ""
    assert trace.facts["readings"] == 0
    assert trace.facts_after["readings"] == len(power)


def test_a_sensor_that_is_not_there_says_so_and_leaves_the_others_alone():
    absent, board = sampled(0.2, absent={"kind": "simulated", "missing": True}, board={"kind": "simulated"})
    assert absent.missing == "the simulated sensor is missing; leave `missing` out"
    assert len(absent.time_ns) == 0
    assert len(board.time_ns) > 1


def test_a_slow_sensor_is_read_before_what_is_measured_begins_and_after_it_ends():
    sampling = Sampling(Telemetry(probes={"board": {"kind": "simulated", "rate_hz": 0.1}}))
    sampling.start()
    begun_ns = time.monotonic_ns()
    time.sleep(0.3)
    ended_ns = time.monotonic_ns()
    (trace,) = sampling.stop()
    first_ns, last_ns = trace.time_ns
    assert first_ns <= begun_ns < ended_ns <= last_ns
    assert trace.facts_after["readings"] == 2


@pytest.mark.parametrize(
    ("probes", "said"),
    [
        ({"board": {"kind": "no-such"}}, "no probe called 'no-such'"),
        ({"board": {"kind": "simulated", "volts": 3}}, "probe options do not fit 'simulated'"),
    ],
)
def test_a_wrong_probe_is_a_missing_one_with_its_sentence(probes, said):
    (trace,) = sampled(0.0, **probes)
    assert said in trace.missing
    assert trace.ended == ""


def test_a_sampler_that_was_never_there_has_ended_and_no_sensor_is_blamed_alone(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    for trace in sampled(0.0, one={"kind": "simulated"}, other={"kind": "simulated", "missing": True}):
        assert trace.ended == trace.missing
        assert trace.ended.startswith("the sampler cannot be started: ")
        assert len(trace.time_ns) == 0


def test_a_sampler_that_dies_leaves_what_it_told_and_says_that_it_died():
    (trace,) = sampled(0.6, board={"kind": "simulated", "dies_at": 4})
    assert trace.ended == f"the sampler died (signal {signal.SIGABRT.value})"
    assert len(trace.time_ns) == 3


def test_a_sampler_killed_from_outside_says_so():
    sampling = Sampling(Telemetry(probes={"board": {"kind": "simulated"}}))
    sampling.start()
    time.sleep(0.3)
    os.kill(sampling._process.pid, signal.SIGKILL)
    (trace,) = sampling.stop()
    assert trace.ended == "the sampler died (signal 9)"
    assert len(trace.time_ns) > 1


def test_a_resting_sampler_takes_no_samples():
    sampling = Sampling(Telemetry(probes={"board": {"kind": "simulated", "rate_hz": 50}}))
    sampling.start()
    sampling.pause()
    time.sleep(0.1)
    quiet_from = time.monotonic_ns()
    time.sleep(0.4)
    quiet_to = time.monotonic_ns()
    sampling.resume()
    time.sleep(0.2)
    (trace,) = sampling.stop()
    assert not ((trace.time_ns > quiet_from) & (trace.time_ns < quiet_to)).any()
    assert (trace.time_ns >= quiet_to).any()


def test_a_sensor_slower_than_its_pace_is_not_asked_twice_for_what_it_missed():
    (trace,) = sampled(0.6, board={"kind": "simulated", "rate_hz": 100, "slow_ms": 55})
    assert np.diff(trace.time_ns).min() > 50e6


def test_no_process_and_no_file_stay_behind(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sampling = Sampling(Telemetry(probes={"board": {"kind": "simulated"}}))
    sampling.start()
    assert processes(str(tmp_path)) == [sampling._process.pid]
    assert list(tmp_path.iterdir()) == []
    sampling.stop()
    assert processes(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_sampler_started_ends_with_it(processes, tmp_path):
    tool = tmp_path / "tegrastats"
    tool.write_text(
        "#!/bin/sh\necho 'RAM 1500/3964MB (lfb 1x512kB) CPU [16%@204] EMC_FREQ 0% GR3D_FREQ 4%'\nsleep 600\n"
    )
    tool.chmod(0o700)
    sampling = Sampling(Telemetry(probes={"board": {"kind": "tegrastats", "command": str(tool)}}))
    sampling.start()
    assert processes(str(tool))
    os.kill(sampling._process.pid, signal.SIGKILL)
    (trace,) = sampling.stop()
    until = time.monotonic() + 5
    while processes(str(tool)) and time.monotonic() < until:
        time.sleep(0.02)
    assert processes(str(tool)) == []
    assert (trace.ended, trace.missing) == ("the sampler died (signal 9)", "")


WORKER = """
import time
from harness.sampling import Sampling
from harness.telemetry import Telemetry

Sampling(Telemetry(probes={"board": {"kind": "simulated"}})).start()
print("sampling", flush=True)
time.sleep(60)
"""


def test_nothing_stays_behind_a_worker_that_is_killed(processes, tmp_path, checkout):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(checkout)}
    with subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout.readline() == b"sampling\n"
        assert len(processes(str(tmp_path))) == 1
        worker.kill()
    until = time.monotonic() + 5
    while processes(str(tmp_path)) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_the_sampler_keeps_off_the_measured_cores():
    allowed = os.sched_getaffinity(0) | os.sched_getaffinity(os.getppid())
    assert spare_core(tuple(allowed)) is None
    assert spare_core(()) is None
    if len(allowed) > 1:
        assert spare_core((min(allowed),)) == max(allowed)
        assert spare_core((max(allowed),)) == max(allowed - {max(allowed)})


HEAD = {
    "head": "board", "missing": "", "channels": [{"name": "power", "unit": "mW"}], "facts": {}, "period_ns": 50,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "said"),
    [("the sampler was not ready in time", "the sampler was not ready in time"),
     ("", "the sampler's journal is cut off")],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\x00{", b'{"head": "bo', b'["head"]\n3\n'])
def test_a_journal_in_which_nobody_tells_anything_is_a_sampler_that_was_not_there(content, fault, said):
    for trace in read_journal(content, ["board", "meter"], fault):
        assert (trace.missing, trace.ended, len(trace.time_ns)) == (said, said, 0)


def test_what_one_sensor_told_stays_where_the_sampler_died_before_the_next():
    journal = json.dumps(HEAD).encode() + b"\n"
    board, meter = read_journal(journal, ["board", "meter"], "the sampler died at its start")
    assert (board.missing, board.ended) == ("", "the sampler died at its start")
    assert meter.missing == meter.ended == "the sampler died at its start"


LINES = [HEAD, *({"probe": "board", "at": at, "values": [1.5]} for at in (10, 60, 110)),
         {"tail": "board", "facts": {}, "cpu_ns": 7}]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_journal_cut_anywhere_invents_no_sample(data):
    whole = "".join(json.dumps(one) + "\n" for one in LINES).encode()
    cut = data.draw(st.integers(0, len(whole)))
    (trace,) = read_journal(whole[:cut], ["board"], "")
    assert set(trace.time_ns) <= {10, 60, 110}
    assert set(trace.values[:, 0]) <= {1.5} if len(trace.time_ns) else True
    if cut < len(whole) - 1:
        assert trace.ended or trace.missing
