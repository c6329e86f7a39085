"""Static INT8: weights and activations are integers, and the ranges of activations come from calibration frames.

Options: method: "minmax", "percentile" or "entropy", or one that a single format has ("nncf": ONNX, "squared_error":
ExecuTorch). percentile: of values kept, 99.9 to 99.999. bins: of a histogram. per_channel: weights have a scale for
each output channel. activations: "uint8" or "int8", by default what the target's engine wants. exclude: layers that
stay in float, by their names in the file.
"""

from __future__ import annotations

from harness.variants import Bench, Made, Recipe
from harness.variants.quantise.performat import by_format, check_options

OPTIONS = ("method", "percentile", "bins", "per_channel", "activations", "exclude")
WRITERS = {
    "onnx": "harness.variants.onnxfile.static:quantise",
    "tflite": "harness.variants.tflitefile.quantise:quantise",
    "pte": "harness.variants.ptefile.quantise:quantise",
}


def static(recipe: Recipe, bench: Bench) -> Made:
    """The parent in INT8; ConfigError for an unknown option, HarnessError where no format works."""
    check_options(recipe, OPTIONS)
    return by_format(recipe, bench, WRITERS)
