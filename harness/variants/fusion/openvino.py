"""What OpenVINO fused, read from its runtime model: each layer lists the operations of the file that it took in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.runtimes import missing_engine
from harness.runtimes.openvino_layers import CONVOLUTIONS, layer_facts
from harness.variants.fusion import Convolution, Read
from harness.variants.fusion.source import Wanted, wanted

TOLD = ("layerType", "primitiveType", "originalLayersNames")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer that runs. taken: the file's operations in it."""

    kind: str
    kernel: str
    taken: frozenset[str]

    @property
    def convolves(self) -> bool:
        """True for what OpenVINO calls a convolution of any kind."""
        return self.kind.lower() in CONVOLUTIONS


def read(path: Path, options: Mapping[str, Any]) -> Read:
    """Of a compiled model; EngineError where the device refuses it or gives no runtime model."""
    try:
        import openvino
    except ImportError as error:
        raise missing_engine("openvino", "host", error) from error
    core = openvino.Core()
    try:
        source = core.read_model(str(path))
        compiled = core.compile_model(source, options.get("target", "CPU"), _properties(options))
        layers = tuple(_layer(node) for node in compiled.get_runtime_model().get_ordered_ops())
    except RuntimeError as error:
        raise EngineError(f"OpenVINO does not tell what it fused: {error}", where=str(path)) from error
    left = layer_facts(compiled, core.read_model(str(path))).get("fusion", {}).get("batch_norms")
    return Read(convolutions=tuple(_found(one, layers) for one in wanted(path)), batch_norms_left=left)


def _properties(options: Mapping[str, Any]) -> dict[str, Any]:
    precision = options.get("precision", "f32")
    hint = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    return {"PERFORMANCE_HINT": "LATENCY", **hint, **options.get("properties", {})}


def _layer(node: Any) -> Layer:
    info = node.get_rt_info()
    kind, kernel, taken = (
        str(info[key].astype(str)) if key in info else ""
        for key in ("layerType", "primitiveType", "originalLayersNames")
    )
    return Layer(kind=kind, kernel=kernel, taken=frozenset(filter(None, taken.split(","))))


def _found(one: Wanted, layers: Sequence[Layer]) -> Convolution:
    """Nothing but a convolution takes in a batch normalisation that was folded."""
    norms = frozenset(name for layer in layers if not layer.convolves for name in layer.taken)
    return one.answer(*_answer(one, layers), norms)


def _answer(one: Wanted, layers: Sequence[Layer]) -> tuple[bool | None, str]:
    if not one.activation:
        return None, ""
    holders = [layer for layer in layers if layer.taken & one.activation_names]
    inside = next((layer for layer in holders if layer.convolves), None)
    if inside is not None:
        return True, inside.kernel
    if not holders:
        return None, f"no layer says that it took in {one.activation}"
    return False, f"{one.activation} runs in {holders[0].kind} {holders[0].kernel}"
