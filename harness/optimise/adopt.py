"""The chosen variant into the model's own folder and card, which a person then reviews like any other change."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path

from harness.config import check
from harness.errors import ConfigError, HarnessError
from harness.files import replace_in_order
from harness.model import ModelCard, read_card
from harness.optimise.cardtext import with_variant
from harness.optimise.journal import file_digest
from harness.optimise.made import MadeFile
from harness.optimise.results import Result
from harness.optimise.rows import LOSS, Row

CARD = "model.toml"


def adopt(result: Result, folder: Path, *, over: bool) -> str:
    """Write the best variant's files, its recipe and its table in the card, in this order; what was done, in words.

    folder: the model's. The card is read anew: hours may lie between. Nothing where no variant can be taken, or where
    the best one is an option of the engine. ConfigError where the card has a variant of that name and `over` is False,
    or cannot be edited as text.
    """
    card = read_card(folder)
    row = result.row(result.best.name) if result.best.found else None
    if row is None:
        return "no variant was written: none can be taken"
    if row.entry:
        return f"no variant was written: {row.runtime} is an entry for the device profile, with the parent's own file"
    files = proven_files(result, row.candidate)
    if _same(card, row.candidate, files):
        return f"variant {row.candidate} of {card.name} is in the card already, the very same files"
    if row.candidate in card.variants and not over:
        raise ConfigError(
            f"{card.name} has a variant {row.candidate!r} already", where=str(card.folder / CARD),
            remedy="--replace writes the new one in its place, --no-write leaves the card alone",
        )  # fmt: skip
    _write(result, card, row.candidate, files)
    return f"written: variant {row.candidate} of {card.name} ({', '.join(files)}), see {card.folder / CARD}"


def _same(card: ModelCard, name: str, files: Mapping[str, MadeFile]) -> bool:
    own = card.variants[name].files if name in card.variants else {}
    try:
        return own.keys() == files.keys() and all(
            file_digest(card.file(name, form)) == one.sha256 for form, one in files.items()
        )
    except OSError:
        return False


def proven_files(result: Result, candidate: str) -> dict[str, MadeFile]:
    """Format -> file: those of which every measured row is alive and proven within the loss; no other is handed on."""
    made = {form: MadeFile(**one) for form, one in result.made[candidate]["files"].items()}
    rows = [row for row in result.rows if row.candidate == candidate and row.file_format]
    tested = {row.file_format for row in rows if not row.reason}
    failed = {row.file_format for row in rows if not row.reason and not _proven(row)}
    return {form: one for form, one in made.items() if form in tested - failed}


def _proven(row: Row) -> bool:
    losses = row.gates_on(LOSS)
    return row.alive and bool(losses) and all(one.passed for one in losses)


def _write(result: Result, card: ModelCard, name: str, files: Mapping[str, MadeFile]) -> None:
    path = card.folder / CARD
    own = {form: f"{name}.{form}" for form in files}
    try:
        contents = {card.folder / own[form]: Path(one.path).read_bytes() for form, one in files.items()}
        text = with_variant(path.read_bytes().decode("utf-8"), name, own, result.parent, made_sentence(result, name))
        check(ModelCard, {**tomllib.loads(text), "name": card.name, "folder": card.folder}, path)
        recipe = json.dumps(recipe_told(result, name, files), indent=1, sort_keys=True, default=str) + "\n"
        replace_in_order({**contents, card.folder / f"{name}.recipe.json": recipe.encode(), path: text.encode()})
    except OSError as error:
        raise HarnessError(
            f"the variant cannot be written, and the card is as it was: {error.strerror or error}", where=str(path),
            remedy="free some space, or run it again if its files in the folder of the report are gone",
        ) from error  # fmt: skip
    except ValueError as error:
        raise ConfigError(
            f"the card cannot be edited as text: {error}", where=str(path),
            remedy="add the variant by hand; its files are in the folder of the report",
        ) from error  # fmt: skip


def made_sentence(result: Result, name: str) -> str:
    """How the variant was made, for the card."""
    recipe = result.made[name]["recipe"]
    options = ", ".join(f"{key} = {value}" for key, value in sorted(recipe["options"].items()))
    origin = "" if recipe["parent"] == result.parent else f", from {recipe['parent']}"
    command = shlex.join(["harness", "optimize", result.model, "--target", result.device])
    return f"{command}: {recipe['technique']} ({options}){origin}, seed {recipe['seed']}; see {name}.recipe.json"


def recipe_told(result: Result, name: str, files: Mapping[str, MadeFile]) -> dict[str, object]:
    """Recipe, seed, hashes, and what was measured of it when it was taken."""
    chain, parent = [result.made[name]["recipe"]], result.made[name]["recipe"]["parent"]
    while parent in result.made:
        chain.append(result.made[parent]["recipe"])
        parent = chain[-1]["parent"]
    return {
        "recipes": chain, "seed": result.seed, "harness": result.harness, "libraries": result.libraries,
        "files": {form: {"name": f"{name}.{form}", "sha256": one.sha256, "size_bytes": one.size_bytes}
                  for form, one in files.items()},
        "parent": result.parent, "device": result.device, "machine": result.machine,
        "facts": result.made[name]["facts"],
        "measured": [_figures(row) for row in result.rows if row.candidate == name and not row.reason],
    }  # fmt: skip


def _figures(row: Row) -> dict[str, object]:
    return {
        "runtime": row.runtime, "at": row.at, "frames": row.frames,
        "accuracy_percent": row.accuracy and row.accuracy.value, "loss_points": row.loss and row.loss.value,
        "loss_points_at_most": row.loss and row.loss.high, "frame_p50_ms": row.values.get("frame_p50_ms"),
        "speedup": row.speedup and row.speedup.value,
    }  # fmt: skip
