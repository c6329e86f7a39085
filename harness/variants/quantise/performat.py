"""One recipe, one file for each format: what works is kept, what does not is a sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, HarnessError, unknown
from harness.members import member
from harness.variants import Bench, Made, Recipe

Written = tuple[Path, dict[str, Any]]


def by_format(recipe: Recipe, bench: Bench, writers: Mapping[str, str]) -> Made:
    """What the writers make, for each format that both the parent and the target have; facts by format.

    writers: format -> "module:function", which takes recipe and bench and gives the file and its facts. HarnessError,
    with all sentences, where no file was made.
    """
    files: dict[str, Path] = {}
    facts: dict[str, Any] = {}
    failures: dict[str, str] = {}
    for form in (one for one in bench.formats if one in bench.files):
        try:
            files[form], facts[form] = _written(recipe, bench, writers, form)
        except HarnessError as error:
            failures[form] = error.sentence
    if not files:
        raise _nothing(recipe, bench, failures)
    return Made(files=files, facts=facts, failures=failures)


def check_options(recipe: Recipe, known: Collection[str]) -> None:
    """ConfigError for an option that the technique does not have."""
    for name in recipe.options:
        if name not in known:
            raise ConfigError(unknown("option", name, known), where=f"recipe {recipe.name}, {recipe.technique}")


def _written(recipe: Recipe, bench: Bench, writers: Mapping[str, str], form: str) -> Written:
    if form not in writers:
        raise ConfigError(f"{recipe.technique} makes {', '.join(writers)} files", where=f"recipe {recipe.name}")
    found: Written = member("format", form, writers)(recipe, bench)
    return found


def _nothing(recipe: Recipe, bench: Bench, failures: Mapping[str, str]) -> HarnessError:
    told = "; ".join(f"{form}: {why}" for form, why in failures.items())
    have, taken = (", ".join(names) or "nothing" for names in (sorted(bench.files), bench.formats))
    return HarnessError(
        told or f"the parent and the target have no format in common: {have}, against {taken}",
        where=f"recipe {recipe.name}",
    )
