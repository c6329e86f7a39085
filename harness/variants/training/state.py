"""Where a training stands, on disk: found again by all that decides its result, and whole or absent."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.variants import Bench, Say
from harness.variants.kept import key_of
from harness.variants.libraries import library
from harness.variants.training.courses import Course
from harness.variants.training.imitation import precision

FORM = 2
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


@dataclass(kw_only=True)
class Standing:
    """Steps taken, the points of the loss curve, the losses since its last point, and the seconds spent."""

    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    since: list[float] = field(default_factory=list)
    spent_s: float = 0.0


def state_path(bench: Bench, course: Course) -> Path:
    """Where the state of this training is kept: another parent, seed, option, precision or frame gives another file."""
    decides = {
        "form": FORM, "technique": course.technique, "made": dict(course.made), "steps": course.steps,
        "learning_rate": course.learning_rate, "batch": course.batch, "seed": course.seed,
        "mirrored": course.mirrored, "float32": course.float32, "precision": precision(),
        "parent": sha256(bench.parent("onnx").read_bytes()).hexdigest(),
        "frames": _content(bench.frames.training.pictures),
    }  # fmt: skip
    return bench.cache / "training" / f"{bench.card.name}-{course.technique}-{key_of(decides)}.pt"


def _content(pictures: Array) -> str:
    digest = sha256(repr(pictures.shape).encode())
    for picture in pictures:
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()


def resumed(path: Path, parts: Mapping[str, Any], say: Say) -> Standing:
    """Where an interrupted training stood, after its parts took up their state; the beginning where nothing is kept."""
    if not path.is_file():
        return Standing()
    try:
        state = library("torch").load(path, weights_only=True)
        for key in parts.keys() & state.keys():
            parts[key].load_state_dict(state[key])
        return Standing(**{key: state[key] for key in ("step", "curve", "since", "spent_s")})
    except UNREADABLE as error:
        say(f"{path.name} cannot be read ({type(error).__name__}): this training begins anew")
        return Standing()


def keep(path: Path, parts: Mapping[str, Any], stand: Standing) -> None:
    """Replace the kept state by this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    states = {key: part.state_dict() for key, part in parts.items()}
    try:
        library("torch").save({**vars(stand), **states}, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
