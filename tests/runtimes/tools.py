"""Stand-ins for vendors' command-line tools, installed as programs, and models that only they can run."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SHAPE = (1, 1, 20, 32)
TENSORS = {"inputs": {"image": {"shape": list(SHAPE)}}, "outputs": {"scores": {"shape": [1, 2]}}}


def installed(name: str, folder: Path, **environment: str) -> str:
    """The path of a program in `folder` that runs the stand-in `name`, with this environment and no shell between."""
    path = folder / name
    settings = " ".join(f"{key}='{value}'" for key, value in environment.items())
    path.write_text(f'#!/bin/sh\n{settings} exec {sys.executable} -S -E {HERE / f"standin_{name}.py"} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def model(folder: Path, name: str, tensors: object = TENSORS) -> str:
    """A file that stands for a model, with its tensors beside it where there are any."""
    path = folder / name
    path.write_text("a model")
    if tensors is not None:
        path.with_name(f"{name}.tensors.json").write_text(json.dumps(tensors))
    return str(path)


def frame(brightness: float) -> dict[str, np.ndarray]:
    return {"image": np.full(SHAPE, brightness, np.float32)}
