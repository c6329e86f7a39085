"""ONNX Runtime's providers as data: what a profile promises runs, or the sentence says why not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import EngineError, HarnessError
from harness.runtimes import open_runtime
from harness.runtimes.onnxruntime_graph import graph_facts, read_graph
from harness.runtimes.onnxruntime_placement import Placement, placement_of
from harness.runtimes.onnxruntime_profile import ran_placement
from tests.modelfile import onnx_models
from tests.modelfile.onnx_models import Net
from tests.workspace import CHECKOUT

CPU = "CPUExecutionProvider"
EYES = CHECKOUT / "suites" / "models" / "eye_state"


@pytest.fixture
def model(tmp_path):
    return str(onnx_models.save(onnx_models.resnet18_like(classes=4, size=32), tmp_path / "model.onnx"))


def facts_of(path, **options):
    runtime = open_runtime("onnxruntime", str(path), options)
    runtime.prepare()
    with runtime:
        return runtime.facts()


def test_every_node_is_where_the_profile_promises(model):
    facts = facts_of(model)
    assert facts["promised"] == CPU
    assert facts["placement"] == {CPU: 1.0}
    assert facts["partitions"] == 1
    assert facts["warnings"] == []


def test_only_the_cpu_with_one_thread_computes_in_the_calling_thread(model):
    kinds = [{}, {"threads": 2}, {"providers": ["CUDAExecutionProvider"]}, {"providers": ["A"], "plugin": "a"}]
    assert [open_runtime("onnxruntime", model, kind).in_calling_thread for kind in kinds] == [True, False, False, False]


@pytest.mark.parametrize(
    ("file", "precision", "activated"), [("fp32.onnx", "float32", 7), ("int8.onnx", "int8", 7)], ids=["fp32", "int8"]
)
def test_fusion_and_precision_are_read_from_the_optimised_graph(file, precision, activated):
    facts = facts_of(EYES / file)
    assert facts["layer_precisions"] == {precision: 1.0}
    assert facts["fusion"] == {"convolutions": 7, "with_activation": activated, "batch_norms": 0}


def test_without_graph_optimisation_nothing_is_fused(tmp_path):
    net = Net()
    normed = net.op("BatchNormalization", net.conv("input", 3, 4, 3), *[net.const([0.5] * 4) for _ in range(4)])
    path = save_net(net, net.op("MaxPool", normed, kernel_shape=[2, 2]), tmp_path)
    assert facts_of(path)["fusion"]["batch_norms"] == 0
    graph = read_graph(path)
    assert graph_facts(graph)["fusion"] == {"convolutions": 1, "with_activation": 0, "batch_norms": 1}


def save_net(net, result, folder):
    inputs = [onnx.helper.make_tensor_value_info("input", 1, [1, 3, 8, 8])]
    outputs = [onnx.helper.make_tensor_value_info("output", 1, None)]
    nodes = [*net.nodes, onnx.helper.make_node("Identity", [result], ["output"])]
    graph = onnx.helper.make_graph(nodes, "graph", inputs, outputs, net.weights)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    return str(onnx_models.save(made, folder / "net.onnx"))


def half_quantised(folder):
    """Two convolutions, of which only the first has quantised neighbours."""
    net = Net()
    scale, zero, signed = net.const(0.02), net.const(0, "uint8"), net.const(0, "int8")
    pixels = net.op("DequantizeLinear", net.op("QuantizeLinear", "input", scale, zero), scale, zero)
    weights = net.const(np.random.default_rng(0).integers(-90, 90, (4, 3, 3, 3)), "int8")
    first = net.op("Conv", pixels, net.op("DequantizeLinear", weights, scale, signed), pads=[1] * 4)
    ranged = net.op("DequantizeLinear", net.op("QuantizeLinear", first, scale, zero), scale, zero)
    return save_net(net, net.op("Relu", net.conv(ranged, 4, 4, 3)), folder)


def test_a_float_convolution_left_in_a_quantised_file_is_shown(tmp_path):
    facts = facts_of(half_quantised(tmp_path))
    assert facts["layer_precisions"] == {"float32": 0.5, "int8": 0.5}
    assert facts["fusion"]["with_activation"] == 2
    (warning,) = facts["warnings"]
    assert "1 of 2 convolutions" in warning
    assert "uint8" in warning


@pytest.mark.parametrize(("ir_version", "warned"), [(3, 0), (8, 1)])
def test_weights_that_are_graph_inputs_are_shown_as_slow(ir_version, warned, tmp_path):
    # Before IR 4 every weight had to be listed, and the engine takes them for constants.
    model = onnx_models.weights_as_inputs()
    model.ir_version = ir_version
    warnings = facts_of(onnx_models.save(model, tmp_path / "old.onnx"))["warnings"]
    assert [("weights are listed as graph inputs" in one) for one in warnings] == [True] * warned


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"providers": ["CUDAExecutionProvider"]}, "has no CUDAExecutionProvider .* install the build for the device"),
        ({"providers": ["TIDLExecutionProvider", CPU]}, "has no TIDLExecutionProvider"),
        ({"provider_options": {"CUDAExecutionProvider": {"device_id": "0"}}}, "no provider in `providers` called"),
        ({"provider_options": {CPU: {"use_arena": "1"}}}, "takes no options, so 'use_arena' would be ignored"),
        ({"cpu_fallback": False}, "cpu_fallback = false, but providers names CPUExecutionProvider"),
        ({"device": "npu"}, "device = 'npu' without a plug-in would be ignored"),
        ({"providers": ["A", CPU], "plugin": "numpy"}, "names its provider alone"),
        ({"providers": ["A"], "plugin": "numpy"}, "numpy is no package of a plug-in provider"),
        ({"providers": ["A"], "plugin": "no_such_package"}, "no_such_package cannot be imported"),
        ({"providers": ["A"], "plugin": "/nowhere/libprovider.so"}, "no provider that loads here: .*No such file"),
    ],
)
def test_an_entry_that_cannot_be_met_says_so_before_the_model_is_read(options, sentence):
    with pytest.raises(EngineError, match=sentence):
        facts_of("nowhere.onnx", **options)


ELF_FOR_AARCH64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00\x01\x00\x00\x00" + bytes(200)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no library" * 50, "invalid ELF header"), (ELF_FOR_AARCH64, "cannot open|ELF")]
)
def test_a_plug_in_of_another_kind_or_architecture_is_refused_with_the_loaders_words(content, reason, tmp_path, model):
    library = tmp_path / "libprovider.so"
    library.write_bytes(content)
    with pytest.raises(EngineError, match=f"no provider that loads here: .*({reason})"):
        facts_of(model, providers=["BrokenExecutionProvider"], plugin=str(library))


def test_a_cache_for_a_provider_that_compiles_nothing_is_refused(model, tmp_path):
    with pytest.raises(EngineError, match="gives no compiled model to keep"):
        facts_of(model, context_cache=str(tmp_path / "contexts"))


def test_a_truncated_model_is_refused_by_name(tmp_path):
    content = (EYES / "int8.onnx").read_bytes()
    path = tmp_path / "half.onnx"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(EngineError, match=r"refuses the model: .*half\.onnx"):
        facts_of(path)


@pytest.mark.parametrize(
    ("feeds", "sentence"),
    [
        ({"input": np.zeros((1, 3, 32, 32), np.uint8)}, r"'input' takes float32 \[1, 3, 32, 32\] and was given uint8"),
        ({"input": np.zeros((1, 3, 31, 32), np.float32)}, r"was given float32 \[1, 3, 31, 32\]"),
        ({"input": np.zeros((3, 32, 32), np.float32)}, r"was given float32 \[3, 32, 32\]"),
        ({"input": np.zeros((1, 3, 32, 32), ">f4")}, "was given >f4"),
        ({}, r"nothing was given for the inputs \['input'\]"),
        ({"input": np.zeros((1, 3, 32, 32), np.float32), "roi": np.zeros(4)}, "no input called 'roi'"),
    ],
)
def test_a_wrong_feed_is_named_with_what_was_expected(feeds, sentence, model):
    runtime = open_runtime("onnxruntime", model, {})
    runtime.prepare()
    with runtime, pytest.raises(EngineError, match=sentence):
        runtime.infer(feeds)


def test_a_model_that_fails_only_when_it_runs_is_an_engine_error(tmp_path):
    path = onnx_models.save(onnx_models.fails_at_run_time(), tmp_path / "late.onnx")
    runtime = open_runtime("onnxruntime", str(path), {})
    runtime.prepare()
    with runtime, pytest.raises(EngineError, match=r"fails to run the model: .*late\.onnx"):
        runtime.infer({one.name: np.ones([abs(size) for size in one.shape], one.dtype) for one in runtime.inputs})


def subgraph(provider, *kinds):
    return SimpleNamespace(ep_name=provider, get_nodes=lambda: [SimpleNamespace(op_type=kind) for kind in kinds])


def session_with(*parts):
    return SimpleNamespace(get_provider_graph_assignment_info=lambda: list(parts))


@pytest.mark.parametrize(
    ("parts", "placement", "partitions"),
    [
        # A provider that compiles takes subgraphs, and each costs a crossing.
        (
            [subgraph("NPU", "Conv", "Relu"), subgraph(CPU, "TopK"), subgraph("NPU", "Gemm")],
            {"NPU": 0.75, CPU: 0.25},
            2,
        ),
        ([subgraph("NPU", "Conv", "Relu", "Gemm")], {"NPU": 1.0}, 1),
        # A provider of kernels is told node by node: whole, it is one piece; else nobody tells.
        ([subgraph("NPU", "Conv"), subgraph("NPU", "Gemm")], {"NPU": 1.0}, 1),
        ([subgraph("NPU", "Conv"), subgraph(CPU, "TopK"), subgraph("NPU", "Gemm")], {"NPU": 2 / 3, CPU: 1 / 3}, None),
    ],
)
def test_pieces_are_counted_only_where_they_are_told(parts, placement, partitions):
    told = placement_of(session_with(*parts), "NPU")
    assert isinstance(told, Placement)
    assert told.facts()["placement"] == pytest.approx(placement)
    assert told.facts().get("partitions") == partitions


def test_what_is_left_is_counted_by_kind():
    told = placement_of(session_with(subgraph("NPU", "Conv"), subgraph(CPU, "TopK", "TopK", "NonZero")), "NPU")
    assert told is not None
    assert told.sentence() == "NPU takes 1 of 4 nodes and not 2 TopK, 1 NonZero"


def test_an_older_version_that_does_not_tell_leaves_the_placement_out():
    assert placement_of(SimpleNamespace(), CPU) is None
    assert placement_of(session_with(), CPU) is None


@pytest.mark.parametrize(
    ("promised", "fused", "told"),
    [
        (CPU, False, {"placement": {CPU: 1.0}, "partitions": 1}),
        (CPU, True, {"placement": {CPU: 1.0}, "partitions": "each"}),
        ("NPU", False, {"placement": {CPU: 1.0}}),
        # How much of the model stands behind a compiled subgraph is not told, so no share is.
        ("NPU", True, {"partitions": 0}),
    ],
)
def test_a_profiled_run_tells_where_the_nodes_ran(promised, fused, told, model, tmp_path):
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "ran")
    session = onnxruntime.InferenceSession(model, options, providers=[CPU])
    placement = ran_placement(session, promised, fused)
    assert placement is not None
    assert bool(placement.pieces) == (promised == CPU)
    if told.get("partitions") == "each":
        told = {**told, "partitions": placement.total}
    assert placement.facts() == told
    assert list(tmp_path.glob("ran*")) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool"])
def test_every_integer_input_is_known_by_its_type(dtype, tmp_path):
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [onnx.helper.make_tensor_value_info(name, kind, [2]) for name in ("input", "output")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["input"], ["output"])], "g", ends[:1], ends[1:])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    runtime = open_runtime("onnxruntime", str(onnx_models.save(made, tmp_path / "identity.onnx")), {})
    runtime.prepare()
    with runtime:
        assert runtime.inputs[0].dtype == dtype
        assert runtime.infer({"input": np.ones(2, dtype)})["output"].tolist() == [1, 1]


def test_a_session_entry_cannot_switch_off_the_record_of_the_placement(model):
    facts = facts_of(model, session_config={"session.record_ep_graph_assignment_info": "0"})
    assert facts["placement"] == {CPU: 1.0}


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 6000), flips=st.lists(st.tuples(st.integers(0, 5999), st.integers(1, 255)), max_size=6))
def test_a_damaged_graph_file_is_a_harness_error_or_is_read(length, flips, tmp_path_factory):
    content = bytearray((EYES / "int8.onnx").read_bytes()[:length])
    for index, bits in flips:
        if index < length:
            content[index] ^= bits
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    try:
        graph = read_graph(str(path))
    except HarnessError:
        return
    told = graph_facts(graph)
    assert told["fusion"]["with_activation"] <= told["fusion"]["convolutions"]
    assert sum(told.get("layer_precisions", {"none": 1.0}).values()) == pytest.approx(1.0)
