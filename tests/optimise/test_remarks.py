"""What the confidences of the chosen variant come to, in a sentence."""

from __future__ import annotations

import pytest

from harness.optimise.made import MadeVariant
from harness.optimise.remarks import confidence_sentence

KNOWN = {"temperature": 0.8141, "before": {"error_percent": 1.739}, "after": {"error_percent": 0.68}}
FEW = {"temperature": 1.5, "before": None, "after": None}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (MadeVariant(facts={"onnx": KNOWN}), "onnx temperature 0.814, calibration error 1.74 % before, 0.68 % after"),
        (MadeVariant(facts={"onnx": FEW}), "onnx temperature 1.5"),
        (MadeVariant(facts={"onnx": FEW}, failures={"pte": "it does not load"}),
         "onnx temperature 1.5; pte not known: it does not load"),
        (MadeVariant(failures={"onnx": "no labels"}), "onnx not known: no labels"),
        (MadeVariant(reason="it crashed"), "nobody knows how far it can be believed: it crashed"),
    ],
)  # fmt: skip
def test_temperature_and_error_or_why_nobody_knows(told, sentence):
    assert confidence_sentence(told) == sentence
