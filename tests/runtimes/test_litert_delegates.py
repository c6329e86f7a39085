"""LiteRT with a real external delegate, built here, and with libraries that are none."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import EngineError
from harness.runtimes import open_runtime
from harness.runtimes.litert_nodes import layer_precisions
from tests.workspace import CHECKOUT

pytest.importorskip("ai_edge_litert")
MODELS = CHECKOUT / "suites" / "models"
GAZE = str(MODELS / "gaze" / "fp32.tflite")
SOURCE = Path(__file__).with_name("reshape_delegate.c")


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A delegate that takes over RESHAPE: one operator in the middle of the gaze net."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = tmp_path_factory.mktemp("delegate") / "libreshape_delegate.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
    return str(library)


def opened(path: str = GAZE, **options: Any) -> Any:
    runtime = open_runtime("litert", path, options)
    runtime.prepare()
    return runtime


def picture(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 80, 160, 1), dtype=np.float32)


def answer(**options: Any) -> np.ndarray:
    with opened(**options) as runtime:
        return runtime.infer({runtime.inputs[0].name: picture()})[runtime.outputs[0].name]


@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_delegate_takes_its_operators_and_the_answers_stay(delegate: str, xnnpack: bool) -> None:
    np.testing.assert_allclose(answer(delegate=delegate, xnnpack=xnnpack), answer(), rtol=1e-4, atol=1e-4)


def test_the_nodes_of_the_delegate_are_told_from_those_of_xnnpack(delegate: str) -> None:
    with opened(delegate=delegate) as runtime:
        facts = runtime.facts()
    assert facts["promised"] == "libreshape_delegate"
    assert facts["placement"] == {"libreshape_delegate": 1 / 14, "XNNPACK": 13 / 14, "builtin": 0.0}
    assert facts["partitions"] == 1
    assert facts["providers"] == ["libreshape_delegate", "XNNPACK"]


def test_without_xnnpack_the_rest_runs_in_built_in_kernels(delegate: str) -> None:
    with opened(delegate=delegate, xnnpack=False) as runtime:
        assert runtime.facts()["placement"]["builtin"] == pytest.approx(13 / 14)
        assert not runtime.in_calling_thread
    with opened(xnnpack=False) as runtime:
        facts = runtime.facts()
        assert (facts["promised"], facts["placement"]) == ("builtin", {"XNNPACK": 0.0, "builtin": 1.0})


def test_a_delegate_that_takes_nothing_is_refused(delegate: str) -> None:
    with (
        pytest.raises(EngineError, match="took none of the model's operators"),
        opened(delegate=delegate, delegate_options={"take": "0"}),
    ):
        pass


def test_options_that_the_delegate_refuses_are_named_with_its_reason(delegate: str) -> None:
    options = {"fail": "no such core"}
    with (
        pytest.raises(EngineError, match=r"refuses the options.*no such core") as caught,
        opened(delegate=delegate, delegate_options=options),
    ):
        pass
    assert "docs/litert.md" in caught.value.remedy


def test_options_without_a_delegate_are_refused() -> None:
    with pytest.raises(EngineError, match="delegate_options are given and no delegate"):
        opened(delegate_options={"take": "1"}).__enter__()


def test_an_operator_without_a_result_has_no_precision() -> None:
    operators = [
        {"op_name": "ASSIGN_VARIABLE", "result_types": [], "operand_types": [np.float32, np.float32]},
        {"op_name": "ADD", "result_types": [np.float32], "operand_types": [np.float32, np.float32]},
    ]
    assert layer_precisions(SimpleNamespace(_get_ops_details=lambda: operators)) == {"float32": 1.0}


def test_a_model_that_fails_only_when_it_runs_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> None:
        raise RuntimeError("node 3 failed to invoke")

    with opened() as runtime:
        monkeypatch.setattr(runtime._interpreter, "invoke", failing)
        with pytest.raises(EngineError, match=r"fails to run the model: node 3 .*fp32\.tflite"):
            runtime.infer({runtime.inputs[0].name: picture()})


def elf(machine: int, kind: int = 3, width: int = 2) -> bytes:
    return b"\x7fELF" + bytes([width, 1, 1]) + bytes(9) + struct.pack("<HH", kind, machine) + bytes(44)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no ELF file"),
        (b"\x7fELF", "no ELF file"),
        (elf(183), "made for AArch64, this interpreter is x86-64"),
        (elf(40, width=1), "made for Arm 32-bit, 32 bits, this"),
        (elf(4711), "made for machine 4711"),
        (elf(62, kind=2), "no shared object"),
        (elf(62), "cannot be loaded"),
    ],
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the table says what x86-64 refuses")
def test_a_library_that_cannot_be_the_delegate_says_why(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    library = tmp_path / "libvx_delegate.so"
    if content is not None:
        library.write_bytes(content)
    with pytest.raises(EngineError, match=sentence) as caught, opened(delegate=str(library)):
        pass
    assert str(library) in caught.value.what
    assert "delegate" in caught.value.where


def test_a_library_that_is_no_delegate_says_which_functions_it_lacks() -> None:
    with (
        pytest.raises(EngineError, match="has no function tflite_plugin_create_delegate"),
        opened(delegate="libm.so.6"),
    ):
        pass


def test_a_name_that_no_loader_knows_is_refused() -> None:
    with pytest.raises(EngineError, match=r"cannot be loaded.*libedgetpu"), opened(delegate="libedgetpu.so.1"):
        pass


@pytest.mark.parametrize(
    ("feed", "sentence"),
    [
        (np.zeros((1, 80, 160, 1), np.float64), r"takes float32 \[1, 80, 160, 1\] and was given float64"),
        (np.zeros((1, 1, 80, 160), np.float32), r"was given float32 \[1, 1, 80, 160\]"),
        (np.zeros((1, 80, 160), np.float32), r"was given float32 \[1, 80, 160\]"),
    ],
)
def test_a_feed_of_another_dtype_or_shape_is_refused(feed: np.ndarray, sentence: str) -> None:
    with opened() as runtime:
        name = runtime.inputs[0].name
        with pytest.raises(EngineError, match=sentence) as caught:
            runtime.infer({name: feed})
        assert name in caught.value.what
        with pytest.raises(EngineError, match="no input called 'x'"):
            runtime.infer({"x": feed})
        with pytest.raises(EngineError, match="nothing was given"):
            runtime.infer({})


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes(Path(GAZE).read_bytes()[:-5000])
    with pytest.raises(EngineError, match="LiteRT refuses the model"), opened(str(path)):
        pass


@pytest.mark.parametrize(("variant", "precision"), [("fp32", "float32"), ("int8", "int8")])
def test_precision_is_read_from_the_tensors_and_fusion_from_the_file(variant: str, precision: str) -> None:
    with opened(str(MODELS / "face_detection" / f"{variant}.tflite")) as runtime:
        facts = runtime.facts()
    assert facts["layer_precisions"] == {precision: 1.0}
    assert facts["fusion"] == {"convolutions": 17, "with_activation": 15}
    assert (facts["package"], facts["promised"]) == ("ai-edge-litert", "XNNPACK")


def test_a_file_called_int8_that_holds_floats_is_float(tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(Path(GAZE).read_bytes())
    with opened(str(path)) as runtime:
        assert runtime.facts()["layer_precisions"] == {"float32": 1.0}
