"""What a net takes and gives, and how the files of each format call it: the same as the parent's files do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, EngineError
from harness.modelfile import inspect_model
from harness.variants import Bench


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The image input and the outputs of one file; the net itself always takes NCHW.

    shape: of the net's input, [1, channels, height, width]. channel_last: the file takes NHWC. outputs: tensor names in
    the order in which the net gives them. An empty name leaves the exporter its own.
    """

    shape: tuple[int, int, int, int]
    channel_last: bool = False
    input: str = ""
    outputs: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """As the file takes it."""
        batch, channels, height, width = self.shape
        return (batch, height, width, channels) if self.channel_last else self.shape


def interface(bench: Bench, file_format: str) -> Interface:
    """What a new file of `file_format` must be like to fit the card; ConfigError for a net with several inputs."""
    card = bench.card
    if card.extra_inputs:
        raise ConfigError(
            f"the model has further inputs ({', '.join(card.extra_inputs)}); only nets of one image are exported",
            where=str(card.folder / "model.toml"), remedy="export it yourself, and list the file in the card",
        )  # fmt: skip
    spec = card.input_spec(file_format)
    return Interface(
        shape=(1, spec.channels, spec.height, spec.width), channel_last=spec.layout == "NHWC",
        input=spec.name or _parent_input(bench, file_format), outputs=_output_names(bench, file_format),
    )  # fmt: skip


def require_interface(wanted: Interface, path: Path) -> None:
    """EngineError where a file calls its tensors otherwise than `wanted`, or takes another shape."""
    info = inspect_model(path)
    found = {one.name for one in info.outputs}
    absent = [name for name in wanted.outputs if name not in found]
    if absent:
        raise EngineError(
            f"the exported file calls its outputs {', '.join(sorted(found))}, and not {', '.join(absent)}",
            where=str(path), remedy="name them in the card under [formats.<format>] outputs",
        )  # fmt: skip
    inputs = [one.name for one in info.inputs]
    if len(inputs) != 1 or (wanted.input and inputs != [wanted.input]):
        raise EngineError(f"the exported file takes {', '.join(inputs)}, and not {wanted.input}", where=str(path))
    shape = info.inputs[0].shape
    if not all(size in (-1, want) for size, want in zip(shape, wanted.input_shape, strict=True)):
        raise EngineError(f"the exported file takes {list(shape)}, and not {list(wanted.input_shape)}", where=str(path))


def task_outputs(bench: Bench) -> tuple[str, ...]:
    """The task's output names in the order in which the net gives them: that of the parent's ONNX file.

    Without one it is the order of the card; empty where the card names none.
    """
    named = {tensor: task for task, tensor in bench.card.outputs("onnx").items()}
    if "onnx" in bench.files and named:
        return tuple(named[one.name] for one in inspect_model(bench.files["onnx"]).outputs if one.name in named)
    return next((tuple(one.outputs) for one in bench.card.formats.values() if one.outputs), ())


def _output_names(bench: Bench, file_format: str) -> tuple[str, ...]:
    known: Mapping[str, str] = bench.card.outputs(file_format)
    order = task_outputs(bench)
    if known and set(order) == set(known):
        return tuple(known[task] for task in order)
    if file_format in bench.files:
        return tuple(one.name for one in inspect_model(bench.files[file_format]).outputs)
    return order if file_format == "onnx" else ()


def _parent_input(bench: Bench, file_format: str) -> str:
    if file_format not in bench.files:
        return "image" if file_format == "onnx" else ""
    inputs = inspect_model(bench.files[file_format]).inputs
    return inputs[0].name if len(inputs) == 1 else ""
