"""Engine files that trtexec built, kept with a fingerprint of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from harness.errors import EngineError
from harness.runtimes.sharedlibrary import find_library
from harness.runtimes.tensorrt_cache import model_sha256, sha256_of


@dataclass(frozen=True)
class BuiltEngine:
    """An engine file and what its build told. built_s: None where that is not known; built_here: in this very run.

    dla_pieces, gpu_layers: of a build for the DLA, how many pieces and layers went where.
    """

    path: str
    sha256: str = ""
    precision: str = ""
    built_s: Optional[float] = None
    built_here: bool = False
    dla_pieces: int = 0
    gpu_layers: int = 0


class EngineCache:
    """A folder with NAME.engine and NAME.json beside it; the name is a hash over model and fingerprint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def engine(
        self, model_path: str, fingerprint: Mapping[str, Any], build: Callable[[Path, Path], BuiltEngine]
    ) -> BuiltEngine:
        """The engine of this model and fingerprint, built where it is not there or not whole.

        build: writes the engine to its first argument, with a folder to work in. EngineError where it writes none.
        """
        whole = {**fingerprint, "model_sha256": model_sha256(Path(model_path)), "machine": _machine()}
        name = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
        sidecar = self._folder / f"{name}.json"
        return _kept(sidecar) or self._built(sidecar, whole, build)

    def _built(
        self, sidecar: Path, whole: Mapping[str, Any], build: Callable[[Path, Path], BuiltEngine]
    ) -> BuiltEngine:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=str(self._folder)) as folder:
            part = Path(folder) / "new.engine"
            built = build(part, Path(folder))
            if not part.is_file() or not part.stat().st_size:
                raise EngineError("trtexec said that it built the engine and wrote none", where=str(part))
            target = sidecar.with_suffix(".engine")
            built = replace(built, path=str(target), sha256=sha256_of(part), built_here=True)
            part.replace(target)
        # The sidecar comes last: an engine without it was not finished.
        sidecar.write_text(json.dumps({"fingerprint": whole, "engine": asdict(built)}, indent=1), encoding="utf-8")
        return built


def hashes_of_files(arguments: Sequence[str]) -> Dict[str, str]:
    """Of each file that an argument --name=FILE names by its path, or as the loader finds it."""
    named = [word.partition("=")[2] for word in arguments]
    paths = {one: Path(one) if os.path.isfile(one) else find_library(one) for one in named if one}
    return {one: sha256_of(path) for one, path in paths.items() if path}


def _kept(sidecar: Path) -> Optional[BuiltEngine]:
    try:
        told = json.loads(sidecar.read_text(encoding="utf-8"))["engine"]
        kept = BuiltEngine(**{**told, "path": str(sidecar.with_suffix(".engine")), "built_here": False})
        return kept if sha256_of(Path(kept.path)) == kept.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _machine() -> str:
    """Board, GPU and memory: an engine runs only on the kind that built it, and a home directory may be shared.

    Modules of one family differ in their memory only, and carrier boards of others do not name the module.
    """
    memory_gib = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    files = [Path("/proc/device-tree/model"), *sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    return " ".join([*filter(None, map(_first_line, files)), f"{memory_gib} GiB"])


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ").partition("\n")[0]
    except OSError:
        return ""
