"""How much each layer alone suffers from INT8, while all others stay in float: ranked, the worst first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.variants import Bench, Recipe, Say
from harness.variants.onnxfile.alone import keep_own_share
from harness.variants.quantise.partial import WRONG_FROM_THE_START, formats_of, kept_results, quantisable, quantised
from harness.variants.study.effects import Beside, Effect
from harness.variants.study.graphs import GraphLayer

SHARES = {
    "onnx": "its weights and what it gives; what it takes stays in float",
    "tflite": "its weights, what it gives and what it takes",
}


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """What INT8 in this layer alone costs; effect: None where no such file could be made, and then `why`."""

    layer: str
    operator: str
    effect: Effect | None = None
    why: str = ""

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        found = {"not_measured": self.why} if self.effect is None else self.effect.facts()
        return {"layer": self.layer, "operator": self.operator, **found}


def sensitivity(recipe: Recipe, bench: Bench, say: Say, file_format: str = "") -> tuple[LayerSensitivity, ...]:
    """Every layer that static quantisation would round, on the tuning frames: the worst first, the unmeasured last.

    recipe: its options are those of `static`; layers that it excludes are left out. file_format: by default the first
    of the target in which layers can be left in float. What was measured before, on the same frames and with the same
    options, is not measured again.
    """
    alone = _Alone(recipe, bench, file_format or formats_of(bench)[0])
    clock, found = _TimeLeft(), []
    for number, layer in enumerate(alone.layers):
        known = alone.kept(layer)
        if known is None:
            left = clock.left(len(alone.layers) - number)
            say(f"{bench.card.name}: layer {number + 1}/{len(alone.layers)} alone in INT8{left}")
            known = alone.measured(layer)
            clock.done()
        found.append(known)
    return ranked(found)


def ranked(found: Sequence[LayerSensitivity]) -> tuple[LayerSensitivity, ...]:
    """By the loss of accuracy that is proven, then by noise; the unmeasured last, and otherwise as they came."""
    measured = [one for one in found if one.effect is not None]
    worst_first = sorted(measured, key=lambda one: one.effect.severity if one.effect else (), reverse=True)
    return (*worst_first, *(one for one in found if one.effect is None))


class _Alone:
    """Files of one format in which one layer is quantised."""

    def __init__(self, recipe: Recipe, bench: Bench, file_format: str) -> None:
        self._recipe, self._bench, self._format = recipe, bench, file_format
        self._kept = kept_results("sensitivity", recipe, bench, file_format)
        self._beside = Beside(bench, file_format)
        self.layers = quantisable(recipe, bench, file_format)

    def kept(self, layer: GraphLayer) -> LayerSensitivity | None:
        """What was measured before; None where nothing was."""
        known = self._kept.get(layer.name)
        return None if known is None else _row(layer, Effect(**known))

    def measured(self, layer: GraphLayer) -> LayerSensitivity:
        """What is measured now, and then kept."""
        try:
            effect = self._effect(layer)
        except WRONG_FROM_THE_START:
            raise
        except HarnessError as error:
            return LayerSensitivity(layer=layer.name, operator=layer.operator, why=error.sentence)
        self._kept.keep(layer.name, effect.facts())
        return _row(layer, effect)

    def _effect(self, layer: GraphLayer) -> Effect:
        others = [one for one in self.layers if one.name != layer.name]
        with tempfile.TemporaryDirectory() as folder:
            names = [one.name for one in others]
            path, _ = quantised(self._recipe, self._bench, self._format, names, Path(folder))
            if self._format == "onnx":
                keep_own_share(path, layer.tensor, [one.tensor for one in others])
            return self._beside.effect(path)


def _row(layer: GraphLayer, effect: Effect) -> LayerSensitivity:
    return LayerSensitivity(layer=layer.name, operator=layer.operator, effect=effect)


class _TimeLeft:
    """How long what is left will take, from what was done since this began."""

    def __init__(self) -> None:
        self._began_s, self._done = time.monotonic(), 0

    def done(self) -> None:
        self._done += 1

    def left(self, count: int) -> str:
        """A half sentence; empty before anything was done."""
        if not self._done:
            return ""
        seconds = (time.monotonic() - self._began_s) / self._done * count
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"
