"""Predictions over a whole labelled data set, kept under a hash of all that decides them."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from harness import tasks
from harness.case import Array, Job, pack_ragged, read_arrays, unpack_ragged
from harness.modelfile.pte import XNNPACK
from harness.packing import Labelled
from harness.profile import DeviceProfile
from harness.tasks import Score, Task
from harness.tasks.preprocess import RESIZER

_ORT_CPU = "CPUExecutionProvider"
_LIBRARY = re.compile(r"\.(so[.\d]*|dll)$")
PACKAGES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai-edge-litert",
    "executorch": "executorch",
    "torch": "torch",
    "simulated": "dms-harness",
}


def prediction_key(job: Job, profile: DeviceProfile) -> str:
    """The hash under which this job's predictions are kept; empty where they cannot be vouched for.

    They can where the worker runs in this interpreter, so that the engine's version and the CPU
    are known before it starts, and where all code is the harness's own.
    """
    engine = _engine_version(job)
    if profile.transport != "local" or profile.python or not engine or job.task.name == "custom":
        return ""
    parts = {
        "model": job.model_sha256,
        "engine": [job.engine, engine, dict(job.options)],
        "cpu": _cpu(),
        "frames": Path(job.labelled_path).name,
        "input": vars(job.input),
        "outputs": dict(job.outputs),
        "extra_inputs": [vars(one) for one in job.extra_inputs],
        "task": [job.task.name, dict(job.task.options)],
        "code": _device_code(),
        "resizer": RESIZER,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def load_predictions(cache: Path, key: str) -> tuple[Array, ...] | None:
    """Kept predictions, or None where there are none that can be read, or no key."""
    if not key:
        return None
    try:
        arrays = read_arrays(_path(cache, key))
        return unpack_ragged(arrays["values"], arrays["counts"])
    except (OSError, ValueError, KeyError):
        return None


def keep_predictions(cache: Path, key: str, predictions: tuple[Array, ...]) -> None:
    """Keep `predictions`, where there is a key; a reader sees the whole file or none."""
    if not key:
        return
    path = _path(cache, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.npz")
    values, counts = pack_ragged(predictions)
    np.savez(temporary, values=values, counts=counts)
    temporary.replace(path)


def score_of(task: Task, predictions: tuple[Array, ...], labelled: Labelled) -> Score:
    """The score of `predictions`, with how many frames it rests on and its share in each condition slice."""
    clips = [str(sample.get("clip", "")) for sample in labelled.samples]
    score = task.score(predictions, labelled.truths, clips if all(clips) else ())
    extras = {**score.extras, **_slices(score, labelled.samples)}
    return replace(score, frames=len(labelled.truths), of_frames=labelled.of_frames, extras=extras)


def _slices(score: Score, samples: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Per cent of right frames in each slice, for scores that are shares of frames."""
    if score.per_frame is None:
        return {}
    members: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        for condition, value in sample.get("slices", {}).items():
            members.setdefault(f"slice_{condition}_{value}_percent", []).append(index)
    return {name: 100 * float(np.mean(score.per_frame[indices])) for name, indices in sorted(members.items())}


def _path(cache: Path, key: str) -> Path:
    return cache / "predictions" / f"{key}.npz"


def _engine_version(job: Job) -> str:
    """Of the engine's package and of the one that it is asked to load; empty where these are not all that decides."""
    plugin = str(job.options.get("plugin", ""))
    try:
        known = " ".join(map(metadata.version, filter(None, [PACKAGES[job.engine], plugin])))
        return known if _packages_alone(job) and not any(_foreign(_texts(job.options), plugin)) else ""
    except (KeyError, metadata.PackageNotFoundError):
        return ""


def _packages_alone(job: Job) -> bool:
    """Whether the entry runs in its packages on the CPU: drivers, libraries and kept contexts have no version here."""
    options = {"providers": [_ORT_CPU], "target": "CPU", "device": "cpu", "backend": XNNPACK, **job.options}
    rules = {
        "onnxruntime": bool(options.get("plugin")) or list(options["providers"]) == [_ORT_CPU],
        "openvino": options["target"] == "CPU",
        "litert": not options.get("delegate"),
        "executorch": options["backend"] == XNNPACK,
        "torch": options["device"] == "cpu",
    }
    return rules.get(job.engine, True) and not options.get("context_cache")


def _foreign(texts: Iterable[str], plugin: str) -> Iterator[str]:
    """Those that name a file, or a library that is not the plug-in package's own."""
    own = {one.name for one in metadata.files(plugin) or ()} if plugin else set()
    yield from (one for one in texts if Path(one).is_file() or (_LIBRARY.search(one) and one not in own))


def _texts(value: Any) -> Iterator[str]:
    """All texts in nested options, but the names of options."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str) and value:
        yield value


def _cpu() -> Mapping[str, Any]:
    """What decides floating-point kernels: the CPU's model and features."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {"machine": platform.machine(), "processor": platform.processor()}
    wanted = ("model name", "flags", "Features", "CPU part")
    return {
        name.strip(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
        if name.strip() in wanted
    }


def _device_code() -> str:
    """A hash of the sources that turn a frame into a prediction."""
    folder = Path(inspect.getfile(tasks)).parent.parent
    digest = hashlib.sha256()
    for path in sorted([folder / "pipeline.py", *folder.glob("tasks/*.py"), *folder.glob("runtimes/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
