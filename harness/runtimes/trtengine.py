"""Engine files that trtexec built, kept with a fingerprint of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from harness.errors import EngineError

CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class BuiltEngine:
    """An engine file and what its build told. built_s: None where it was not built here.

    dla_pieces, gpu_layers: of a build for the DLA, how many pieces and layers went where.
    """

    path: str
    sha256: str = ""
    precision: str = ""
    built_s: Optional[float] = None
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
        whole = {**fingerprint, "model_sha256": _sha256(Path(model_path)), "machine": _machine()}
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
            built = replace(built, path=str(target), sha256=_sha256(part))
            part.replace(target)
        # The sidecar comes last: an engine without it was not finished.
        sidecar.write_text(json.dumps({"fingerprint": whole, "engine": asdict(built)}, indent=1), encoding="utf-8")
        return built


def _kept(sidecar: Path) -> Optional[BuiltEngine]:
    try:
        kept = BuiltEngine(**json.loads(sidecar.read_text(encoding="utf-8"))["engine"])
        return kept if _sha256(Path(kept.path)) == kept.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _machine() -> str:
    """Board and GPU: an engine runs only on the kind that built it, and a home directory may be shared."""
    files = [Path("/proc/device-tree/model"), *sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    return " ".join(words for words in map(_first_line, files) if words)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ").partition("\n")[0]
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
