"""The layers of ONNX files, by what ONNX Runtime brings to debug quantisation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.case import Array
from harness.model import ModelCard
from harness.variants.frames import FrameSet
from harness.variants.libraries import library, working
from harness.variants.onnxfile.layers import ACTIVATIONS, Graph, graph_of
from harness.variants.study.graphs import GraphLayer, Seen, feeds

AT_ONCE = 8
"""Frames whose tensors are in memory together."""
DEBUG = "onnxruntime.quantization.qdq_loss_debug"
Tensors = Mapping[str, Sequence[Array]]
Shapes = Mapping[str, tuple[int, ...] | None]


class OnnxGraphs:
    """Every node is computed by itself, as the file says: nothing is fused, quantised nodes compute in float."""

    def layers(self, path: Path) -> tuple[GraphLayer, ...]:
        """An activation alone behind its node is one layer with it, as quantisation makes one of both."""
        with working("this is no ONNX file whose layers can be seen", path):
            model = library("onnx").shape_inference.infer_shapes(library("onnx").load(str(path)))
        graph, shapes = graph_of(model), _float_shapes(model.graph)
        nodes = [one for one in model.graph.node if one.output and one.output[0] in shapes]
        fused = {one.output[0]: _fused(one, graph, shapes) for one in nodes}
        absorbed = {one.output[0] for one in fused.values() if one is not None}
        return tuple(_layer(one, fused[one.output[0]], shapes) for one in nodes if one.output[0] not in absorbed)

    def activations(
        self, parent: Path, variant: Path, card: ModelCard, frames: FrameSet
    ) -> Iterator[Mapping[str, Seen]]:
        """Flat, frame by frame."""
        with tempfile.TemporaryDirectory() as folder:
            sides = [_Side(path, Path(folder) / f"{index}.onnx") for index, path in enumerate((parent, variant))]
            pairs = zip(*(feeds(path, card, frames) for path in (parent, variant)), strict=True)
            while some := list(islice(pairs, AT_ONCE)):
                first, second = (side.run([pair[at] for pair in some]) for at, side in enumerate(sides))
                yield from _frames(first, second, len(some))

    def weights(self, parent: Path, variant: Path) -> Mapping[str, Seen]:
        """Weights and biases of a file with Q and DQ nodes."""
        with working("the constants of both files cannot be compared", variant):
            found = library(DEBUG).create_weight_matching(str(parent), str(variant))
        return {name: Seen(parent=one["float"], variant=one["dequantized"]) for name, one in found.items()}


class _Side:
    """One file whose tensors are all outputs."""

    def __init__(self, path: Path, watched: Path) -> None:
        self._path, self._watched = path, watched
        with working("ONNX Runtime cannot watch the model", path):
            library(DEBUG).modify_model_output_intermediate_tensors(str(path), str(watched))

    def run(self, inputs: list[dict[str, Array]]) -> Tensors:
        """Every tensor, a list with one array for each of `inputs`."""
        with working("the model does not run on a frame", self._path):
            found: Tensors = library(DEBUG).collect_activations(str(self._watched), inputs)
        return found


def _frames(parent: Tensors, variant: Tensors, count: int) -> Iterator[Mapping[str, Seen]]:
    """A tensor that the variant quantises is taken as its readers see it: rounded."""
    matched = library(DEBUG).create_activation_matching(variant, parent)
    rounded = {name: one["post_qdq"] for name, one in matched.items()}
    for at in range(count):
        yield {
            name: Seen(parent=values[at], variant=rounded.get(name, variant.get(name, [None] * count))[at])
            for name, values in parent.items()
        }


def _float_shapes(graph: Any) -> Shapes:
    """The shape of every tensor of floating-point numbers; None where a size is open."""
    types = library("onnx").TensorProto
    floats = (types.FLOAT, types.FLOAT16, types.BFLOAT16, types.DOUBLE)
    found = [*graph.value_info, *graph.output]
    return {one.name: _shape(one.type.tensor_type) for one in found if one.type.tensor_type.elem_type in floats}


def _shape(tensor: Any) -> tuple[int, ...] | None:
    """For one frame: an open batch is 1."""
    sizes = [one.dim_value if one.HasField("dim_value") else 0 for one in tensor.shape.dim]
    known = [max(sizes[0], 1), *sizes[1:]] if len(sizes) > 1 else sizes
    return tuple(known) if all(known) else None


def _fused(node: Any, graph: Graph, shapes: Shapes) -> Any:
    """The activation that alone reads what `node` gives; None where there is none."""
    reader = graph.only_reader(node)
    return reader if reader is not None and reader.op_type in ACTIVATIONS and reader.output[0] in shapes else None


def _layer(node: Any, fused: Any, shapes: Shapes) -> GraphLayer:
    tensor = (fused or node).output[0]
    shape = shapes[tensor]
    return GraphLayer(
        name=node.name or tensor, operator=node.op_type if fused is None else f"{node.op_type}+{fused.op_type}",
        tensor=tensor, shape=shape, channel_axis=1 if shape and len(shape) == 4 else None,
        quantisable=node.op_type in _quantisable_operators(),
    )  # fmt: skip


def _quantisable_operators() -> frozenset[str]:
    """Those that the quantiser rounds anew."""
    return frozenset(_known_operators()) - passing_operators()


def passing_operators() -> frozenset[str]:
    """Those that only pass on numbers that are rounded already."""
    operators = "onnxruntime.quantization.operators"
    kinds = tuple(getattr(library(f"{operators}.{module}"), kind) for module, kind in PASSING.items())
    return frozenset(name for name, kind in _known_operators().items() if issubclass(kind, kinds))


PASSING = {
    "activation": "QDQRemovableActivation", "direct_q8": "QDQDirect8BitOp", "gather": "QDQGather", "pad": "QDQPad",
    "resize": "QDQResize", "split": "QDQSplit",
}  # fmt: skip


def _known_operators() -> Mapping[str, type]:
    registry = library("onnxruntime.quantization.registry")
    return {**registry.QLinearOpsRegistry, **registry.QDQRegistry}
