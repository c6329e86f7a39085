"""Several frames in one inference: what they cost in memory and time, and whether they are answered as one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.memory.files import with_batch
from harness.memory.measuring import Say, Wanted
from harness.memory.rows import Row
from harness.memory.workers import in_turn, place_of

BATCHES = (1, 2, 4, 8)
FIGURES = ("peak_memory_mb", "batch_p50_ms", "frame_p50_ms", "frame_cpu_p50_ms")
MB, MS = 1e6, 1e6
# Which engines open a batch by themselves; another one is given a file.
BY_OPTION = ("openvino", "litert")
ENGINES = ("onnxruntime", *BY_OPTION)
TOLERANCE = 0.01


def batch_rows(wanted: Wanted, runtime: str, say: Say, batches: Sequence[int] = BATCHES) -> list[Row]:
    """A row for each batch, the first of which is 1; empty for an engine of which it is not known how to open one."""
    if wanted.profile.engine(runtime) not in ENGINES:
        return []
    names = {f"batch {one}": one for one in batches}
    jobs = {name: partial(_job, wanted, runtime, batch, max(batches)) for name, batch in names.items()}
    told, reasons = in_turn(wanted, runtime, jobs, say)
    for name in [one for one in names if one not in reasons]:
        wrong = _unlike(*(_answers(wanted, runtime, one) for one in (name, "batch 1")))
        reasons |= {name: wrong} if wrong else {}
    return [
        Row(runtime=runtime, name=name, reason=reasons[name]) if name in reasons
        else Row(runtime=runtime, name=name, figures=_figures(told[name], batch))
        for name, batch in names.items()
    ]  # fmt: skip


def _figures(told: Sequence[Mapping[str, Any]], batch: int) -> dict[str, tuple[float, ...]]:
    wall_ms, cpu_ms = ([median(one[name]) / MS for one in told] for name in ("wall_ns", "cpu_ns"))
    peaks = [one["peak_bytes"] / MB for one in told if one["peak_bytes"] is not None]
    columns = (peaks, wall_ms, [one / batch for one in wall_ms], [one / batch for one in cpu_ms])
    return {name: tuple(one) for name, one in zip(FIGURES, columns, strict=True) if one}


def _job(wanted: Wanted, runtime: str, batch: int, most: int) -> dict[str, Any]:
    """most: how many frames a batch of one answers one by one."""
    engine, path = wanted.profile.engine(runtime), wanted.file(runtime)
    options = wanted.profile.engine_options(runtime)
    if batch > 1 and engine in BY_OPTION:
        options = {**options, "batch": batch}
    elif batch > 1:
        source, path = path, wanted.folder / "work" / f"batch-{batch}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        with_batch(source, path, batch)
    frames = [list(range(batch))] if batch > 1 else [[one] for one in range(most)]
    return {"kind": "batch", "engine": engine, "path": str(path.absolute()), "options": options, "frames": frames}


def _answers(wanted: Wanted, runtime: str, name: str) -> dict[str, Array]:
    with np.load(wanted.folder / "work" / place_of(runtime, name) / "answers.npz") as found:
        return {output: found[output].astype(np.float64) for output in found.files}


def _unlike(answers: Mapping[str, Array], alone: Mapping[str, Array]) -> str:
    """Why the answers to a batch are not those to its frames; empty where they are."""
    for name, values in answers.items():
        wanted = alone[name][: len(values)]
        if values.shape != wanted.shape or np.abs(values - wanted).max() > TOLERANCE * max(np.abs(wanted).max(), 1e-9):
            return EngineError(
                f"the output {name!r} for {len(values)} frames is not what it is for each of them alone",
                remedy="export the model with an open batch",
            ).sentence  # fmt: skip
    return ""
