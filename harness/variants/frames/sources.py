"""Which data sets calibration and training frames are taken from."""

from __future__ import annotations

import json

from harness.errors import ConfigError
from harness.model import ModelCard
from harness.packing import Source
from harness.prepare import DEFAULT_DATASET, own_dataset, own_source

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
    return str(own_dataset(card, table).get("truth", card.dataset.get("truth", "")))


def is_named(card: ModelCard, table: str) -> bool:
    """Whether [calibration] or [training] names a data set, or needs none since it is the cabin."""
    return bool(own_dataset(card, table)) or (card.dataset or DEFAULT_DATASET).get("kind", "cabin") == "cabin"


def _source(card: ModelCard, table: str, frames: int) -> Source:
    if not is_named(card, table):
        raise _missing(card, table)
    try:
        return own_source(card, table, split=SPLITS[table], frames=frames)
    except ConfigError as error:
        raise error.placed(str(card.folder / "model.toml")) from error


def _missing(card: ModelCard, table: str) -> ConfigError:
    files = {key: f"{table}/{card.dataset[key]}" for key in FILES if key in card.dataset} or {"path": table}
    example = ", ".join(f"{key} = {json.dumps(value)}" for key, value in files.items())
    return ConfigError(
        f"the card does not say where {table} frames come from, and those of [dataset] are evaluated on",
        where=f"{card.folder / 'model.toml'}, [{table}]",
        remedy=f"put other recordings beside them and this line at the top of the card: "
        f"{table}.dataset = {{ {example} }}",
    )
