"""A model's folder: its card, the hash of every file, and what the recipes beside them tell."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.model import ModelCard, read_card
from harness.modelfile import OPAQUE, inspect_model, inspect_opaque

UNREADABLE = (HarnessError, OSError, ValueError)
MOST_RECIPE_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a variant. build: the hash that sessions tell; sha256: of the file alone. fault: why it is of no use.

    dtype: of most of its weights; "" where nobody can tell.
    """

    name: str
    form: str
    build: str = ""
    sha256: str = ""
    dtype: str = ""
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What VARIANT.recipe.json tells, as `harness optimize` writes it.

    techniques: the variant's own, then those of what it was made from. sha256: format -> hash of the file that was
    made. fault: why it cannot be believed.
    """

    name: str
    techniques: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""

    def tables(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every table of the facts, at whatever depth, with the key that it stands under."""
        found: list[tuple[str, Mapping[str, Any]]] = [("", self.facts)]
        for key, table in found:
            yield key, table
            found.extend((name, one) for name, one in table.items() if isinstance(one, Mapping))


@dataclass(frozen=True, kw_only=True)
class Folder:
    """shown: its path in the repository. files, recipes: by variant; a variant without a recipe file has none."""

    card: ModelCard
    shown: str
    files: Mapping[str, tuple[File, ...]]
    recipes: Mapping[str, Told]

    def builds(self, variant: str) -> frozenset[str]:
        """The hashes by which sessions name the files that the variant has now."""
        return frozenset(one.build for one in self.files[variant] if one.build)


def read_folder(folder: Path, within: Path) -> Folder:
    """What lies in a model's folder, which the repository has in `within`; ConfigError where its card is wrong."""
    card = read_card(folder)
    files = {variant: tuple(_file(card, variant, form) for form in one.files) for variant, one in card.variants.items()}
    told = {variant: _told(folder / f"{variant}.recipe.json", files[variant]) for variant in card.variants}
    recipes = {variant: one for variant, one in told.items() if one is not None}
    return Folder(card=card, shown=(within / folder.name).as_posix(), files=files, recipes=recipes)


def fault_of(error: Exception, folder: Path) -> str:
    """What is wrong, without the machine's own paths."""
    said = error.what if isinstance(error, HarnessError) else getattr(error, "strerror", None) or str(error)
    return said.replace(f"{folder}{os.sep}", "")


def _file(card: ModelCard, variant: str, form: str) -> File:
    name, path = card.variants[variant].files[form], card.file(variant, form)
    try:
        if form == "sim":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            return File(name=name, form=form, build=digest, sha256=digest)
        info = inspect_opaque(path, form) if form in OPAQUE else inspect_model(path.resolve())
    except UNREADABLE as error:
        return File(name=name, form=form, fault=fault_of(error, card.folder))
    return File(name=name, form=form, build=info.model_sha256, sha256=info.sha256, dtype=info.weight_dtype)


def _told(path: Path, files: tuple[File, ...]) -> Told | None:
    """None without such a file."""
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_RECIPE_BYTES:
            raise ValueError("it is too large")
        said = json.loads(path.read_text(encoding="utf-8"))
        chain = said["recipes"] if "recipes" in said else [said["recipe"]]
        found = Told(
            name=path.name, techniques=tuple(str(one["technique"]) for one in chain), facts=dict(said["facts"]),
            sha256={str(form): str(one["sha256"]) for form, one in said["files"].items()},
        )  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Told(name=path.name, fault=f"{path.name} cannot be read: {type(error).__name__}")
    return found if _is_of(found, files) else Told(name=path.name, fault=f"{path.name} is of other files than these")


def _is_of(told: Told, files: tuple[File, ...]) -> bool:
    """True where it made one of the files, and none of another content."""
    hashes = [(told.sha256[one.form], one.sha256) for one in files if one.form in told.sha256]
    return bool(hashes) and all(made == found for made, found in hashes)
