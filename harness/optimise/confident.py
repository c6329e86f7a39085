"""How far the confidences of a variant's files can be believed: whoever sets a threshold finds it in the recipe."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import HarnessError
from harness.variants import Bench, Made, Recipe
from harness.variants.frames import Frames
from harness.variants.scoring import SCORED_BY, predict
from harness.variants.study.confidence import Confidence, confidence
from harness.variants.study.confidence_table import FEW


def confident(recipe: Recipe, bench: Bench) -> Made:
    """facts: format -> temperature, and calibration error before and after; the files stay what they are.

    Each file is run here, by the engine that searches run it by; one that cannot be is a failure.
    """
    # Frames of their own: those of the bench are told of as what a file's ranges were fitted on.
    frames, facts, failures = replace(bench.frames), {}, {}
    for form in bench.formats:
        bench.say(f"confidences of the {form} file of {recipe.parent}")
        try:
            found = _of_file(bench, form, frames)
        except HarnessError as error:
            failures[form] = error.sentence
            continue
        if found is None:
            failures[form] = FEW
        else:
            facts[form] = found.facts()
    return Made(files=bench.files, facts=facts, failures=failures)


def _of_file(bench: Bench, form: str, frames: Frames) -> Confidence | None:
    path, card = bench.parent(form), bench.card
    return confidence(card, lambda chosen: predict(path, SCORED_BY[form], card, chosen), frames)
