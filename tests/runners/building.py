"""The shipped reference runners as commands, and toy networks for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harness.runners

SOURCE = Path(harness.runners.__file__).with_name("reference.cpp")
PYTHON = (sys.executable, "-m", "harness.runners.reference")
MISBEHAVING = Path(__file__).with_name("misbehaving.py")


def cpp_runner(folder: Path) -> tuple[str, ...]:
    """The C++ runner, built in `folder` unless it is there; skipped, and said so, without a compiler."""
    program = folder / "reference-runner"
    if not program.exists():
        if shutil.which("g++") is None:
            pytest.skip("no g++ to build the reference runner in C++")
        built = subprocess.run(
            ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", str(program), str(SOURCE)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr
    return (str(program),)


def misbehaving(fault: str) -> tuple[str, ...]:
    """A runner that is right but for one thing."""
    return (sys.executable, "-I", "-S", str(MISBEHAVING), fault)


def toy_net(path: Path, dtype: str = "float32", shape: tuple[int, ...] = (1, 1, 12, 10), outputs: int = 5) -> str:
    """A toy network with weights by chance; an int8 one uses the whole range."""
    values = np.random.default_rng(3)
    count, whole = int(np.prod(shape)), dtype == "int8"
    weights = values.integers(-127, 128, (outputs, count)) if whole else values.normal(size=(outputs, count))
    bias = values.integers(-999, 999, outputs) if whole else values.normal(size=outputs)
    steps = (" 0.0078125 -3", " 0.021 5") if whole else ("", "")
    lines = [
        "toy 1",
        f"input image {dtype} {len(shape)} {' '.join(map(str, shape))}{steps[0]}",
        f"output scores {dtype} 2 1 {outputs}{steps[1]}",
        *(["weight_scale 0.0031"] if whole else []),
        "bias " + " ".join(map(str, bias)),
        *(f"row {count} {' '.join(map(str, row))}" for row in weights),
    ]
    path.write_text("\n".join(lines), encoding="ascii")
    return str(path)
