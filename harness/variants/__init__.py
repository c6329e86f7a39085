"""Variants: from the files of one variant to those of another, the same each time for the same recipe and seed.

A technique is one function in one file, and one line in TECHNIQUES. It takes a Recipe and a Bench, writes model files
into the bench's folder, and says what it found out. Nothing here measures time on a device: `harness optimize` does,
through the pipeline that measures everything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import ConfigError
from harness.members import member
from harness.model import ModelCard
from harness.variants.frames import Frames

TECHNIQUES = {
    "simplified": "harness.variants.export.simplify:simplified",
    "half": "harness.variants.quantise.half:half",
    "static": "harness.variants.quantise.static:static",
    "dynamic": "harness.variants.quantise.dynamic:dynamic",
    "mixed": "harness.variants.quantise.mixed:mixed",
    "qat": "harness.variants.training.qat:quantisation_aware",
    "pruned": "harness.variants.training.pruning:pruned",
    "sparse": "harness.variants.training.pruning:sparse",
    "distilled": "harness.variants.training.distilling:distilled",
}
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one variant is made: plain values, so that it can be kept, hashed and repeated.

    name: the variant's. parent: the variant whose files are taken. options: the technique's own.
    """

    name: str
    technique: str
    parent: str = "fp32"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1

    @property
    def key(self) -> str:
        """A hash of all that the recipe says but its name."""
        said = {key: value for key, value in asdict(self).items() if key != "name"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a recipe. files: format -> file. failures: format -> the sentence why there is none.

    facts: what was found out on the way, plain JSON values with the unit in the name: node counts, the layers that
    stayed in float, the trace of a search.
    """

    files: Mapping[str, Path]
    facts: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a technique works with.

    card: the model. files: the parent's files by format. formats: those that the target's engines want.
    engines: of the target, by name, first the most wanted: they decide how integers are signed.
    folder: where new files go, called VARIANT.FORMAT. cache: what outlives a run (calibration ranges, checkpoints).
    frames: calibration, tuning and training frames, read when they are asked for. say: one line of progress.
    """

    card: ModelCard
    files: Mapping[str, Path]
    formats: tuple[str, ...]
    engines: tuple[str, ...]
    folder: Path
    cache: Path
    frames: Frames
    say: Say

    def parent(self, file_format: str) -> Path:
        """The parent's file of a format; ConfigError where it has none."""
        if file_format not in self.files:
            raise ConfigError(
                f"the parent has no {file_format} file, only {', '.join(sorted(self.files)) or 'none'}",
                where=f"{self.card.folder / 'model.toml'}, variants",
                remedy=f"export one and list it under files.{file_format}",
            )
        return self.files[file_format]

    def target(self, recipe: Recipe, file_format: str) -> Path:
        """Where the file of a new variant goes."""
        return self.folder / f"{recipe.name}.{file_format}"


class Technique(Protocol):
    """One way to make a variant."""

    def __call__(self, recipe: Recipe, bench: Bench) -> Made:
        """Write the files of the formats that both the parent and the target have; a format that fails is a sentence.

        HarnessError where none can be made at all.
        """
        ...


def technique(name: str) -> Technique:
    """The technique called `name`; ConfigError with the known ones otherwise."""
    found: Technique = member("technique", name, TECHNIQUES, "the recipe")
    return found
