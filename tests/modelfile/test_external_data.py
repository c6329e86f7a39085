"""External data of ONNX files: plain files inside the folder pass, everything else is refused unopened."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from harness.errors import ModelFileError
from harness.modelfile import ExternalFile, Limits, inspect_model
from tests.modelfile import onnx_models

VALUES = np.arange(6, dtype=np.float32)


def _model(folder: Path, **entries: str) -> Path:
    """A model in `folder` with one weight 'far' of shape [6] that lies where `entries` says."""
    built = onnx_models.dynamic()
    tensor = built.graph.initializer.add(name="far", data_type=TensorProto.FLOAT, dims=[6])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    folder.mkdir(exist_ok=True)
    return onnx_models.save(built, folder / "model.onnx")


def _data(path: Path, content: bytes = VALUES.tobytes()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("entries", "content"),
    [
        ({"location": "weights.bin"}, VALUES.tobytes()),
        ({"location": "./weights.bin"}, VALUES.tobytes()),
        ({"location": "sub/folder/weights.bin"}, VALUES.tobytes()),
        ({"location": "weights.bin", "offset": "16", "length": "24"}, b"\0" * 16 + VALUES.tobytes() + b"\xff" * 9),
        ({"location": "weights.bin", "checksum": "0" * 40}, VALUES.tobytes()),
    ],
)
def test_a_plain_file_in_the_folder_passes_and_is_listed(
    entries: dict[str, str], content: bytes, tmp_path: Path
) -> None:
    path = _model(tmp_path / "m", **entries)
    name = entries["location"].replace("./", "")
    _data(path.parent / name, content)
    expected = ExternalFile(name, len(content), hashlib.sha256(content).hexdigest())
    assert inspect_model(path).external_files == (expected,)


@pytest.mark.parametrize(
    "location",
    [
        "", ".", "../secret.bin",
        "sub/../../secret.bin", "sub/../weights.bin", "/etc/passwd", "//etc/passwd", "C:\\x.bin",
        "C:/x.bin", "..\\secret.bin", "sub\\weights.bin", "weights.bin\x00.txt", "a\nb", "missing.bin", "sub",
        "*/_ORT_MEM_ADDR_/*", "model.onnx", "~/weights.bin", "/proc/self/mem", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_a_location_that_leads_elsewhere_is_refused(location: str, tmp_path: Path) -> None:
    _data(tmp_path / "secret.bin")
    path = _model(tmp_path / "m", location=location)
    _data(path.parent / "weights.bin")
    (path.parent / "sub").mkdir()
    with pytest.raises(ModelFileError, match="external data") as caught:
        inspect_model(path)
    assert "'far'" in caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-1"}, {"length": "-24"}, {"offset": "1e3"}, {"offset": " 0"}, {"offset": "٣"}, {"length": "0x18"},
        {"offset": "1"}, {"offset": "24"}, {"offset": str(1 << 62)}, {"length": str(1 << 62)}, {"length": "25"},
        {"length": "20"}, {"offset": "9" * 30}, {"offset": ""}, {"__class__": "x"}, {"basepath": "/"},
        {"Location": "x"}, {"prepacked_0": "x"},
    ],
)  # fmt: skip
def test_an_impossible_span_or_unknown_key_is_refused(entries: dict[str, str], tmp_path: Path) -> None:
    path = _model(tmp_path / "m", location="weights.bin", **entries)
    _data(path.parent / "weights.bin")
    with pytest.raises(ModelFileError):
        inspect_model(path)


def test_symbolic_links_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    secret = _data(tmp_path / "secret.bin")
    path = _model(tmp_path / "m", location="weights.bin")
    (path.parent / "weights.bin").symlink_to(secret)
    with pytest.raises(ModelFileError, match="symbolic link"):
        inspect_model(path)
    path = _model(tmp_path / "n", location="sub/secret.bin")
    (path.parent / "sub").symlink_to(tmp_path)
    with pytest.raises(ModelFileError, match="symbolic link"):
        inspect_model(path)


def test_hard_links_are_refused(tmp_path: Path) -> None:
    secret = _data(tmp_path / "secret.bin")
    path = _model(tmp_path / "m", location="weights.bin")
    os.link(secret, path.parent / "weights.bin")
    with pytest.raises(ModelFileError, match="hard links"):
        inspect_model(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = _model(tmp_path / "m", location="weights.bin")
    os.mkfifo(path.parent / "weights.bin")
    with pytest.raises(ModelFileError, match="not a regular file"):
        inspect_model(path)


def test_values_that_are_not_finite_are_found_in_external_data(tmp_path: Path) -> None:
    path = _model(tmp_path / "m", location="weights.bin", offset="4")
    _data(path.parent / "weights.bin", b"\0\0\xc0\x7f" + VALUES.tobytes())
    inspect_model(path)
    sick = VALUES.copy()
    sick[5] = np.nan
    _data(path.parent / "weights.bin", b"\0" * 4 + sick.tobytes())
    with pytest.raises(ModelFileError, match="'far' hold NaN"):
        inspect_model(path)


def test_sparse_files_of_any_size_are_refused_unread(tmp_path: Path) -> None:
    path = _model(tmp_path / "m", location="weights.bin")
    with (path.parent / "weights.bin").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ModelFileError, match="bytes of external data"):
        inspect_model(path)


def test_many_weights_may_not_claim_the_same_bytes_without_limit(tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    for index in range(100):
        tensor = built.graph.initializer.add(name=f"w{index}", data_type=TensorProto.INT8, dims=[1 << 20])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
    path = onnx_models.save(built, tmp_path / "model.onnx")
    _data(tmp_path / "weights.bin", b"\0" * (1 << 20))
    with pytest.raises(ModelFileError, match="bytes of weights"):
        inspect_model(path, Limits(max_bytes=10 << 20))


def test_external_data_of_a_constant_inside_a_node_is_judged_too(tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    attribute = built.graph.node.add(op_type="Constant", output=["c"]).attribute.add(name="value")
    attribute.t.data_type, attribute.t.data_location = TensorProto.FLOAT, TensorProto.EXTERNAL
    attribute.t.external_data.add(key="location", value="../secret.bin")
    _data(tmp_path / "secret.bin")
    with pytest.raises(ModelFileError, match="out of the model's folder"):
        inspect_model(onnx_models.save(built, tmp_path / "model.onnx"))


def test_entries_of_a_tensor_that_claims_to_be_internal_are_judged_too(tmp_path: Path) -> None:
    built = onnx_models.dynamic()
    built.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(ModelFileError, match="absolute"):
        inspect_model(onnx_models.save(built, tmp_path / "model.onnx"))
