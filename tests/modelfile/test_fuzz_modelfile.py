"""Whatever the bytes are: a ModelInfo or a ModelFileError, soon."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ModelFileError
from harness.modelfile import ModelInfo, inspect_model
from tests.modelfile import onnx_models

ONNX = onnx_models.multi_io().SerializeToString()
EXAMPLES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Edit = tuple[str, float, bytes]
EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "delete", "cut"]), st.floats(0, 1), st.binary(min_size=1, max_size=9)),
    min_size=1,
    max_size=4,
)


def _edited(whole: bytes, edits: list[Edit]) -> bytes:
    for kind, share, data in edits:
        place = int(share * len(whole))
        if kind == "set":
            whole = whole[:place] + data + whole[place + len(data) :]
        elif kind == "insert":
            whole = whole[:place] + data + whole[place:]
        elif kind == "delete":
            whole = whole[:place] + whole[place + len(data) :]
        else:
            whole = whole[:place]
    return whole


def _inspect(path: Path, content: bytes) -> ModelInfo | None:
    path.write_bytes(content)
    began = time.process_time()
    try:
        return inspect_model(path)
    except ModelFileError:
        return None
    finally:
        assert time.process_time() - began < 2


@EXAMPLES
@given(content=st.binary(max_size=400), suffix=st.sampled_from([".onnx", ".tflite"]))
def test_random_bytes_never_surprise(content: bytes, suffix: str, tmp_path: Path) -> None:
    _inspect(tmp_path / f"model{suffix}", content)


@EXAMPLES
@given(edits=EDITS)
def test_an_edited_onnx_file_never_surprises_and_is_read_as_the_library_reads_it(
    edits: list[Edit], tmp_path: Path
) -> None:
    content = _edited(ONNX, edits)
    info = _inspect(tmp_path / "model.onnx", content)
    if info is None:
        return
    try:
        read = onnx.ModelProto.FromString(content)
    except DecodeError:
        return
    weights = {one.name for one in read.graph.initializer}
    assert [one.name for one in info.inputs] == [one.name for one in read.graph.input if one.name not in weights]
    assert [one.name for one in info.outputs] == [one.name for one in read.graph.output]


@EXAMPLES
@given(edits=EDITS, dtype=st.sampled_from(["float32", "int8"]))
def test_an_edited_tflite_file_never_surprises(edits: list[Edit], dtype: str, tmp_path: Path) -> None:
    tflite_models = pytest.importorskip("tests.modelfile.tflite_models")
    _inspect(tmp_path / "model.tflite", _edited(tflite_models.to_bytes(tflite_models.classifier(dtype)), edits))


@EXAMPLES
@given(body=st.binary(max_size=300))
def test_random_bytes_behind_a_tflite_identifier_never_surprise(body: bytes, tmp_path: Path) -> None:
    _inspect(tmp_path / "model.tflite", b"\x10\0\0\0TFL3" + body)
