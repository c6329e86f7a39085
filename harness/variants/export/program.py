"""A net as an exported program (.pt2), and as an ExecuTorch program (.pte) for XNNPACK.

The files hold no path of the machine that made them, and no pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.variants.export.interface import Interface
from harness.variants.export.torch_side import channel_last, example
from harness.variants.libraries import quiet


def to_pt2(net: Any, wanted: Interface, path: Path) -> None:
    """Write `net` as an exported program whose tensors are called as `wanted` says."""
    import torch

    program = exported(channel_last(net) if wanted.channel_last else net, wanted.input_shape)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    rename(program, wanted)
    program.example_inputs = None
    torch.export.save(program, str(path))


def to_pte(net: Any, wanted: Interface, path: Path) -> None:
    """Write `net` as an ExecuTorch program for XNNPACK."""
    with quiet():
        ready = channel_last(net) if wanted.channel_last else net
        path.write_bytes(lowered(exported(xnnpack_form(ready, wanted.input_shape), wanted.input_shape)))


def exported(net: Any, shape: tuple[int, ...]) -> Any:
    """The exported program of a net whose only input has this shape."""
    import torch

    with torch.no_grad():
        return torch.export.export(net, (example(shape),))


def xnnpack_form(net: Any, shape: tuple[int, ...]) -> Any:
    """The net with spatial means that keep their axes: XNNPACK takes no others, and would split the net in two."""
    import torch

    module = exported(net, shape).module()
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.mean.dim and not (len(node.args) > 2 and node.args[2]):
            _keep_axes(module.graph, node)
    module.recompile()
    return module


def _keep_axes(graph: Any, node: Any) -> None:
    import torch

    shape = [int(size) for size in node.meta["val"].shape]
    node.args = (node.args[0], node.args[1], True)
    with graph.inserting_after(node):
        flat = graph.call_function(torch.ops.aten.reshape.default, (node, shape))
    node.replace_all_uses_with(flat, delete_user_cb=lambda user: user is not flat)


def lowered(program: Any) -> bytes:
    """The ExecuTorch program of an exported one, lowered for XNNPACK."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)


def rename(program: Any, wanted: Interface) -> None:
    """Call the program's input and outputs as `wanted` does, where it says so."""
    signature = program.graph_signature
    before = (*signature.user_inputs, *signature.user_outputs)
    after = (wanted.input or signature.user_inputs[0], *(wanted.outputs or signature.user_outputs))
    nodes = {node.name: node for node in program.graph.nodes}
    for name in nodes.keys() & (set(after) - set(before)):
        nodes[name].name = f"{name}_inner"
    moved = [(nodes[old], new) for old, new in zip(before, after, strict=True) if old != new]
    # By way of other names: two outputs may have to change places.
    for at, (node, _) in enumerate(moved):
        _call(program, node, f"renamed_{at}")
    for node, new in moved:
        _call(program, node, new)


def _call(program: Any, node: Any, name: str) -> None:
    old, node.name = node.name, name
    if node.op == "placeholder":
        node.target = name
    program.graph_signature.replace_all_uses(old, name)
