"""What a loaded torch.export program says about itself: tensors by name, precision and fusion of its layers."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from harness.case import TensorSpec

_CONVOLUTIONS = ("aten.conv", "aten._convolution")
_BATCH_NORMS = ("aten.batch_norm", "aten._native_batch_norm", "aten.native_batch_norm", "aten.cudnn_batch_norm")


def specs(program: Any, kind: str) -> Tuple[TensorSpec, ...]:
    """The tensors that the signature's `kind` ("user_inputs", "user_outputs") names; a size left open is -1."""
    names, values = getattr(program.graph_signature, kind), _values(program)
    return tuple(_spec(names[place], values[names[place]]) for place in tensor_places(program, kind))


def tensor_places(program: Any, kind: str) -> Tuple[int, ...]:
    """Where the tensors of `specs` stand among all `leaves`: a program also takes and gives numbers and None."""
    names, values = getattr(program.graph_signature, kind), _values(program)
    return tuple(place for place, name in enumerate(names) if hasattr(values.get(name), "dtype"))


def leaves(found: Any) -> List[Any]:
    """What a program gives, out of its tuples, lists and dictionaries."""
    from torch.utils import _pytree

    return list(_pytree.tree_leaves(found))


def _values(program: Any) -> Dict[Any, Any]:
    return {node.name: node.meta.get("val") for node in program.graph.nodes}


def _spec(name: str, value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    dtype = str(value.dtype).rpartition(".")[2]
    # NumPy has no bfloat16; the engine casts.
    return TensorSpec(name, shape, "float32" if dtype == "bfloat16" else dtype)


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
