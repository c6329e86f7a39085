"""ExecuTorch with the shipped programs, and with programs that it must refuse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import EngineError
from harness.runtimes import open_runtime
from tests.workspace import CHECKOUT

pytest.importorskip("executorch")
MODELS = CHECKOUT / "suites" / "models"
FP32, INT8 = (str(MODELS / "head_counting" / f"{variant}.pte") for variant in ("fp32", "int8"))
# Open sizes, and operators that XNNPACK leaves; lower_look.py made it.
LOOK = str(Path(__file__).with_name("look.pte"))
SHAPE = (1, 1, 208, 320)
# Importing torch beside it announces the end of things that nobody here uses.
pytestmark = pytest.mark.filterwarnings("default")


def opened(path: str = INT8, **options: Any) -> Any:
    runtime = open_runtime("executorch", path, options)
    runtime.prepare()
    return runtime


def picture(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE, dtype=np.float32)


def test_inputs_and_outputs_are_called_by_their_position() -> None:
    with opened() as runtime:
        assert [(one.name, one.shape, one.dtype) for one in runtime.inputs] == [("input0", SHAPE, "float32")]
        assert [(one.name, one.shape) for one in runtime.outputs] == [
            ("output0", (1, 1300, 4)),
            ("output1", (1, 1300, 1)),
        ]


@pytest.mark.parametrize("path", [FP32, INT8])
def test_the_engine_agrees_with_onnx_runtime(path: str) -> None:
    onnx = open_runtime("onnxruntime", str(MODELS / "head_counting" / "fp32.onnx"), {})
    onnx.prepare()
    with opened(path) as runtime, onnx:
        found = runtime.infer({"input0": picture()})
        wanted = onnx.infer({onnx.inputs[0].name: picture()})
    tolerance = 1e-3 if path == FP32 else 2.5
    np.testing.assert_allclose(found["output0"], wanted["boxes"], atol=tolerance)
    np.testing.assert_allclose(found["output1"], wanted["scores"], atol=tolerance)


@pytest.mark.parametrize("card", sorted(MODELS.glob("*/fp32.pte")), ids=lambda path: path.parent.name)
@pytest.mark.parametrize(("variant", "most"), [("fp32", "float32"), ("int8", "int8")])
def test_a_shipped_program_is_one_xnnpack_partition(card: Path, variant: str, most: str) -> None:
    with opened(str(card.with_name(f"{variant}.pte"))) as runtime:
        facts = runtime.facts()
    assert facts["placement"] == {"XnnpackBackend": 1.0}
    assert (facts["promised"], facts["partitions"], facts["threads"]) == ("XnnpackBackend", 1, 1)
    assert facts["layer_precisions"][most] > 0.8
    assert facts["fusion"]["with_activation"] >= facts["fusion"]["convolutions"] - 2


def test_a_view_gives_the_answer_of_its_copy() -> None:
    view = picture().transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2)
    with opened(FP32) as runtime:
        answers = [runtime.infer({"input0": one})["output1"] for one in (view, view.copy(order="C"))]
    np.testing.assert_array_equal(*answers)


def test_the_only_method_runs_under_any_name_and_with_every_size_that_it_takes() -> None:
    with opened(LOOK) as runtime:
        assert runtime.inputs[0].shape == (1, 1, -1, -1)
        shapes = [
            runtime.infer({"input0": np.ones((1, 1, height, 8), np.float32)})["output1"].shape for height in (6, 12)
        ]
    assert shapes == [(1, 2, 4, 6), (1, 2, 10, 6)]


def test_a_size_that_the_program_does_not_take_is_an_engine_error() -> None:
    with opened(LOOK) as runtime, pytest.raises(EngineError, match=r"fails to run the program: .*look\.pte"):
        runtime.infer({"input0": np.ones((1, 1, 40, 40), np.float32)})


def test_precision_and_fusion_are_left_out_beside_portable_operators() -> None:
    with opened(LOOK) as runtime:
        facts = runtime.facts()
    assert 0.0 < facts["placement"]["portable"] < 1.0
    assert not {"layer_precisions", "fusion"} & set(facts)


def test_an_answer_belongs_to_the_caller() -> None:
    with opened() as runtime:
        first = runtime.infer({"input0": picture(1)})["output1"]
        kept = first.copy()
        runtime.infer({"input0": picture(2)})
        np.testing.assert_array_equal(first, kept)


def test_one_thread_computes_in_the_thread_that_calls() -> None:
    with opened(threads=1) as runtime:
        assert runtime.in_calling_thread
        feed = {"input0": picture()}
        runtime.infer(feed)
        mine, all_threads = time.thread_time(), time.process_time()
        for _ in range(20):
            runtime.infer(feed)
        mine, all_threads = time.thread_time() - mine, time.process_time() - all_threads
    # CPU seconds of this thread against those of all threads: no wall clock is involved.
    assert mine >= 0.9 * all_threads
    assert not open_runtime("executorch", INT8, {"threads": 2}).in_calling_thread


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("VulkanBackend", "has no VulkanBackend"),
        ("QnnBackend", "was not lowered for QnnBackend: it uses XnnpackBackend"),
    ],
)
def test_a_backend_that_cannot_keep_the_promise_is_refused(backend: str, sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence) as caught, opened(backend=backend):
        pass
    assert caught.value.remedy
    assert caught.value.where == INT8


@pytest.mark.parametrize("keep", [40, 1000, 200_000])
def test_a_truncated_program_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "short.pte"
    path.write_bytes(Path(INT8).read_bytes()[:keep])
    with pytest.raises(EngineError, match=r"ExecuTorch (cannot take|refuses) the program"), opened(str(path)):
        pass


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot take the program"), opened(str(tmp_path / "none.pte")):
        pass


@pytest.mark.parametrize("feed", [np.zeros(SHAPE), np.zeros((1, 1, 20, 20), np.float32)])
def test_a_feed_of_another_dtype_or_shape_is_refused(feed: np.ndarray) -> None:
    with opened() as runtime, pytest.raises(EngineError, match=r"'input0' takes float32 \[1, 1, 208, 320\]"):
        runtime.infer({"input0": feed})
