"""qnn-profile-viewer's text and CSV: keys by section, absent values absent, damage refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tooloutput.qnn import execute_us, parse_events, parse_report

TEXT = """Qnn Init/Prepare/Finalize/De-Init/Execute/Lib-Load Statistics:

--- Init Stats:

---
    NetRun:  111 us

Execute Stats (Average):

--- Total Inference Time:

--- Graph 0 (eyes):
    NetRun:  222 us
    Backend (Number of HVX threads used): 4 count
    Backend (Accelerator (execute) time (cycles)): 9000 cycles
    Backend (Accelerator (execute) time): 0 NONE

Execute Stats (Min):

--- Graph 0 (eyes):
    NetRun:  205 us

Execute Stats (Overall):

---
    NetRun IPS (includes IO and misc. time):  4.5e+02 inf/sec
"""
HEADER = "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Init Stats", "NetRun", 111),
        ("Execute Stats (Average)", "NetRun", 222),
        ("Execute Stats (Min)", "NetRun", 205),
        ("Execute Stats (Average)", "Accelerator (execute) time (cycles)", 9000),
        ("Execute Stats (Average)", "Accelerator (execute) time", None),
        ("Execute Stats (Max)", "NetRun", None),
        ("Execute Stats (Overall)", "NetRun IPS (includes IO and misc. time)", 450),
    ],
)
def test_the_same_key_means_what_its_section_says(section, key, value):
    assert parse_report(TEXT).find(section, key) == value


def test_graphs_and_units_are_told():
    report = parse_report(TEXT)
    assert report.graphs == ("eyes",)
    assert {one.unit for one in report.figures} == {"us", "count", "cycles", "inf/sec", ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no section"), ("Usage: viewer", "no section"), ("    NetRun:  5 us", "before the first section")],
)
def test_a_text_of_another_tool_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        parse_report(text)


ROWS = (
    "10,INIT,500,US,NETRUN,ROOT,NetRun",
    "11,EXECUTE,2900,US,NETRUN,ROOT,Graph 0: eyes",
    "11,EXECUTE,700,US,BACKEND,ROOT,Accelerator (execute) time",
    '11,NODE,25,CYCLES,BACKEND,SUB-EVENT,"conv, relu:OpId_7 (cycles)"',
    "UNKNOWN,EXECUTE,2910,US,NETRUN,ROOT,Graph 0: eyes",
)


@pytest.mark.parametrize("header", [HEADER, HEADER.replace(",", ", "), f"version 2\n\n{HEADER},ONNX Source Ops"])
def test_each_execution_has_its_time(header):
    more = "," if header.endswith("Ops") else ""
    events = parse_events("\n".join([header, *(row + more for row in ROWS)]))
    assert execute_us(events, "NETRUN", "Graph") == (2900, 2910)
    assert execute_us(events, "BACKEND", "Accelerator") == (700,)
    assert [one.timestamp_us for one in events] == [10, 11, 11, 11, None]
    assert events[3].identifier == "conv, relu:OpId_7 (cycles)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no header"),
        ("a,b\n1,2", "no header"),
        ("Msg Timestamp,Message,Time", "no column 'Unit of Measurement'"),
        (f"{HEADER}\n1,EXECUTE,29", "3 of 7 columns"),
        (f"{HEADER}\n1,EXECUTE,soon,US,NETRUN,ROOT,Graph 0: a", "no number"),
    ],
)
def test_damaged_rows_are_refused_with_a_reason(text, said):
    with pytest.raises(ValueError, match=said):
        parse_events(text)


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_times_come_back_as_they_were_written(times):
    rows = [f"{at},EXECUTE,{time},US,NETRUN,ROOT,Graph 0: g" for at, time in enumerate(times)]
    assert execute_us(parse_events("\n".join([HEADER, *rows]))) == tuple(times)


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_value_errors(text):
    for parse in (parse_report, parse_events):
        try:
            parse(text)
        except ValueError:
            continue


SIMULATOR = """
import os, sys
import numpy as np, onnx, onnxruntime, onnxruntime_qnn
from onnx import TensorProto, helper, numpy_helper
weights = numpy_helper.from_array(np.ones((4, 8), np.float32), "w")
tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 4), ("y", 8))]
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", tensors[:1], tensors[1:], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
name = onnxruntime_qnn.get_ep_name()
onnxruntime.register_execution_provider_library(name, onnxruntime_qnn.get_library_path())
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
devices = [one for one in onnxruntime.get_ep_devices() if one.ep_name == name]
library = os.path.join(onnxruntime_qnn.LIB_DIR_FULL_PATH, "libQnnHtp.so")
options.add_provider_for_devices(
    devices, {"backend_path": library, "profiling_level": "detailed", "profiling_file_path": sys.argv[1]}
)
session = onnxruntime.InferenceSession(model.SerializeToString(), options)
for _ in range(3):
    session.run(None, {"x": np.ones((1, 4), np.float32)})
"""


def test_the_htp_simulators_own_file_is_read(tmp_path):
    pytest.importorskip("onnxruntime_qnn")
    path = tmp_path / "profile.csv"
    subprocess.run([sys.executable, "-c", SIMULATOR, str(path)], check=True, capture_output=True, timeout=120)
    events = parse_events(path.read_text(encoding="utf-8"))
    times = execute_us(events, "BACKEND", "QNN (execute) time")
    assert len(times) == 3
    assert min(times) > 0
    assert any(one.unit == "CYCLES" and one.level == "SUB-EVENT" and "MatMul" in one.identifier for one in events)


def test_a_real_text_parses_to_what_it_says(captures):
    report = parse_report((captures / "qnn" / "qnn_profile_viewer_htp.txt").read_text(encoding="utf-8"))
    average = "Execute Stats (Average)"
    assert [(one.section, one.key, one.value, one.unit) for one in report.figures] == [
        ("Init Stats", "NetRun", 331158, "us"),
        ("Compose Graphs Stats", "NetRun", 74748, "us"),
        ("Finalize Stats", "NetRun", 256372, "us"),
        ("Finalize Stats", "RPC (finalize) time", 4922, "us"),
        ("Finalize Stats", "QNN accelerator (finalize) time", 4504, "us"),
        ("Finalize Stats", "Accelerator (finalize) time", 4421, "us"),
        ("Finalize Stats", "QNN (finalize) time", 256364, "us"),
        ("De-Init Stats", "NetRun", 15810, "us"),
        ("De-Init Stats", "RPC (deinit) time", 1224, "us"),
        ("De-Init Stats", "QNN Accelerator (deinit) time", 966, "us"),
        ("De-Init Stats", "Accelerator (deinit) time", 934, "us"),
        ("De-Init Stats", "QNN (deinit) time", 15801, "us"),
        (average, "NetRun", 2952, "us"),
        (average, "Number of HVX threads used", 4, "count"),
        (average, "RPC (execute) time", 2920, "us"),
        (average, "QNN accelerator (execute) time", 2600, "us"),
        (average, "Accelerator (execute) time", 2492, "us"),
        (average, "QNN (execute) time", 2949, "us"),
        ("Execute Stats (Overall)", "NetRun IPS", 214.8888, "inf/sec"),
    ]
    assert report.graphs == ("model",)
