"""What an INT8 program for ExecuTorch is made of: the parent's exported program, or the card's net."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.modelfile.pt2_archive import Archive
from harness.modelfile.pt2_code import code_in
from harness.variants import Bench
from harness.variants.export.interface import interface
from harness.variants.export.program import exported, xnnpack_form
from harness.variants.export.torch_side import channel_last
from harness.variants.libraries import library
from harness.variants.ptefile.ranges import weights
from harness.variants.study.same_weights import layers_of_onnx_nodes
from harness.variants.training.nets import net_of


def source_file(bench: Bench) -> Path:
    """The file that the weights come from: the exported program where the parent has a fitting one."""
    fits = "pt2" in bench.files and interface(bench, "pt2").channel_last == interface(bench, "pte").channel_last
    return bench.files["pt2"] if fits else bench.parent("onnx")


def source_module(bench: Bench) -> Any:
    """The parent as an exported module in the form that XNNPACK takes whole."""
    wanted, source = interface(bench, "pte"), source_file(bench)
    if source.suffix == ".pt2":
        net = _loaded(source)
    else:
        net = channel_last(net_of(bench)) if wanted.channel_last else net_of(bench)
    return exported(xnnpack_form(net, wanted.input_shape), wanted.input_shape).module()


def _loaded(path: Path) -> Any:
    content = path.read_bytes()
    codes = code_in(Archive(io.BytesIO(content), str(path)))
    if codes:
        raise ConfigError(
            f"loading the file could run code: {codes[0]}", where=str(path), remedy="export it again as a static net"
        )
    return library("torch").export.load(io.BytesIO(content)).module()


def named_weights(bench: Bench, module: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The weights of the named layers; a name is that of a torch layer or of a node with weights in the ONNX file.

    ConfigError for one that is neither.
    """
    if not names:
        return ()
    stored = weights(module)
    known = {name.removesuffix(".weight"): name for name in stored}
    known.update(layers_of_onnx_nodes(bench, stored))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"the net has no layer {unknown[0]!r} with weights: only these can stay in float in a .pte file",
            where="the recipe, options.exclude", remedy="name layers with weights, or leave the format out",
        )  # fmt: skip
    return tuple(sorted(known[name] for name in names))
