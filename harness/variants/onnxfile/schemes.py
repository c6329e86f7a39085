"""SCHEMES: how integers are signed for an engine, and why.

The reasons are what the engines' own guides and ONNX Runtime's quantiser say, and what was measured on x86.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.errors import ConfigError, unknown

TYPES = ("uint8", "int8")
WHERE = "the recipe, options.activations"


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """activations: their type; weights are int8 and symmetric. extra: further options of ONNX Runtime's quantiser.

    only: the engine takes no other type. qnn: with the exceptions that Qualcomm's provider needs.
    """

    activations: str
    reason: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    only: bool = False
    qnn: bool = False

    @property
    def name(self) -> str:
        """As the field writes it: activations, then weights."""
        return "U8S8" if self.activations == "uint8" else "S8S8"


CPU = Scheme(
    activations="uint8",
    reason="x86 with VNNI multiplies unsigned by signed bytes; signed activations may leave layers in float there",
)
TENSORRT = Scheme(
    activations="int8", only=True,
    reason="TensorRT takes symmetric int8 alone, rounds in front of a layer and never behind it, keeps biases in "
    "float, and before version 10 wants weights as a pair of Q and DQ",
    extra={
        "ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False, "AddQDQPairToWeight": True,
        "DedicatedQDQPair": True, "OpTypesToExcludeOutputQuantization": ["Conv", "ConvTranspose", "Gemm", "MatMul"],
    },
)  # fmt: skip
QNN = Scheme(activations="uint8", qnn=True, reason="Hexagon wants the exceptions of ONNX Runtime's get_qnn_qdq_config")
SCHEMES: Mapping[str, Scheme] = {
    "onnxruntime": CPU, "openvino": CPU, "tensorrt": TENSORRT, "trtexec": TENSORRT, "qnn": QNN, "snpe": QNN,
}  # fmt: skip


def scheme_of(engines: Sequence[str], activations: str = "") -> Scheme:
    """What the first engine that has a scheme wants, or `activations` where they are given.

    ConfigError for a type that is none, or that the engine does not take.
    """
    engine = next((one for one in engines if one in SCHEMES), "")
    found = SCHEMES.get(engine, CPU)
    if activations not in ("", *TYPES):
        raise ConfigError(unknown("type of activations", activations, TYPES), where=WHERE)
    if activations in ("", found.activations):
        return found
    if found.only:
        raise ConfigError(f"{engine} takes {found.activations} activations alone", where=WHERE, remedy="leave it out")
    return replace(found, activations=activations, reason="the recipe says so")
