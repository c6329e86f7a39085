"""`harness fusion`: a line for each file that the device takes, with what its engine fused or why nobody knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from tests.variants.onnxnets import CARD, net, saved

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one model of two variants and a device of one engine."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "suites" / "models" / "eyes"
    saved(net(), folder / "fp32.onnx")
    saved(net(listed=True), folder / "listed.onnx")
    variants = [f'[variants.{name}]\nfiles = {{ onnx = "{name}.onnx" }}\n' for name in ("fp32", "listed")]
    (folder / "model.toml").write_text(f"{CARD}\n{''.join(variants)}")
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "host.toml").write_text('transport = "local"\n[runtimes.onnxruntime]\nthreads = 1\n')
    return folder


def test_every_file_has_its_line_and_its_layers_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fusion", "eyes", "--json", "fusion.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("eyes/fp32.onnx: onnxruntime: 2 of 3 activations run inside their convolution")
    assert lines[1].startswith("eyes/listed.onnx: onnxruntime: 1 of 3 activations")
    told = json.loads(Path("fusion.json").read_text())
    assert [(one["variant"], one["fused"], len(one["layers"])) for one in told] == [("fp32", 2, 4), ("listed", 1, 4)]


def test_one_variant_alone_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fusion", "eyes", "--variant", "listed"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_unknown_variant_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fusion", "eyes", "--variant", "fp31"]) == 4
    assert "no variant called 'fp31', did you mean 'fp32'" in capsys.readouterr().err


def test_a_file_of_which_the_engine_tells_nothing_has_its_reason(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "listed.onnx").write_bytes(b"nonsense")
    assert main(["fusion", "eyes"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "2 of 3 activations" in lines[0]
    assert lines[1].startswith("eyes/listed.onnx: onnxruntime: ")
