"""What a TFLite file has fused: the activation is an option of the convolution, and XNNPACK keeps it there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.runtimes import missing_engine
from harness.variants.fusion import Convolution, Read

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU", "ELU", "LOGISTIC", "HARD_SWISH", "GELU", "TANH")
FUSED = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
REMARK = "a batch normalisation that was not folded is a MUL of the convolution's result"


def read(path: Path, options: Mapping[str, Any]) -> Read:
    """Of the first graph, which XNNPACK takes as it is; no option of the engine changes it."""
    try:
        from ai_edge_litert.tools import flatbuffer_utils
    except ImportError as error:
        raise missing_engine("ai-edge-litert", "host", error) from error
    try:
        file = _File(flatbuffer_utils.read_model(str(path)), flatbuffer_utils)
    except Exception as error:
        raise EngineError(f"the file cannot be read: {error}", where=str(path)) from error
    found = tuple(file.convolution(one) for one in file.operators if file.kind(one) in CONVOLUTIONS)
    return Read(convolutions=found, batch_norms_left=file.scaled, remark=REMARK if file.scaled else "")


class _File:
    def __init__(self, model: Any, tools: Any) -> None:
        self._model, self._tools = model, tools
        self._tensors = model.subgraphs[0].tensors
        self.operators = model.subgraphs[0].operators
        self._readers: dict[int, list[Any]] = {}
        for operator in self.operators:
            for index in operator.inputs:
                self._readers.setdefault(int(index), []).append(operator)

    def kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return str(self._tools.opcode_to_name(self._model, operator.opcodeIndex) or code.customCode)

    def following(self, operator: Any) -> list[Any]:
        return self._readers.get(int(operator.outputs[0]), [])

    @property
    def scaled(self) -> int:
        """Convolutions whose result is multiplied by a constant vector."""
        given = {int(index) for one in self.operators for index in one.outputs}
        given |= {int(index) for index in self._model.subgraphs[0].inputs}
        convolutions = [one for one in self.operators if self.kind(one) in CONVOLUTIONS]
        return sum(
            self.kind(one) == "MUL" and not given >= {int(index) for index in one.inputs}
            for convolution in convolutions
            for one in self.following(convolution)
        )

    def convolution(self, operator: Any) -> Convolution:
        name = self._tensors[operator.outputs[0]].name.decode()
        held = FUSED.get(getattr(operator.builtinOptions, "fusedActivationFunction", 0), "")
        if held:
            return Convolution(name=name, activation=held, fused=True, reason=f"{held} in {self.kind(operator)}")
        after = next((self.kind(one) for one in self.following(operator) if self.kind(one) in ACTIVATIONS), "")
        if not after:
            return Convolution(name=name, reason="no activation follows it")
        return Convolution(name=name, activation=after, fused=False, reason=f"{after} runs by itself")
