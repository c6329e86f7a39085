"""The process that makes one variant: `python -m harness.optimise.maker JOB.json OUT_DIR`.

Lines that start with `@dms ` on standard output are words of progress; everything else is a library's own talk. It
leaves OUT_DIR/made.json, or OUT_DIR/error.json with what is wrong.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.agent import FAILED, LAST_PATH, PROGRESS
from harness.errors import HarnessError
from harness.model import read_card
from harness.processes import end_with_parent
from harness.variants import Bench, Made, Recipe
from harness.variants.frames import Frames, FrameSet

MADE, ERROR = "made.json", "error.json"


class CheckedFrames(Frames):
    """Sets of which no frame is evaluated on, each found so before a technique sees it; DatasetError otherwise."""

    @cached_property
    def calibration(self) -> FrameSet:
        self.require_disjoint("calibration")
        return super().calibration

    @cached_property
    def tuning(self) -> FrameSet:
        return self._checked("tuning", super().tuning)

    @cached_property
    def training(self) -> FrameSet:
        return self._checked("training", super().training)

    def told(self) -> dict[str, Any]:
        """What a reader of the recipe must know of the calibration frames, where a technique took some."""
        if "calibration" not in vars(self):
            return {}
        return {"disjoint_from_evaluation_frames": len(self.evaluation)}

    def _checked(self, name: str, found: FrameSet) -> FrameSet:
        """`found` is known under its name by now, so that it is not read again for the check."""
        self.require_disjoint(name)
        return found


def main(arguments: list[str]) -> int:
    """Returns the process's exit status: 0 with a made.json, 3 with an error.json."""
    job, out = json.loads(Path(arguments[0]).read_text(encoding="utf-8")), Path(arguments[1])
    end_with_parent()
    sys.path.extend(filter(None, [os.environ.get(LAST_PATH)]))
    try:
        made = make(job, out)
    except BaseException as error:
        traceback.print_exc()
        (out / ERROR).write_text(json.dumps(_explained(error).to_wire()), encoding="utf-8")
        return FAILED
    said = {"files": {form: str(path) for form, path in made.files.items()}, "facts": finite(made.facts),
            "failures": made.failures}  # fmt: skip
    (out / MADE).write_text(json.dumps(said, default=str), encoding="utf-8")
    return 0


def finite(value: Any) -> Any:
    """`value` with None for what is no number or without end: JSON has no word for it."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make(job: Mapping[str, Any], out: Path) -> Made:
    """Carry out the recipe of a job; whatever the technique raises."""
    recipe = Recipe(**job["recipe"])
    card, cache = read_card(Path(job["card"])), Path(job["cache"])
    frames = CheckedFrames(card=card, cache=cache, seed=recipe.seed, evaluation_frames=job["frames"], say=say)
    bench = Bench(
        card=card, files={form: Path(path) for form, path in job["files"].items()}, formats=tuple(job["formats"]),
        engines=tuple(job["engines"]), folder=out, cache=cache / "variants", frames=frames, say=say,
    )  # fmt: skip
    module, _, name = job["function"].partition(":")
    made: Made = getattr(importlib.import_module(module), name)(recipe, bench)
    return replace(made, facts={**made.facts, **frames.told()})


def say(sentence: str) -> None:
    """One line of progress to who started this process."""
    sys.stdout.write(PROGRESS + json.dumps({"say": sentence}) + "\n")
    sys.stdout.flush()


def _explained(error: BaseException) -> HarnessError:
    if isinstance(error, HarnessError):
        return error
    return HarnessError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
