"""CascadeCard: how models are chained; read from suites/pipelines/NAME/pipeline.toml. From it and the models' Jobs a
CascadeJob is made.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.camera import Arrivals
from harness.cascade import BOX_TASKS, SERIAL, TASK, CascadeJob, Crop, Execution, Stage
from harness.cascade.graph import ordered
from harness.case import Job, Plan, TaskSpec
from harness.config import Schema, check, read_toml
from harness.errors import ConfigError, unknown
from harness.eventtables import EventLimits, FilterTable
from harness.model import ModelCard, find_cards
from harness.profile import NAME, Limit

FILE = "pipeline.toml"
VARIANT = "cascade"
Margin = Annotated[float, Field(gt=-1, le=100)]
Margins = tuple[Margin, Margin, Margin, Margin]


class Camera(Schema):
    """[camera]: when frames come. timestamps: of a recording, in ns, instead of fps."""

    fps: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    policy: Literal["queue", "drop-stale", "block"] = "drop-stale"
    timestamps: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _goes_forward(self) -> Camera:
        for number, (one, other) in enumerate(pairwise(self.timestamps), 1):
            wrong = f"camera.timestamps: number {number} is {other} and the one before is {one}: time goes forward only"
            _refuse(other <= one, wrong)
        both = bool(self.timestamps) and "fps" in self.model_fields_set
        _refuse(both, "camera.fps and camera.timestamps: give one of them")
        _refuse(len(self.timestamps) == 1, "camera.timestamps: give two or more")
        return self


class CropTable(Schema):
    """crop = {...}: a box of the stage `stage`. label: a class of its model. margin: left, top, right, bottom in widths
    and heights of the box, or one number for all sides; a negative one cuts.
    """

    stage: str
    box: Literal["largest", "best"] = "largest"
    label: str = ""
    margin: Margins | Margin = 0.0

    @model_validator(mode="after")
    def _leaves_something(self) -> CropTable:
        left, top, right, bottom = self.margins
        nothing = left + right <= -1 or top + bottom <= -1
        _refuse(nothing, f"crop.margin = {list(self.margins)}: nothing is left of the box")
        return self

    @property
    def margins(self) -> Margins:
        """Left, top, right, bottom."""
        return self.margin if isinstance(self.margin, tuple) else (self.margin,) * 4


class StageTable(Schema):
    """[[stages]]: one model. after: the stages that it waits for; the crop's own is one of them without being named.

    every: it runs on each n-th frame, and its answer holds in between.
    """

    name: str
    model: str
    variant: str = "int8"
    after: tuple[str, ...] = ()
    crop: CropTable | None = None
    every: Annotated[int, Field(ge=1)] = 1

    @property
    def needs(self) -> tuple[str, ...]:
        """All that it waits for."""
        crop = (self.crop.stage,) if self.crop else ()
        return tuple(dict.fromkeys((*crop, *self.after)))


class ExecutionTable(Schema):
    """[execution]: how frames go through the stages; streams: how many whole cascades, for the mode of that name."""

    mode: Literal["serial", "stages", "steps", "streams"] = "serial"
    streams: Annotated[int, Field(ge=1, le=64)] = 2


class CascadeCard(Schema):
    """One cascade. `folder` is where the card stands; its name is the cascade's. dataset: of its camera frames."""

    name: str = ""
    folder: Path = Path()
    description: str = ""
    camera: Camera = Field(default_factory=Camera)
    stages: tuple[StageTable, ...]
    execution: ExecutionTable = Field(default_factory=ExecutionTable)
    dataset: Mapping[str, Any] = {}
    budgets: Mapping[str, Limit] = {}
    filter: FilterTable | None = None
    events: EventLimits = Field(default_factory=EventLimits)

    @model_validator(mode="after")
    def _hangs_together(self) -> CascadeCard:
        _refuse(not self.stages, "stages is empty: a cascade has at least one")
        names = [one.name for one in self.stages]
        for name, count in Counter(names).items():
            _refuse(not NAME.fullmatch(name), f"stages: name = {name!r}: use letters, digits, . _ -")
            _refuse(count > 1, f"stages: {count} are called {name!r}: give each a name of its own")
        for number, one in enumerate(self.stages):
            for place, needed in (("crop.stage", (one.crop.stage,) if one.crop else ()), ("after", one.after)):
                for name in needed:
                    lost = name not in names
                    _refuse(lost, f"stages.{number} ({one.name}).{place}: {unknown('stage', name, names)}")
        ordered(self.needs)
        return self

    def arrivals(self) -> Arrivals:
        """When its camera's frames come."""
        return Arrivals(fps=self.camera.fps, policy=self.camera.policy, timestamps=self.camera.timestamps)

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Of each stage those that it comes after, as the card lists them."""
        return {one.name: one.needs for one in self.stages}

    @property
    def in_order(self) -> tuple[StageTable, ...]:
        """The stages, each behind all that it needs."""
        by_name = {one.name: one for one in self.stages}
        return tuple(by_name[name] for name in ordered(self.needs))


def read_cascade(path: Path) -> CascadeCard:
    """The card `path`, a file or the folder that it stands in; ConfigError where it is missing or wrong."""
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ConfigError("no pipeline card here", where=str(file), remedy=f"a cascade's folder holds a {FILE}")
    tables = read_toml(file)
    name = file.parent.name
    if not NAME.fullmatch(name):
        what = f"the folder's name {name!r} is the cascade's name: use letters, digits, . _ -"
        raise ConfigError(what, where=str(file))
    for key in ("name", "folder"):
        if key in tables:
            raise ConfigError(f"{key} does not belong in a card: the folder's name is the name", where=str(file))
    if "stages" not in tables:
        raise ConfigError("there are no stages", where=str(file), remedy="add a [[stages]] table for each model")
    return check(CascadeCard, {**tables, "name": name, "folder": file.parent}, file)


def models_of(card: CascadeCard, folder: Path) -> dict[str, ModelCard]:
    """Stage name -> the card of its model in `folder`; ConfigError where a stage and its model do not fit."""
    cards = {one.name: find_cards([one.model], folder)[0] for one in card.stages}
    for number, stage in enumerate(card.stages):
        fault = _misfit(stage, cards)
        if fault:
            raise ConfigError(fault, where=f"{card.folder / FILE}, stages.{number} ({stage.name})")
    return cards


def cascade_job(
    card: CascadeCard,
    models: Mapping[str, ModelCard],
    jobs: Mapping[str, Job],
    frames_path: Path,
    plan: Plan,
    execution: Execution | None = None,
) -> CascadeJob:
    """What a worker carries out. jobs: stage name -> the Job of its model on its engine.

    frames_path: a pack of whole camera frames, instead of those of the jobs. execution: instead of the card's.
    """
    stages = tuple(_stage(one, models, replace(jobs[one.name], frames_path=str(frames_path))) for one in card.in_order)
    chosen = execution or Execution(card.execution.mode, card.execution.streams)
    each, first = [one.job for one in stages], stages[0].job
    return CascadeJob(
        case=replace(first.case, model=card.name, variant=variant_of(chosen.mode)), plan=plan, engine=first.engine,
        options=first.options, model_path=str(card.folder / FILE),
        model_sha256=_digest([[one.name, one.job.model_sha256] for one in stages]),
        weight_dtype=" ".join(sorted({one.weight_dtype for one in each})),
        file_bytes=sum(one.file_bytes for one in each), stateful=any(one.stateful for one in each),
        frames_path=str(frames_path), input=first.input, task=TaskSpec(TASK, _chained(stages, chosen)),
        telemetry=first.telemetry, stages=stages, execution=chosen,
    )  # fmt: skip


def variant_of(mode: str) -> str:
    """What a case of a cascade has in the place of a model's variant."""
    return VARIANT if mode == SERIAL else f"{VARIANT}-{mode}"


def _chained(stages: Sequence[Stage], execution: Execution) -> dict[str, Any]:
    """All that decides what a frame goes through, beside the models' files; plain, as JSON gives it back."""
    told = {
        one.name: {
            "model": one.job.case.model, "variant": one.job.case.variant, "after": one.after, "every": one.every,
            "crop": asdict(one.crop) if one.crop else None, "input": asdict(one.job.input),
            "task": asdict(one.job.task),
        }
        for one in stages
    }  # fmt: skip
    plain: dict[str, Any] = json.loads(json.dumps({"stages": told, "execution": asdict(execution)}))
    return plain


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _stage(table: StageTable, models: Mapping[str, ModelCard], job: Job) -> Stage:
    return Stage(table.name, job, table.needs, _crop(table.crop, models) if table.crop else None, table.every)


def _crop(table: CropTable, models: Mapping[str, ModelCard]) -> Crop:
    label = _classes(models[table.stage]).index(table.label) if table.label else None
    return Crop(table.stage, table.box, label, table.margins)


def _misfit(stage: StageTable, cards: Mapping[str, ModelCard]) -> str:
    model = cards[stage.name]
    if stage.variant not in model.variants:
        return f"model {model.name}: {unknown('variant', stage.variant, model.variants)}"
    if stage.crop is None:
        region = model.input.roi
        return f"model {model.name} looks at a region of the frame ({region}): give the stage a crop" if region else ""
    source = cards[stage.crop.stage]
    if source.task not in BOX_TASKS:
        return (
            f"crop: stage {stage.crop.stage!r} gives no boxes, its model {source.name} does {source.task}; "
            f"boxes come from {' and '.join(BOX_TASKS)}"
        )
    known = _classes(source)
    if stage.crop.label and stage.crop.label not in known:
        return f"crop.label: {unknown(f'class of {source.name}', stage.crop.label, known)}"
    return ""


def _classes(card: ModelCard) -> Sequence[str]:
    return tuple(card.options.get("classes", ()))


def _refuse(wrong: bool, sentence: str) -> None:
    if wrong:
        raise ValueError(sentence)
