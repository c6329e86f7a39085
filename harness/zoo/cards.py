"""The model card of a trained net, as docs/model-card.md describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.zoo.data import CALIBRATION_FRAMES, EVALUATION_FRAMES, SEED
from harness.zoo.measure import options
from harness.zoo.recipes import Recipe

FLOOR_BELOW_POINTS = 3.0


Outputs = Mapping[str, Mapping[str, str]]


def write_card(recipe: Recipe, folder: Path, *, seed: int, outputs: Outputs, worst: float) -> None:
    """Write folder/model.toml.

    outputs: format -> the task's output name -> the tensor's name. worst: the lowest measured score of all files in
    per cent.
    """
    budgets = {"accuracy_min_percent": float(math.floor(worst - FLOOR_BELOW_POINTS)), **recipe.budgets}
    text = "\n".join([
        f"description = {_toml(recipe.description)}", f"task = {_toml(recipe.task)}", "",
        *_table("input", _input(recipe)),
        *(line for name, names in outputs.items() for line in _table(f"formats.{name}", _format(name, names))),
        *_table("options", options(recipe)),
        *_table("dataset", {"kind": "cabin", "truth": recipe.truth, "split": "eval", "frames": EVALUATION_FRAMES}),
        *_table("training", {
            "net": f"harness.zoo.nets:{recipe.name}", "student": f"harness.zoo.nets:{recipe.name}_student",
        }),
        *_table("variants.fp32", {
            "made": f"python -m harness.zoo train {recipe.name} --seed {seed}; {_EXPORTED}",
            "files": {name: f"fp32.{name}" for name in outputs},
        }),
        *_table("variants.int8", {
            "parent": "fp32",
            "made": f"{_RECIPE}; calibrated on {CALIBRATION_FRAMES} frames of cabin split calibration, seed {SEED}",
            "files": {name: f"int8.{name}" for name in outputs if name != "pt2"},
        }),
        *_table("budgets", budgets),
    ])  # fmt: skip
    (folder / "model.toml").write_text(text.rstrip("\n") + "\n", encoding="utf-8")


_EXPORTED = "pte and pt2: python -m harness.zoo export, from fp32.onnx"
_RECIPE = (
    "onnxruntime static QDQ U8S8 per channel; ai-edge-quantizer static_wi8_ai8, widest ranges; "
    "torchao PT2E for XNNPACK, static, per channel"
)


def _format(name: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    return {**({"layout": "NHWC"} if name == "tflite" else {}), "outputs": outputs}


def _input(recipe: Recipe) -> dict[str, Any]:
    spec = recipe.input
    chosen = {"width": spec.width, "height": spec.height, "layout": spec.layout, "colour": spec.colour}
    region = {"roi": spec.roi} if spec.roi else {}
    padding = {"pad_value": spec.pad_value} if spec.resize == "letterbox" else {}
    scaling = {"scale": spec.scale, "mean": list(spec.mean), "std": list(spec.std)}
    return {**chosen, "resize": spec.resize, **padding, **region, **scaling}


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""]


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    # JSON's strings and numbers are TOML's.
    return json.dumps(value)
