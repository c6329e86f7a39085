"""Guessing a card from a model's shapes, so that it runs at once; every guess is a sentence to check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.case import ExtraInput, TensorSpec
from harness.errors import ConfigError
from harness.modelfile import ModelInfo

COLOURS = {1: "gray", 3: "rgb"}
IMAGE_DTYPES = ("float32", "float16", "uint8", "int8")
EXTRA_DTYPES = ("float32", "float16", "float64", "uint8", "int8", "int32", "int64", "bool")
PLAIN_SIDE, DETECTION_SIDE = 224, 640
STRIDES = (8, 16, 32)
UNKNOWN_CLASSES = 80
MANY_ROWS = 1000
BY_HAND = "write the card by hand (docs/model-card.md), or export the model with one image input of batch 1"


@dataclass(frozen=True)
class CardGuess:
    """The guessed parts of a card. outputs: the task's output name -> the tensor's name."""

    task: str
    input: Mapping[str, Any]
    extras: tuple[ExtraInput, ...]
    options: Mapping[str, Any]
    outputs: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Image:
    """The image input; sizes that the file leaves open are -1."""

    spec: TensorSpec
    layout: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class _Task:
    name: str
    note: str
    options: Mapping[str, Any]
    output: str = ""
    tensor: str = ""


def guess_card(info: ModelInfo, where: str) -> CardGuess:
    """A card for the model; ConfigError where no input can be fed with pixels, or one not with a constant."""
    image = _image(info, where)
    task = _guess_task(info, image)
    fields, notes = _input_fields(image, task)
    extras = tuple(_extra(spec, where) for spec in info.inputs if spec is not image.spec)
    notes += [
        f"input '{one.name}': {one.dtype} zeros of shape {list(one.shape)}, the same for every frame" for one in extras
    ]
    outputs = {task.output: task.tensor} if task.output and len(info.outputs) > 1 else {}
    return CardGuess(task.name, fields, extras, task.options, outputs, (task.note, *notes))


def _image(info: ModelInfo, where: str) -> _Image:
    images = [found for spec in info.inputs if (found := _as_image(spec, info.format)) is not None]
    if not images:
        listed = ", ".join(f"'{spec.name}' {spec.dtype} {list(spec.shape)}" for spec in info.inputs) or "none"
        raise ConfigError(
            f"none of the inputs is an image of 1 or 3 channels; inputs: {listed}", where=where, remedy=BY_HAND
        )
    image = max(images, key=lambda one: one.channels)
    if image.spec.shape[0] not in (1, -1):
        raise ConfigError(
            f"the batch is fixed to {image.spec.shape[0]}; frames come one by one", where=where, remedy=BY_HAND
        )
    return image


def _as_image(spec: TensorSpec, file_format: str) -> _Image | None:
    if len(spec.shape) != 4 or spec.dtype not in IMAGE_DTYPES or 0 in spec.shape:
        return None
    usual, other = ("NHWC", "NCHW") if file_format == "tflite" else ("NCHW", "NHWC")
    for layout, allowed in ((usual, tuple(COLOURS)), (other, tuple(COLOURS)), (usual, (-1,))):
        channels, height, width = _sides(spec.shape, layout)
        if channels in allowed:
            return _Image(spec, layout, 3 if channels == -1 else channels, height, width)
    return None


def _sides(shape: Sequence[int], layout: str) -> tuple[int, int, int]:
    first, second, third = shape[1:]
    return (first, second, third) if layout == "NCHW" else (third, first, second)


def _guess_task(info: ModelInfo, image: _Image) -> _Task:
    for spec in info.outputs:
        found = _detection(spec, image, info.format)
        if found is not None:
            return found
    if len(info.outputs) == 1:
        classes = _class_count(info.outputs[0].shape)
        if classes > 1:
            return _classification(info.outputs[0], classes)
    shapes = ", ".join(str(list(spec.shape)) for spec in info.outputs)
    return _Task(
        "raw", f"task: raw, since output shapes {shapes} fit no known task; outputs are timed, not decoded", {}
    )


def _classification(spec: TensorSpec, classes: int) -> _Task:
    note = f"task: classification of {classes} classes, from output '{spec.name}' {list(spec.shape)}; name the classes"
    return _Task("classification", note, {"classes": _names(classes)}, "scores", spec.name)


def _class_count(shape: Sequence[int]) -> int:
    """K of [1, K] or [1, K, 1, 1] with an open or single batch, else 0."""
    plain = len(shape) >= 2 and shape[0] in (1, -1) and all(size == 1 for size in shape[2:])
    return shape[1] if plain else 0


def _detection(spec: TensorSpec, image: _Image, file_format: str) -> _Task | None:
    units = "fraction" if file_format == "tflite" else "pixels"
    shape = spec.shape
    if len(shape) == 2 and shape[1] == 7 and (shape[0] > 1 or (shape[0] == -1 and image.spec.shape[0] != -1)):
        return _detector(spec, "yolov7", UNKNOWN_CLASSES, units, "the file does not say how many classes there are; ")
    if len(shape) != 3 or shape[0] not in (1, -1):
        return None
    rows, columns = shape[1:]
    if columns >= 6 and _many(rows, columns, 3 * _cells(image)):
        return _detector(spec, "yolov5", columns - 5, units, "")
    if rows >= 5 and _many(columns, rows, _cells(image)):
        return _detector(spec, "yolov8", rows - 4, units, "")
    return None


def _many(count: int, values: int, expected: int) -> bool:
    """Is `count` a number of candidate boxes of `values` numbers each? Open, as the strides give it, or large."""
    return count == -1 or count == expected or count >= max(MANY_ROWS, values)


def _cells(image: _Image) -> int:
    width, height = (side if side > 0 else DETECTION_SIDE for side in (image.width, image.height))
    return sum(-(-width // stride) * -(-height // stride) for stride in STRIDES)


def _detector(spec: TensorSpec, decoder: str, classes: int, units: str, doubt: str) -> _Task:
    note = (
        f"task: detection, decoder {decoder}, {classes} classes, boxes in {units}, from output '{spec.name}' "
        f"{list(spec.shape)}; {doubt}name the classes"
    )
    options = {"decoder": decoder, "units": units, "classes": _names(classes)}
    return _Task("detection", note, options, "detections", spec.name)


def _names(classes: int) -> list[str]:
    return [f"class_{index}" for index in range(classes)]


def _input_fields(image: _Image, task: _Task) -> tuple[dict[str, Any], list[str]]:
    """The [input] table, and the sentences about it."""
    side = DETECTION_SIDE if task.name == "detection" else PLAIN_SIDE
    width, height = (size if size > 0 else side for size in (image.width, image.height))
    resize = "letterbox" if task.name == "detection" else "stretch"
    colour = COLOURS[image.channels]
    notes = [f"input '{image.spec.name}': {width} x {height} {colour}, {image.layout}, resize by {resize}"]
    if -1 in image.spec.shape:
        notes.append(
            f"the file leaves sizes open ({list(image.spec.shape)}): batch 1 and {width} x {height} are a choice"
        )
    fields = {"name": image.spec.name, "width": width, "height": height, "layout": image.layout, "colour": colour}
    scaling, note = _scaling(image.spec)
    return {**fields, "resize": resize, **scaling, "dtype": image.spec.dtype}, [*notes, note]


def _scaling(spec: TensorSpec) -> tuple[dict[str, Any], str]:
    """scale, mean and std: pixels to 0..1, or to the range of an integer input."""
    if spec.dtype == "uint8" and spec.scale is None:
        return {}, "pixels go in raw, 0 to 255, because the input is uint8"
    if spec.dtype == "int8" and spec.scale is None:
        return {"scale": 1.0, "mean": [128.0], "std": [1.0]}, "pixels go in as value - 128, because the input is int8"
    note = "pixels go in as value / 255: scale 255, mean 0, std 1; put in the mean and std of the training"
    return {"scale": 255.0, "mean": [0.0], "std": [1.0]}, note


def _extra(spec: TensorSpec, where: str) -> ExtraInput:
    if spec.dtype not in EXTRA_DTYPES or 0 in spec.shape:
        what = f"the input '{spec.name}' {spec.dtype} {list(spec.shape)} cannot be filled with a constant"
        raise ConfigError(what, where=where, remedy=f"known dtypes: {', '.join(EXTRA_DTYPES)}; sizes of at least 1")
    return ExtraInput(spec.name, tuple(max(size, 1) for size in spec.shape), spec.dtype, 0.0)
