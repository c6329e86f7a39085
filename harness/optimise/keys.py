"""What a step's result depends on: the keys under which the journal finds it again."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.accuracy import PACKAGES
from harness.errors import HarnessError
from harness.fingerprint import PROTOCOL
from harness.model import ModelCard
from harness.optimise.candidates import engines_of
from harness.optimise.journal import file_digest
from harness.optimise.made import MadeFile, libraries, techniques_digest
from harness.optimise.measuring import Subject
from harness.optimise.wanted import Wanted
from harness.packing import Source
from harness.prepare import source_of
from harness.profile import DeviceProfile
from harness.variants import Recipe
from harness.variants.frames.sources import calibration_source, training_source

Key = Mapping[str, Any]
NOT_OF_FILES = {"variants", "description", "folder", "budgets"}
NOT_OF_TIMES = {"variants", "description", "folder", "training", "calibration"}
DRAWN, EVALUATED = "cabin", "dataset"


def making_key(
    wanted: Wanted, card: ModelCard, recipe: Recipe, parents: Mapping[str, MadeFile], formats: tuple[str, ...],
    contents: Mapping[str, str],
) -> Key:  # fmt: skip
    """The recipe, what it starts from, the frames, and all code that carries it out."""
    return {
        "recipe": recipe.key, "parents": {form: one.sha256 for form, one in parents.items()}, "formats": formats,
        "engines": engines_of(wanted.profile), "card": card.model_dump(mode="json", exclude=NOT_OF_FILES),
        "harness": __version__, "techniques": techniques_digest(), "libraries": libraries(),
        "nets": dict(_net_sources(card, wanted.root)), "contents": dict(contents),
        "frames": wanted.plan.accuracy_frames,
    }  # fmt: skip


def measuring_key(
    wanted: Wanted, subject: Subject, sha256: Mapping[str, str], contents: Mapping[str, str]
) -> Key:  # fmt: skip
    """The files by their hashes, the frames, the device as its profile says, the plan, the engine, the machine."""
    frames = {EVALUATED: contents[EVALUATED]} if EVALUATED in contents else {}
    return {
        "files": dict(sha256), "case": subject.case.key, "reference": subject.reference and subject.reference.key,
        "profile": subject.profile.model_dump(mode="json"), "plan": asdict(wanted.plan),
        "card": subject.card.model_dump(mode="json", exclude=NOT_OF_TIMES), "loss_points": wanted.loss_points,
        "integer": subject.integer, "harness": __version__, "protocol": PROTOCOL,
        "engine": engine_version(subject.profile, subject.runtime), "machine": machine_of(subject.profile), **frames,
    }  # fmt: skip


def contents_of(card: ModelCard) -> dict[str, str]:
    """Table of the card -> a hash of the frames behind it, which may change under the same name.

    Not of those that are drawn, which the card and the harness decide, nor of those that cannot be read: whoever needs
    them says so.
    """
    found = {}
    for table, source in (
        (EVALUATED, source_of), ("calibration", lambda one: calibration_source(one, 1)),
        ("training", lambda one: training_source(one, 1)),
    ):  # fmt: skip
        with suppress(HarnessError):
            found.update(_content(table, source(card)))
    if card.calibration and card.calibration.tensors:
        with suppress(OSError):
            found["tensors"] = file_digest(card.folder / card.calibration.tensors)
    return found


def _content(table: str, source: Source) -> dict[str, str]:
    return {} if source.kind == DRAWN else {table: source.open().fingerprint}


def _net_sources(card: ModelCard, root: Path) -> Iterator[tuple[str, str]]:
    """The modules that the card's nets are made in, and a hash of each that is found as one file."""
    named = (card.training.net, card.training.student) if card.training else ()
    for module in dict.fromkeys(one.partition(":")[0] for one in named if one):
        places = (Path(base, *module.split(".")).with_suffix(".py") for base in (str(root), *sys.path))
        if found := next((one for one in places if one.is_file()), None):
            yield module, file_digest(found)


def engine_version(profile: DeviceProfile, runtime: str) -> str:
    """Of the engine's package here; empty where the worker has an interpreter of its own, which is not asked."""
    package = PACKAGES.get(profile.engine(runtime), "")
    try:
        return metadata.version(package) if package and not profile.python and not profile.remote else ""
    except metadata.PackageNotFoundError:
        return ""


def machine_of(profile: DeviceProfile) -> str:
    """What measures: this machine's processor, by name; the way to a board, which is what its profile knows of it."""
    if profile.remote:
        return f"{profile.transport} {profile.address}"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return f"{platform.machine()} {next(named, platform.processor())}"
