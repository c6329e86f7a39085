"""Files of which only some layers are quantised, for searches that make many of them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import ConfigError, DatasetError
from harness.members import member
from harness.model import ModelCard
from harness.variants import Bench, Recipe
from harness.variants.frames import FrameSet, quiet
from harness.variants.kept import Kept, key_of
from harness.variants.onnxfile.prepare import prepare
from harness.variants.quantise import static
from harness.variants.quantise.performat import Written
from harness.variants.study.effects import Effect
from harness.variants.study.graphs import GraphLayer, graph_reader

PACKAGES = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-quantizer", "ai-edge-litert")}
"""Formats of which layers can be left in float, and what quantises and scores them."""
WRONG_FROM_THE_START = (ConfigError, DatasetError)
"""Errors that every file of a search would have; any other is one file's own."""


def formats_of(bench: Bench) -> tuple[str, ...]:
    """Of the formats in PACKAGES those that the target takes and the parent has; ConfigError for none."""
    found = tuple(one for one in bench.formats if one in PACKAGES and one in bench.files)
    if not found:
        raise ConfigError(
            f"layers can be left in float in {' and '.join(PACKAGES)} files; the parent has "
            f"{', '.join(sorted(bench.files)) or 'no file'}, and the target takes {', '.join(bench.formats) or 'none'}",
            where=str(bench.card.folder / "model.toml"), remedy="export the parent to a format that the target runs",
        )  # fmt: skip
    return found


def quantisable(recipe: Recipe, bench: Bench, file_format: str) -> tuple[GraphLayer, ...]:
    """The layers to choose from, in graph order, without those that the recipe excludes from the start.

    ConfigError where there is none.
    """
    source = bench.parent(file_format)
    layers = _as_quantised(source, file_format)
    excluded = set(recipe.options.get("exclude", ()))
    found = tuple(one for one in layers if one.quantisable and not {one.name, one.tensor} & excluded)
    if not found:
        operators = ", ".join(sorted({one.operator for one in layers})) or "nothing"
        raise ConfigError(f"there is no layer to quantise among {operators}", where=str(source))
    return found


def quantised(recipe: Recipe, bench: Bench, file_format: str, floats: Collection[str], folder: Path) -> Written:
    """A file in `folder` with all layers in INT8 but `floats` and those that the recipe excludes.

    Raises what the static quantisation raises.
    """
    make = member("format", file_format, static.WRITERS)
    part = replace(recipe, technique="static", options={**_of_static(recipe), "exclude": _excluded(recipe, floats)})
    # Whoever makes many files says what is going on.
    found: Written = make(part, replace(bench, folder=folder, say=quiet))
    return found


def kept_results(what: str, recipe: Recipe, bench: Bench, file_format: str) -> Kept:
    """Where results are kept that hold for this parent, these frames, these options and these packages."""
    decides = {
        "parent": hashlib.sha256(bench.parent(file_format).read_bytes()).hexdigest(),
        "frames": [bench.frames.calibration.key, bench.frames.tuning.key, *_labels(bench.frames.tuning)],
        "card": _of_card(bench.card, file_format),
        "options": {**_of_static(recipe), "exclude": _excluded(recipe)},
        "packages": [__version__, *(f"{name} {metadata.version(name)}" for name in PACKAGES[file_format])],
        "engines": list(bench.engines),
        "kept": [one.name for one in fields(Effect)],
    }
    return Kept(bench.cache / what / f"{bench.card.name}-{file_format}-{key_of(decides)}.json")


def _as_quantised(source: Path, file_format: str) -> tuple[GraphLayer, ...]:
    """The layers that the quantiser sees: it folds an ONNX file first."""
    reader = graph_reader(file_format)
    if file_format != "onnx":
        return reader.layers(source)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / source.name
        prepare(source, prepared)
        return reader.layers(prepared)


def _labels(frames: FrameSet) -> tuple[Any, Any]:
    """What of labelled frames decides a score and its interval besides their pictures: truths, and whose they are."""
    whose = [[str(one.get(name, "")) for name in ("subject", "clip")] for one in frames.samples]
    return [one.tolist() for one in frames.truths], whose


def _of_card(card: ModelCard, file_format: str) -> list[str]:
    """What of a card decides answers and scores."""
    options, outputs = (sorted(one.items()) for one in (card.options, card.outputs(file_format)))
    return [card.task, *map(repr, (options, outputs, card.input_spec(file_format), card.extra_input_list()))]


def _of_static(recipe: Recipe) -> Mapping[str, Any]:
    return {name: value for name, value in recipe.options.items() if name in static.OPTIONS}


def _excluded(recipe: Recipe, floats: Collection[str] = ()) -> list[str]:
    return sorted({*recipe.options.get("exclude", ()), *floats})
