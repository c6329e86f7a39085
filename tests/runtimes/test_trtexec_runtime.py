"""trtexec as an engine: the options of each version, engines kept and rebuilt, times, placement, facts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import EngineError
from harness.runtimes import open_runtime
from harness.runtimes.trtengine import hashes_of_files
from tests.modelfile import onnx_models
from tests.runtimes.tools import frame, installed

MS = 1_000_000


@pytest.fixture
def trtexec(tmp_path):
    """TrtExec over a stand-in of one version; every call of the tool is kept in a file."""

    def make(version="101601", fault="", path="", **options):
        command = installed("trtexec", tmp_path, STANDIN_VERSION=version, STANDIN_FAULT=fault)
        calls = tmp_path / "calls"
        text = Path(command).read_text().replace("#!/bin/sh\n", f'#!/bin/sh\necho "$@" >> {calls}\n')
        Path(command).write_text(text)
        engine = tmp_path / "given.engine"
        engine.write_text(f"engine of {version}")
        runtime = open_runtime(
            "trtexec", path or str(engine), {"command": command, "cache": str(tmp_path / "cache"), **options}
        )
        runtime.prepare()
        return runtime, lambda: calls.read_text().splitlines()

    return make


@pytest.fixture
def onnx(tmp_path):
    """An ONNX file whose input and output are those of the stand-in."""
    model = onnx_models.mobilenet_like(classes=2, size=32)
    model.graph.input[0].name, model.graph.output[0].name = "image", "scores"
    for node in model.graph.node:
        node.input[:] = ["image" if name == "input" else name for name in node.input]
        node.output[:] = ["scores" if name == "output" else name for name in node.output]
    return str(onnx_models.save(model, tmp_path / "net.onnx"))


# what a profile says -> the words of each version
@pytest.mark.parametrize(
    ("version", "options", "build", "run"),
    [
        ("8201", {"workspace_mib": 256, "fp16": True}, ["--fp16", "--workspace=256", "--buildOnly"], []),
        ("101601", {"workspace_mib": 256, "int8": True}, ["--int8", "--memPoolSize=workspace:256", "--skipInference",
                                                          "--profilingVerbosity=detailed"], []),
        ("110100", {"workspace_mib": 64}, ["--memPoolSize=workspace:64", "--skipInference"],
         ["--includeDataTransfers", "--noSpinWait", "--noCudaGraph"]),
        ("110100", {"transfers": False, "spin_wait": True, "cuda_graph": True}, [],
         ["--useSpinWait", "--useCudaGraph"]),
        ("8201", {"transfers": False, "spin_wait": True}, [], ["--noDataTransfers", "--useSpinWait"]),
        ("101601", {"dla": 1, "gpu_fallback": True}, ["--useDLACore=1", "--allowGPUFallback"], ["--useDLACore=1"]),
        ("101601", {"shapes": {"image": "1x1x20x32"}}, ["--minShapes=image:1x1x20x32", "--optShapes=image:1x1x20x32",
                                                        "--maxShapes=image:1x1x20x32"], ["--shapes=image:1x1x20x32"]),
        ("101601", {"build_arguments": ("--refit",)}, ["--refit"], []),
    ],
)  # fmt: skip
def test_a_profile_is_said_in_the_words_of_the_version(trtexec, onnx, version, options, build, run):
    runtime, calls = trtexec(version, path=onnx, **options)
    if "build_arguments" in options:
        with pytest.raises(EngineError, match="Unknown option: --refit"), runtime:
            pytest.fail("it loaded")
        return
    with runtime:
        runtime.time_window([frame(0.5)], 5)
    _help, built, *_inside, timed = calls()
    assert [word for word in build if word not in built.split()] == []
    assert [word for word in run if word not in timed.split()] == []
    assert "--iterations=5" in timed


@pytest.mark.parametrize("option", ["fp16", "int8"])
def test_what_version_11_cannot_do_is_refused_and_never_left_out(trtexec, onnx, option):
    runtime, _ = trtexec("110100", path=onnx, **{option: True})
    with (
        pytest.raises(EngineError, match=f"trtexec 11.1.0 has no --{option}: its networks are strongly typed"),
        runtime,
    ):
        pytest.fail("it loaded")


def test_an_engine_is_built_once_and_again_when_anything_changed(trtexec, onnx):
    def builds(version="101601", **options):
        runtime, calls = trtexec(version, path=onnx, **options)
        with runtime:
            facts = runtime.facts()
        return sum("--onnx=" in call for call in calls()), facts["precision"]

    assert [builds(), builds(), builds(fp16=True), builds(fp16=True), builds("8201")] == [
        (1, "FP32"), (1, "FP32"), (2, "FP32+FP16"), (2, "FP32+FP16"), (3, "FP32"),
    ]  # fmt: skip
    with open(onnx, "ab") as file:
        file.write(b"\xaa\x06\x00")
    assert builds()[0] == 4


@pytest.mark.parametrize("harm", ["cut", "gone", "no sidecar", "damaged sidecar"])
def test_a_kept_engine_that_is_not_whole_is_built_again(trtexec, onnx, tmp_path, harm):
    with trtexec(path=onnx)[0]:
        (engine,) = (tmp_path / "cache").glob("*.engine")
    sidecar = engine.with_suffix(".json")
    assert json.loads(sidecar.read_text())["fingerprint"]["version"] == [10, 16, 1]
    {
        "cut": lambda: engine.write_text("eng"), "gone": engine.unlink, "no sidecar": sidecar.unlink,
        "damaged sidecar": lambda: sidecar.write_text('{"engine": {"pa'),
    }[harm]()  # fmt: skip
    runtime, calls = trtexec(path=onnx)
    with runtime:
        assert sum("--onnx=" in call for call in calls()) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [("no engine", "built the engine and wrote none"), ("die", "killed by signal 11")],
)
def test_a_build_that_fails_leaves_no_engine(trtexec, onnx, tmp_path, fault, said):
    runtime, _ = trtexec(fault=fault, path=onnx)
    with pytest.raises(EngineError, match=said), runtime:
        pytest.fail("it loaded")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("fault", ["", "status 0"])
def test_an_engine_of_another_version_is_refused_whatever_the_tool_ends_with(trtexec, tmp_path, fault):
    path = tmp_path / "old.engine"
    path.write_text("engine of 8201")
    with pytest.raises(EngineError, match="made by another version"), trtexec(fault=fault, path=str(path))[0]:
        pytest.fail("it loaded")


def test_a_program_that_is_not_trtexec_is_refused(tmp_path):
    runtime = open_runtime("trtexec", "net.engine", {"command": "/usr/bin/env"})
    with pytest.raises(EngineError, match=r"env ended with status|not that of trtexec"):
        runtime.prepare()


@pytest.mark.parametrize(("version", "fault"), [("8201", ""), ("101601", ""), ("110100", ""), ("8201", "old times")])
def test_every_inference_has_its_time_with_its_copies_apart(trtexec, version, fault):
    types = {"image": "float32", "scores": "float32"}
    runtime, _ = trtexec(version, fault, types=types)
    with runtime:
        times = runtime.time_window([frame(0.5), frame(0.6)], 6)
    # The stand-in takes 4 ms more for the first three.
    assert times.infer_ns.tolist() == [6_500_000] * 3 + [2_503_000, 2_504_000, 2_500_000]
    assert times.marks["h2d_median_ns"] == 300_000
    assert times.marks["d2h_median_ns"] == 200_000
    assert times.marks["load_ns"] == 250 * MS
    assert times.marks["peak_tool_bytes"] > 0
    assert "one frame 6 times back to back" in times.facts["window"]
    assert "with the copies" in times.facts["window"]


def test_what_really_held_is_a_fact_that_two_sessions_are_compared_by(trtexec):
    found = []
    for options in ({}, {"transfers": False, "cuda_graph": True}):
        runtime, _ = trtexec(**options)
        with runtime:
            times = runtime.time_window([frame(0.5)], 2)
            found.append((runtime.facts()["session_config"], "without the copies" in times.facts["window"]))
    assert found == [
        ({"Data transfers": "Enabled", "Spin-wait": "Disabled", "CUDA Graph": "Disabled"}, False),
        ({"Data transfers": "Disabled", "Spin-wait": "Disabled", "CUDA Graph": "Enabled"}, True),
    ]


def test_outputs_are_exported_with_transfers_whatever_is_timed(trtexec):
    runtime, calls = trtexec("110100", transfers=False, types={"image": "float32", "scores": "float32"})
    with runtime:
        assert runtime.infer(frame(0.75))["scores"].tolist() == [[0.25, 0.75]]
    assert "--includeDataTransfers" in calls()[-1]


def test_outputs_that_are_all_zero_pass_the_tool_and_come_back_as_they_are(trtexec):
    runtime, _ = trtexec(fault="zeros")
    with runtime:
        assert [float(np.abs(one["scores"]).max()) for one in runtime.infer_many([frame(0.1), frame(0.9)])] == [0, 0]


def test_precision_and_fusion_come_from_a_run_of_its_own(trtexec):
    runtime, calls = trtexec()
    with runtime:
        facts = runtime.facts()
    assert facts["layer_precisions"] == {"fp16": 0.75, "fp32": 0.25}
    assert facts["fusion"] == {"convolutions": 2, "with_activation": 1, "batch_norms": 1}
    assert facts["layer_ms"] == {"conv1": 2}
    assert (facts["placement"], facts["promised"], facts["partitions"]) == ({"GPU": 1.0}, "GPU", 1)
    (inside,) = [call for call in calls() if "--exportProfile" in call]
    assert "--exportTimes" not in inside


def test_a_version_that_tells_names_only_has_no_precision_to_tell(trtexec, onnx):
    runtime, _ = trtexec("8201", path=onnx)
    with runtime:
        facts = runtime.facts()
        assert [(one.name, one.shape, one.dtype) for one in runtime.inputs] == [("image", (1, 1, 20, 32), "float32")]
    assert not {"layer_precisions", "fusion"} & facts.keys()
    assert facts["version"] == "8.2.1"


def test_an_engine_file_of_an_old_version_needs_its_types(trtexec):
    with pytest.raises(EngineError, match="does not tell the type or shape of 'image'"), trtexec("8201")[0]:
        pytest.fail("it loaded")


# gpu_fallback -> what is told of the placement
@pytest.mark.parametrize(
    ("fallback", "told"),
    [
        (False, {"placement": {"DLA0": 1.0}, "partitions": 1}),
        # How many nodes each piece holds is not told, so no share is.
        (True, {"partitions": 1}),
    ],
)
def test_a_mixture_of_dla_and_gpu_is_no_share_that_anybody_told(trtexec, onnx, fallback, told):
    for _ in ("built", "kept"):
        runtime, _ = trtexec(path=onnx, dla=0, gpu_fallback=fallback)
        with runtime:
            facts = runtime.facts()
        assert {name: facts[name] for name in ("placement", "partitions") if name in facts} == told
        assert facts["promised"] == "DLA0"


def test_an_engine_file_for_the_dla_tells_no_placement(trtexec):
    runtime, _ = trtexec(dla=0)
    with runtime:
        assert not {"placement", "partitions"} & runtime.facts().keys()


def test_a_file_that_an_argument_names_counts_by_its_content(trtexec, onnx, tmp_path):
    assert hashes_of_files(["--fp16", f"--calib={onnx}", "--opt=3"]).keys() == {onnx}


def test_build_ns_is_of_the_run_that_built_and_a_moved_cache_is_found(trtexec, onnx, tmp_path):
    found = []
    for folder in ("a", "b"):
        runtime, _ = trtexec(path=onnx, cache=str(tmp_path / folder))
        with runtime:
            times = runtime.time_window([frame(0.5)], 2)
            found.append((runtime.facts()["engine_built_here"], times.marks.get("build_ns")))
        if folder == "a":
            (tmp_path / "a").rename(tmp_path / "b")
    assert found == [(True, 12_500 * MS), (False, None)]


def test_a_type_that_numpy_does_not_have_is_refused(trtexec, monkeypatch):
    monkeypatch.setenv("STANDIN_TYPE", "bf16")
    with pytest.raises(EngineError, match="'image' is bf16, which numpy does not have"), trtexec()[0]:
        pytest.fail("it loaded")
