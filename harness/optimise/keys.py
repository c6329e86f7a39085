"""What a step's result depends on: the keys under which the journal finds it again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.accuracy import PACKAGES
from harness.fingerprint import PROTOCOL
from harness.model import ModelCard
from harness.optimise.candidates import engines_of
from harness.optimise.made import MadeFile, libraries, techniques_digest
from harness.optimise.measuring import Subject
from harness.optimise.wanted import Wanted
from harness.profile import DeviceProfile
from harness.variants import Recipe

Key = Mapping[str, Any]
NOT_OF_FILES = {"variants", "description", "folder", "budgets"}
NOT_OF_TIMES = {"variants", "description", "folder", "training", "calibration"}


def making_key(
    wanted: Wanted, card: ModelCard, recipe: Recipe, parents: Mapping[str, MadeFile], formats: tuple[str, ...]
) -> Key:
    """The recipe, what it starts from, and all code that carries it out."""
    return {
        "recipe": recipe.key, "parents": {form: one.sha256 for form, one in parents.items()}, "formats": formats,
        "engines": engines_of(wanted.profile), "card": card.model_dump(mode="json", exclude=NOT_OF_FILES),
        "harness": __version__, "techniques": techniques_digest(), "libraries": libraries(),
    }  # fmt: skip


def measuring_key(wanted: Wanted, subject: Subject, sha256: Mapping[str, str]) -> Key:
    """The files by their hashes, the device as its profile says, the plan, the engine, the machine."""
    return {
        "files": dict(sha256), "case": subject.case.key, "reference": subject.reference and subject.reference.key,
        "profile": subject.profile.model_dump(mode="json"), "plan": asdict(wanted.plan),
        "card": subject.card.model_dump(mode="json", exclude=NOT_OF_TIMES), "loss_points": wanted.loss_points,
        "integer": subject.integer, "harness": __version__, "protocol": PROTOCOL,
        "engine": engine_version(subject.profile, subject.runtime), "machine": machine(),
    }  # fmt: skip


def engine_version(profile: DeviceProfile, runtime: str) -> str:
    """Of the engine's package here; empty where the worker has an interpreter of its own, which is not asked."""
    package = PACKAGES.get(profile.engine(runtime), "")
    try:
        return metadata.version(package) if package and not profile.python else ""
    except metadata.PackageNotFoundError:
        return ""


def machine() -> str:
    """This machine's processor, by name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return f"{platform.machine()} {next(named, platform.processor())}"
