"""Distillation: a net learns to answer as its parent does, without labels; seeded, and resumable.

Both see the same picture, with another exposure and noise in every step. The same machine, versions and seed give the
same weights: one thread, and every step draws from its own numbers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigError
from harness.variants import Bench
from harness.variants.libraries import library
from harness.variants.training.batches import Batches
from harness.variants.training.courses import Course
from harness.variants.training.imitation import Imitation, imitation, precision
from harness.variants.training.nets import one_thread
from harness.variants.training.state import Standing, keep, resumed, state_path

CHECKPOINT_STEPS = 50
CURVE_POINTS = 20
MOST_GRADIENT = 5.0
WARM_SHARE = 0.2
WEIGHT_DECAY = 0.01


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A net that has learned. curve: step, mean loss since the point before. spent_s: by the wall clock, over all
    interrupted parts.
    """

    net: Any
    curve: tuple[tuple[int, float], ...]
    spent_s: float
    precision: str

    @property
    def facts(self) -> dict[str, Any]:
        """How it went, as plain values."""
        return {
            "training_steps": self.curve[-1][0],
            "training_spent_s": round(self.spent_s, 1),
            "training_precision": self.precision,
            "training_loss_curve": [[step, round(loss, 6)] for step, loss in self.curve],
        }


def distil(student: Any, teacher: Any, bench: Bench, course: Course) -> Trained:
    """`student` after learning from `teacher` on the training frames; from the cache where it once did.

    ConfigError where there are no frames.
    """
    frames = bench.frames.training
    if not len(frames):
        raise ConfigError("there is no training frame", where=f"{bench.card.folder / 'model.toml'}, [training]")
    batches = batches_of(bench, size=course.batch, seed=course.seed, mirrored=course.mirrored)
    run = _Run(bench=bench, course=course, path=state_path(bench, course), student=student, batches=batches)
    torch, nets = library("torch"), (student, teacher)
    with one_thread():
        for net in nets:
            net.to(memory_format=torch.channels_last)
        trained = _continued(run, teacher)
        for net in nets:
            net.to(memory_format=torch.contiguous_format)
    return trained


def batches_of(bench: Bench, **how: Any) -> Batches:
    """The training frames, ready to be shown."""
    return Batches(pictures=bench.frames.training.pictures, input=bench.card.input_spec("onnx"), **how)


def plain_batch(bench: Bench, count: int = 64) -> Any:
    """Some training frames spread evenly, as they are."""
    batches = batches_of(bench, size=count, seed=0)
    return batches.plain(np.linspace(0, len(batches.pictures) - 1, count).astype(int))


@dataclass(frozen=True, kw_only=True)
class _Run:
    bench: Bench
    course: Course
    path: Path
    student: Any
    batches: Batches


def _continued(run: _Run, teacher: Any) -> Trained:
    course, parts = run.course, _parts(run)
    stand = resumed(run.path, parts, run.bench.say)
    if stand.step < course.steps:
        _set_training(run.student, True)
        _steps(run, imitation(teacher, run.batches, run.bench.card.task, low=not course.float32), parts, stand)
    _set_training(run.student, False)
    return Trained(
        net=run.student, curve=tuple((int(step), float(loss)) for step, loss in stand.curve), spent_s=stand.spent_s,
        precision="float32" if course.float32 else precision(),
    )  # fmt: skip


def _parts(run: _Run) -> dict[str, Any]:
    optim, course = library("torch").optim, run.course
    optimiser = optim.AdamW(run.student.parameters(), lr=course.learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimiser, course.learning_rate, total_steps=course.steps, pct_start=WARM_SHARE
    )
    return {"net": run.student, "optimiser": optimiser, "schedule": schedule}


def _steps(run: _Run, loss_of: Imitation, parts: Mapping[str, Any], stand: Standing) -> None:
    course, before_s, began = run.course, stand.spent_s, time.monotonic()
    for step in range(stand.step + 1, course.steps + 1):
        stand.since.append(_step(parts, loss_of(run.student, run.batches(step - 1))))
        stand.step, last = step, step == course.steps
        if last or step % max(1, course.steps // CURVE_POINTS) == 0:
            stand.curve.append((step, float(np.mean(stand.since))))
            stand.since.clear()
        if last or step % CHECKPOINT_STEPS == 0:
            stand.spent_s = before_s + time.monotonic() - began
            keep(run.path, {"net": run.student} if last else parts, stand)
            run.bench.say(_progress(run, stand))


def _step(parts: Mapping[str, Any], loss: Any) -> float:
    optimiser = parts["optimiser"]
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    library("torch").nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], MOST_GRADIENT)
    optimiser.step()
    parts["schedule"].step()
    return float(loss.item())


def _set_training(net: Any, wanted: bool) -> None:
    """As net.train(wanted), which an exported graph refuses: how its layers behave was fixed at export."""
    for module in net.modules():
        module.training = wanted


def _progress(run: _Run, stand: Standing) -> str:
    left_s = stand.spent_s / stand.step * (run.course.steps - stand.step)
    loss = np.mean(stand.since) if stand.since else stand.curve[-1][1]
    place = f"{run.bench.card.name} {run.course.technique}: step {stand.step} of {run.course.steps}"
    return f"{place}, loss {loss:.4f}, {left_s / 60:.1f} min left"
