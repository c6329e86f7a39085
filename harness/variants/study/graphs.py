"""The layers of a model file and what flows between them: one reader for each format that can be looked into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.case import Array, InputSpec, TensorSpec
from harness.errors import ConfigError
from harness.members import member
from harness.model import ModelCard
from harness.modelfile import inspect_model
from harness.variants.frames import FrameSet

READERS = {
    "onnx": "harness.variants.study.graphs_onnx:OnnxGraphs",
    "tflite": "harness.variants.study.graphs_tflite:TfliteGraphs",
}


@dataclass(frozen=True, kw_only=True)
class GraphLayer:
    """One layer, with the activation that engines fuse into it.

    name: of its node, or of its tensor where nodes have none. operator: as the format calls it, both where there are
    two. tensor: what it gives, of `shape` for one frame; None where the file does not say. channel_axis: of it, where
    the tensor is a map of channels. quantisable: static quantisation rounds it, and may leave it in float.
    """

    name: str
    operator: str
    tensor: str
    shape: tuple[int, ...] | None = None
    channel_axis: int | None = None
    quantisable: bool = True


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The same tensor in the parent and in its variant, in any shape; None where the variant has none of this name."""

    parent: Array
    variant: Array | None


class GraphReader(Protocol):
    """What one format tells."""

    def layers(self, path: Path) -> tuple[GraphLayer, ...]:
        """Those with floating-point or quantised numbers, in the order of the graph."""
        ...

    def activations(
        self, parent: Path, variant: Path, card: ModelCard, frames: FrameSet
    ) -> Iterator[Mapping[str, Seen]]:
        """What every layer of the parent gives, by tensor, one frame after the other; quantised numbers as floats."""
        ...

    def weights(self, parent: Path, variant: Path) -> Mapping[str, Seen]:
        """The parent's constants that the variant quantised; empty where the format does not tell."""
        ...


def graph_reader(file_format: str) -> GraphReader:
    """The reader of a format; ConfigError, with the known ones, for one whose layers cannot be seen."""
    reader: GraphReader = member("reader of layers", file_format, READERS, "the format of the model file")()
    return reader


def feeds(path: Path, card: ModelCard, frames: FrameSet) -> Iterator[dict[str, Array]]:
    """The inputs of one file by name, frame by frame; ConfigError where the card does not say what fills each."""
    spec = card.input_spec(path.suffix.removeprefix("."))
    return filled(inspect_model(path).inputs, spec, card, frames, str(path))


def filled(
    inputs: Sequence[TensorSpec], spec: InputSpec, card: ModelCard, frames: FrameSet, where: str
) -> Iterator[dict[str, Array]]:
    """The same of declared inputs. where: the file, for the error."""
    constants = {one.name: np.full(one.shape, one.value, one.dtype) for one in card.extra_input_list()}
    pictures = [one for one in inputs if one.name not in constants]
    image = next((one for one in pictures if one.name == spec.name or len(pictures) == 1), None)
    if image is None:
        raise ConfigError(
            f"the picture's input is not clear: {_listed(one.name for one in pictures)}",
            where=where, remedy="name it in [input] name, and give all others an [extra_inputs.NAME] in the card",
        )  # fmt: skip
    further = {one.name for one in inputs if one is not image}
    if further != constants.keys():
        # Some engines run with an input that nobody filled.
        raise ConfigError(
            f"the further inputs of the file are {_listed(further)}, and those of the card {_listed(constants)}",
            where=where, remedy="give each an [extra_inputs.NAME] in the card, and no other",
        )  # fmt: skip
    for tensor in frames.tensors(spec, image):
        yield {image.name: tensor, **constants}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
