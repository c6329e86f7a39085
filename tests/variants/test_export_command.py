"""`harness export`: the files that were asked for, compared with the net, or a sentence why there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main
from harness.modelfile import inspect_model

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """The shipped models and devices, and a cache that the tests share."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "suites").symlink_to(checkout / "suites")
    (folder / "devices").symlink_to(checkout / "devices")
    return folder


@pytest.fixture
def export(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(repository)

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["export", "eye_state", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_an_open_batch_and_another_opset_are_written_and_compared(export: Call, repository: Path) -> None:
    status, out, _ = export("--formats=onnx,pt2", "--opset=18", "--dynamic-batch", "--out=made")
    assert status == 0
    assert "opset 18; differs from the net by at most" in out
    assert "on 32 frames" in out
    found = inspect_model(repository / "made" / "eye_state" / "fp32.onnx")
    assert (found.opset, found.inputs[0].shape) == (18, (-1, 1, 96, 96))
    assert (repository / "made" / "eye_state" / "fp32.pt2").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--formats=onnx", "--opset=3"), "opset 3 is too old"),
        (("--formats=onx",), "did you mean 'onnx'?"),
        (("--formats=,",), "no format is asked for"),
        (("--exporter=torchscript",), "no exporter called 'torchscript'"),
        (("--variant=fp23",), "no variant called 'fp23'"),
    ],
)
def test_what_cannot_be_exported_is_refused(arguments: tuple[str, ...], words: str, export: Call) -> None:
    status, _, err = export(*arguments)
    assert status == 4
    assert words in err
