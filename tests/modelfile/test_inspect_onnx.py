"""What inspect_model finds in ONNX files, against the onnx library and an engine, and what it refuses."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.errors import ModelFileError
from harness.modelfile import Limits, inspect_model
from tests.modelfile import onnx_models
from tests.modelfile.protobytes import block, model, nested_ifs, number, varint

ENGINE_DTYPES = {"float": "float32", "double": "float64"}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _with_weight(path: Path, tensor: onnx.TensorProto) -> Path:
    built = onnx_models.dynamic()
    built.graph.initializer.append(tensor)
    return onnx_models.save(built, path)


def _listed(values: list[onnx.ValueInfoProto], weights: set[str]) -> list[tuple[str, tuple[int, ...], str]]:
    rows = []
    for value in values:
        tensor = value.type.tensor_type
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        rows += [] if value.name in weights else [(value.name, shape, dtype)]
    return rows


@pytest.mark.parametrize("name", onnx_models.SOUND)
def test_inputs_and_outputs_are_those_that_the_onnx_library_reads(name: str, tmp_path: Path) -> None:
    path = onnx_models.save(onnx_models.SOUND[name](), tmp_path / "model.onnx")
    read, info = onnx.load(path), inspect_model(path)
    weights = {one.name for one in read.graph.initializer}
    assert [(one.name, one.shape, one.dtype) for one in info.inputs] == _listed(read.graph.input, weights)
    assert [(one.name, one.shape, one.dtype) for one in info.outputs] == _listed(read.graph.output, weights)
    assert info.node_count == len(read.graph.node)
    assert (info.opset, info.producer, info.format) == (read.opset_import[0].version, "tests", "onnx")


@pytest.mark.parametrize("name", onnx_models.SOUND)
def test_inputs_and_outputs_are_those_that_an_engine_lists(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = onnx_models.save(onnx_models.SOUND[name](), tmp_path / "model.onnx")
    session, info = onnxruntime.InferenceSession(path), inspect_model(path)
    for ours, theirs in ((info.inputs, session.get_inputs()), (info.outputs, session.get_outputs())):
        kinds = [re.sub(r"tensor\((\w+)\)", r"\1", one.type) for one in theirs]
        assert [one.name for one in ours] == [one.name for one in theirs]
        assert [one.dtype for one in ours] == [ENGINE_DTYPES.get(kind, kind) for kind in kinds]
    shapes = [tuple(size if isinstance(size, int) else -1 for size in one.shape) for one in session.get_inputs()]
    assert [one.shape for one in info.inputs] == shapes


def test_size_and_hash_are_those_of_the_file(tmp_path: Path) -> None:
    path = onnx_models.save(onnx_models.dynamic(), tmp_path / "model.onnx")
    info = inspect_model(str(path))
    assert info.size_bytes == path.stat().st_size
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_listed_as_inputs_are_told_apart_and_warned_about_with_the_remedy(tmp_path: Path) -> None:
    built = onnx_models.weights_as_inputs()
    info = inspect_model(onnx_models.save(built, tmp_path / "model.onnx"))
    assert [one.name for one in info.inputs] == ["input"]
    assert info.weights_as_inputs == tuple(one.name for one in built.graph.initializer)
    assert "ir_version to 4" in info.warnings[0]


def test_an_old_opset_is_warned_about(tmp_path: Path) -> None:
    info = inspect_model(onnx_models.save(onnx_models.old_opset(), tmp_path / "model.onnx"))
    assert info.opset == 9
    assert "version_converter" in info.warnings[0]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "<script>", 'quo"te', "ä,ö", "", "x" * 300, "\u202eabc"])
def test_tensor_names_are_kept_as_they_are(name: str, tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    built.graph.input[0].name = built.graph.node[0].input[0] = name
    assert inspect_model(onnx_models.save(built, tmp_path / "model.onnx")).inputs[0].name == name


def test_an_open_missing_or_negative_size_is_minus_one(tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    dims = built.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value = -1
    dims[1].Clear()
    assert inspect_model(onnx_models.save(built, tmp_path / "model.onnx")).inputs[0].shape == (-1, -1, -1, -1)


STORED = [
    (TensorProto.FLOAT, [1.0, 2.0], False),
    (TensorProto.FLOAT, np.float32([1, 2]).tobytes(), True),
    (TensorProto.DOUBLE, [1.0, 2.0], False),
    (TensorProto.FLOAT16, [1.0, 65504.0], False),
    (TensorProto.BFLOAT16, [1.0, -3e38], False),
    (TensorProto.COMPLEX64, [1 + 2j, 3j], False),
    (TensorProto.INT64, [-1, 2], False),
    (TensorProto.INT32, [-1, 2], False),
    (TensorProto.UINT64, [1, 2], False),
    (TensorProto.BOOL, [True, False], False),
    (TensorProto.STRING, ["a", "b"], False),
    (TensorProto.INT4, [-1, 2], False),
    (TensorProto.UINT4, [1, 2], False),
    (TensorProto.FLOAT8E4M3FN, [1.0, 2.0], False),
]


@pytest.mark.parametrize(("kind", "values", "raw"), STORED)
def test_weights_of_every_dtype_and_storage_are_read(kind: int, values: object, raw: bool, tmp_path: Path) -> None:
    inspect_model(_with_weight(tmp_path / "model.onnx", helper.make_tensor("w", kind, [2], values, raw=raw)))


@pytest.mark.parametrize("kind", [row[0] for row in STORED if row[0] != TensorProto.STRING])
def test_weights_that_hold_less_than_their_shape_says_are_refused(kind: int, tmp_path: Path) -> None:
    tensor = helper.make_tensor("short", kind, [2], [1, 1])
    tensor.dims[0] = 1 << 30
    with pytest.raises(ModelFileError, match="'short'"):
        inspect_model(_with_weight(tmp_path / "model.onnx", tensor))


NOT_FINITE = [
    (TensorProto.FLOAT, False), (TensorProto.FLOAT, True), (TensorProto.DOUBLE, False), (TensorProto.DOUBLE, True),
    (TensorProto.FLOAT16, False), (TensorProto.FLOAT16, True), (TensorProto.BFLOAT16, False),
    (TensorProto.COMPLEX64, False),
]  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("kind", "raw"), NOT_FINITE)
def test_weights_that_are_not_finite_are_refused_by_name(kind: int, raw: bool, value: float, tmp_path: Path) -> None:
    values: object = [1.0, value, 2.0]
    if raw:
        values = np.array(values, helper.tensor_dtype_to_np_dtype(kind)).tobytes()
    tensor = helper.make_tensor("sick", kind, [3], values, raw=raw)
    with pytest.raises(ModelFileError, match=r"'sick' hold (NaN|infinite)"):
        inspect_model(_with_weight(tmp_path / "model.onnx", tensor))


def test_one_nan_among_millions_of_weights_is_found_wherever_it_lies(tmp_path: Path) -> None:
    values = np.zeros(3_000_000, np.float32)
    for place in (0, 1 << 20, len(values) - 1):
        sick = values.copy()
        sick[place] = np.nan
        with pytest.raises(ModelFileError, match="'sick' hold NaN"):
            inspect_model(_with_weight(tmp_path / "model.onnx", numpy_helper.from_array(sick, "sick")))


def test_a_single_infinite_value_is_a_bound_and_passes(tmp_path: Path) -> None:
    inspect_model(_with_weight(tmp_path / "model.onnx", numpy_helper.from_array(np.float32([np.inf]), "bound")))
    with pytest.raises(ModelFileError, match="'bound' hold NaN"):
        inspect_model(_with_weight(tmp_path / "model.onnx", numpy_helper.from_array(np.float32([np.nan]), "bound")))


def test_weights_inside_a_branch_are_judged_too(tmp_path: Path) -> None:
    branch = helper.make_graph([], "b", [], [], [numpy_helper.from_array(np.float32([1, np.nan]), "inner")])
    built = onnx_models.dynamic()
    built.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch))
    with pytest.raises(ModelFileError, match="'inner' hold NaN"):
        inspect_model(onnx_models.save(built, tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [(["float32"], "float32"), (["float16"], "float16"), (["int8", "float32"], "int8"), ([], "float32")],
)
def test_the_weight_dtype_is_that_of_most_bytes(dtypes: list[str], expected: str, tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    for index, dtype in enumerate(dtypes):
        values = np.ones(100_000 if index == 0 else 10, dtype)
        built.graph.initializer.append(numpy_helper.from_array(values, f"w{index}"))
    assert inspect_model(onnx_models.save(built, tmp_path / "model.onnx")).weight_dtype == expected


def _claim(dims: list[int], data: bytes = b"\0" * 8) -> bytes:
    shape = b"".join(number(1, size) for size in dims)
    return model(block(5, shape + number(2, 1) + block(8, b"w") + block(9, data)))


HUGE = 1 << 62
HOSTILE = {
    "an initializer of 4 GiB in a few bytes": _claim([1 << 30]),
    "an initializer whose size overflows": _claim([HUGE, HUGE, HUGE, HUGE]),
    "an initializer of negative size": _claim([-1, -2]),
    "an initializer of 100 dimensions": _claim([1] * 100),
    "packed dims without end": model(block(5, block(1, b"\x01" * 10_000) + number(2, 1))),
    "a sparse initializer of 2^62 values": model(block(15, block(1, number(1, HUGE) + number(2, 1)))),
    "a length of 2^62": number(1, 8) + varint(7 << 3 | 2) + varint(HUGE) + b"\0" * 20,
    "a number that never ends": number(1, 8) + b"\x38" + b"\xff" * 40,
    "a group": number(1, 8) + b"\x0b\x0c",
    "field number 0": b"\x00\x00",
    "10^6 nodes": model(block(1, b"") * 1_000_000),
    "10^6 nodes in one attribute": model(block(1, block(5, block(6, block(1, b"\x22\x01a") * 1_000_000)))),
    "10^6 unknown fields": model(b"") + number(99, 1) * 1_100_000,
    "If nested 500 deep": model(nested_ifs(500)),
    "If nested 3000 deep": model(nested_ifs(3000)),
    "10^6 outputs": model(block(12, b"") * 1_000_000),
    "a name of 1 MB": model(block(11, block(1, b"n" * 1_000_000))),
    "a name that is not UTF-8": model(block(11, block(1, b"\xff\xfe"))),
    "an input of 1000 dimensions": model(block(11, block(2, block(1, number(1, 1) + block(2, block(1, b"") * 1000))))),
    "no graph": number(1, 8) + block(8, number(2, 17)),
    "no output": number(1, 8) + block(7, block(2, b"g")) + block(8, number(2, 17)),
    "no operator set": number(1, 8) + block(7, block(12, block(1, b"y"))),
}


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_file_is_refused_soon_and_in_little_memory(title: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "model.onnx", HOSTILE[title])
    began = time.process_time()
    with pytest.raises(ModelFileError) as caught:
        inspect_model(path)
    assert time.process_time() - began < 5
    assert caught.value.what
    assert caught.value.remedy
    assert str(path) in caught.value.where


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    path = _with_weight(tmp_path / "model.onnx", numpy_helper.from_array(np.ones(20_000_000, np.float32), "large"))
    tracemalloc.start()
    try:
        inspect_model(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_thirty_nested_graphs_are_allowed(tmp_path: Path) -> None:
    assert inspect_model(_write(tmp_path / "model.onnx", model(nested_ifs(30)))).node_count == 30


def test_limits_are_the_caller_s(tmp_path: Path) -> None:
    path = onnx_models.save(onnx_models.dynamic(), tmp_path / "model.onnx")
    for limits in (Limits(max_bytes=1000), Limits(max_nodes=3), Limits(max_records=50), Limits(max_name_bytes=2)):
        with pytest.raises(ModelFileError, match="Limits"):
            inspect_model(path, limits)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = onnx_models.multi_io().SerializeToString()
    for size in [*range(1, len(whole), 5), len(whole) - 1]:
        with pytest.raises(ModelFileError):
            inspect_model(_write(tmp_path / "model.onnx", whole[:size]))


def test_the_package_needs_nothing_but_numpy() -> None:
    heavy = "{'onnx', 'onnxruntime', 'flatbuffers', 'google', 'ai_edge_litert', 'pydantic'}"
    code = f"import sys, harness.modelfile; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_command_of_the_guide_frees_a_model_of_its_weight_inputs(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "add-model.md").read_text(encoding="utf-8")
    (command,) = re.findall(r'^python -c "(.*)"$', guide, re.MULTILINE)
    onnx_models.save(onnx_models.weights_as_inputs(), tmp_path / "OLD.onnx")
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    info = inspect_model(tmp_path / "NEW.onnx")
    assert info.weights_as_inputs == ()
    assert [one.name for one in info.inputs] == ["input"]
