"""What inspect_model finds in TFLite files, against an engine, and what it refuses."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelFileError
from harness.modelfile import Limits, inspect_model

pytest.importorskip("ai_edge_litert")
tflite_models = pytest.importorskip("tests.modelfile.tflite_models")

SHIPPED = sorted((Path(__file__).parents[2] / "suites" / "models").glob("*/*.tflite"))


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return path


def _engine(path: Path) -> object:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=path.read_bytes())


def _check_against_engine(path: Path) -> None:
    engine, info = _engine(path), inspect_model(path)
    for ours, theirs in ((info.inputs, engine.get_input_details()), (info.outputs, engine.get_output_details())):
        assert [one.name for one in ours] == [one["name"] for one in theirs]
        assert [one.dtype for one in ours] == [np.dtype(one["dtype"]).name for one in theirs]
        assert [one.shape for one in ours] == [tuple(map(int, one["shape_signature"])) for one in theirs]
        for spec, detail in zip(ours, theirs, strict=True):
            scale, zero_point = detail["quantization"]
            assert (spec.scale or 0.0, spec.zero_point) == (pytest.approx(scale), zero_point)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_inputs_and_outputs_are_those_that_the_engine_lists(dtype: str, tmp_path: Path) -> None:
    _check_against_engine(_file(tmp_path, tflite_models.to_bytes(tflite_models.classifier(dtype))))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_models_are_read_as_the_engine_reads_them(path: Path) -> None:
    _check_against_engine(path)


def test_facts_are_read(tmp_path: Path) -> None:
    info = inspect_model(_file(tmp_path, tflite_models.to_bytes(tflite_models.classifier("int8"))))
    assert (info.format, info.opset, info.producer, info.node_count, info.weight_dtype) == (
        "tflite",
        3,
        "tests",
        2,
        "int8",
    )
    assert (info.inputs[0].scale, info.inputs[0].zero_point) == (0.5, -3)


def test_an_open_batch_is_minus_one(tmp_path: Path) -> None:
    def open_batch(model: object) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = [-1, 8, 8, 3]

    content = tflite_models.to_bytes(tflite_models.classifier(), open_batch)
    assert inspect_model(_file(tmp_path, content)).inputs[0].shape == (-1, 8, 8, 3)


def _set(path: str, value: object) -> Callable[[object], None]:
    """A change that sets the attribute at a dotted path, where numbers are list places."""

    def change(model: object) -> None:
        *steps, last = path.split(".")
        for step in steps:
            model = model[int(step)] if step.isdigit() else getattr(model, step)
        setattr(model, last, value)

    return change


def _sick(value: float) -> bytes:
    return np.full(12, value, np.float32).tobytes()


REFUSED = {
    "no subgraph": (_set("subgraphs", []), "no subgraph"),
    "no output": (_set("subgraphs.0.outputs", []), "no output"),
    "an output that does not exist": (_set("subgraphs.0.outputs", [99]), "99"),
    "an operand that does not exist": (_set("subgraphs.0.operators.0.inputs", [4]), "tensors"),
    "an operator of no kind": (_set("subgraphs.0.operators.0.opcodeIndex", 7), "no kind"),
    "a buffer that does not exist": (_set("subgraphs.0.tensors.0.buffer", 9), "buffer 9"),
    "weights of another size": (_set("subgraphs.0.tensors.2.shape", [4, 4]), "'weights'"),
    "weights of a giant size": (_set("subgraphs.0.tensors.2.shape", [2**31 - 1] * 4), "'weights'"),
    "NaN": (_set("buffers.2.data", np.frombuffer(_sick(np.nan), np.uint8)), "'weights' hold NaN"),
    "infinity": (_set("buffers.2.data", np.frombuffer(_sick(-np.inf), np.uint8)), "'weights' hold infinite"),
    "a buffer past the end": (_set("buffers.2.offset", 1 << 40), "buffer"),
    "another schema": (_set("version", 2), "schema version"),
    "a shape of 100 sizes": (_set("subgraphs.0.tensors.0.shape", [1] * 100), "more than 32"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_a_file_that_does_not_hang_together_is_refused(title: str, tmp_path: Path) -> None:
    change, sentence = REFUSED[title]
    path = _file(tmp_path, tflite_models.to_bytes(tflite_models.classifier(), change))
    with pytest.raises(ModelFileError, match=sentence) as caught:
        inspect_model(path)
    assert str(path) in caught.value.where
    assert caught.value.remedy


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    group = schema.ExternalBufferGroupT()
    group.name = "../../etc/passwd"
    content = tflite_models.to_bytes(tflite_models.classifier(), _set("externalBufferGroups", [group]))
    with pytest.raises(ModelFileError, match="other files"):
        inspect_model(_file(tmp_path, content))


def test_many_tensors_may_not_share_one_buffer_without_limit(tmp_path: Path) -> None:
    def share(model: object) -> None:
        model.subgraphs[0].tensors += [model.subgraphs[0].tensors[2]] * 100

    content = tflite_models.to_bytes(tflite_models.classifier(classes=200), share)
    with pytest.raises(ModelFileError, match="bytes of weights"):
        inspect_model(_file(tmp_path, content), Limits(max_bytes=20_000))


@pytest.mark.parametrize("limits", [Limits(max_nodes=1), Limits(max_records=10), Limits(max_name_bytes=3)])
def test_limits_are_the_caller_s(limits: Limits, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="Limits"):
        inspect_model(_file(tmp_path, tflite_models.to_bytes(tflite_models.classifier())), limits)


def test_offsets_past_the_end_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    whole = tflite_models.to_bytes(tflite_models.classifier())
    refused = 0
    for place in [0, *range(8, len(whole) - 4, 4)]:
        broken = whole[:place] + struct.pack("<I", 0x7FFFFFF0) + whole[place + 4 :]
        try:
            inspect_model(_file(tmp_path, broken))
        except ModelFileError:
            refused += 1
    assert refused > len(whole) // 4 / 3


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = tflite_models.to_bytes(tflite_models.classifier())
    for size in range(1, len(whole), 3):
        with pytest.raises(ModelFileError):
            inspect_model(_file(tmp_path, whole[:size]))
