"""A recipe into files, in a process of its own: a crash of a converter costs its candidate and nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.agent import PROGRESS
from harness.errors import ConfigError, HarnessError, WorkerError, printable, unknown
from harness.following import Exit, follow
from harness.model import ModelCard
from harness.optimise.candidates import engines_of
from harness.optimise.made import MadeFile, MadeVariant, write_recipe
from harness.optimise.maker import ERROR, MADE
from harness.optimise.steps import Say
from harness.optimise.wanted import Wanted
from harness.variants import TECHNIQUES, Recipe
from harness.workers import death, environment, last_words, left_error

MAKER = "harness.optimise.maker"
CONFIDENCES = "harness.optimise.confident:confident"
LOG, SILENCE_S = "maker.log", 3600.0
SEE = f"see {LOG} in its folder of the report's variants"


def make(
    wanted: Wanted, card: ModelCard, recipe: Recipe, parents: Mapping[str, MadeFile], formats: tuple[str, ...], say: Say
) -> MadeVariant:  # fmt: skip
    """The files of a recipe with NAME.recipe.json beside them, in the model's folder for variants.

    parents: the parent's files by format. Nothing is raised but for a full disk: what fails is the `reason`.
    """
    folder = wanted.folder(card) / "variants" / recipe.name
    job = _job(wanted, card, function_of(recipe.technique), recipe, parents, formats)
    found = _done(wanted, folder, job, say)
    if not found.reason:
        write_recipe(folder / f"{recipe.name}.recipe.json", recipe, parents, found)
    return found


def told_confidences(
    wanted: Wanted, card: ModelCard, recipe: Recipe, files: Mapping[str, MadeFile], say: Say
) -> MadeVariant:
    """facts: what `confident` says of these files, by format; what fails is the `reason`."""
    folder = wanted.folder(card) / "confidence" / recipe.name
    return _done(wanted, folder, _job(wanted, card, CONFIDENCES, recipe, files, tuple(files)), say)


def _job(
    wanted: Wanted, card: ModelCard, function: str, recipe: Recipe, files: Mapping[str, MadeFile],
    formats: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    return {
        "function": function, "recipe": asdict(recipe), "card": str(card.folder.absolute()),
        "files": {form: one.path for form, one in files.items()}, "formats": formats,
        "engines": engines_of(wanted.profile), "cache": str(wanted.cache.absolute()),
        "frames": wanted.plan.accuracy_frames,
    }  # fmt: skip


def _done(wanted: Wanted, folder: Path, job: Mapping[str, Any], say: Say) -> MadeVariant:
    """In an empty folder of its own."""
    try:
        _lay_out(folder, job)
        return _carried_out(folder, wanted.root, say)
    except HarnessError as error:
        return MadeVariant(reason=error.sentence)


def function_of(technique: str) -> str:
    """ "module:function" of a technique; ConfigError with the known ones for none."""
    if technique not in TECHNIQUES:
        raise ConfigError(unknown("technique", technique, TECHNIQUES))
    return TECHNIQUES[technique]


def _lay_out(folder: Path, job: Mapping[str, Any]) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job, indent=1, sort_keys=True), encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"the folder for variants cannot be written: {error.strerror}", where=str(folder),
            remedy="free some space, or name another folder with --out",
        ) from error  # fmt: skip


def _carried_out(folder: Path, root: Path, say: Say) -> MadeVariant:
    ended = follow(
        [sys.executable, "-m", MAKER, str((folder / "job.json").absolute()), str(folder.absolute())],
        environment={**environment(folder, root.absolute(), own_python=False), "PYTHONHASHSEED": "0"},
        log=folder.absolute() / LOG, deadline_s=SILENCE_S, on_line=lambda line: _heard(line, say),
    )  # fmt: skip
    if ended.timed_out or ended.status or not (folder / MADE).is_file():
        raise _failure(folder, ended)
    said, files = _read(folder / MADE)
    if not files:
        raise HarnessError("; ".join(said["failures"].values()) or "no file was made, and nobody says why")
    return MadeVariant(files=files, facts=said["facts"], failures=said["failures"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, MadeFile]]:
    """What the process said, and the files that it says are there."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return said, {form: MadeFile.read(Path(file)) for form, file in said["files"].items()}
    except (OSError, ValueError) as error:
        raise WorkerError(f"what was made cannot be read: {error}", remedy=SEE) from error


def _heard(line: str, say: Say) -> bool:
    """Any word of progress is a sign of life; so is a library's own talk."""
    if line.startswith(PROGRESS):
        try:
            say(f"    {printable(json.loads(line[len(PROGRESS) :])['say'])}")
        except (ValueError, KeyError, TypeError):
            return False
    return True


def _failure(folder: Path, ended: Exit) -> HarnessError:
    if ended.timed_out:
        return WorkerError(f"making it gave no sign of life for {SILENCE_S:g} s and was ended", remedy=SEE)
    if (folder / ERROR).is_file():
        return left_error(folder / ERROR, where="", remedy="")
    return WorkerError(f"{death(ended.status, 'making it')}{last_words(folder / LOG)}", remedy=SEE)
