"""Layers of a TFLite file that stay in float: found by their own names, or by those they have in the ONNX file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.errors import ConfigError
from harness.variants import Bench
from harness.variants.study.graphs_tflite import PASSING
from harness.variants.study.same_weights import layers_of_onnx_nodes
from harness.variants.tflitefile.contents import Layer, inputs, layers


def kept_scopes(bench: Bench, names: Sequence[str]) -> tuple[str, ...]:
    """The scopes, as the quantiser calls them, of the named layers and of what only passes on their numbers.

    A name is that of a layer's result in the TFLite file, or that of a node with weights in the parent's ONNX file.
    ConfigError for one that is neither.
    """
    if not names:
        return ()
    source = bench.parent("tflite")
    found = layers(source)
    known = {one.name: one for one in found}
    elsewhere = {} if set(names) <= known.keys() else _named_in_onnx(bench, found)
    unknown = [name for name in names if name not in known and name not in elsewhere]
    if unknown:
        raise ConfigError(
            f"the TFLite file has no layer {unknown[0]!r}, and none with the weights of an ONNX node of this name",
            where="the recipe, options.exclude", remedy="name a layer as its result, or a node with weights",
        )  # fmt: skip
    chosen = {(known.get(name) or elsewhere[name]).name for name in names}
    return tuple(_scopes(found, inputs(source), chosen))


def _scopes(found: Sequence[Layer], fed: Sequence[str], chosen: set[str]) -> Iterator[str]:
    """Rounding between two layers in float would touch both: what passes on numbers follows the layer before it."""
    floats = {name for one in found if one.name in chosen for name in one.results}
    for one in found:
        if one.kind in PASSING and one.operands[0] in floats:
            floats.update(one.results)
    floats.update(_before(found, fed, floats))
    yield from (f"{name};" for name in fed if name in floats)
    yield from (one.scope for one in found if one.name in floats)


def _before(found: Sequence[Layer], fed: Sequence[str], floats: set[str]) -> set[str]:
    """The inputs, and what passes them on, that only layers in float take."""
    takers = {name: [one for one in found if name in one.operands] for one in found for name in one.operands}

    def only_float(name: str) -> bool:
        return all(
            one.name in floats or (one.kind in PASSING and one.operands[0] == name and only_float(one.name))
            for one in takers.get(name, ())
        )

    reached = {name for name in fed if takers.get(name) and only_float(name)}
    for one in found:
        if one.kind in PASSING and one.operands[0] in reached:
            reached.update(one.results)
    return reached


def _named_in_onnx(bench: Bench, found: Sequence[Layer]) -> Mapping[str, Layer]:
    """ONNX node -> the layer with the same weights."""
    weighted = {one.name: one for one in found if one.weights is not None}
    values = {name: one.weights for name, one in weighted.items() if one.weights is not None}
    return {node: weighted[name] for node, name in layers_of_onnx_nodes(bench, values).items()}
