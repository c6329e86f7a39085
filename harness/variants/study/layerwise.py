"""A variant beside its parent, layer by layer on the same frames: where does it leave the tolerance first?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, HarnessError
from harness.model import ModelCard
from harness.variants.frames import FrameSet
from harness.variants.study.graphs import GraphLayer, GraphReader, Seen, graph_reader
from harness.variants.study.sqnr import Distance, distance

FRAMES = 32
ABSENT = "the variant has no tensor of this name"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """A layer is outside where its cosine is lower, or its SQNR, or that of its median channel."""

    cosine: float = 0.99
    sqnr_db: float = 20.0

    def holds(self, found: Distance) -> bool:
        """Whether a layer is inside."""
        channel_db = found.median_channel_db
        lowest_db = found.sqnr_db if channel_db is None else min(found.sqnr_db, channel_db)
        return found.cosine >= self.cosine and lowest_db >= self.sqnr_db


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer. found: how far its numbers are from the parent's; None where they cannot be compared, and `why`."""

    layer: GraphLayer
    found: Distance | None = None
    why: str = ""

    def facts(self, tolerance: Tolerance) -> dict[str, Any]:
        """As plain JSON values."""
        base = {"layer": self.layer.name, "operator": self.layer.operator, "tensor": self.layer.tensor}
        if self.found is None:
            return {**base, "not_comparable": self.why}
        return {**base, **self.found.facts(), "inside": tolerance.holds(self.found)}


@dataclass(frozen=True, kw_only=True)
class Layerwise:
    """layers: in graph order. weights: what rounding did to constants, by the parent's names."""

    parent: Path
    variant: Path
    frames: int
    tolerance: Tolerance
    layers: tuple[LayerRow, ...]
    weights: Mapping[str, Distance]

    @property
    def compared(self) -> tuple[LayerRow, ...]:
        """The layers whose numbers could be compared."""
        return tuple(one for one in self.layers if one.found)

    @property
    def first_outside(self) -> LayerRow | None:
        """The first layer outside the tolerance; None where there is none, or none was compared."""
        return next((one for one in self.compared if one.found and not self.tolerance.holds(one.found)), None)

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        first = self.first_outside
        return {
            "parent": self.parent.name, "variant": self.variant.name, "frames": self.frames,
            "tolerance": asdict(self.tolerance), "compared_layers": len(self.compared),
            "first_outside": None if first is None else first.layer.name,
            "layers": [one.facts(self.tolerance) for one in self.layers],
            "weights": [{"name": name, **one.facts()} for name, one in self.weights.items()],
        }  # fmt: skip


def layerwise(
    card: ModelCard, parent: Path, variant: Path, frames: FrameSet, tolerance: Tolerance | None = None
) -> Layerwise:
    """Compare two files of one format on `frames`.

    ConfigError for two formats, or one whose layers cannot be seen; HarnessError for no frame.
    """
    reader = graph_reader(_common_format(parent, variant))
    if not len(frames):
        raise HarnessError("there is no frame to compare on", where=frames.name, remedy="give at least one")
    layers = reader.layers(parent)
    found = _summed(layers, reader.activations(parent, variant, card, frames))
    shapes = {one.tensor: one.shape for one in reader.layers(variant)}
    return Layerwise(
        parent=parent, variant=variant, frames=len(frames), tolerance=tolerance or Tolerance(),
        layers=tuple(_row(one, found[one.tensor], shapes.get(one.tensor)) for one in layers),
        weights=_weights(reader, parent, variant),
    )  # fmt: skip


def _common_format(parent: Path, variant: Path) -> str:
    formats = {one.suffix.removeprefix(".").lower() for one in (parent, variant)}
    if len(formats) > 1:
        raise ConfigError(
            f"{parent.name} and {variant.name} are of two formats", remedy="compare files of one format layer by layer"
        )
    return formats.pop()


Found = Distance | str


def _summed(layers: Sequence[GraphLayer], seen: Iterable[Mapping[str, Seen]]) -> dict[str, Found]:
    """By tensor, over all frames; a sentence for what cannot be compared."""
    sums: dict[str, Found] = {one.tensor: Distance() for one in layers}
    for frame in seen:
        for layer in layers:
            sums[layer.tensor] = _added(sums[layer.tensor], layer, frame.get(layer.tensor))
    return sums


def _added(before: Found, layer: GraphLayer, seen: Seen | None) -> Found:
    if isinstance(before, str):
        return before
    if seen is None or seen.variant is None:
        return ABSENT
    # The size of some tensors depends on the picture, whatever the file says.
    known = layer.shape is not None and math.prod(layer.shape) == seen.parent.size
    parent = seen.parent.reshape(layer.shape) if known else seen.parent
    try:
        return before + distance(parent, seen.variant, layer.channel_axis if known else None)
    except ValueError as error:
        return str(error)


def _row(layer: GraphLayer, found: Found, shape: tuple[int, ...] | None) -> LayerRow:
    """shape: in the variant."""
    if isinstance(found, Distance):
        return LayerRow(layer=layer, found=found)
    if layer.shape and shape and layer.shape != shape:
        return LayerRow(layer=layer, why=f"{_sizes(layer.shape)} in the parent, {_sizes(shape)} in the variant")
    return LayerRow(layer=layer, why=found)


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _weights(reader: GraphReader, parent: Path, variant: Path) -> dict[str, Distance]:
    """Those of another size, as in a pruned variant, are left out."""
    found = reader.weights(parent, variant)
    pairs = ((name, one.parent, one.variant) for name, one in sorted(found.items()))
    return {name: distance(one, other) for name, one, other in pairs if other is not None and one.size == other.size}
