"""ModelCard: what a model takes, gives and consists of; read from suites/models/NAME/model.toml.

docs/model-card.md explains every key.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.case import ExtraInput, InputSpec, TaskSpec
from harness.config import Schema, check, read_toml
from harness.errors import ConfigError, unknown
from harness.eventtables import FilterTable
from harness.modelfile import ENDINGS
from harness.profile import NAME, Limit
from harness.tasks import TASKS

Side = Annotated[int, Field(ge=1, le=16384)]
Layout = Literal["NCHW", "NHWC"]
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
FILE_FORMATS = tuple(ENDINGS)
TENSOR_ENDINGS = (".npz", ".npy")
FEWEST_FRAMES, CALIBRATION_FRAMES, MOST_FRAMES = 300, 400, 800


class Input(Schema):
    """[input]: how a camera frame becomes the image input."""

    name: str = ""
    width: Side
    height: Side
    layout: Layout = "NCHW"
    colour: Literal["gray", "rgb", "bgr"] = "gray"
    resize: Literal["stretch", "letterbox", "crop"] = "stretch"
    roi: str | None = None
    pad_value: Annotated[int, Field(ge=0, le=255)] = 114
    scale: Annotated[float, Field(gt=0)] = 255.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    dtype: Literal["float32", "float16", "uint8", "int8"] = "float32"


class Extra(Schema):
    """[extra_inputs.NAME]: a further input, filled with one constant."""

    shape: tuple[Annotated[int, Field(ge=1)], ...]
    dtype: Literal["float32", "float16", "float64", "uint8", "int8", "int32", "int64", "bool"] = "float32"
    value: float = 0.0


class Format(Schema):
    """[formats.NAME]: what differs in the files of one format."""

    input_name: str = ""
    layout: Layout | None = None
    outputs: Mapping[str, str] = {}


class Variant(Schema):
    """[variants.NAME]: the files of one variant, and how they were made."""

    files: Mapping[str, str]
    parent: str = ""
    made: str = ""


class Calibration(Schema):
    """[calibration]: the frames that ranges are fitted on. dataset: what differs from [dataset]; "" as its truth: none.

    tensors: an .npz or .npy file of ready input tensors to calibrate on instead. frames: how many are drawn.
    degraded_percent: of them that are blurred or darkened.
    """

    dataset: Mapping[str, Any] = {}
    tensors: str = ""
    frames: Annotated[int, Field(ge=FEWEST_FRAMES, le=MOST_FRAMES)] = CALIBRATION_FRAMES
    degraded_percent: Annotated[float, Field(ge=0, le=100)] = 0.0

    @model_validator(mode="after")
    def _says_something(self) -> Calibration:
        _refuse(not self.model_fields_set, f"[calibration] is empty: give {', '.join(type(self).model_fields)}")
        wrong = bool(self.tensors) and not self.tensors.lower().endswith(TENSOR_ENDINGS)
        _refuse(wrong, f"calibration.tensors = {self.tensors!r}: such a file ends with {' or '.join(TENSOR_ENDINGS)}")
        return self


class Training(Schema):
    """[training]: what a variant that is trained needs. net, student: functions that make the untrained torch modules.

    dataset: what differs from [dataset].
    """

    net: str = ""
    student: str = ""
    dataset: Mapping[str, Any] = {}

    @model_validator(mode="after")
    def _names_functions(self) -> Training:
        for key, name in (("net", self.net), ("student", self.student)):
            wrong = bool(name) and not FUNCTION.fullmatch(name)
            _refuse(wrong, f"training.{key} = {name!r}: write package.module:function")
        return self


class ModelCard(Schema):
    """One model. `folder` is where the card stands; file names are taken from there."""

    name: str = ""
    folder: Path = Path()
    description: str = ""
    task: str
    input: Input
    extra_inputs: Mapping[str, Extra] = {}
    formats: Mapping[str, Format] = {}
    stateful: bool = False
    options: Mapping[str, Any] = {}
    dataset: Mapping[str, Any] = {}
    calibration: Calibration | None = None
    training: Training | None = None
    variants: Mapping[str, Variant]
    budgets: Mapping[str, Limit] = {}
    filter: FilterTable | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> ModelCard:
        _refuse(self.task not in TASKS, unknown("task", self.task, TASKS))
        _refuse(not self.variants, "variants is empty: list at least one file")
        for name, variant in self.variants.items():
            _refuse(not NAME.fullmatch(name), f"variants.{name!r}: use letters, digits, . _ -")
            lost = variant.parent and variant.parent not in self.variants
            _refuse(bool(lost), f"variants.{name}.parent: {unknown('variant', variant.parent, self.variants)}")
            _refuse(variant.parent == name, f"variants.{name}.parent = {name!r}: a variant is not made from itself")
            _refuse(not variant.files, f"variants.{name}.files is empty: list at least one file")
            _refuse_formats(f"variants.{name}.files", variant.files)
            _refuse_endings(f"variants.{name}.files", variant.files)
        _refuse_formats("formats", self.formats)
        return self

    @property
    def labelled(self) -> bool:
        """True where the card says which truth of its data set the model is to be judged by."""
        return "truth" in self.dataset

    def input_spec(self, file_format: str) -> InputSpec:
        """The image input as the files of `file_format` take it."""
        form = self.formats.get(file_format, Format())
        fields = self.input.model_dump()
        fields["layout"] = form.layout or self.input.layout
        fields["name"] = form.input_name or self.input.name
        return InputSpec(**fields)

    def outputs(self, file_format: str) -> dict[str, str]:
        """The task's output name -> the tensor's name in files of `file_format`."""
        return dict(self.formats.get(file_format, Format()).outputs)

    def extra_input_list(self) -> tuple[ExtraInput, ...]:
        """The further inputs as the worker takes them."""
        return tuple(ExtraInput(name, one.shape, one.dtype, one.value) for name, one in self.extra_inputs.items())

    def task_spec(self) -> TaskSpec:
        """The task with its options."""
        return TaskSpec(self.task, dict(self.options))

    def file(self, variant: str, file_format: str) -> Path:
        """Where the file of a variant lies."""
        return self.folder / self.variants[variant].files[file_format]


def read_card(folder: Path) -> ModelCard:
    """The card in `folder`; ConfigError where it is missing or wrong."""
    path = folder / "model.toml"
    if not path.is_file():
        raise ConfigError("no model card here", where=str(path), remedy="harness add-model FILE makes one")
    tables = read_toml(path)
    if not NAME.fullmatch(folder.name):
        raise ConfigError(
            f"the folder's name {folder.name!r} is the model's name: use letters, digits, . _ -", where=str(path)
        )
    for key in ("name", "folder"):
        if key in tables:
            raise ConfigError(
                f"{key} does not belong in a card: the folder's name is the model's name", where=str(path)
            )
    return check(ModelCard, {**tables, "name": folder.name, "folder": folder}, path)


def find_cards(models: list[str], folder: Path) -> tuple[ModelCard, ...]:
    """The cards that `models` names (names in `folder`, or folders); all of `folder` where it is empty.

    ConfigError for a name that is none, a wrong card, or no card at all.
    """
    if not models:
        found = tuple(read_card(path.parent) for path in sorted(folder.glob("*/model.toml")))
        if not found:
            raise ConfigError("there is no model card", where=str(folder), remedy="harness add-model FILE makes one")
        return found
    cards = {card.folder.resolve(): card for name in models for card in _named(name, folder)}
    for first, second in itertools.combinations(cards.values(), 2):
        if first.name == second.name:
            raise ConfigError(
                f"two models are called {first.name!r}: {first.folder} and {second.folder}", where="--models",
                remedy="rename one of the folders, or measure them in two sessions",
            )  # fmt: skip
    return tuple(cards.values())


def _named(name: str, folder: Path) -> list[ModelCard]:
    if NAME.fullmatch(name) and (folder / name / "model.toml").is_file():
        return [read_card(folder / name)]
    if (Path(name) / "model.toml").is_file():
        return [read_card(Path(name).resolve())]
    if Path(name).is_file():
        remedy = f"harness add-model {name} makes a card for it"
        raise ConfigError(f"{name!r} is a file and no card", where="--models", remedy=remedy)
    if Path(name).is_dir():
        cards = [read_card(path.parent) for path in sorted(Path(name).resolve().glob("*/model.toml"))]
        if cards:
            return cards
    known = [path.parent.name for path in folder.glob("*/model.toml")]
    raise ConfigError(unknown("model", name, known), where=str(folder), remedy="--models takes names or folders")


def _refuse_formats(place: str, names: Iterable[str]) -> None:
    for name in names:
        _refuse(name not in FILE_FORMATS, f"{place}: {unknown('format', name, FILE_FORMATS)}")


def _refuse_endings(place: str, files: Mapping[str, str]) -> None:
    for name, file in files.items():
        wanted = ENDINGS[name]
        wrong = bool(wanted) and not file.lower().endswith(wanted)
        _refuse(wrong, f"{place}.{name} = {file!r}: files of this format end with {' or '.join(wanted)}")


def _refuse(wrong: bool, sentence: str) -> None:
    if wrong:
        raise ValueError(sentence)
