"""An ONNX file as the quantiser needs it: opset 13 or newer, weights that are constants, and nodes that have names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.variants.libraries import library, working

# Scales per channel came with it: below, such a file is written and does not load.
LEAST_OPSET = 13
# Older files list their weights as inputs; opset 13 came with 7, and all engines read 8.
LEAST_IR_VERSION = 8


def opset_of(model: Any) -> int:
    """Of the standard operators; 1 where the file names none."""
    return max((int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)


def lifted(model: Any, path: Path) -> Any:
    """The model with an opset of at least 13; EngineError "opset too old" where it cannot be converted."""
    before = opset_of(model)
    if before >= LEAST_OPSET:
        return model
    converter = library("onnx.version_converter")
    model.ir_version = max(model.ir_version, LEAST_IR_VERSION)
    with working(
        f"opset too old: {before}, {LEAST_OPSET} is needed for scales per channel, and it cannot be lifted", path,
        remedy=f"export the model again with opset {LEAST_OPSET} or newer",
    ):  # fmt: skip
        found = converter.convert_version(model, LEAST_OPSET)
        library("onnx").checker.check_model(found)
    if opset_of(found) < LEAST_OPSET:
        raise EngineError(f"opset too old: {before}, and it stays", where=str(path), remedy="export the model again")
    return found


def without_weight_inputs(model: Any) -> int:
    """Take the weights out of the inputs of the graph; how many there were."""
    weights = {one.name for one in model.graph.initializer}
    listed = [one for one in model.graph.input if one.name in weights]
    for one in listed:
        model.graph.input.remove(one)
    if listed:
        model.ir_version = max(model.ir_version, LEAST_IR_VERSION)
    return len(listed)


def with_names(model: Any) -> None:
    """A node without a name is called as its first output: what has no name cannot be left out."""
    for node in model.graph.node:
        if not node.name:
            node.name = next(iter(node.output), "")
