"""A net as a TFLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.variants.export.interface import Interface
from harness.variants.export.torch_side import example
from harness.variants.libraries import quiet


def to_tflite(net: Any, wanted: Interface, path: Path) -> None:
    """Write `net` as TFLite, its input channel last where the card says so."""
    import litert_torch
    from litert_torch import progress

    # It prints every step.
    progress.config.show_progress = False
    with quiet():
        ready = litert_torch.to_channel_last_io(net, args=[0]) if wanted.channel_last else net
        litert_torch.convert(ready.eval(), (example(wanted.input_shape),)).export(str(path))
    rename(path, wanted)


def rename(path: Path, wanted: Interface) -> None:
    """Call the file's input and outputs as `wanted` does; nothing is written where they have these names."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    # The signature lists outputs by their names; output_0, output_1 ... is the order of the net.
    given = sorted(signature.outputs, key=lambda one: int(one.name.rpartition(b"_")[2]))
    places = [graph.inputs[0], *(one.tensorIndex for one in given)]
    names = [wanted.input, *(wanted.outputs or [""] * len(given))]
    changed = [(graph.tensors[at], name.encode()) for at, name in zip(places, names, strict=True) if name]
    if all(tensor.name == name for tensor, name in changed):
        return
    for tensor, name in changed:
        tensor.name = name
    flatbuffer_utils.write_model(model, str(path))
