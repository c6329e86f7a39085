"""Fused or not fused, convolution by convolution, as the engine's own graph tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, EngineError
from harness.variants.fusion import Convolution, FusionReport, fusion
from tests.variants.onnxnets import net, saved

SHIPPED = Path(__file__).parents[2] / "suites" / "models"
ENGINES = ("onnxruntime", "openvino")


def asked(engine: str, path: Path, **options: Any) -> FusionReport:
    if engine in (*ENGINES, "executorch", "torch"):
        pytest.importorskip(engine)
    return fusion(path, engine, options)


def layer(report: FusionReport, name: str) -> Convolution:
    return next(one for one in report.layers if one.name == name)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_convolution_is_told_with_its_reason(engine: str, tmp_path: Path) -> None:
    report = asked(engine, saved(net(), tmp_path / "net.onnx"))
    assert (report.convolutions, report.fused, report.unfused, report.untold) == (4, 2, ("conv_shared",), ())
    assert layer(report, "conv_conv").fused is True
    assert layer(report, "conv_shared").reason == "its result is also read by add_shared"
    assert layer(report, "conv_head") == Convolution(name="conv_head", reason="no activation follows it")
    assert report.sentence == (
        f"{engine}: 2 of 3 activations run inside their convolution (4 convolutions); "
        "not fused: conv_shared (its result is also read by add_shared); no batch normalisation is left"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_normalisation_between_convolution_and_activation_is_folded(engine: str, tmp_path: Path) -> None:
    report = asked(engine, saved(net(), tmp_path / "net.onnx"))
    norm = layer(report, "conv_norm")
    assert (norm.activation, norm.fused, norm.folded) == ("Relu", True, True)
    assert layer(report, "conv_conv").folded is None
    assert report.batch_norms_left == 0


def test_weights_among_the_inputs_keep_batch_normalisation_and_activation_out(tmp_path: Path) -> None:
    report = asked("onnxruntime", saved(net(listed=True), tmp_path / "listed.onnx"))
    norm = layer(report, "conv_norm")
    assert (norm.fused, norm.folded) == (False, False)
    assert norm.reason == "its weights are listed as inputs of the graph"
    assert report.batch_norms_left == 1
    assert "1 batch normalisation is left" in report.sentence


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("model", "fused", "convolutions"), [("eye_state", 7, 7), ("head_counting", 11, 13)])
def test_the_quantised_models_hold_their_activations_in_the_range(
    model: str, fused: int, convolutions: int, engine: str
) -> None:
    report = asked(engine, SHIPPED / model / "int8.onnx")
    assert (report.fused, report.convolutions, report.unfused) == (fused, convolutions, ())
    assert report.layers[0].activation == "Relu, as the quantised range"


def test_the_activation_of_a_tflite_file_is_an_option_of_its_convolution() -> None:
    pytest.importorskip("ai_edge_litert")
    report = asked("litert", SHIPPED / "face_detection" / "fp32.tflite")
    assert (report.convolutions, report.fused, report.unfused, report.batch_norms_left) == (17, 15, (), 0)
    assert {one.reason for one in report.layers if one.fused} == {"RELU in CONV_2D", "RELU in DEPTHWISE_CONV_2D"}


def test_an_activation_of_its_own_in_a_tflite_file_is_not_fused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    report = asked("litert", split_activation(SHIPPED / "gaze" / "fp32.tflite", tmp_path / "split.tflite"))
    assert (report.convolutions, report.fused, len(report.unfused)) == (7, 6, 1)
    assert "(RELU runs by itself)" in report.sentence


def split_activation(source: Path, target: Path) -> Path:
    """The file with the first convolution's ReLU as an operator behind it."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(source))
    graph = model.subgraphs[0]
    at = next(at for at, one in enumerate(graph.operators) if hasattr(one.builtinOptions, "fusedActivationFunction"))
    first = graph.operators[at]
    first.builtinOptions.fusedActivationFunction = 0
    result = graph.tensors[first.outputs[0]]
    between = schema.TensorT(shape=result.shape, type=result.type, buffer=0, name=b"between")
    graph.tensors.append(between)
    code = schema.OperatorCodeT(builtinCode=19, deprecatedBuiltinCode=19, version=1)
    model.operatorCodes.append(code)
    relu = schema.OperatorT(opcodeIndex=len(model.operatorCodes) - 1, inputs=[len(graph.tensors) - 1])
    relu.outputs, first.outputs = list(first.outputs), [len(graph.tensors) - 1]
    graph.operators.insert(at + 1, relu)
    flatbuffer_utils.write_model(model, str(target))
    return target


@pytest.mark.parametrize(
    ("engine", "file", "fused", "norms"),
    [("executorch", "fp32.pte", 7, None), ("executorch", "int8.pte", 7, None), ("torch", "fp32.pt2", 0, 0)],
)
def test_an_engine_that_tells_no_names_gives_its_counts(engine: str, file: str, fused: int, norms: int | None) -> None:
    report = asked(engine, SHIPPED / "gaze" / file)
    assert (report.convolutions, report.fused, report.batch_norms_left) == (7, fused, norms)
    assert (report.unfused, report.layers) == ((), ())
    assert f"{fused} of 7 convolutions hold an activation; it tells no names" in report.sentence


def test_an_engine_that_tells_nothing_is_no_zero() -> None:
    with pytest.raises(EngineError, match="simulated does not tell what it fused"):
        fusion(SHIPPED / "simulated_eyes" / "fp32.sim", "simulated", {})


def inspected(
    name: str, *, kind: str = "CaskConvolution", activation: str = "NONE", norm: bool = False
) -> dict[str, Any]:
    """One layer as TensorRT's inspector tells it."""
    return {
        "Name": name, "LayerType": kind, "ParameterType": "Scale" if norm else "Convolution", "Activation": activation,
        "Outputs": [{"Name": "out", "Format/Datatype": "Half"}],
    }  # fmt: skip


LAYERS = [
    {"Name": "Reformatting CopyNode for Input Tensor 0 to conv_conv", "LayerType": "Reformat"},
    inspected("conv_conv + relu_conv", activation="RELU"),
    inspected("conv_shared"),
    {"Name": "relu_shared", "LayerType": "PointWiseV2"},
    inspected("{ForeignNode[conv_norm...conv_head]}", kind="Myelin"),
]


def tensorrt(tmp_path: Path, layers: Any, path: Path | None = None) -> FusionReport:
    file = tmp_path / "layers.json"
    file.write_text(layers if isinstance(layers, str) else json.dumps({"Layers": layers, "Bindings": []}))
    return fusion(path or saved(net(), tmp_path / "net.onnx"), "trtexec", {"layers": str(file)})


def test_the_layers_of_tensorrt_are_parsed_and_labelled_as_never_run(tmp_path: Path) -> None:
    report = tensorrt(tmp_path, LAYERS)
    assert (report.convolutions, report.fused, report.unfused) == (4, 1, ("conv_shared",))
    assert report.untold == ("conv_norm",)
    assert layer(report, "conv_conv").reason == "conv_conv + relu_conv"
    assert report.sentence.endswith("parsed from the layers that TensorRT told, never run on a device here")


def test_layers_that_are_only_named_tell_it_by_their_names(tmp_path: Path) -> None:
    report = tensorrt(tmp_path, ["conv_conv + relu_conv", "conv_shared", "relu_shared", "conv_norm + relu_norm"])
    assert (report.fused, report.unfused, report.batch_norms_left) == (2, ("conv_shared",), None)


def test_without_the_onnx_file_only_what_a_layer_holds_is_told(tmp_path: Path) -> None:
    report = tensorrt(tmp_path, LAYERS, tmp_path / "net.engine")
    assert [one.fused for one in report.layers] == [True, None, None]
    assert report.unfused == ()


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([inspected("conv9 + relu9")], "the layers are those of another model"),
        ("{", "the layers of TensorRT cannot be read: it is no whole JSON"),
        ("{}", "has no list of Layers"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=sentence):
        tensorrt(tmp_path, layers)


def test_tensorrt_without_a_file_of_layers_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file tells its layers; trtexec .*--exportLayerInfo"):
        fusion(saved(net(), tmp_path / "net.onnx"), "tensorrt", {})


def test_a_real_engine_s_layers_are_read(captures: Path, tmp_path: Path) -> None:
    layers = captures / "trtexec" / "trt10.16.1_exportLayerInfo.json"
    report = fusion(tmp_path / "net.engine", "tensorrt", {"layers": str(layers)})
    assert (report.convolutions, report.fused, report.batch_norms_left) == (2, 2, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_the_engine_refuses_is_one_sentence(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x08\x08no model")
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        asked(engine, path)


def test_a_provider_that_compiles_does_not_tell(tmp_path: Path) -> None:
    path = saved(net(), tmp_path / "net.onnx")
    with pytest.raises(EngineError, match="QNNExecutionProvider compiles the model and does not tell"):
        asked("onnxruntime", path, providers=["QNNExecutionProvider"])
