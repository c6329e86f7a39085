"""What came of a recipe, with all that is needed to make it again and to know that it is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__, variants
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.modelfile import inspect_model
from harness.optimise.journal import digest, file_digest
from harness.variants import Recipe

LIBRARIES = (
    "onnxruntime", "onnx", "onnxslim", "onnxscript", "nncf", "torch", "torchao", "torch-pruning", "executorch",
    "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "numpy",
)  # fmt: skip
TECHNIQUES_HOME = Path(variants.__file__).parent


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """One file of a new variant."""

    path: str
    sha256: str
    size_bytes: int

    @classmethod
    def read(cls, path: Path) -> MadeFile:
        """As it is now; OSError where it cannot be read."""
        return cls(path=str(path.absolute()), sha256=file_digest(path), size_bytes=path.stat().st_size)

    @classmethod
    def of_parent(cls, path: Path, form: str) -> MadeFile:
        """The same, its hash over the weights too that an ONNX file may have beside it."""
        found = cls.read(path)
        with suppress(HarnessError):  # a damaged file is told where it is measured
            if form == "onnx":
                return replace(found, sha256=inspect_model(path).model_sha256)
        return found

    @property
    def whole(self) -> bool:
        """True where it still is what it was."""
        try:
            return file_digest(Path(self.path)) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class MadeVariant:
    """What came of a candidate. files, failures: by format. facts: the technique's own. reason: why there are none."""

    files: Mapping[str, MadeFile] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def unchanged(self) -> bool:
        """True where the technique found nothing to do: the files are those of its parent."""
        return self.facts.get("changed") is False


def made_from(raw: Mapping[str, Any]) -> MadeVariant:
    """What `asdict` gave."""
    return MadeVariant(**{**raw, "files": {form: MadeFile(**one) for form, one in raw["files"].items()}})


def write_recipe(path: Path, recipe: Recipe, parents: Mapping[str, MadeFile], found: MadeVariant) -> None:
    """All that is needed to make the files again, and to know that they are the same; no date, so that it is too."""
    said = {
        "recipe": asdict(recipe), "key": recipe.key, "harness": __version__, "libraries": libraries(),
        "parent_sha256": {form: one.sha256 for form, one in parents.items()},
        "files": {form: {"name": Path(one.path).name, "sha256": one.sha256, "size_bytes": one.size_bytes}
                  for form, one in found.files.items()},
        "facts": found.facts, "failures": found.failures,
    }  # fmt: skip
    write_atomically(path, json.dumps(said, indent=1, sort_keys=True, default=str) + "\n", option="--out")


def libraries() -> dict[str, str]:
    """The versions of the installed libraries that make variants."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def techniques_digest(home: Path = TECHNIQUES_HOME) -> str:
    """A hash of every source below `home`, in whatever room, and of its place there: all decide what a recipe makes."""
    return digest({path.relative_to(home).as_posix(): file_digest(path) for path in home.rglob("*.py")})
