"""Mixed precision: the most sensitive layers stay in float until the accuracy budget is met, all others are INT8.

Float is FP32 in the file. TensorRT up to 10, NPUs and Hexagon, which compute in FP16 what is not quantised, run these
layers in FP16.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harness.errors import EngineError, HarnessError
from harness.variants import Bench, Made, Recipe
from harness.variants.kept import key_of
from harness.variants.quantise import static
from harness.variants.quantise.partial import WRONG_FROM_THE_START, kept_results, quantisable, quantised
from harness.variants.quantise.performat import Written, by_format, check_options
from harness.variants.quantise.search import Budget, Found, Trial, search
from harness.variants.study.effects import Beside, Effect
from harness.variants.study.layertext import shortened
from harness.variants.study.sensitivity import sensitivity
from harness.variants.study.timing import latency_ratio, timing_engine

BUDGET, LOSS_POINTS = "accuracy_loss_points", 1.0
FIRST = "first_in_float_if_quicker"
WRITERS = {
    "onnx": "harness.variants.quantise.mixed:mixed_onnx",
    "tflite": "harness.variants.quantise.mixed:mixed_tflite",
}


def mixed(recipe: Recipe, bench: Bench) -> Made:
    """INT8 but for the layers that would cost more than options["accuracy_loss_points"], 1 by default.

    options[FIRST]: the first layer is tried in float, too. Over the one to three channels of a picture an integer
    convolution moves single bytes, which may take longer than the multiplications it saves.
    Further options are those of `static`. The loss is judged on the tuning frames. facts, by format: `sentence`,
    `float_layers`, `trace` with every trial, `latency_ratio` of the file to its parent and `timed_on` which engine.
    HarnessError, with the nearest trial, where no choice of layers meets the budget in any format.
    """
    check_options(recipe, (BUDGET, FIRST, *static.OPTIONS))
    return by_format(recipe, bench, WRITERS)


def mixed_onnx(recipe: Recipe, bench: Bench) -> Written:
    """The ONNX file; EngineError, with the nearest trial, where nothing meets the budget."""
    return _Searcher(recipe, bench, "onnx").made()


def mixed_tflite(recipe: Recipe, bench: Bench) -> Written:
    """The TFLite file, by a ranking of its own; EngineError as above."""
    return _Searcher(recipe, bench, "tflite").made()


class _Searcher:
    """The search in the files of one format; trials are kept, so that it goes on where it stopped."""

    def __init__(self, recipe: Recipe, bench: Bench, file_format: str) -> None:
        self._recipe, self._bench, self._format = recipe, bench, file_format
        self._budget = Budget(points=float(recipe.options.get(BUDGET, LOSS_POINTS)))
        self._parent = bench.parent(file_format)
        self._engine = timing_engine(bench, file_format)
        self._beside = Beside(bench, file_format)
        self._kept = kept_results("mixed", recipe, bench, file_format)

    def made(self) -> Written:
        """The chosen file and what is to be told of it."""
        plain = self._trial(())
        ranking = () if self._budget.holds(plain) else self._ranking()
        found = search(ranking, self._trial, self._budget, self._doubted())
        if found.chosen is None:
            raise self._nothing(found)
        path, facts = quantised(self._recipe, self._bench, self._format, found.chosen.floats, self._bench.folder)
        return path, {**facts, **self._told(found, found.chosen)}

    def _ranking(self) -> tuple[str, ...]:
        return tuple(one.layer for one in sensitivity(self._recipe, self._bench, self._bench.say, self._format))

    def _doubted(self) -> tuple[str, ...]:
        """The first layer, unless it is the only one."""
        if not self._recipe.options.get(FIRST, False):
            return ()
        layers = quantisable(self._recipe, self._bench, self._format)
        return tuple(one.name for one in layers[:1] if len(layers) > 1)

    def _trial(self, floats: tuple[str, ...]) -> Trial:
        name = key_of({"floats": sorted(floats), "engine": self._engine})
        known = self._kept.get(name)
        if known is None:
            self._bench.say(f"{self._bench.card.name}: {self._format} with {len(floats)} layers in float")
            try:
                known = self._measured(floats)
            except WRONG_FROM_THE_START:
                raise
            except HarnessError as error:
                return Trial(floats=floats, effect=None, failure=error.sentence)
            self._kept.keep(name, known)
        return Trial(floats=floats, effect=Effect(**known["effect"]), latency_ratio=known["latency_ratio"])

    def _measured(self, floats: tuple[str, ...]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path, _ = quantised(self._recipe, self._bench, self._format, floats, Path(folder))
            effect = self._beside.effect(path)
            ratio = latency_ratio(self._bench, path, self._parent, self._engine)
        return {"effect": effect.facts(), "latency_ratio": round(ratio, 3)}

    def _told(self, found: Found, chosen: Trial) -> dict[str, Any]:
        speed = f"on {self._engine} it takes {chosen.latency_ratio} of the parent's time"
        return {
            "sentence": f"{self._layers(chosen)}: {self._budget.sentence(chosen)}; {speed}",
            "float_layers": list(chosen.floats), "latency_ratio": chosen.latency_ratio, "timed_on": self._engine,
            "tuning_frames": len(self._bench.frames.tuning), "trace": [one.facts() for one in found.steps],
        }  # fmt: skip

    def _layers(self, trial: Trial) -> str:
        if not trial.floats:
            return "all layers are INT8"
        many = f"{len(trial.floats)} layer{'s stay' if len(trial.floats) > 1 else ' stays'}"
        return f"{many} in float ({', '.join(map(shortened, trial.floats))})"

    def _nothing(self, found: Found) -> EngineError:
        if found.nearest is None:
            return EngineError(f"no mixed file could be made: {found.steps[0].trial.failure}", where=str(self._parent))
        return EngineError(
            f"no choice of layers in float meets the accuracy budget; the nearest: {self._layers(found.nearest)}, "
            f"{self._budget.sentence(found.nearest)}", where=str(self._parent),
            remedy="allow a larger loss, or train with quantisation (technique qat)",
        )  # fmt: skip
