"""Engine files that were built here, each with NAME.json beside it: all that it depends on, and the hash of its bytes.

The name is a hash over the model, the options and the GPU; what else changed makes the engine be built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from harness.errors import EngineError, ModelFileError
from harness.modelfile import inspect_model
from harness.runtimes.cudart import Device
from harness.runtimes.sharedlibrary import find_library
from harness.runtimes.tensorrt_options import BuildOptions
from harness.runtimes.tensorrt_plan import REBUILD

CHUNK_BYTES = 2**20
# All Jetson Orins call their GPU "Orin", 8.7: the board, its processors and its memory tell them apart.
GPU = ("gpu", "compute_capability", "multiprocessors", "memory_gib", "board")
NAMED_BY = ("model_sha256", "options", *GPU)
# What a plan that was built elsewhere must have in common with this machine.
BOUND_TO = ("tensorrt", *GPU)
BOARD = "/proc/device-tree/model"
# Versions of the kernel's driver: of a card, and of a Jetson as a whole.
DRIVERS = ("/sys/module/nvidia/version", "/etc/nv_tegra_release")

Fingerprint = Dict[str, Any]


@dataclass(frozen=True)
class EngineFile:
    """An engine and what its build told. origin: "built" just now, "cache", or "file" as the card gives it.

    because: why it was built. dla_share, dla_pieces: layers that the DLA takes and in how many pieces; None where the
    build had no DLA, or is not known.
    """

    path: str
    origin: str = "file"
    sha256: str = ""
    because: str = ""
    build_ns: Optional[int] = None
    dla_share: Optional[float] = None
    dla_pieces: Optional[int] = None


def machine_of(version: str, device: Device) -> Fingerprint:
    """What of this machine an engine depends on."""
    return {"tensorrt": version, "gpu": device.name, "compute_capability": device.compute_capability,
            "multiprocessors": device.multiprocessors, "memory_gib": device.memory_gib, "board": _first_line(BOARD),
            "cuda_driver": device.cuda_driver, "cuda_runtime": device.cuda_runtime,
            "driver": next(filter(None, map(_first_line, DRIVERS)), "")}  # fmt: skip


def fingerprint_of(machine: Fingerprint, model_path: str, options: BuildOptions) -> Fingerprint:
    """All that an engine depends on; files that the options name count by their content."""
    named = [options.calibration, *options.plugins]
    return json_values({
        **machine, "model_sha256": model_sha256(Path(model_path)), "options": asdict(options),
        "files": {name: content_sha256(_path_of(name)) for name in named if name},
    })  # fmt: skip


def gpu_words(machine: Fingerprint) -> str:
    """What tells one GPU from another, as part of a file name."""
    return re.sub(r"[^\w.]+", "_", "-".join(str(machine[key]) for key in GPU)).strip("_")


class EngineCache:
    """One engine of `folder`, by its fingerprint."""

    def __init__(self, folder: str, fingerprint: Fingerprint) -> None:
        named = {key: fingerprint[key] for key in NAMED_BY}
        name = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]
        self.folder, self._fingerprint = Path(os.path.abspath(os.path.expanduser(folder))), fingerprint
        self._engine = self.folder / f"{name}.engine"
        self._sidecar = sidecar_of(self._engine)

    def found(self) -> Tuple[Optional[EngineFile], str]:
        """The engine, or why it has to be built."""
        if not self._sidecar.is_file():
            return None, "there was none"
        try:
            kept = read_sidecar(self._sidecar)
            whole = sha256_of(self._engine) == kept["engine"]["sha256"]
            engine = EngineFile(**{**kept["engine"], "path": str(self._engine), "origin": "cache", "because": ""})
            changed = next(differences(kept["fingerprint"], self._fingerprint), "")
        except (OSError, ValueError, KeyError, TypeError):
            return None, "the one that was there is damaged"
        return (None, changed) if changed else (engine, "") if whole else (None, "the one that was there is damaged")

    def keep(self, content: bytes, **told: Any) -> EngineFile:
        """Write a new engine; the sidecar comes last, for an engine without it was not finished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        engine = EngineFile(str(self._engine), "built", hashlib.sha256(content).hexdigest(), **told)
        replace_file(self._engine, content)
        kept = {"fingerprint": self._fingerprint, "engine": asdict(engine)}
        replace_file(self._sidecar, json.dumps(kept, indent=1, sort_keys=True).encode())
        return engine


def engine_file(path: str, content: bytes, machine: Fingerprint) -> EngineFile:
    """An engine that the model card gives; EngineError where its sidecar tells of other bytes or another GPU."""
    sidecar, bare = sidecar_of(Path(path)), EngineFile(path, sha256=hashlib.sha256(content).hexdigest())
    if not sidecar.is_file():
        return bare
    try:
        kept = read_sidecar(sidecar)
        if not isinstance(kept, dict) or "fingerprint" not in kept:
            # Any other file of that name: metadata of the training, labels.
            return bare
        engine = EngineFile(**{**kept["engine"], "path": path, "origin": "file", "because": ""})
        bound = {key: kept["fingerprint"].get(key) for key in BOUND_TO}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"the engine's sidecar cannot be read: {error}"
        raise EngineError(what, where=str(sidecar), remedy="remove it, or build the engine again") from error
    refuse_other_bytes(engine, content)
    changed = next(differences(bound, {key: machine[key] for key in BOUND_TO}), "")
    if changed:
        raise EngineError(f"the engine was built elsewhere: {changed}", where=str(sidecar), remedy=REBUILD)
    return engine


def refuse_other_bytes(engine: EngineFile, content: bytes) -> None:
    """EngineError unless `content` is what was built."""
    if hashlib.sha256(content).hexdigest() != engine.sha256:
        raise EngineError(
            "the engine file is not the one that its sidecar tells of: it was cut off, changed or replaced",
            where=engine.path, remedy=REBUILD,
        )  # fmt: skip


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each key whose value changed."""
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield f"{key} was {old.get(key)!r} and is {new.get(key)!r}"


def sidecar_of(engine: Path) -> Path:
    """Where what an engine depends on is written."""
    return engine.with_suffix(".json")


def read_sidecar(path: Path) -> Dict[str, Dict[str, Any]]:
    """Its "fingerprint" and "engine"; OSError, ValueError or KeyError where it is damaged."""
    kept: Dict[str, Dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def replace_file(path: Path, content: bytes) -> None:
    """A reader sees the old file or the whole new one."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def model_sha256(path: Path) -> str:
    """Of an ONNX file and its external data; of the file alone where it is no ONNX, which TensorRT refuses."""
    try:
        return inspect_model(path).model_sha256
    except ModelFileError:
        return sha256_of(path)


def content_sha256(path: Path) -> str:
    """Of a file, or of all files of a folder with their names; empty where there is nothing."""
    if path.is_dir():
        digest = hashlib.sha256()
        for one in sorted(path.iterdir()):
            digest.update(f"{one.name} {sha256_of(one) if one.is_file() else ''}\n".encode())
        return digest.hexdigest()
    return sha256_of(path) if path.is_file() else ""


def sha256_of(path: Path) -> str:
    """Of a file; OSError where it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def json_values(value: Fingerprint) -> Fingerprint:
    """As it comes back from JSON: lists for tuples."""
    same: Fingerprint = json.loads(json.dumps(value))
    return same


def _path_of(name: str) -> Path:
    """A library may be named as the loader finds it."""
    return find_library(name) or Path(name)


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip("\0 ")
    except OSError:
        return ""
