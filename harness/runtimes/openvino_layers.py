"""What OpenVINO's runtime model tells of its layers: precision, kernels, fusion, and where each runs.

Source: docs.openvino.ai, "ov::exec_model_info" (runtimePrecision, primitiveType, layerType, originalLayersNames).
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List

NO_LAYERS = ("Const", "Input", "Output")
CONVOLUTIONS = ("convolution", "groupconvolution", "deconvolution")
# ONNX's Clip becomes a Minimum of a Maximum.
ACTIVATIONS = (
    "Relu", "PRelu", "Elu", "Selu", "Clamp", "Minimum", "Sigmoid", "HardSigmoid", "HSigmoid", "HSwish", "Swish",
    "Gelu", "Mish", "Tanh", "SoftPlus",
)  # fmt: skip


def layer_facts(compiled: Any, source: Any) -> Dict[str, Any]:
    """`layer_precisions`, `kernels` and `fusion`; nothing where the device gives no runtime model (NPU)."""
    try:
        nodes = compiled.get_runtime_model().get_ordered_ops()
    except RuntimeError:
        return {}
    layers = [layer for layer in map(_texts, nodes) if _runs(layer)]
    if not layers:
        return {}
    return {
        "layer_precisions": shares(layer.get("runtimePrecision", "") for layer in layers),
        "kernels": shares(layer.get("primitiveType", "") for layer in layers),
        "fusion": _fusion(layers, {node.get_friendly_name(): node.get_type_name() for node in source.get_ops()}),
    }


def shares(names: Iterable[str]) -> Dict[str, float]:
    """Name -> share of those that are told at all."""
    told = [name for name in names if name]
    return {name: told.count(name) / len(told) for name in sorted(set(told))}


def placed(core: Any, source: Any, target: str) -> Dict[str, float]:
    """Device -> share of the file's operations, as HETERO would place them."""
    devices = core.query_model(source, target)
    kinds = {node.get_friendly_name(): node.get_type_name() for node in source.get_ops()}
    return shares(
        str(device) for name, device in devices.items() if kinds.get(name) not in ("Constant", "Parameter", "Result")
    )


def _fusion(layers: List[Dict[str, str]], kinds: Dict[str, str]) -> Dict[str, int]:
    """A layer lists the operations of the file that it took in; what stands in another layer was not."""
    convolutions = [_names(layer) for layer in layers if layer.get("layerType", "").lower() in CONVOLUTIONS]
    others = {
        name for layer in layers if layer.get("layerType", "").lower() not in CONVOLUTIONS for name in _names(layer)
    }
    norms = {name for name, kind in kinds.items() if kind == "BatchNormInference"}
    found = {"convolutions": len(convolutions), "batch_norms": len(norms & others)}
    activations = {name for name, kind in kinds.items() if kind in ACTIVATIONS}
    if activations:
        # A quantised file often has none left: its ranges do their work, and nothing tells of it.
        found["with_activation"] = sum(bool(activations & set(names)) for names in convolutions)
    return found


def _runs(layer: Dict[str, str]) -> bool:
    return layer.get("layerType") not in NO_LAYERS and not layer.get("primitiveType", "").startswith("unknown")


def _names(layer: Dict[str, str]) -> List[str]:
    return layer.get("originalLayersNames", "").split(",")


def _texts(node: Any) -> Dict[str, str]:
    """The rt_info of one node; its values are any-typed."""
    info = node.get_rt_info()
    return {key: str(info[key].astype(str)) if hasattr(info[key], "astype") else str(info[key]) for key in info}
