"""Qualcomm's QNN through ONNX Runtime on the HTP simulator of the package onnxruntime-qnn: a real stack, no device."""

from __future__ import annotations

import os
import shutil

import numpy as np
import onnx
import pytest
from onnxruntime.capi import onnxruntime_inference_collection as inference

from harness.errors import EngineError
from harness.profile import read_profile
from harness.runtimes import open_runtime
from tests.modelfile import onnx_models
from tests.workspace import CHECKOUT

qnn = pytest.importorskip("onnxruntime_qnn")
QNN, CPU = "QNNExecutionProvider", "CPUExecutionProvider"
MODELS = CHECKOUT / "suites" / "models"
EYES = MODELS / "eye_state"
SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/int8.onnx"))
# Of the one output of each file.
QUANTUM = {"eye_state": 0.0398, "gaze": 0.4879}


def entry(fallback=False, **options):
    return {
        "providers": [QNN], "plugin": "onnxruntime_qnn", "cpu_fallback": fallback,
        "provider_options": {QNN: {"backend_path": "libQnnHtp.so", **options}},
    }  # fmt: skip


def run(path, options, frames=1):
    runtime = open_runtime("onnxruntime", str(path), options)
    runtime.prepare()
    with runtime:
        (spec,) = runtime.inputs
        rng = np.random.default_rng(3)
        answers = [runtime.infer({spec.name: rng.random(spec.shape, np.float32)}) for _ in range(frames)]
        return runtime.facts(), answers


@pytest.mark.parametrize("model", SHIPPED)
@pytest.mark.parametrize("variant", ["int8", "fp32"])
def test_the_simulator_takes_every_node_of_the_shipped_files_in_one_piece(model, variant):
    runtime = open_runtime("onnxruntime", str(MODELS / model / f"{variant}.onnx"), entry())
    runtime.prepare()
    with runtime:
        facts = runtime.facts()
    assert facts["promised"] == facts["providers"][0] == QNN
    assert facts["placement"] == {QNN: 1.0}
    assert facts["partitions"] == 1
    assert not runtime.in_calling_thread


@pytest.mark.parametrize(("model", "output"), [("eye_state", "scores"), ("gaze", "angles")])
def test_the_answers_are_within_two_quanta_of_the_cpu(model, output):
    _, simulated = run(MODELS / model / "int8.onnx", entry(soc_model="52", htp_arch="73"), frames=4)
    _, expected = run(MODELS / model / "int8.onnx", {}, frames=4)
    for one, other in zip(simulated, expected, strict=True):
        np.testing.assert_allclose(one[output], other[output], atol=2.01 * QUANTUM[model])


@pytest.fixture
def untold(monkeypatch):
    """ONNX Runtime as before it told where nodes run (1.19)."""
    monkeypatch.delattr(inference.Session, "get_provider_graph_assignment_info")


@pytest.mark.usefixtures("untold")
def test_a_version_that_does_not_tell_the_placement_is_asked_by_its_profile(detector):
    facts, _ = run(EYES / "int8.onnx", entry())
    assert (facts["placement"], facts["partitions"]) == ({QNN: 1.0}, 1)
    facts, _ = run(detector, entry(fallback=True))
    assert facts["partitions"] >= 1
    assert "placement" not in facts


@pytest.mark.usefixtures("untold")
def test_a_provider_that_took_nothing_is_refused_where_only_the_profile_tells():
    with pytest.raises(EngineError, match="takes none of the nodes"):
        run(EYES / "int8.onnx", entry(fallback=True, backend_path="libQnnNowhere.so"))


def test_the_shipped_profile_marks_its_numbers_and_its_entry_runs_whole():
    profile = read_profile("qnn-x86", CHECKOUT / "devices")
    assert profile.simulated
    assert not {"frame_p99_ms", "fps_mean"} & set(profile.budgets)
    for name in profile.runtimes:
        facts, _ = run(EYES / "int8.onnx", profile.engine_options(name))
        assert facts["placement"] == {facts["promised"]: 1.0}


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A file with its own NMS, which HTP does not take."""
    return onnx_models.save(onnx_models.yolov7_like(size=64), tmp_path_factory.mktemp("nms") / "nms.onnx")


def test_nodes_that_stay_on_the_cpu_are_refused_with_their_number_and_kinds(detector):
    with pytest.raises(EngineError, match=r"unsupported: .* takes \d+ of \d+ nodes and not .*1 NonMaxSuppression"):
        run(detector, entry())


def test_where_the_fallback_is_allowed_the_placement_tells_it(detector):
    facts, _ = run(detector, entry(fallback=True))
    assert 0.0 < facts["placement"][CPU] < 1.0
    assert sum(facts["placement"].values()) == pytest.approx(1.0)
    assert facts["partitions"] >= 1


@pytest.mark.parametrize("fallback", [True, False])
def test_a_backend_that_does_not_load_is_never_the_cpu_in_disguise(fallback):
    with pytest.raises(EngineError, match=r"takes none of the nodes: .* /nowhere/libQnnHtp\.so: cannot open"):
        run(EYES / "int8.onnx", entry(fallback, backend_path="/nowhere/libQnnHtp.so"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (entry(htp_performance_mod="burst"), "knows no option 'htp_performance_mod'.* correct its spelling"),
        (entry(htp_performance_mode="burstt"), "does not take an option: Htp performance mode not valid"),
        (entry(soc_model="abacus"), "does not take an option: Unrecognized soc_model 'abacus'"),
        (entry(enable_htp_fp16_precision="1"), "refuses the model: FP16 precision mode .* soc_model is not specified"),
        ({**entry(), "provider_options": {}}, "refuses the model: Could not determine default backend path"),
        ({**entry(), "device": "npu"}, "offers no device 'npu' here: it has cpu"),
        ({**entry(), "providers": ["QNExecutionProvider"], "provider_options": {}}, "did you mean 'QNNExec"),
        ({**entry(), "plugin": f"{qnn.LIB_DIR_FULL_PATH}/libQnnHtp.so", "providers": ["HtpExecutionProvider"],
          "provider_options": {}}, "no provider that loads here: .*CreateEpFactories"),
    ],
)  # fmt: skip
def test_what_the_provider_would_ignore_or_refuse_is_said(options, sentence):
    with pytest.raises(EngineError, match=sentence):
        run(EYES / "int8.onnx", options)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A context binary of the eye state for an SM8550, with the graph that names it."""
    folder = tmp_path_factory.mktemp("context")
    config = {"ep.context_enable": "1", "ep.context_file_path": str(folder / "eyes.onnx"), "ep.context_embed_mode": "0"}
    run(EYES / "int8.onnx", {**entry(soc_model="43", htp_arch="73"), "session_config": config})
    return folder


def test_a_context_binary_is_a_model_file(context):
    facts, answers = run(context / "eyes.onnx", entry(soc_model="43", htp_arch="73"))
    _, expected = run(EYES / "int8.onnx", entry(soc_model="43", htp_arch="73"))
    assert facts["placement"] == {QNN: 1.0}
    np.testing.assert_array_equal(answers[0]["scores"], expected[0]["scores"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"soc_model": "39", "htp_arch": "68"}, "made for .*= (43|73) and the profile promises"),
        ({"soc_model": "52", "htp_arch": "73"}, "made for soc_model = 43 and the profile promises soc_model = 52"),
    ],
)
def test_a_context_for_another_soc_is_refused_by_name(options, sentence, context):
    with pytest.raises(EngineError, match=f"{sentence}.*make it again"):
        run(context / "eyes.onnx", entry(**options))


@pytest.mark.parametrize("kept_bytes", [None, 1000], ids=["missing", "truncated"])
def test_a_context_whose_binary_is_not_whole_is_refused_as_such(kept_bytes, context, tmp_path):
    shutil.copy(context / "eyes.onnx", tmp_path)
    if kept_bytes:
        (tmp_path / "eyes_qnn.bin").write_bytes((context / "eyes_qnn.bin").read_bytes()[:kept_bytes])
    with pytest.raises(EngineError, match=r"context binary does not load here: .*eyes\.onnx"):
        run(tmp_path / "eyes.onnx", entry())


def test_a_compiled_model_is_kept_and_taken_again_with_the_same_facts_and_answers(tmp_path, detector):
    cached = {**entry(fallback=True), "context_cache": str(tmp_path / "contexts")}
    (made, first), (taken, second) = run(detector, cached), run(detector, cached)
    assert [made.pop("from_cache"), taken.pop("from_cache")] == [False, True]
    assert made == taken
    np.testing.assert_array_equal(next(iter(first[0].values())), next(iter(second[0].values())))
    assert len(list((tmp_path / "contexts").glob("*.onnx"))) == 1


def test_another_soc_or_another_file_never_takes_a_kept_context(tmp_path):
    folder = str(tmp_path / "contexts")
    for soc, file in (("43", "int8.onnx"), ("52", "int8.onnx"), ("43", "fp32.onnx")):
        facts, _ = run(EYES / file, {**entry(soc_model=soc, htp_arch="73"), "context_cache": folder})
        assert facts["from_cache"] is False


def external(folder, weight):
    """One convolution whose weights lie in a file of their own."""
    net = onnx_models.Net()
    image = onnx.helper.make_tensor_value_info("image", 1, [1, 1, 8, 8])
    result = net.op("Conv", "image", net.const(np.full((4, 1, 3, 3), weight)))
    output = onnx.helper.make_tensor_value_info(result, 1, [1, 4, 6, 6])
    graph = onnx.helper.make_graph(net.nodes, "graph", [image], [output], net.weights)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (folder / "net.data").unlink(missing_ok=True)
    onnx.save(made, folder / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    return folder / "net.onnx"


def test_other_external_weights_never_take_a_kept_context(tmp_path):
    cached = {**entry(soc_model="52"), "context_cache": str(tmp_path / "contexts")}
    answers = []
    for weight in (1.0, 5.0):
        facts, (answer,) = run(external(tmp_path, weight), cached)
        assert facts["from_cache"] is False
        answers.append(next(iter(answer.values())))
    np.testing.assert_allclose(answers[1], 5 * answers[0], rtol=0.01)


@pytest.mark.parametrize("suffix", [".json", ".onnx"])
@pytest.mark.parametrize("content", [b"", b"[1]", "half"])
def test_a_damaged_context_is_compiled_again(suffix, content, kept):
    (damaged,) = kept.glob(f"*{suffix}")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    told = [run(EYES / "int8.onnx", {**entry(), "context_cache": str(kept)})[0] for _ in range(2)]
    assert [one["from_cache"] for one in told] == [False, True]
    assert all(one["placement"] == {QNN: 1.0} for one in told)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    run(EYES / "int8.onnx", {**entry(), "context_cache": str(folder)})
    return folder


def test_what_an_ended_process_left_behind_is_removed_and_what_runs_now_is_not(tmp_path):
    old, new = tmp_path / "a.1.part.onnx", tmp_path / "b.2.part.onnx"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    run(EYES / "int8.onnx", {**entry(), "context_cache": str(tmp_path)})
    assert (old.exists(), new.exists()) == (False, True)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_model_that_is_refused_leaves_nothing_in_the_cache(tmp_path, detector):
    with pytest.raises(EngineError, match="unsupported"):
        run(detector, {**entry(), "context_cache": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_a_float_file_runs_in_half_precision_where_the_soc_is_named():
    _, halved = run(EYES / "fp32.onnx", entry(soc_model="52", htp_arch="73"))
    _, expected = run(EYES / "fp32.onnx", {})
    error = np.abs(halved[0]["scores"] - expected[0]["scores"]).max()
    assert 1e-6 < error < 1e-2
