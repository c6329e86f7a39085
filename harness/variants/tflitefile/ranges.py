"""Calibration of a TFLite file: which values its tensors have, over frames.

The quantiser's own calibrator tells the smallest and the largest value alone; here the interpreter keeps all tensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, HarnessError
from harness.variants import Bench
from harness.variants.libraries import library, quiet
from harness.variants.quantise.histogram_cache import Histograms, cached, without_values
from harness.variants.quantise.histograms import BINS, check_method, chosen_range, empty
from harness.variants.study.graphs import feeds
from harness.variants.tflitefile.recipes import Ranges

# Beyond stand constants such as the -inf that a maximum is padded with.
_LARGEST = 3e38
_SAY_EVERY = 100
Feed = Mapping[str, Array]


def calibrated(bench: Bench, method: str, percentile: float = 99.99, bins: int = BINS) -> Ranges:
    """The range of every activation of the parent's file over the calibration frames, kept in the bench's cache.

    ConfigError for an unknown method, without frames, or for a file without a signature.
    """
    check_method(method, percentile, bins)
    require_frames(bench)
    source = bench.parent("tflite")
    key = key_of(bench, source, library("ai_edge_litert").__version__)
    found = cached(bench.cache, "tflite-widest", key, lambda: without_values(widest(source, _told(bench, source))))
    extremes = {name: (one.low, one.high) for name, one in found.items()}
    if method == "minmax":
        return extremes
    make = partial(histograms, source, _told(bench, source), extremes, bins)
    return {
        name: chosen_range(one, method, percentile)
        for name, one in cached(bench.cache, "tflite", [*key, str(bins)], make).items()
    }


def key_of(bench: Bench, source: Path, version: str) -> list[str]:
    """All that decides which values the tensors of `source` have in an engine of this version."""
    card, file_format = bench.card, source.suffix.removeprefix(".")
    return [
        hashlib.sha256(source.read_bytes()).hexdigest(), version, bench.frames.calibration.key,
        repr(card.input_spec(file_format)), repr(card.extra_input_list()),
    ]  # fmt: skip


def widest(source: Path, given: Iterable[Feed]) -> Ranges:
    """Tensor -> lowest and highest value over all frames.

    The quantiser's own choice, a moving average, clips what is rare: it cost the gaze net 22 points.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, values in activations(source, given):
        low, high = found.get(name, (np.inf, -np.inf))
        found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def histograms(source: Path, given: Iterable[Feed], extremes: Ranges, bins: int = BINS) -> Histograms:
    """Tensor -> its values over all frames, which lie within `extremes`."""
    found = {name: empty(low, high, bins) for name, (low, high) in extremes.items()}
    for name, values in activations(source, given):
        found[name] = found[name].adding(values)
    return found


def activations(source: Path, given: Iterable[Feed]) -> Iterator[tuple[str, Array]]:
    """Name and values of every float tensor that a frame sets, frame by frame; HarnessError for NaN."""
    interpreter = _interpreter(source)
    names = {int(one["index"]): one["name"] for one in interpreter.get_tensor_details() if one["dtype"] is np.float32}
    inputs = {one["name"]: int(one["index"]) for one in interpreter.get_input_details()}
    results = {int(at) for one in interpreter._get_ops_details() for at in one["outputs"]}
    watched = sorted({*inputs.values(), *results} & names.keys())
    for feed in given:
        for name, value in feed.items():
            interpreter.set_tensor(inputs[name], value)
        interpreter.invoke()
        for at in watched:
            values = _counted(interpreter.get_tensor(at), names[at], source)
            if values.size:
                yield names[at], values


def _counted(values: Array, name: str, source: Path) -> Array:
    if np.isnan(values).any():
        raise HarnessError(f"the tensor {name!r} is NaN for a calibration frame", where=str(source))
    inside = np.abs(values) < _LARGEST
    return values if inside.all() else values[inside]


def _interpreter(source: Path) -> Any:
    engine = library("ai_edge_litert.interpreter")
    with quiet():  # It warns that it keeps every tensor, which is what is wanted.
        interpreter = engine.Interpreter(str(source), num_threads=1, experimental_preserve_all_tensors=True)
    if not interpreter.get_signature_list():
        raise ConfigError(
            "the file has no signature, and the quantiser takes no other", where=str(source),
            remedy="convert the model again, with a signature",
        )  # fmt: skip
    interpreter.allocate_tensors()
    return interpreter


def require_frames(bench: Bench) -> None:
    """ConfigError without a calibration frame."""
    if not len(bench.frames.calibration):
        raise ConfigError(
            "there is no calibration frame", where=f"{bench.card.folder / 'model.toml'}, calibration",
            remedy="name a data set that gives 300 to 800 frames",
        )  # fmt: skip


def _told(bench: Bench, source: Path) -> Iterator[Feed]:
    """The feeds of all frames, with a line of progress now and then."""
    frames = bench.frames.calibration
    for number, one in enumerate(feeds(source, bench.card, frames)):
        if number % _SAY_EVERY == 0:
            bench.say(f"{bench.card.name}: calibrating {source.name}, frame {number}/{len(frames)}")
        yield one
