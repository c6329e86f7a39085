"""What a training ends with: how well the net does in torch, what it costs, and its files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from harness.variants import Bench, Made, Recipe
from harness.variants.export import export
from harness.variants.export.equality import first_frames, net_answers
from harness.variants.frames.frameset import FrameSet
from harness.variants.libraries import library
from harness.variants.scoring import IN_PICTURE, score, task_of
from harness.variants.training.batches import Batches
from harness.variants.training.imitation import imitation
from harness.variants.training.nets import multiply_accumulates, one_thread, output_names, parameters

JUDGED_FRAMES = 500
BATCH = 50


def finished(net: Any, facts: dict[str, Any], recipe: Recipe, bench: Bench) -> Made:
    """The files of a trained net, with what was found out."""
    made = exported(net, recipe, bench)
    return replace(made, facts={**facts, "export": dict(made.facts)})


def exported(net: Any, recipe: Recipe, bench: Bench) -> Made:
    """The files that the target wants, and the exported program that an INT8 one for ExecuTorch is made of."""
    needed = ("pt2",) if "pte" in bench.formats and "pt2" not in bench.formats else ()
    return export(net, replace(bench, formats=(*bench.formats, *needed)), recipe.name)


def work_facts(parent: Any, net: Any, picture: Any) -> dict[str, Any]:
    """Multiplications and parameters of both."""
    shape = picture.shape[1:]
    return {
        "parent_macs": multiply_accumulates(parent, *shape), "macs": multiply_accumulates(net, *shape),
        "parent_parameters": parameters(parent), "parameters": parameters(net),
    }  # fmt: skip


def judged(net: Any, parent: Any, bench: Bench) -> dict[str, float]:
    """The loss that training makes small, and the accuracy in per cent where the tuning frames have labels."""
    frames = first_frames(bench.frames.tuning if bench.frames.tunable else bench.frames.calibration, JUDGED_FRAMES)
    with one_thread():
        found = {"imitation_loss": imitation_loss(net, parent, bench, frames)}
        if frames.truths:
            found["accuracy_percent"] = _accuracy_percent(net, bench, frames)
    return found


def imitation_loss(net: Any, parent: Any, bench: Bench, frames: FrameSet) -> float:
    """How far its answers are from the parent's, as harness.variants.training.imitation weighs them."""
    batches = Batches(pictures=frames.pictures, input=bench.card.input_spec("onnx"), size=BATCH, seed=0)
    loss_of = imitation(parent, batches, bench.card.task, low=False)
    parts = np.array_split(np.arange(len(frames)), -(-len(frames) // BATCH))
    with library("torch").no_grad():
        losses = [float(loss_of(net, batches.plain(rows))) * len(rows) for rows in parts]
    return round(sum(losses) / len(frames), 6)


def _accuracy_percent(net: Any, bench: Bench, frames: FrameSet) -> float:
    task, places = task_of(bench.card), frames.geometries or (IN_PICTURE,) * len(frames)
    answers = net_answers(net, output_names(bench), bench.card, frames)
    predictions = [task.post(dict(one), place) for one, place in zip(answers, places, strict=True)]
    return round(score(predictions, bench.card, frames).value, 2)
