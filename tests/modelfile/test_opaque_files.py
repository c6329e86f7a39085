"""Programs of ExecuTorch and torch.export, and files that only a vendor's engine can read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError, ModelFileError
from harness.model import read_card
from harness.modelfile import ENDINGS, OPAQUE, Limits, inspect_model, inspect_opaque
from harness.runtimes import FORMATS
from tests.modelfile.test_sniff import HTML, LFS, Canary

MODELS = Path(__file__).parents[2] / "suites" / "models"
PTE = (MODELS / "gaze" / "int8.pte").read_bytes()
PT2 = (MODELS / "gaze" / "fp32.pt2").read_bytes()
ZIP = b"PK\x03\x04 and what follows"


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_every_format_of_an_engine_has_its_endings() -> None:
    assert {one for taken in FORMATS.values() for one in taken} == set(ENDINGS)


@pytest.mark.parametrize("variant", ["fp32", "int8"])
@pytest.mark.parametrize(
    ("name", "outputs", "nodes"),
    [("gaze", [(1, 2)], 12), ("face_detection", [(1, 800, 4), (1, 800, 1)], 32), ("eye_state", [(1, 2)], 10)],
)
def test_an_executorch_program_is_read(name: str, outputs: list[tuple[int, ...]], nodes: int, variant: str) -> None:
    info = inspect_model(MODELS / name / f"{variant}.pte")
    assert (info.format, info.producer) == ("pte", "ExecuTorch")
    assert [one.name for one in info.inputs] == ["input0"]
    assert [one.shape for one in info.outputs] == outputs
    assert info.weight_dtype == {"fp32": "float32", "int8": "int8"}[variant]
    assert nodes <= info.node_count <= nodes + 6


def test_a_torch_export_archive_is_read_and_nothing_is_loaded() -> None:
    info = inspect_model(MODELS / "face_detection" / "fp32.pt2")
    assert [(one.name, one.shape, one.dtype) for one in info.inputs] == [("picture", (1, 1, 160, 256), "float32")]
    assert [one.name for one in info.outputs] == ["cat", "cat_1"]
    assert (info.format, info.weight_dtype, info.warnings) == ("pt2", "float32", ())


@pytest.mark.parametrize(("name", "content"), [("short.pte", PTE), ("short.pt2", PT2)])
def test_truncation_is_noticed(name: str, content: bytes, tmp_path: Path) -> None:
    for keep in (1, 8, 40, 300, 5000, len(content) // 2, len(content) - 100):
        with pytest.raises(ModelFileError):
            inspect_model(_file(tmp_path, name, content[:keep]))


@settings(max_examples=60, deadline=None)
@given(place=st.integers(8, 6000), value=st.binary(min_size=1, max_size=8))
def test_a_damaged_executorch_program_is_read_or_refused_and_never_breaks_the_reader(
    place: int, value: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = _file(tmp_path_factory.mktemp("damaged"), "d.pte", PTE[:place] + value + PTE[place + len(value) :])
    with contextlib.suppress(ModelFileError):
        assert inspect_model(path, Limits(max_records=50_000)).outputs


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _flagged(content: bytes, bits: int) -> bytes:
    """The archive with bits of its general flag set for the only member: 1 is encrypted, 1 << 5 patched."""
    head, directory = bytearray(content), content.index(b"PK\x01\x02")
    for place in (6, directory + 8):
        head[place] |= bits
    return bytes(head)


MODEL = json.dumps({"graph_module": {}}).encode()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (_zip({"archive/data.pkl": pickle.dumps(Canary())}), r"without models/model\.json"),
        (_zip({"a/models/model.json": MODEL, "b/x": b""}), "several roots"),
        (_zip({"a/models/model.json": MODEL}, zipfile.ZIP_DEFLATED), "compressed"),
        (_zip({"a/models/model.json": b"[]"}), "no JSON object"),
        (_flagged(_zip({"a/models/model.json": MODEL}), 1), "encrypted"),
        (_flagged(_zip({"a/models/model.json": MODEL}), 1 << 5), "cannot be read"),
        (_zip({"a/models/model.json": MODEL}) + b"more", "before or behind"),
        (_zip({"a/models/model.json": MODEL}) + _zip({"b/models/model.json": MODEL}), "before or behind"),
        (_zip({"a/models/model.json": b"[" * 100_000}), "no JSON"),
        (_zip({"a/models/model.json": MODEL}), "does not hang together"),
        (pickle.dumps(Canary()), "a pickle"),
        (LFS, "Git-LFS"),
        (b"\x08\x07\x12\x05", "no zip archive"),
        (PTE, "ExecuTorch program with another ending"),
    ],
)
def test_what_is_no_torch_export_archive_is_refused(
    content: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", str(tmp_path / "sang"))
    with pytest.raises(ModelFileError, match=sentence):
        inspect_model(_file(tmp_path, "model.pt2", content))
    assert not (tmp_path / "sang").exists()


GOOD = [
    ("engine", "orin.engine", b"ftrt and the plan"),
    ("engine", "orin.plan", b"ftrt and the plan"),
    ("dlc", "net.dlc", ZIP),
    ("dlc", "net.dlc", b"\xd5\x0a\x04\x00\x00\x00\x00\x00rest"),
    ("qnn", "libnet.so", b"\x7fELF and the rest"),
    ("qnn", "context.bin", b"\x02\x00\x00\x00anything"),
    ("external", "net.cavalry", b"\x00\x01anything"),
    ("external", "net.json", b'{"a vendor": "may write text"}'),
    ("external", "net.zip", ZIP),
]


@pytest.mark.parametrize(("form", "name", "content"), GOOD)
def test_a_file_of_a_vendor_is_hashed_and_not_opened(form: str, name: str, content: bytes, tmp_path: Path) -> None:
    info = inspect_opaque(_file(tmp_path, name, content), form)
    assert (info.format, info.sha256) == (form, hashlib.sha256(content).hexdigest())
    assert (info.size_bytes, info.inputs, info.outputs) == (len(content), (), ())


@pytest.mark.parametrize("form", OPAQUE)
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (LFS, "Git-LFS pointer.*git lfs pull"),
        (HTML, "web page"),
        (pickle.dumps(Canary()), "a pickle"),
        (b"\x1f\x8b\x08\x00rest of it", "gzip"),
    ],
)
def test_what_is_no_file_of_a_vendor_is_called_what_it_is(
    form: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    name = "model" + (ENDINGS[form] or (".bin",))[0]
    with pytest.raises(ModelFileError, match=sentence):
        inspect_opaque(_file(tmp_path, name, content), form)


@pytest.mark.parametrize(
    ("form", "name", "content", "sentence"),
    [
        ("engine", "a.engine", b"\x2a\x00\x00\x00" + b'{"task": 1}' + b"\x01ftrt", "begins with.*trtexec"),
        ("dlc", "a.dlc", b"\x00" * 20, "no dlc file"),
        ("qnn", "a.so", b"\x00" * 20, "no qnn file"),
    ],
)
def test_a_file_that_begins_otherwise_than_its_format_is_refused(
    form: str, name: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        inspect_opaque(_file(tmp_path, name, content), form)


def test_a_vendors_file_over_the_limit_or_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="20 bytes"):
        inspect_opaque(_file(tmp_path, "a.bin", b"\x01" * 20), "qnn", Limits(max_bytes=19))
    with pytest.raises(ModelFileError, match="no such file"):
        inspect_opaque(tmp_path / "none.engine", "engine")


@pytest.mark.parametrize(
    ("form", "file", "right"),
    [
        ("engine", "orin.plan", True),
        ("engine", "orin.onnx", False),
        ("qnn", "libnet.so", True),
        ("qnn", "net.tflite", False),
        ("pte", "fp32.pt2", False),
        ("external", "anything.at.all", True),
        ("onnx", "fp32.ONNX", True),
    ],
)
def test_a_card_names_files_with_the_endings_of_their_format(form: str, file: str, right: bool, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    text = f'task = "raw"\n[input]\nwidth = 8\nheight = 8\n[variants.fp32]\nfiles = {{ {form} = "{file}" }}\n'
    (folder / "model.toml").write_text(text, encoding="utf-8")
    if right:
        assert read_card(folder).variants["fp32"].files == {form: file}
        return
    with pytest.raises(ConfigError, match=f"files.{form} = '{file}': files of this format end with"):
        read_card(folder)
