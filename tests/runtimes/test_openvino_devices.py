"""OpenVINO's devices and modes: the real device and precision are told, and none replaces another in silence."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from harness.errors import EngineError
from harness.runtimes import open_runtime
from harness.runtimes.openvino_devices import Target, refuse_fallback
from tests.modelfile import onnx_models
from tests.modelfile.onnx_models import Net
from tests.workspace import CHECKOUT

EYES = CHECKOUT / "suites" / "models" / "eye_state"
MODES = ["CPU", "AUTO", "AUTO:-GPU", "AUTO:CPU", "MULTI:CPU", "HETERO:CPU", "BATCH:CPU"]


def run(path, feeds=None, **options):
    runtime = open_runtime("openvino", str(path), options)
    runtime.prepare()
    with runtime:
        spec = runtime.inputs[0]
        outputs = runtime.infer(feeds or {spec.name: np.ones([abs(size) for size in spec.shape], spec.dtype)})
        return runtime.facts(), outputs


@pytest.mark.parametrize("target", MODES)
def test_every_mode_tells_the_device_and_precision_that_really_run(target):
    facts, _ = run(EYES / "fp32.onnx", target=target, threads=1)
    assert facts["providers"] == ["CPU"]
    assert facts["promised"] == "CPU"
    assert facts["placement"] == {"CPU": 1.0}
    assert facts["partitions"] == 1
    assert facts["precision"] == "f32"
    assert facts["threads"] == "1"
    assert facts["layer_precisions"] == {"f32": 1.0}


def test_modes_give_the_answers_of_the_plain_device():
    answers = [run(EYES / "int8.onnx", target=target)[1]["scores"] for target in MODES]
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=1e-6)


def test_an_integer_file_shows_how_much_of_it_is_integer():
    facts, _ = run(EYES / "int8.onnx")
    assert sum(facts["layer_precisions"].values()) == pytest.approx(1.0)
    assert facts["layer_precisions"].get("f32", 0.0) < 0.2
    assert facts["fusion"]["convolutions"] == 7
    assert "with_activation" not in facts["fusion"], "its activations are in the ranges, of which nothing tells"


def test_fused_activations_and_folded_norms_are_counted(tmp_path):
    net = Net()
    normed = net.op("BatchNormalization", net.conv("input", 3, 4, 3), *[net.const([0.5] * 4) for _ in range(4)])
    fused = net.op("Clip", normed, net.const(0.0), net.const(6.0))
    plain = net.op("MaxPool", net.conv(fused, 4, 4, 3), kernel_shape=[2, 2], strides=[2, 2])
    left = net.op("BatchNormalization", plain, *[net.const([0.5] * 4) for _ in range(4)])
    inputs = [onnx.helper.make_tensor_value_info("input", 1, [1, 3, 16, 16])]
    outputs = [onnx.helper.make_tensor_value_info(net.op("Sigmoid", left), 1, [1, 4, 8, 8])]
    graph = onnx.helper.make_graph(net.nodes, "graph", inputs, outputs, net.weights)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    facts, _ = run(onnx_models.save(made, tmp_path / "net.onnx"))
    assert facts["fusion"] == {"convolutions": 2, "with_activation": 1, "batch_norms": 1}


def test_a_compiled_model_is_kept_and_taken_from_the_cache(tmp_path):
    told = [run(EYES / "fp32.onnx", cache_dir=str(tmp_path))[0]["from_cache"] for _ in range(2)]
    assert told == [False, True]
    assert "from_cache" not in run(EYES / "fp32.onnx")[0]


def absent(device):
    openvino = pytest.importorskip("openvino")
    if any(one.startswith(device) for one in openvino.Core().available_devices):
        pytest.skip(f"this machine has a {device}")


@pytest.mark.parametrize("target", ["{}", "AUTO:{},CPU", "HETERO:{},CPU", "MULTI:{},CPU", "BATCH:{}(4)"])
@pytest.mark.parametrize(("device", "driver"), [("GPU", "intel-opencl-icd"), ("NPU", "linux-npu-driver")])
def test_an_absent_device_is_named_with_those_that_are_there_and_its_driver(target, device, driver):
    absent(device)
    with pytest.raises(EngineError, match=f"no {device} here, only CPU .*{driver}.* group render"):
        run(EYES / "fp32.onnx", target=target.format(device))


@pytest.mark.parametrize("target", ["HETERO:GPU,CPU", "AUTO:GPU,CPU"])
def test_a_mode_that_fails_for_an_absent_device_names_its_driver(target):
    absent("GPU")
    # Where its plug-in loads without a GPU, the CPU takes over, as the profile allows.
    try:
        told = run(EYES / "fp32.onnx", target=target, cpu_fallback=True)[0]["providers"]
    except EngineError as error:
        told = error.remedy
    assert told == ["CPU"] or "intel-opencl-icd" in told


def test_the_settings_of_every_device_of_a_mode_are_compared():
    told = {"NPU": {"INFERENCE_PRECISION_HINT": "f16"}, "CPU": {"INFERENCE_PRECISION_HINT": "f32"}}

    def answer(name):
        if name != "DEVICE_PROPERTIES":
            raise RuntimeError("unsupported property")
        return told

    runtime = open_runtime("openvino", "model.onnx", {"target": "HETERO:CPU,NPU"})
    runtime._compiled, runtime._devices = SimpleNamespace(get_property=answer), ("CPU", "NPU")
    with pytest.raises(EngineError, match="PRECISION_HINT = f16, f32 where f32 was asked for"):
        runtime._refuse_other_settings()


def test_a_misspelt_device_is_refused():
    with pytest.raises(EngineError, match=r"no CPUU here, only CPU.* name a device that is there"):
        run(EYES / "fp32.onnx", target="CPUU")


def test_a_fallback_that_is_allowed_is_told_and_counts_as_nothing_placed():
    absent("NPU")
    facts, _ = run(EYES / "fp32.onnx", target="AUTO:NPU,CPU", cpu_fallback=True)
    assert facts["promised"] == "NPU"
    assert facts["placement"] == {"CPU": 1.0}
    assert "partitions" not in facts


@pytest.mark.parametrize(
    ("target", "real", "refused"),
    [
        ("NPU", ["NPU"], False),
        ("NPU", ["NPU.3720"], False),
        ("GPU", ["GPU.1"], False),
        ("AUTO", ["CPU"], False),
        ("AUTO:NPU,CPU", ["NPU"], False),
        ("AUTO:-GPU,NPU,CPU", ["CPU"], True),
        ("AUTO:NPU,CPU", ["CPU"], True),
        ("MULTI:GPU,CPU", ["GPU", "CPU"], True),
        ("MULTI:GPU,CPU", ["GPU.0"], False),
        ("BATCH:GPU(4)", ["GPU.0"], False),
        ("HETERO:GPU,CPU", ["GPU.0", "CPU"], False),
        ("HETERO:GPU,CPU", ["CPU"], True),
    ],
)
def test_whole_frames_on_another_device_than_promised_are_refused(target, real, refused):
    refusal = pytest.raises(EngineError, match=f"runs on {', '.join(real)} where [GN]PU is promised")
    with refusal if refused else nullcontext():
        refuse_fallback(Target.of(target), real, False, "model.onnx")
    refuse_fallback(Target.of(target), real, True, "model.onnx")


@pytest.mark.parametrize("target", ["AUTO:CPU", "HETERO:CPU", "MULTI:CPU"])
def test_a_mode_does_not_hide_that_another_precision_runs(target):
    # Which precisions a CPU has differs: what counts is that none is replaced in silence.
    try:
        answered = run(EYES / "fp32.onnx", target=target, precision="f16")[0]["precision"]
    except EngineError as error:
        answered = "f16" if "where f16 was asked for" in error.what else error.sentence
    assert answered == "f16"


@pytest.mark.parametrize(
    ("feeds", "sentence"),
    [
        ({"image": np.zeros((1, 1, 96, 96), np.uint8)}, r"'image' takes float32 \[1, 1, 96, 96\] and was given uint8"),
        ({"image": np.zeros((1, 1, 96, 96))}, "was given float64"),
        ({"image": np.zeros((1, 1, 95, 96), np.float32)}, r"was given float32 \[1, 1, 95, 96\]"),
        ({"imag": np.zeros((1, 1, 96, 96), np.float32)}, "no input called 'imag'"),
        ({"image": np.zeros((1, 1, 96, 96), ">f4")}, "was given >f4"),
    ],
)
def test_a_wrong_feed_is_refused_and_not_converted(feeds, sentence):
    with pytest.raises(EngineError, match=sentence):
        run(EYES / "fp32.onnx", feeds=feeds)


@pytest.mark.parametrize(
    ("properties", "word"),
    [({"PERFORMANCE_HNT": "LATENCY"}, "PERFORMANCE_HNT"), ({"PERFORMANCE_HINT": "QUICK"}, "QUICK")],
)
def test_a_misspelt_property_or_value_is_refused_with_its_name(properties, word):
    with pytest.raises(EngineError, match=f"refuses the model: .*{word}"):
        run(EYES / "fp32.onnx", properties=properties)


def test_a_truncated_model_is_refused_by_its_name(tmp_path):
    content = (EYES / "int8.onnx").read_bytes()
    path = tmp_path / "half.onnx"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(EngineError, match=r"refuses the model: .*half\.onnx"):
        run(path)
