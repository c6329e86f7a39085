"""What a loaded torch.export program says about itself: tensors by name, precision and fusion of its layers."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from harness.case import TensorSpec

_CONVOLUTIONS = ("aten.conv", "aten._convolution")
_BATCH_NORMS = ("aten.batch_norm", "aten._native_batch_norm", "aten.native_batch_norm", "aten.cudnn_batch_norm")


def specs(program: Any, kind: str) -> Tuple[TensorSpec, ...]:
    """The tensors that the signature's `kind` ("user_inputs", "user_outputs") names; a size left open is -1."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    names = [name for name in getattr(program.graph_signature, kind) if hasattr(values.get(name), "dtype")]
    return tuple(_spec(name, values[name]) for name in names)


def _spec(name: str, value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(name, shape, str(value.dtype).rpartition(".")[2])


def layer_precisions(program: Any, precision: str) -> Dict[str, float]:
    """Share of the operators per dtype of their results; floating-point ones run in `precision`."""
    values = [node.meta.get("val") for node in _operators(program)]
    dtypes = [one.dtype for one in values if hasattr(one, "dtype")]
    names = [precision if one.is_floating_point else str(one).rpartition(".")[2] for one in dtypes]
    return {name: names.count(name) / len(names) for name in sorted(set(names))}


def fusion(program: Any) -> Dict[str, int]:
    """Eager PyTorch fuses no activation; batch normalisations are those that the file has left."""
    targets = [str(node.target) for node in _operators(program)]
    return {
        "convolutions": sum(one.startswith(_CONVOLUTIONS) for one in targets),
        "with_activation": 0,
        "batch_norms": sum(one.startswith(_BATCH_NORMS) for one in targets),
    }


def _operators(program: Any) -> List[Any]:
    return [node for node in program.graph.nodes if node.op == "call_function"]
