"""qnn-net-run and snpe-net-run as engines: model files, times or averages, placement, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from harness.case import TensorSpec
from harness.errors import EngineError
from harness.runtimes import open_runtime
from harness.runtimes.netrun import read_results
from tests.runtimes.tools import TENSORS, frame, installed, model


@pytest.fixture
def qnn(tmp_path):
    def make(fault="", name="net.bin", tensors=TENSORS, **options):
        tools = {
            option: installed(tool, tmp_path, STANDIN_FAULT=fault)
            for option, tool in (("command", "qnn_net_run"), ("viewer", "qnn_viewer"))
        }
        runtime = open_runtime("qnn", model(tmp_path, name, tensors), {**tools, **options})
        runtime.prepare()
        return runtime

    return make


@pytest.fixture
def snpe(tmp_path):
    def make(fault="", **options):
        tools = {
            option: installed(tool, tmp_path, STANDIN_FAULT=fault)
            for option, tool in (("command", "snpe_net_run"), ("viewer", "snpe_diagview"))
        }
        runtime = open_runtime("snpe", model(tmp_path, "net.dlc"), {**tools, **options})
        runtime.prepare()
        return runtime

    return make


@pytest.mark.parametrize("name", ["net.so", "net.bin", "net.dlc"])
def test_qnn_takes_a_library_a_context_binary_or_a_dlc(qnn, name):
    with qnn(name=name) as engine:
        assert float(engine.infer(frame(0.75))["scores"][0, 1]) == pytest.approx(0.75)


@pytest.mark.parametrize("name", ["net.onnx", "net"])
def test_qnn_takes_no_other_file(qnn, name):
    with pytest.raises(EngineError, match="give a model library"), qnn(name=name):
        pytest.fail("it loaded")


def test_qnn_tells_each_execution_and_the_accelerators_share(qnn):
    with qnn(perf_profile="burst") as engine:
        times = engine.time_window([frame(0.2), frame(0.8)], 6)
        facts = engine.facts()
    assert times.infer_ns.tolist() == [9_000_000, 5_000_000, 2_900_000, 2_904_000, 2_900_000, 2_904_000]
    # By hand: the sum is 25608 us, the viewer prints whole microseconds, a quarter of it for the accelerator.
    assert times.marks["infer_mean_ns"] == 4_268_000
    assert times.marks["accelerator_mean_ns"] == 1_067_000
    assert times.marks["accelerator_share"] == 0.25
    assert times.marks["load_ns"] == 400_000_000
    assert (facts["version"], facts["placement"], facts["promised"], facts["partitions"]) == (
        "2.45.0.250101000000", {"HTP": 1.0}, "HTP", 1,
    )  # fmt: skip
    assert facts["session_config"] == {"profiling_level": "basic", "perf_profile": "burst"}


def test_a_qnn_viewer_without_rows_tells_averages_and_no_time_of_a_frame(qnn):
    with qnn("no csv") as engine:
        times = engine.time_window([frame(0.5)], 4)
    assert len(times.infer_ns) == 0
    assert times.marks["infer_mean_ns"] == 4_951_000
    assert "only the average" in times.facts["window"]


@pytest.mark.parametrize(
    ("backend", "unit"),
    [("/x/libQnnHtp.so", "HTP"), ("libQnnGpu.so", "GPU"), ("libQnnCpu.so", "CPU"), ("libQnnHtpV73.so", "HTP")],
)
def test_qnn_promises_the_backend_that_it_was_given(qnn, backend, unit):
    with qnn(backend=backend) as engine:
        assert engine.facts()["promised"] == unit


def test_a_context_binary_for_another_soc_is_named_with_both(qnn):
    with (
        pytest.raises(EngineError, match=r"net\.bin is for another SoC than .*arch with value 75") as caught,
        qnn("soc"),
    ):
        pytest.fail("it loaded")
    assert "generate it for" in caught.value.remedy


def test_native_files_hold_the_tensors_own_types(qnn):
    tensors = {"inputs": {"image": {"shape": [1, 4], "dtype": "uint8"}}, "outputs": {"scores": {"shape": [1, 2]}}}
    with pytest.raises(EngineError, match="native = true"), qnn(tensors=tensors):
        pytest.fail("it loaded")
    with qnn(tensors=tensors, native=True) as engine:
        assert [one.dtype for one in engine.inputs] == ["uint8"]


@pytest.mark.parametrize(("unit", "word"), [("cpu", "CPU"), ("gpu", "GPU"), ("dsp", "DSP"), ("aip", "AIP")])
def test_snpe_tells_averages_only_and_where_its_layers_ran(snpe, unit, word):
    with snpe(runtime=unit) as engine:
        times = engine.time_window([frame(0.5)], 7)
        facts = engine.facts()
    assert len(times.infer_ns) == 0
    assert times.marks["infer_mean_ns"] == 3_600_000
    assert times.marks["load_ns"] == 40_000_000
    assert times.marks.get("accelerator_share") == (None if unit == "cpu" else 0.25)
    assert (facts["placement"], facts["promised"], facts["partitions"]) == ({word: 1.0}, word, 1)
    assert facts["version"] == "2.30.0.1"
    assert "the average of 7 frames" in times.facts["window"]


def test_snpe_that_fell_back_shows_it(snpe):
    with snpe("fallback") as engine:
        assert engine.facts()["placement"] == {"DSP": 0.75, "CPU": 0.25}


def test_snpe_has_no_other_runtimes(snpe):
    with pytest.raises(EngineError, match=r"no runtime 'npu'.*cpu, gpu, dsp, aip"):
        snpe(runtime="npu")


@pytest.mark.parametrize("name", ["net/head/out", "/net/head/out"])
def test_an_output_with_slashes_in_its_name_is_a_file_in_folders(tmp_path, name):
    path = tmp_path / "Result_0" / "net" / "head" / "out:0.raw"
    path.parent.mkdir(parents=True)
    np.array([0.25, 0.75], np.float32).tofile(path)
    (found,) = read_results(tmp_path, 1, (TensorSpec(name, (1, 2), "float32"),))
    assert found[name].tolist() == [[0.25, 0.75]]


def test_outputs_that_their_files_cannot_tell_apart_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / "Result_0" / folder).mkdir(parents=True)
        np.zeros(2, np.float32).tofile(tmp_path / "Result_0" / folder / "out.raw")
    specs = [TensorSpec(name, (1, 2), "float32") for name in ("a/out", "b/out", "a_out")]
    assert read_results(tmp_path, 1, tuple(specs[:2]))[0].keys() == {"a/out", "b/out"}
    with pytest.raises(EngineError, match="two outputs are both called 'a_out'"):
        read_results(tmp_path, 1, tuple(specs))
