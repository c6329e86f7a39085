"""Calibration of an ONNX file: the range of every activation over frames, by the method that is asked for.

The widest ranges come from ONNX Runtime's calibrator. Entropy and percentile come from histograms of what its
calibrator sees: its own entropy method gives the widest range with its 128 bins, and with 2048 counts the zeros of a
ReLU as values to be kept, which cost the distraction net 5.4 points on 2,000 frames where this costs none.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, EngineError
from harness.variants.libraries import library, working
from harness.variants.quantise.histogram_cache import Histograms, cached, without_values
from harness.variants.quantise.histograms import BINS, check_method, chosen_range, empty

Feeds = Callable[[], Iterable[Mapping[str, Array]]]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a range is found. name: minmax, percentile or entropy. percentile: of values kept. bins: of a histogram."""

    name: str = "minmax"
    percentile: float = 99.99
    bins: int = BINS

    def facts(self) -> dict[str, Any]:
        """What of it decides."""
        return {
            "method": self.name,
            **({"percentile": self.percentile} if self.name == "percentile" else {}),
            **({"bins": self.bins} if self.name in ("percentile", "entropy") else {}),
        }


def ranges(model: Path, given: Feeds, method: Method, cache: Path, decides: Sequence[str]) -> Ranges:
    """Tensor -> lowest and highest value, of every activation; `given` is asked for all frames, at most twice.

    Kept in `cache` for the content of `model` and all that `decides` says of the frames. ConfigError for an unknown
    method or without frames, EngineError where the model does not run or gives NaN.
    """
    check_method(method.name, method.percentile, method.bins)
    key = [hashlib.sha256(model.read_bytes()).hexdigest(), library("onnxruntime").__version__, *decides]
    found = cached(cache, "onnx-widest", key, lambda: without_values(widest(model, given)))
    extremes = {name: (one.low, one.high) for name, one in found.items()}
    if method.name == "minmax":
        return extremes
    counted = cached(cache, "onnx", [*key, str(method.bins)], lambda: histograms(model, given, extremes, method.bins))
    return {name: chosen_range(one, method.name, method.percentile) for name, one in counted.items()}


def widest(model: Path, given: Feeds) -> Ranges:
    """Tensor -> lowest and highest value over all frames."""
    with _calibrator(model, "MinMax") as calibrator, working("the model does not run on a calibration frame", model):
        calibrator.collect_data(_Reader(_some(given(), model)))
        found = calibrator.compute_data()
        order = [*(one.name for one in calibrator.model.graph.input), *_outputs(calibrator.model.graph)]
    values = {name: np.array(found[name].range_value, np.float64).ravel() for name in order if name in found}
    for name, extremes in values.items():
        _require_number(extremes, name, model)
    return {name: (float(low), float(high)) for name, (low, high) in values.items()}


def histograms(model: Path, given: Feeds, extremes: Ranges, bins: int = BINS) -> Histograms:
    """Tensor -> its values over all frames, which lie within `extremes`."""
    found = {name: empty(low, high, bins) for name, (low, high) in extremes.items()}
    with _calibrator(model, "Entropy") as calibrator:
        # Its outputs are all activations; what it would keep of every frame does not fit into memory.
        session = calibrator.infer_session
        names = [one.name for one in session.get_outputs()]
        for feed in _some(given(), model):
            with working("the model does not run on a calibration frame", model):
                values = session.run(None, dict(feed))
            for name, value in zip(names, values, strict=True):
                if name in found:
                    _require_number(value, name, model)
                    found[name] = found[name].adding(value)
    return found


@contextmanager
def _calibrator(model: Path, method: str) -> Iterator[Any]:
    """ONNX Runtime's calibrator for a model."""
    quantiser = library("onnxruntime.quantization.calibrate")
    with tempfile.TemporaryDirectory() as folder:
        with working("ONNX Runtime cannot watch the model", model):
            found = quantiser.create_calibrator(
                model, augmented_model_path=str(Path(folder) / "augmented.onnx"),
                calibrate_method=quantiser.CalibrationMethod[method],
            )  # fmt: skip
        yield found


class _Reader:
    """Frames as the calibrator asks for them."""

    def __init__(self, given: Iterable[Mapping[str, Array]]) -> None:
        self._given = iter(given)

    def get_next(self) -> dict[str, Array] | None:
        one = next(self._given, None)
        return None if one is None else dict(one)


def _some(given: Iterable[Mapping[str, Array]], model: Path) -> Iterator[Mapping[str, Array]]:
    none = True
    for one in given:
        none = False
        yield one
    if none:
        raise ConfigError(
            "there is no calibration frame", where=str(model), remedy="name a data set that gives 300 to 800 frames"
        )


def _outputs(graph: Any) -> Iterator[str]:
    return (name for node in graph.node for name in node.output)


def _require_number(values: Array, name: str, model: Path) -> None:
    if not np.isfinite(values).all():
        raise EngineError(f"the tensor {name!r} is not finite for a calibration frame", where=str(model))
