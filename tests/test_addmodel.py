"""add_model: any sound model becomes a folder with a card that runs at once, or nothing is left behind."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from harness.addmodel import add_model, summary
from harness.case import Job, Plan
from harness.errors import ConfigError, HarnessError, ModelFileError
from harness.frames import Frame
from harness.model import ModelCard, read_card
from harness.modelfile import inspect_model
from harness.pipeline import Pipeline
from harness.runtimes import open_runtime
from harness.tasks import open_task
from tests.modelfile import onnx_models

EXPECTED = {
    "yolov5_like": ("detection", "NCHW", "rgb", 640, {"decoder": "yolov5", "classes": 2}),
    "yolov7_like": ("detection", "NCHW", "rgb", 640, {"decoder": "yolov7", "classes": 80}),
    "yolov8_like": ("detection", "NCHW", "rgb", 640, {"decoder": "yolov8", "classes": 2}),
    "mobilenet_like": ("classification", "NCHW", "rgb", 224, {"classes": 1000}),
    "resnet18_like": ("classification", "NCHW", "rgb", 224, {"classes": 1000}),
    "dynamic": ("classification", "NCHW", "rgb", 224, {"classes": 10}),
    "multi_io": ("raw", "NCHW", "gray", 64, {}),
    "uint8_input": ("classification", "NHWC", "rgb", 96, {"classes": 4}),
    "int8_input": ("classification", "NCHW", "gray", 64, {"classes": 4}),
    "old_opset": ("classification", "NCHW", "rgb", 64, {"classes": 10}),
    "weights_as_inputs": ("classification", "NCHW", "rgb", 64, {"classes": 10}),
    "constant_output": ("classification", "NCHW", "rgb", 64, {"classes": 4}),
}


def _added(folder: Path, built: onnx.ModelProto, name: str = "model") -> Path:
    return add_model(onnx_models.save(built, folder / f"{name}.onnx"), folder / "models")


def _renamed(built: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    """The model with one tensor under another name, everywhere."""
    for value in (*built.graph.input, *built.graph.output):
        value.name = new if value.name == old else value.name
    for node in built.graph.node:
        node.input[:] = [new if one == old else one for one in node.input]
        node.output[:] = [new if one == old else one for one in node.output]
    return built


def _one_frame(card: ModelCard) -> np.ndarray:
    """One frame through pre, infer and post, as the worker does it."""
    (variant,) = card.variants
    (file_format,) = card.variants[variant].files
    values: dict[str, object] = {
        "engine": "onnxruntime" if file_format == "onnx" else "litert",
        "model_path": str(card.file(variant, file_format)),
        "input": card.input_spec(file_format),
        "task": card.task_spec(),
        "outputs": card.outputs(file_format),
        "extra_inputs": card.extra_input_list(),
    }
    job = Job(**{**_unused(), **values})  # type: ignore[arg-type]
    engine = open_runtime(job.engine, job.model_path, {})
    engine.prepare()
    with engine as runtime:
        pipeline = Pipeline(job, runtime, open_task(job.task, job.input))
        pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
        feeds, geometry = pipeline.pre(Frame(pixels))
        return pipeline.post(pipeline.infer(feeds), geometry)


def _unused() -> dict[str, object]:
    """The fields of a Job that one frame does not need."""
    needed = (one.name for one in fields(Job) if one.default is MISSING and one.default_factory is MISSING)
    return {name: Plan("x", 1) if name == "plan" else {} if name == "options" else "" for name in needed}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_card_says_what_the_shapes_say(name: str, tmp_path: Path) -> None:
    folder = _added(tmp_path, onnx_models.SOUND[name](), name)
    card = read_card(folder)
    classes = card.options.get("classes", ())
    seen = {**card.options, "classes": len(classes)} if classes else {}
    seen.pop("units", None)
    assert (card.task, card.input.layout, card.input.colour, card.input.width, seen) == EXPECTED[name]
    assert folder == tmp_path / "models" / name
    assert not card.dataset
    assert sorted(one.name for one in folder.iterdir()) == ["fp32.onnx", "model.toml"]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_added_model_runs_at_once(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = _added(tmp_path, onnx_models.SOUND[name](), name)
    assert _one_frame(read_card(folder)).ndim == 2


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_tflite_model_is_added_and_runs(dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    from tests.modelfile import tflite_models

    (tmp_path / "net.tflite").write_bytes(tflite_models.to_bytes(tflite_models.classifier(dtype)))
    folder = add_model(tmp_path / "net.tflite", tmp_path / "models")
    card = read_card(folder)
    assert (card.task, card.input.layout, list(card.variants)) == (
        "classification",
        "NHWC",
        ["int8" if dtype == "int8" else "fp32"],
    )
    assert _one_frame(card).shape == (1, 4)


def _shaped(inputs: list[tuple[str, int, list]], outputs: list[tuple[str, list]]) -> onnx.ModelProto:
    """A model of the given shapes that nobody runs."""
    nodes = [helper.make_node("Identity", [inputs[0][0]], [name]) for name, _ in outputs]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs]
    starts = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    return helper.make_model(helper.make_graph(nodes, "g", starts, ends), ir_version=8)


IMAGE = ("image", TensorProto.FLOAT, [1, 3, 96, 96])
OPEN = ("image", TensorProto.FLOAT, ["n", 3, "h", "w"])


@pytest.mark.parametrize(
    ("image", "outputs", "task", "decoder"),
    [
        (IMAGE, [("y", [1, 567, 8])], "detection", "yolov5"),
        (IMAGE, [("y", [1, 7, 189])], "detection", "yolov8"),
        (OPEN, [("y", ["n", "rows", 85])], "detection", "yolov5"),
        (OPEN, [("y", ["n", 84, "rows"])], "detection", "yolov8"),
        (IMAGE, [("heads", [1, 3, 12, 12, 8]), ("y", [1, 567, 8])], "detection", "yolov5"),
        (IMAGE, [("y", ["n", 7])], "detection", "yolov7"),
        (OPEN, [("y", ["n", 7])], "classification", None),
        (IMAGE, [("y", [1, 7])], "classification", None),
        (IMAGE, [("y", [1, 5, 1, 1])], "classification", None),
        (IMAGE, [("y", [1, 1])], "raw", None),
        (IMAGE, [("y", [1, 68, 2])], "raw", None),
        (IMAGE, [("y", ["a", "b", "c"])], "raw", None),
        (IMAGE, [("a", [1, 3]), ("b", [1, 3])], "raw", None),
        (IMAGE, [("y", [])], "raw", None),
    ],
)
def test_the_task_is_guessed_from_the_output_shapes(
    image: tuple[str, int, list], outputs: list[tuple[str, list]], task: str, decoder: str | None, tmp_path: Path
) -> None:
    card = read_card(_added(tmp_path, _shaped([image], outputs)))
    assert (card.task, card.options.get("decoder")) == (task, decoder)
    several = task == "detection" and len(outputs) > 1
    assert card.outputs("onnx") == ({"detections": "y"} if several else {})


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ([("x", TensorProto.FLOAT, [1, 16])], "none of the inputs is an image"),
        ([("x", TensorProto.FLOAT, [1, 4, 64, 64])], "none of the inputs is an image"),
        ([("x", TensorProto.DOUBLE, [1, 3, 64, 64])], "none of the inputs is an image"),
        ([("x", TensorProto.FLOAT, [8, 3, 64, 64])], "batch is fixed to 8"),
        ([IMAGE, ("s", TensorProto.STRING, [1])], "'s' string"),
        ([IMAGE, ("s", TensorProto.FLOAT, [1, 0])], "'s' float32"),
    ],
)
def test_a_model_that_frames_cannot_feed_is_refused(inputs: list, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        _added(tmp_path, _shaped(inputs, [("y", [1, 4])]))
    assert caught.value.remedy
    assert not (tmp_path / "models").exists()


def test_further_inputs_become_constants_with_open_sizes_of_one(tmp_path: Path) -> None:
    card = read_card(_added(tmp_path, onnx_models.multi_io()))
    rows = [(one.name, one.shape, one.dtype, one.value) for one in card.extra_input_list()]
    assert rows == [("state", (1, 8), "float32", 0.0), ("mode", (1,), "int64", 0.0), ("flag", (1,), "bool", 0.0)]


def test_of_two_images_the_one_in_colour_is_fed(tmp_path: Path) -> None:
    inputs = [("mask", TensorProto.FLOAT, [1, 1, 96, 96]), IMAGE]
    card = read_card(_added(tmp_path, _shaped(inputs, [("y", [1, 4])])))
    assert card.input.name == "image"
    assert card.extra_input_list()[0].shape == (1, 1, 96, 96)


NASTY = [
    'say "hi"', "a\nb", "\x1b[31mred", "back\\slash", "tab\t", "]\n[budgets]", "'''", '"""', "\x7f", "\u2028", "a = 1",
    "\u202egnp", "日本", "x.y", "#no", "\ud7ff", "\U0001f600", " ", "\x85",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_any_tensor_name_survives_in_the_card(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = _added(tmp_path, _renamed(_renamed(onnx_models.multi_io(), "image", name), "state", name + "2"))
    card, text = read_card(folder), (folder / "model.toml").read_text(encoding="utf-8")
    assert card.input.name == name
    assert card.extra_input_list()[0].name == name + "2"
    assert all(char.isprintable() for line in text.split("\n") for char in line)
    assert all(line.isprintable() for line in summary(folder).split("\n"))
    _one_frame(card)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(max_size=20), min_size=4, max_size=4, unique=True))
def test_any_names_survive(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    image, extra, first, second = names
    inputs = [(image, IMAGE[1], IMAGE[2]), (extra, TensorProto.INT32, ["n", 2])]
    built = _shaped(inputs, [(first, [1, 567, 8]), (second, [1, 3, 12, 12, 8])])
    card = tomllib.loads((_added(tmp_path_factory.mktemp("any"), built) / "model.toml").read_text(encoding="utf-8"))
    assert card["input"]["name"] == image
    assert card["extra_inputs"] == {extra: {"shape": [1, 2], "dtype": "int32", "value": 0.0}}
    assert card["formats"] == {"onnx": {"outputs": {"detections": first}}}


def test_a_taken_name_is_refused_and_the_old_model_stays(tmp_path: Path) -> None:
    folder = _added(tmp_path, onnx_models.dynamic())
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    with pytest.raises(ConfigError, match="already") as caught:
        _added(tmp_path, onnx_models.int8_input())
    assert "--name" in caught.value.remedy
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before
    (tmp_path / "models" / "loose").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="already"):
        _added(tmp_path, onnx_models.dynamic(), "loose")


@pytest.mark.parametrize("name", ["", "../up", "a\nb", "-x", "a,b", "<b>"])
def test_a_bad_name_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model name"):
        add_model(tmp_path / "missing.onnx", tmp_path / "models", name)


def test_a_name_is_derived_or_taken_as_given(tmp_path: Path) -> None:
    path = onnx_models.save(onnx_models.dynamic(), tmp_path / "my model, (v2).onnx")
    assert add_model(path, tmp_path / "models").name == "my-model-v2"
    assert add_model(path, tmp_path / "models", "other").name == "other"


def _nan(path: Path) -> Path:
    return onnx_models.save(onnx_models.nan_weights(), path)


def _garbage(path: Path) -> Path:
    path.write_bytes(b"\x08\x07garbage" * 9)
    return path


@pytest.mark.parametrize("make", [_nan, _garbage, lambda path: path])
def test_nothing_is_left_behind_by_a_file_that_is_refused(make: Callable[[Path], Path], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelFileError):
        add_model(make(tmp_path / "model.onnx"), tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_nothing_is_left_behind_by_a_failed_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = onnx_models.save(onnx_models.dynamic(), tmp_path / "model.onnx")
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ConfigError, match="No space left"):
        add_model(path, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_a_model_that_changes_while_it_is_copied_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(_: Path, target: Path, **__: object) -> None:
        onnx_models.save(onnx_models.int8_input(), target)

    path = onnx_models.save(onnx_models.dynamic(), tmp_path / "model.onnx")
    monkeypatch.setattr("shutil.copyfile", other)
    with pytest.raises(ModelFileError, match="changed"):
        add_model(path, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def _with_external_data(folder: Path, location: str) -> Path:
    built = onnx_models.dynamic()
    (folder / "src").mkdir()
    onnx.save_model(
        built, folder / "src" / "model.onnx", save_as_external_data=True, location=location, size_threshold=0
    )
    return folder / "src" / "model.onnx"


def test_external_data_travels_with_the_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = add_model(_with_external_data(tmp_path, "weights.bin"), tmp_path / "models")
    assert sorted(one.name for one in folder.iterdir()) == ["fp32.onnx", "model.toml", "weights.bin"]
    assert [one.name for one in inspect_model(folder / "fp32.onnx").external_files] == ["weights.bin"]
    assert _one_frame(read_card(folder)).shape == (1, 10)


@pytest.mark.parametrize("location", ["model.toml", "fp32.onnx"])
def test_external_data_may_not_take_the_place_of_our_own_files(location: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="external data"):
        add_model(_with_external_data(tmp_path, location), tmp_path / "models")


def test_a_link_to_a_model_is_followed_and_its_content_copied(tmp_path: Path) -> None:
    onnx_models.save(onnx_models.dynamic(), tmp_path / "blob.onnx")
    (tmp_path / "net.onnx").symlink_to(tmp_path / "blob.onnx")
    folder = add_model(tmp_path / "net.onnx", tmp_path / "models")
    assert not (folder / "fp32.onnx").is_symlink()


def test_a_file_name_that_is_not_utf8_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"net\xff.onnx")
    onnx_models.save(onnx_models.dynamic(), path)
    assert read_card(add_model(path, tmp_path / "models")).name == "net"


def test_the_summary_says_what_was_read_what_was_guessed_and_what_to_do(tmp_path: Path) -> None:
    folder = _added(tmp_path, onnx_models.weights_as_inputs())
    text = summary(folder)
    for part in (
        "opset 9",
        "input 'input' float32 [1, 3, 64, 64]",
        "warning",
        "classification of 10 classes",
        "value / 255",
    ):
        assert part in text
    assert text.splitlines()[-1].endswith(f"pytest suites --models={folder}")


def test_the_head_of_the_card_lists_the_guesses(tmp_path: Path) -> None:
    text = (_added(tmp_path, onnx_models.dynamic()) / "model.toml").read_text(encoding="utf-8")
    head = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    for part in ("sha256", "classification of 10 classes", "224 x 224 are a choice", "value / 255", "no [dataset]"):
        assert part in head


def test_errors_are_harness_errors_for_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(HarnessError):
        _added(tmp_path, onnx_models.dynamic())
