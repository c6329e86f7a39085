"""What a model file costs per frame, layer by layer, read without an engine and without the `onnx` package.

Read downwards: `onnxgraph` and `tensors` say what is known of a graph, `windows`, `multiplying` and `shapes` are the
operators, `folding` computes constants, `onnxcost` and `tflitecost` walk a file. An operator that none of them knows
makes the count a lower bound that names it. The host side imports this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.case import ExtraInput, InputSpec
from harness.layercost.onnxcost import onnx_network
from harness.layercost.tensors import Shape
from harness.layercost.tflitecost import tflite_network
from harness.layers import Network
from harness.modelfile import ModelInfo, inspect_model
from harness.modelfile.info import Limits
from harness.modelfile.source import Source

READABLE = ("onnx", "tflite")

__all__ = ["READABLE", "read_network"]


def read_network(path: Path, image: InputSpec | None = None, extras: Sequence[ExtraInput] = ()) -> Network:
    """The cost of one frame of the model file. image, extras: its inputs, for the sizes that it leaves open.

    ModelFileError where it is no ONNX or TFLite file, or not safe to open.
    """
    info = inspect_model(path)
    wanted = _shapes(info, image, extras)
    with path.open("rb", buffering=0) as stream:
        source = Source(stream, info.size_bytes, str(path), Limits())
        return onnx_network(source, wanted) if info.format == "onnx" else tflite_network(source, wanted)


def _shapes(info: ModelInfo, image: InputSpec | None, extras: Sequence[ExtraInput]) -> dict[str, Shape]:
    """By input; an image without a name is the one input that is no extra."""
    known = {one.name: one.shape for one in extras}
    others = [one.name for one in info.inputs if one.name not in known]
    if image is not None and (image.name or len(others) == 1):
        channels_first = (1, image.channels, image.height, image.width)
        last = (1, image.height, image.width, image.channels)
        known[image.name or others[0]] = channels_first if image.layout == "NCHW" else last
    return known
