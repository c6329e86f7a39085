"""What TensorRT fused, parsed from the layers that its inspector tells; no engine of it has ever run here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, EngineError
from harness.runtimes.trtlayers import precision_and_fusion
from harness.tooloutput.trtexport import Layer, parse_layers
from harness.variants.fusion import Convolution, Read
from harness.variants.fusion.source import Wanted, wanted

REMARK = "parsed from the layers that TensorRT told, never run on a device here"
ACTIVATION = re.compile(r"relu|clip|sigmoid|swish|silu|gelu|elu|tanh|pwn\(", re.I)
REMEDY = "trtexec --profilingVerbosity=detailed --exportLayerInfo=layers.json, and give layers = that file"


def read(path: Path, options: Mapping[str, Any]) -> Read:
    """Of the file `layers` among the options. path: the ONNX file, or an engine, whose convolutions nobody lists."""
    layers = _layers(options)
    facts = precision_and_fusion(layers).get("fusion", {})
    if path.suffix != ".onnx":
        found = tuple(map(_alone, filter(_convolves, layers)))
    else:
        found = tuple(_found(one, layers) for one in _of(path, layers))
    return Read(convolutions=found, batch_norms_left=facts.get("batch_norms"), remark=REMARK)


def _of(path: Path, layers: Sequence[Layer]) -> tuple[Wanted, ...]:
    """The file's convolutions; EngineError where the layers name none of its nodes."""
    found = wanted(path)
    known = {name for one in found for name in one.names | one.activation_names}
    if found and not any(name in layer.name for layer in layers for name in known):
        raise EngineError("the layers are those of another model: they name none of its convolutions", where=str(path))
    return found


def _layers(options: Mapping[str, Any]) -> tuple[Layer, ...]:
    file = options.get("layers")
    if not file:
        raise ConfigError("TensorRT does not run here, and no file tells its layers", remedy=REMEDY)
    try:
        return parse_layers(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"the layers of TensorRT cannot be read: {error}", where=str(file), remedy=REMEDY) from error


def _parts(layer: Layer) -> frozenset[str]:
    """A fused layer is called "conv1 + relu1"."""
    return frozenset(part.strip() for part in layer.name.split(" + "))


def _convolves(layer: Layer) -> bool:
    copies = layer.name.startswith("Reformatting CopyNode") or "reformat" in layer.kind.lower()
    return not copies and "conv" in (layer.kind or layer.name).lower()


def _found(one: Wanted, layers: Sequence[Layer]) -> Convolution:
    layer = next((each for each in layers if _parts(each) & one.names and _convolves(each)), None)
    if layer is None:
        return one.answer(None, "no convolution of TensorRT names it: it is inside a layer that does not tell")
    if layer.activation or _parts(layer) & one.activation_names:
        return one.answer(True, layer.name)
    return one.answer(False, f"{one.activation} is not in {layer.name}" if one.activation else "")


def _alone(layer: Layer) -> Convolution:
    """Without the ONNX file nobody knows what follows: only what a layer holds is told."""
    held = layer.activation or next((part for part in sorted(_parts(layer)) if ACTIVATION.search(part)), "")
    if held:
        return Convolution(name=layer.name, activation=held, fused=True, reason=layer.name)
    return Convolution(name=layer.name, reason="it holds no activation")
