"""The Chrome trace of a case: every frame and stage once, in its place, and only what sensors told."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import STAGES, Run
from harness.errors import HarnessError
from harness.report.perfetto import trace_of, write_trace
from harness.telemetry import Channel, Trace, empty_trace

MS, S = 1_000_000, 1_000_000_000
NAN = float("nan")


def run_of(stages, start_ns, **facts):
    """A run whose frames are exactly their stages."""
    table = np.array(stages, np.int64).reshape(-1, 3)
    none = np.zeros(0, np.int64)
    return Run(
        stages={name: table[:, index] for index, name in enumerate(STAGES)}, frame_ns=table.sum(axis=1),
        start_ns=np.asarray(start_ns, np.int64), cpu_ns=none, warmup_ns=none, marks={}, facts=facts,
    )  # fmt: skip


def of_kind(trace, kind, **fields):
    """The events of one phase letter whose fields have these values."""
    return [one for one in trace["traceEvents"] if one["ph"] == kind and fields.items() <= one.items()]


def imported_ns(event):
    """Begin and end of a slice as the importer computes them: fractions of a nanosecond are cut off."""
    begin = int(event["ts"] * 1000)
    return begin, begin + int(event["dur"] * 1000)


def test_every_frame_and_stage_is_there_once_and_in_its_place(make_run):
    frames = np.array([5, 7, 6]) * MS
    found = of_kind(trace_of([make_run(frames, gap_ns=MS)], "bench"), "X")
    assert [(one["name"], one["ts"], one["dur"]) for one in found[:8]] == [
        ("frame", 0.0, 5000.0), ("pre", 0.0, 1000.0), ("infer", 1000.0, 3000.0), ("post", 4000.0, 1000.0),
        ("frame", 6000.0, 7000.0), ("pre", 6000.0, 1000.0), ("infer", 7000.0, 5000.0), ("post", 12000.0, 1000.0),
    ]  # fmt: skip
    assert [one["name"] for one in found] == ["frame", *STAGES] * 3
    assert [one["args"]["number"] for one in found] == [0] * 4 + [1] * 4 + [2] * 4


DURATIONS = st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), min_size=1, max_size=50)


@given(DURATIONS, st.integers(0, 10**15), st.integers(1, 10**6))
def test_the_importer_finds_stages_inside_frames_to_the_nanosecond(durations, boot_ns, gap_ns):
    whole = np.array(durations, np.int64).sum(axis=1)
    starts = boot_ns + np.cumsum(whole + gap_ns) - (whole + gap_ns)
    events = json.loads(json.dumps(of_kind(trace_of([run_of(durations, starts)], "bench"), "X")))
    frames = [imported_ns(one) for one in events if one["name"] == "frame"]
    assert frames == [(at - boot_ns, at - boot_ns + ns) for at, ns in zip(starts.tolist(), whole.tolist(), strict=True)]
    assert all(end < begin for (_, end), (begin, _) in pairwise(frames))
    for (begin, end), stages in zip(frames, np.reshape(events, (-1, 4))[:, 1:], strict=True):
        edges = [imported_ns(one) for one in stages]
        assert [edges[0][0], edges[-1][1]] == [begin, end]
        assert all(before[1] == after[0] for before, after in pairwise(edges))


def test_each_channel_is_a_counter_in_its_own_unit_without_what_is_not_known():
    channels = (Channel("VDD_IN", "mW"), Channel("tj", "C"))
    values = np.array([[4000, 41.5], [NAN, 42.0], [-392, NAN], [float("inf"), NAN]])
    trace = Trace("board", channels, 2 * S + np.arange(4) * 50 * MS, values, 50 * MS)
    found = trace_of([replace(run_of([[MS, MS, MS]], [2 * S]), traces=(trace,))], "bench")
    assert [(one["ts"], one["args"]) for one in of_kind(found, "C", name="board/VDD_IN")] == [
        (0.0, {"mW": 4000.0}), (100_000.0, {"mW": -392.0}),
    ]  # fmt: skip
    assert [(one["ts"], one["args"]) for one in of_kind(found, "C", name="board/tj")] == [
        (0.0, {"C": 41.5}), (50_000.0, {"C": 42.0}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([5, 5, 5, 5], [0, 3]),
        ([5, 5, 6, 5], [0, 2, 3]),
        ([5, NAN, 5, 6], [0, 3]),
        ([5, 6, NAN, NAN], [0, 1]),
        ([5], [0]),
        ([NAN, NAN], []),
    ],
)
def test_a_counter_says_only_what_is_new_and_its_last_value(make_run, values, kept):
    table = np.array([values], float).T
    trace = Trace("clocks", (Channel("cpu0.cur", "kHz"),), np.arange(len(values)) * MS, table, MS)
    found = of_kind(trace_of([make_run([], traces=(trace,))], "bench"), "C")
    assert [one["ts"] for one in found] == [1000.0 * index for index in kept]
    assert [one["args"]["kHz"] for one in found] == [values[index] for index in kept]


def test_a_rise_of_a_throttle_counter_is_an_instant(make_run):
    values = np.array([[0.0], [0.0], [3.0], [3.0]])
    trace = Trace("throttle", (Channel("oc2", "events"),), np.arange(4) * MS, values, MS)
    (found,) = of_kind(trace_of([make_run([], traces=(trace,))], "bench"), "i")
    assert (found["name"], found["s"], found["ts"], found["args"]) == ("throttle/oc2", "p", 2000.0, {"count": 3.0})


def test_runs_are_processes_one_after_the_other_on_one_clock():
    runs = [run_of([[MS, MS, MS]], [10 * S], phases={"idle_before": [9 * S, 10 * S]}), run_of([[MS, MS, MS]], [12 * S])]
    found = trace_of(runs, "bench/eyes/fp32/ort")
    names = {one["pid"]: one["args"]["name"] for one in of_kind(found, "M", name="process_name")}
    assert list(names.values()) == ["bench/eyes/fp32/ort, run 1", "bench/eyes/fp32/ort, run 2"]
    first, second = of_kind(found, "X", name="frame")
    assert ([first["pid"], second["pid"]], [first["ts"], second["ts"]]) == (list(names), [1e6, 3e6])
    (idle,) = of_kind(found, "X", name="idle_before")
    assert (idle["pid"], idle["ts"], idle["dur"]) == (first["pid"], 0.0, 1e6)


def test_processes_are_not_zero_and_no_two_share_a_thread():
    phases = {"frames": [0, S]}
    found = trace_of([run_of([[MS, MS, MS]], [0], phases=phases) for _ in range(3)], "bench")
    threads = [(one["pid"], one["tid"]) for one in of_kind(found, "M", name="thread_name")]
    assert len({tid for _, tid in threads}) == len(threads) == 6
    assert len({pid for pid, _ in threads}) == 3
    assert min(min(one) for one in threads) > 0


def test_the_trace_says_what_ran_and_which_sensor_told_nothing(make_run):
    facts = {"engine": "onnxruntime", "version": "9.9", "threads": 2, "steady": True, "simulated": True}
    found = trace_of([make_run([5 * MS], facts=facts, traces=(empty_trace("board", "permission denied"),))], "bench")
    assert (list(found), found["displayTimeUnit"]) == (["displayTimeUnit", "otherData", "traceEvents"], "ms")
    assert found["otherData"] == {
        "case": "bench", "simulated": True,
        "runs": [{"engine": "onnxruntime", "version": "9.9", "threads": 2,
                  "sensor_faults": {"board": "permission denied"}}],
    }  # fmt: skip
    (process,) = of_kind(found, "M", name="process_name")
    assert process["args"]["name"].endswith("[SIMULATED]")


def test_a_real_run_is_not_marked(make_run):
    found = trace_of([make_run([5 * MS])], "bench")
    assert found["otherData"]["simulated"] is False
    assert "SIMULATED" not in json.dumps(found)


@pytest.mark.parametrize("runs", [0, 1])
def test_a_case_without_frames_is_still_a_trace(make_run, runs):
    found = trace_of([make_run([])] * runs, "bench")
    assert not of_kind(found, "X")


def test_the_file_is_strict_json_and_has_no_unicode_escapes(make_run, tmp_path):
    hostile = '<\x1b\x00\u202e\udc80\n"\\目'
    trace = Trace(hostile, (Channel("rail", "mW"),), np.array([0, 1, 2]), np.array([[NAN], [1.0], [NAN]]), MS)
    run = make_run([5 * MS], traces=(trace,), facts={"engine": hostile, "version": NAN})
    path = write_trace([run], hostile, tmp_path / "new" / "trace.json")
    text = path.read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert (found["otherData"]["case"], len(of_kind(found, "C"))) == ('<\\x1b\\x00\\u202e\\udc80\\n"\\目', 1)
    assert [one.name for one in path.parent.iterdir()] == ["trace.json"]


def test_a_trace_that_cannot_be_written_is_a_sentence(make_run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"cannot be written.*trace\.json"):
        write_trace([make_run([5 * MS])], "bench", tmp_path / "file" / "trace.json")


def test_twenty_thousand_frames_stay_small_and_quick(make_run, tmp_path):
    frames = np.random.default_rng(5).integers(4 * MS, 9 * MS, 20_000)
    begin = time.process_time()
    path = write_trace([make_run(frames)], "bench", tmp_path / "trace.json")
    assert time.process_time() - begin < 2
    assert path.stat().st_size < 15e6
