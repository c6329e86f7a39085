"""Files that are no model, or that could run code when they are opened."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelFileError
from harness.modelfile import Limits, inspect_model

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
HTML = b"\n  <!DOCTYPE html>\n<html><head><title>404</title></head></html>"


class Canary:
    """Unpickling it makes the file that the environment names."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ('touch "$CANARY"',))


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Canary()))
    return stream.getvalue()


def _npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Canary()], object), allow_pickle=True)
    return stream.getvalue()


PICKLES = {
    **{f"protocol {number}": pickle.dumps(Canary(), protocol=number) for number in range(6)},
    "zip": _zip(),
    "npy": _npy(),
}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".joblib", ".npy", ".onnx", ".tflite", ".PT", ".ckpt"])
@pytest.mark.parametrize("kind", PICKLES)
def test_a_pickle_is_refused_under_any_name_and_never_runs(
    kind: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", str(tmp_path / "sang"))
    path = tmp_path / f"model{suffix}"
    path.write_bytes(PICKLES[kind])
    with pytest.raises(ModelFileError) as caught:
        inspect_model(path)
    assert not (tmp_path / "sang").exists()
    if suffix not in (".onnx", ".tflite"):
        assert "ONNX" in caught.value.remedy


def test_the_canary_sings_when_it_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", str(tmp_path / "sang"))
    pickle.loads(PICKLES["protocol 4"])
    assert (tmp_path / "sang").exists()


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (LFS, "Git-LFS pointer.*git lfs pull"),
        (b"/annex/objects/SHA256E-s1--ab.onnx\n", "git-annex pointer.*git annex get"),
        (HTML, "web page"),
        (b'\xef\xbb\xbf{"error": "not found"}', "text file"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "text file"),
        (b"Not found: the requested model does not exist\n", "text file"),
        (b"\x1f\x8b\x08\x00rest of it", "gzip"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5.*torch.onnx.export"),
        (b"\x89PNG\r\n\x1a\nrest", "picture"),
        (b"%PDF-1.7 rest of it", "PDF"),
    ],
)
def test_what_is_no_model_is_called_what_it_is(content: bytes, sentence: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=sentence) as caught:
        inspect_model(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
def test_random_bytes_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for seed in range(200):
        path.write_bytes(random.Random(seed).randbytes(1 + seed * 7))
        with pytest.raises(ModelFileError):
            inspect_model(path)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "dangling.onnx").symlink_to(tmp_path / "nowhere")
    table = {"none.onnx": "no such file", "dangling.onnx": "no such file", "pipe.onnx": "pipe", ".": "folder"}
    for name, sentence in {**table, "x" * 5000: "cannot be looked at", "nul\0.onnx": "cannot be looked at"}.items():
        with pytest.raises(ModelFileError, match=sentence):
            inspect_model(tmp_path / name)
    with pytest.raises(ModelFileError, match="device"):
        inspect_model("/dev/zero")


def test_a_sparse_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ModelFileError, match=f"{1 << 40} bytes"):
        inspect_model(path)
    path.write_bytes(b"\x08\x07" * 100)
    with pytest.raises(ModelFileError, match="200 bytes"):
        inspect_model(path, Limits(max_bytes=199))


def test_an_unknown_or_wrong_ending_is_refused(tmp_path: Path) -> None:
    for name, content, sentence in [
        ("model.engine", b"ftrt0123456789", "ending '.engine'.*known: .onnx, .tflite"),
        ("model", b"\x08\x07\x12\x05", "ending ''"),
        ("model.onnx", b"\x1c\0\0\0TFL3\0\0\0\0", "TFLite model with another ending"),
        ("model.tflite", b"\x1c\0\0\0TFL2\0\0\0\0", "TFL2"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFileError, match=sentence):
            inspect_model(tmp_path / name)


def test_a_hostile_path_is_shown_escaped(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        inspect_model(tmp_path / "a\n\x1b[31m.onnx")
    assert str(caught.value).isprintable()
