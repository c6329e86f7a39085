"""A technique for the simulated engine: the parent's .sim file with other values, or with a fault of its own."""

from __future__ import annotations

import json
import os
from typing import Any

from harness.errors import HarnessError
from harness.optimise.candidates import Candidate
from harness.variants import Bench, Made, Recipe

NAME, FUNCTION = "retold", "tests.optimise.techniques:retold"
FAULTS = ("raise", "refuse", "crash", "nothing", "idle", "half", "absent", "damaged")


def retold(recipe: Recipe, bench: Bench) -> Made:
    """options: what the new .sim file says otherwise, or `goes_wrong`, one of FAULTS."""
    options = dict(recipe.options)
    fault = options.pop("goes_wrong", "")
    bench.say(f"retelling {recipe.parent} with seed {recipe.seed}")
    if fault == "raise":
        raise ValueError("cannot divide by the number of layers")
    if fault == "refuse":
        raise HarnessError("the layer Softplus cannot be quantised", where="layer 3", remedy="keep it in float")
    if fault == "crash":
        os.abort()
    if fault == "nothing":
        return Made(files={}, failures={"sim": "this format has no integers"})
    if fault == "idle":
        return _untouched(recipe, bench)
    if fault == "absent":
        return Made(files={"sim": bench.target(recipe, "sim")})
    said: dict[str, Any] = {**json.loads(bench.parent("sim").read_text(encoding="utf-8")), **options}
    path = bench.target(recipe, "sim")
    path.write_text("{" if fault == "damaged" else json.dumps(said, sort_keys=True), encoding="utf-8")
    return Made(
        files={"sim": path}, facts={"changed": sorted(options)},
        failures={"onnx": "no such file today"} if fault == "half" else {},
    )  # fmt: skip


def _untouched(recipe: Recipe, bench: Bench) -> Made:
    bench.target(recipe, "sim").write_bytes(bench.parent("sim").read_bytes())
    facts = {"changed": False, "sentence": "nothing to retell"}
    return Made(files={"sim": bench.target(recipe, "sim")}, facts=facts)


def reading(recipe: Recipe, bench: Bench) -> Made:
    """Reads the frames that options["reads"] names, and makes nothing."""
    return Made(files={}, facts={"frames": len(getattr(bench.frames, recipe.options["reads"]))})


def candidate(name: str, parent: str = "fp32", *, integer: bool = False, **options: Any) -> Candidate:
    """A candidate for the simulated engine."""
    return Candidate(
        name=name, technique=NAME, formats=("sim",), options=options, parent=parent, integer=integer
    )  # fmt: skip
