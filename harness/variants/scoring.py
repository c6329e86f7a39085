"""What a file answers for a set of frames, in this process and one thread, and how good that is.

    answers = predict(path, "onnxruntime", card, frames.tuning)
    score(answers, card, frames.tuning).value                  # in per cent
    loss(parents_answers, answers, card, frames.tuning)        # Parity: points, flips, slices
    loss_interval(parity)                                      # in points, 90 % two-sided

The same code as in a measured worker makes the input and reads the outputs, so the answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.accuracy import score_of
from harness.case import Array, Case, Job, Plan
from harness.errors import ConfigError, DatasetError, unknown
from harness.model import ModelCard
from harness.modelfile import ENDINGS
from harness.packing import Labelled
from harness.parity import Parity, compare_with_parent
from harness.pipeline import Pipeline
from harness.rules import decide
from harness.runtimes import FORMATS, open_runtime
from harness.stats.bounds import ALPHA
from harness.tasks import Geometry, Score, Task, open_task
from harness.variants.frames.frameset import FrameSet
from harness.variants.study.graphs import filled

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "onnxruntime": {"threads": 1},
    "openvino": {"threads": 1, "precision": "f32"},
    "litert": {"threads": 1},
    "executorch": {"threads": 1},
    "torch": {"threads": 1},
}
# Which engine scores a file of each format, where nobody says.
SCORED_BY = {"onnx": "onnxruntime", "tflite": "litert", "pte": "executorch", "pt2": "torch", "sim": "simulated"}
IN_PICTURE = Geometry(1.0, 1.0, 0.0, 0.0)
ANY_MARGIN = 0.01


def predict(
    path: Path, engine: str, card: ModelCard, frames: FrameSet, options: Mapping[str, Any] | None = None
) -> tuple[Array, ...]:
    """The prediction for each frame, as harness.tasks documents. options: the engine's; one thread where left out."""
    job = _job(path, engine, card, OPTIONS.get(engine, {}) if options is None else options)
    geometries = frames.geometries or (IN_PICTURE,) * len(frames)
    runtime = open_runtime(engine, job.model_path, job.options)
    runtime.prepare()
    with runtime:
        pipeline = Pipeline(job, runtime, task_of(card))
        feeds = filled(runtime.inputs, job.input, card, frames, job.model_path)
        return tuple(pipeline.post(runtime.infer(one), where) for one, where in zip(feeds, geometries, strict=True))


def score(predictions: Sequence[Array], card: ModelCard, frames: FrameSet) -> Score:
    """How good they are; DatasetError for frames without labels."""
    labelled = Labelled(folder=Path(), truths=_labels(frames), samples=frames.samples, of_frames=len(frames))
    return score_of(task_of(card), tuple(predictions), labelled)


def loss(
    parent_predictions: Sequence[Array], predictions: Sequence[Array], card: ModelCard, frames: FrameSet
) -> Parity:
    """What is lost against the parent on the same frames; DatasetError for frames without labels."""
    samples = frames.samples or ({},) * len(frames)
    return compare_with_parent(task_of(card), parent_predictions, predictions, _labels(frames), samples)


def loss_interval(parity: Parity, alpha: float = ALPHA) -> tuple[float, float]:
    """The interval of the loss in points that a verdict uses: each end is passed with a probability of `alpha`."""
    found = decide(parity.rule, {**parity.inputs, "margin": ANY_MARGIN, "alpha": alpha}).found
    return 100 * found.low, 100 * found.high


def task_of(card: ModelCard) -> Task:
    """The card's task."""
    return open_task(card.task_spec(), card.input_spec(""))


def format_of(path: Path, engine: str) -> str:
    """Which of the engine's formats the file is in, by its name; ConfigError where it is none."""
    if engine not in FORMATS:
        raise ConfigError(unknown("runtime", engine, FORMATS), where=str(path))
    found = next((one for one in FORMATS[engine] if path.name.lower().endswith(tuple(ENDINGS[one]) or f".{one}")), "")
    if not found:
        raise ConfigError(f"{engine} takes {', '.join(FORMATS[engine])} files", where=str(path))
    return found


def _job(path: Path, engine: str, card: ModelCard, options: Mapping[str, Any]) -> Job:
    form = format_of(path, engine)
    return Job(
        case=Case("host", card.name, path.stem, engine), plan=Plan(name="scoring", frames=0), engine=engine,
        options=options, model_path=str(path), model_sha256="", frames_path="", input=card.input_spec(form),
        task=card.task_spec(), outputs=card.outputs(form), extra_inputs=card.extra_input_list(),
    )  # fmt: skip


def _labels(frames: FrameSet) -> tuple[Array, ...]:
    if not frames.truths:
        raise DatasetError(f"the {frames.name} frames have no labels", remedy="score on labelled frames")
    return frames.truths
