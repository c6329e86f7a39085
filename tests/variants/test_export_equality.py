"""Equality is asked on frames, output by output, and NaN is never equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

pytest.importorskip("onnxruntime")

from harness.case import TensorSpec
from harness.errors import EngineError, HarnessError
from harness.variants.export.equality import (
    Difference,
    as_float,
    compared,
    differences,
    file_answers,
    first_frames,
    require_equal,
    same_files,
)
from tests.variants.onnxnets import CARD, bench, frame_set, net, saved

ONE = np.array([[1.0, 2.0]], np.float32)


def answers(*values: float, name: str = "scores") -> list[dict[str, np.ndarray]]:
    return [{name: ONE * np.float32(value)} for value in values]


def test_a_file_is_equal_to_itself(tmp_path: Path) -> None:
    path = saved(net(), tmp_path / "fp32.onnx")
    work = bench(tmp_path, {"onnx": path})
    found = same_files(path, path, work.card, work.frames.calibration)
    assert (found.largest, found.frames, found.same_decisions_percent) == (0.0, 6, 100.0)
    assert set(found.outputs) == {"scores"}


def test_another_weight_is_found_and_the_output_and_the_frame_are_named(tmp_path: Path) -> None:
    changed = net()
    weight = next(one for one in changed.graph.initializer if one.name == "w4")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0] += 0.1
    weight.CopyFrom(numpy_helper.from_array(values, "w4"))
    paths = [saved(net(), tmp_path / "fp32.onnx"), saved(changed, tmp_path / "changed.onnx")]
    work = bench(tmp_path, {"onnx": paths[0]})
    with pytest.raises(EngineError, match=r"output 'scores' differs by .* in frame \d of 6; 0.0001 is allowed"):
        same_files(*paths, work.card, work.frames.calibration)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("side", ["wanted", "found", "both"])
def test_nan_of_any_frame_is_not_equal(place: int, side: str) -> None:
    broken = [np.nan if at == place else 1.0 for at in range(3)]
    sound = [1.0] * 3
    pairs = {"wanted": (broken, sound), "found": (sound, broken), "both": (broken, broken)}[side]
    found = differences(answers(*pairs[0]), answers(*pairs[1]))
    assert np.isnan(found.largest)
    with pytest.raises(EngineError, match=f"differs by nan in frame {place} of 3"):
        require_equal(found, "a file")


def test_the_same_infinity_on_both_sides_is_not_equal_either() -> None:
    found = differences(answers(np.inf), answers(np.inf))
    with pytest.raises(EngineError, match="differs by nan"):
        require_equal(found, "a file")


@pytest.mark.parametrize(
    ("largest", "relative", "within"),
    [(0.0, 0.0, True), (1e-4, 1.0, True), (1.1e-4, 1.0, False), (0.5, 1e-5, True), (np.nan, np.nan, False)],
)
def test_a_tolerance_is_of_the_difference_or_of_its_share(largest: float, relative: float, within: bool) -> None:
    assert Difference(largest=largest, largest_relative=relative, frame=0).within(1e-4) is within


def test_the_frame_of_the_largest_difference_and_its_share_are_told() -> None:
    found = differences(answers(1.0, 1.0, 1.0), answers(1.0, 1.5, 1.1)).outputs["scores"]
    assert (found.frame, found.largest, found.largest_relative) == (1, 1.0, 0.5)


def test_a_difference_from_zero_is_wholly_relative() -> None:
    assert differences(answers(0.0), answers(1.0)).outputs["scores"].largest_relative == np.inf


@pytest.mark.parametrize(
    "other", [answers(1.0, name="boxes"), [{"scores": np.ones((1, 3), np.float32)}], [{"scores": ONE, "more": ONE}]]
)
def test_other_outputs_are_refused(other: list[dict[str, np.ndarray]]) -> None:
    with pytest.raises(EngineError, match=r"the outputs are .* where .* is wanted .frame 0"):
        differences(answers(1.0), other)


def test_without_any_frame_nothing_is_equal() -> None:
    with pytest.raises(HarnessError, match="no frame to compare on"):
        differences([], [])


def test_changed_decisions_are_counted(tmp_path: Path) -> None:
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")})
    wanted = answers(1.0, 1.0, 1.0, 1.0)
    found = compared(wanted, [*answers(1.0, 1.0, 1.0), {"scores": ONE[:, ::-1]}], work.card, frame_set(4))
    assert found.same_decisions_percent == 75.0
    assert found.facts()["same_decisions_percent"] == 75.0


def test_boxes_without_labels_leave_the_decisions_out(tmp_path: Path) -> None:
    card = CARD.replace('task = "classification"', 'task = "detection"').replace(
        'classes = ["dark", "bright"]', 'classes = ["face"]\ndecoder = "anchor_free"\nstrides = [8]'
    )
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")}, card=card)
    found = compared(answers(1.0), answers(1.0), work.card, frame_set(1))
    assert found.same_decisions_percent is None
    assert "same_decisions_percent" not in found.facts()


def test_chosen_frames_are_spread_over_the_set() -> None:
    frames = replace(frame_set(9), ready=np.arange(9 * 160, dtype=np.float32).reshape(9, 1, 10, 16))
    chosen = first_frames(frames, 3)
    assert np.array_equal(chosen.pictures, frames.pictures[[0, 4, 8]])
    assert np.array_equal(chosen.ready, frames.ready[[0, 4, 8]])
    assert len(first_frames(frames, 100)) == 9


def test_a_quantised_output_is_compared_as_what_it_stands_for() -> None:
    spec = TensorSpec("scores", (1, 2), "int8", 0.5, -3)
    assert as_float(np.array([[-3, 1]], np.int8), spec).tolist() == [[0.0, 2.0]]


def test_another_engine_can_answer(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = saved(net(), tmp_path / "fp32.onnx")
    work = bench(tmp_path, {"onnx": path})
    frames = work.frames.calibration
    ours, others = (file_answers(path, work.card, frames, engine) for engine in ("", "openvino"))
    assert require_equal(compared(ours, others, work.card, frames), "openvino").same_decisions_percent == 100.0
