"""A net as an ONNX file: static, or with an open batch or size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.case import Array
from harness.errors import ConfigError, EngineError, printable, unknown
from harness.modelfile import inspect_model
from harness.variants.export.equality import Answer
from harness.variants.export.interface import Interface
from harness.variants.export.opsets import OPSET, require_written
from harness.variants.export.torch_side import channel_last, example, listed
from harness.variants.libraries import quiet

EXPORTERS = ("legacy", "dynamo")
WHERE = "the export's options"
BATCH, HEIGHT, WIDTH = "batch", "height", "width"
Names = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class OnnxForm:
    """How the ONNX file is to be. exporter: "legacy" keeps the weights' torch names and needs only onnx.

    dynamic_batch, dynamic_size: leave the batch, or height and width, open.
    """

    opset: int = OPSET
    exporter: str = "legacy"
    dynamic_batch: bool = False
    dynamic_size: bool = False

    def open_axes(self, wanted: Interface) -> dict[int, str]:
        """Axis of the file's input -> its name, of those that are left open."""
        first = 1 if wanted.channel_last else 2
        sizes = {first: HEIGHT, first + 1: WIDTH} if self.dynamic_size else {}
        return {**({0: BATCH} if self.dynamic_batch else {}), **sizes}


STATIC = OnnxForm()


def to_onnx(net: Any, wanted: Interface, path: Path, form: OnnxForm = STATIC) -> None:
    """Write `net` as ONNX; ConfigError for an opset or a form that the exporter or the net does not do."""
    if form.exporter not in EXPORTERS:
        raise ConfigError(unknown("exporter", form.exporter, EXPORTERS), where=WHERE)
    require_written(form.opset, form.exporter)
    ready = channel_last(net) if wanted.channel_last else net
    names = {"input_names": [wanted.input or "image"], "output_names": list(wanted.outputs)}
    moving = moving_axes(ready, wanted, form)
    with quiet():
        if form.exporter == "dynamo":
            _dynamo(ready, wanted, path, form, names)
        else:
            _legacy(ready, wanted, path, form, names, moving)
    _require_opset(path, form)


def moving_axes(net: Any, wanted: Interface, form: OnnxForm) -> tuple[dict[int, str], ...]:
    """Per output the axes whose length follows the open ones of the input, found by running the net twice.

    ConfigError for a net that does not run on another size.
    """
    if not form.open_axes(wanted):
        return ()
    small, large = (_shapes(net, shape, wanted) for shape in (wanted.input_shape, grown(wanted, form)))
    return tuple(
        {axis: BATCH if axis == 0 else f"out{at}_{axis}" for axis in range(len(one)) if one[axis] != other[axis]}
        for at, (one, other) in enumerate(zip(small, large, strict=True))
    )


def grown(wanted: Interface, form: OnnxForm) -> tuple[int, ...]:
    """The input's shape with every open axis twice as long."""
    axes = form.open_axes(wanted)
    return tuple(2 * size if axis in axes else size for axis, size in enumerate(wanted.input_shape))


def _legacy(
    net: Any, wanted: Interface, path: Path, form: OnnxForm, names: Names, moving: tuple[dict[int, str], ...]
) -> None:
    import torch

    axes = {names["input_names"][0]: form.open_axes(wanted), **dict(zip(names["output_names"], moving, strict=False))}
    torch.onnx.export(
        net, (example(wanted.input_shape),), str(path), opset_version=form.opset, dynamo=False,
        dynamic_axes={name: one for name, one in axes.items() if one}, **names,
    )  # fmt: skip


def _dynamo(net: Any, wanted: Interface, path: Path, form: OnnxForm, names: Names) -> None:
    import torch

    axes = form.open_axes(wanted)
    # A batch of one would be taken for a constant, so the example is the grown one.
    torch.onnx.export(
        net, (example(grown(wanted, form)),), str(path), opset_version=form.opset, dynamo=True, external_data=False,
        verbose=False, dynamic_shapes=(axes,) if axes else None, **names,
    )  # fmt: skip
    _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """Take out the stack traces that the exporter keeps in every node: they hold paths of this machine."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    for one in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del one.metadata_props[:]
    onnx.save(model, str(path))


def _shapes(net: Any, shape: tuple[int, ...], wanted: Interface) -> list[tuple[int, ...]]:
    import torch

    try:
        with torch.no_grad():
            return [tuple(one.shape) for one in listed(net(example(shape)))]
    except RuntimeError as error:
        raise ConfigError(
            f"the net does not run on {list(shape)}: {str(error).splitlines()[0]}", where=WHERE,
            remedy=f"leave the size fixed: a layer of this net was made for {list(wanted.input_shape)}",
        ) from error  # fmt: skip


def _require_opset(path: Path, form: OnnxForm) -> None:
    """The exporter keeps its own opset where it cannot convert, and only logs it."""
    found = inspect_model(path).opset
    if found != form.opset:
        raise EngineError(
            f"the {form.exporter} exporter wrote opset {found} where {form.opset} was asked for", where=str(path),
            remedy="take the legacy exporter, or the opset that it wrote",
        )  # fmt: skip


def open_answers(net: Any, path: Path, wanted: Interface, form: OnnxForm, image: Array) -> tuple[Answer, Answer]:
    """Outputs of the net and of its file for `image` [1, ...], repeated to twice the length along the open axes.

    EngineError where the file does not run on it.
    """
    import onnxruntime
    import torch

    for axis in form.open_axes(wanted):
        image = image.repeat(2, axis)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    try:
        files = session.run(names, {session.get_inputs()[0].name: image})
    except Exception as error:
        raise EngineError(
            f"the file leaves its input open, and does not run on {list(image.shape)}: {printable(str(error), 300)}",
            where=str(path), remedy="take the other exporter, or leave the size fixed",
        ) from error  # fmt: skip
    with torch.no_grad():
        ours = listed((channel_last(net) if wanted.channel_last else net)(torch.from_numpy(image)))
    return dict(zip(names, (one.numpy() for one in ours), strict=True)), dict(zip(names, files, strict=True))
