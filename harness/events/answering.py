"""Models on a clip, in this process: each frame is drawn once and shown to all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, Case, Job, Plan
from harness.datasets import Sample
from harness.datasets.cabin.parts import LOOKING_AWAY_DEG
from harness.errors import ConfigError, DatasetError, unknown
from harness.events import CLOSED, NO, NO_ANSWER, OFF_ROAD, PHONE, YES, Answers
from harness.events.clip import BehaviourClip
from harness.frames import Frame
from harness.model import ModelCard
from harness.pipeline import Pipeline
from harness.runtimes import open_runtime
from harness.tasks import open_task

ONE_THREAD: Mapping[str, Any] = {"threads": 1}
ROAD_DEG = np.zeros((1, 2))


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One file of a card."""

    card: ModelCard
    path: Path

    @property
    def truth(self) -> str:
        """What the model tells: the truth of its card's data set. ConfigError where that is no evidence."""
        name = str(self.card.dataset.get("truth", ""))
        if name not in READERS:
            raise ConfigError(unknown("truth that alarms can rest on", name, READERS), where=f"card {self.card.name}")
        return name


def variant_files(cards: Sequence[ModelCard], variant: str, form: str = "onnx") -> tuple[ModelFile, ...]:
    """The file of one variant of each card; ConfigError where a card has none."""
    for card in cards:
        files = card.variants[variant].files if variant in card.variants else {}
        if form not in files:
            raise ConfigError(f"{card.name} has no {form} file of {variant!r}", where=str(card.folder))
    return tuple(ModelFile(card=card, path=card.file(variant, form)) for card in cards)


def answer(
    clip: BehaviourClip, systems: Mapping[str, Sequence[ModelFile]], *, engine: str = "onnxruntime",
    options: Mapping[str, Any] = ONE_THREAD, say: Callable[[int], None] = lambda frame: None,
) -> dict[str, Answers]:  # fmt: skip
    """What each system, a name with its models, answers for every frame. say: told the frames that are done.

    A prediction that is not finite is no answer.
    """
    with ExitStack() as stack:
        opened = {name: [_open(one, engine, options, stack) for one in files] for name, files in systems.items()}
        shown = {
            name: {EVIDENCE_OF[one.truth]: np.full(len(clip), NO_ANSWER, np.int8) for one in files}
            for name, files in systems.items()
        }
        for index in range(len(clip)):
            sample = clip[index]
            for name, models in opened.items():
                for evidence, value in _answers(models, sample):
                    shown[name][evidence][index] = value
            say(index + 1)
    return {name: Answers(fps=clip.fps, evidence=evidence) for name, evidence in shown.items()}


@dataclass(frozen=True, kw_only=True)
class _Model:
    file: ModelFile
    pipeline: Pipeline


def _answers(models: Sequence[_Model], sample: Sample) -> Iterator[tuple[str, int]]:
    for one in models:
        truth, roi = one.file.truth, one.file.card.input.roi
        if roi is not None and roi not in sample.rois:
            raise DatasetError(unknown("region", roi, sample.rois), where=f"card {one.file.card.name}")
        feeds, geometry = one.pipeline.pre(Frame(sample.frame, sample.rois[roi] if roi else None))
        prediction = one.pipeline.post(one.pipeline.infer(feeds), geometry)
        if np.isfinite(prediction).all():
            yield EVIDENCE_OF[truth], YES if READERS[truth](prediction, one.file.card.options) else NO


def _open(file: ModelFile, engine: str, options: Mapping[str, Any], stack: ExitStack) -> _Model:
    card, form = file.card, file.path.suffix.removeprefix(".")
    job = Job(
        case=Case("host", card.name, file.path.stem, engine), plan=Plan(name="events", frames=0), engine=engine,
        options=options, model_path=str(file.path), model_sha256="", frames_path="", input=card.input_spec(form),
        task=card.task_spec(), outputs=card.outputs(form), extra_inputs=card.extra_input_list(),
    )  # fmt: skip
    runtime = open_runtime(engine, job.model_path, options)
    runtime.prepare()
    stack.enter_context(runtime)
    return _Model(file=file, pipeline=Pipeline(job, runtime, open_task(job.task, job.input)))


def _closed(scores: Array, options: Mapping[str, Any]) -> bool:
    return bool(options["classes"][int(scores.argmax())] == options.get("closed", "closed"))


def _away(angles_deg: Array, options: Mapping[str, Any]) -> bool:
    del options
    return float(math.hypot(*angles_deg[0])) > LOOKING_AWAY_DEG


def _on_phone(scores: Array, options: Mapping[str, Any]) -> bool:
    return bool(options["classes"][int(scores.argmax())] == "phone")


# The truth that a model is judged by -> how its prediction tells the evidence.
READERS: Mapping[str, Callable[[Array, Mapping[str, Any]], bool]] = {
    "eye_state": _closed, "gaze": _away, "distraction": _on_phone,
}  # fmt: skip
EVIDENCE_OF: Mapping[str, str] = {"eye_state": CLOSED, "gaze": OFF_ROAD, "distraction": PHONE}
