"""Which data sets calibration and training frames are taken from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.datasets import checked_maker
from harness.errors import ConfigError
from harness.model import ModelCard
from harness.packing import Source
from harness.prepare import DEFAULT_DATASET, source_of

# How far apart the frames of the cabin are taken: no clip gives two calibration frames, and none shows all of them at
# the same place in time; training sees four of each clip.
CALIBRATION_STEP, TRAINING_STEP = 21, 5
SPLITS = {"calibration": "calibration", "training": "train"}
# What names files in the options of a data set, for the example in an error.
FILES = ("path", "images", "annotations", "labels")


def calibration_source(card: ModelCard, count: int) -> Source:
    """Where `count` calibration frames are spread over; ConfigError where the card does not say and it is no cabin."""
    return _source(card, "calibration", count * CALIBRATION_STEP)


def training_source(card: ModelCard, count: int) -> Source:
    """Where `count` training frames are spread over; ConfigError as above."""
    return _source(card, "training", count * TRAINING_STEP)


def truth_of(card: ModelCard, table: str) -> str:
    """By which truth the frames of [calibration] or [training] are labelled; empty for none."""
    return str(_own(card, table).get("truth", card.dataset.get("truth", "")))


def is_named(card: ModelCard, table: str) -> bool:
    """Whether [calibration] or [training] names a data set, or needs none since it is the cabin."""
    return bool(_own(card, table)) or (card.dataset or DEFAULT_DATASET).get("kind", "cabin") == "cabin"


def _source(card: ModelCard, table: str, frames: int) -> Source:
    base, own = card.dataset or DEFAULT_DATASET, _own(card, table)
    if not is_named(card, table):
        raise _missing(card, table, base)
    kind = own.get("kind", base.get("kind", "cabin"))
    inherited = base if kind == base.get("kind", "cabin") else {}
    defaults = {"split": SPLITS[table], "frames": frames} if kind == "cabin" else {}
    chosen = {**inherited, **defaults, **own, "kind": kind}
    place = f"[{table}] dataset"
    try:
        found = source_of(card.model_copy(update={"dataset": chosen}))
        checked_maker(found.kind, found.options)
    except ConfigError as error:
        raise ConfigError(error.what, where=f"{card.folder / 'model.toml'}, {place}", remedy=error.remedy) from error
    return replace(found, table=place)


def _own(card: ModelCard, table: str) -> Mapping[str, Any]:
    found = card.calibration if table == "calibration" else card.training
    return found.dataset if found else {}


def _missing(card: ModelCard, table: str, base: Mapping[str, Any]) -> ConfigError:
    files = {key: f"{table}/{base[key]}" for key in FILES if key in base} or {"path": table}
    example = ", ".join(f"{key} = {json.dumps(value)}" for key, value in files.items())
    return ConfigError(
        f"the card does not say where {table} frames come from, and those of [dataset] are evaluated on",
        where=f"{card.folder / 'model.toml'}, [{table}]",
        remedy=f"put other recordings beside them and this line at the top of the card: "
        f"{table}.dataset = {{ {example} }}",
    )
