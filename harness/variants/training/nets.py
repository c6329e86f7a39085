"""The card's nets as torch modules: built by name, folded, and with the weights that the parent's ONNX file holds."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.case import Array
from harness.errors import ConfigError
from harness.variants import Bench
from harness.variants.export.equality import differences, file_answers, first_frames, net_answers, require_equal
from harness.variants.export.interface import interface, task_outputs
from harness.variants.libraries import library

CHECKED_FRAMES = 8


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in the calling thread alone: sums have one order, so a seed gives one result."""
    torch = library("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def net_of(bench: Bench) -> Any:
    """The card's [training] net for inference, with the weights of the parent's ONNX file.

    ConfigError where the card names none, or one of another architecture; EngineError where its outputs differ from
    the file's on real frames.
    """
    # A bias that comes from folding is marked as not to be learned.
    net = folded(built(bench, "net")).requires_grad_(True)
    load(net, bench.parent("onnx"), where=_place(bench, "net"))
    require_same(net, bench)
    return net


def built(bench: Bench, role: Literal["net", "student"]) -> Any:
    """What the function that the card names under [training] gives: a torch module with weights by chance."""
    place = _place(bench, role)
    name = getattr(bench.card.training, role, "") if bench.card.training else ""
    if not name:
        raise ConfigError(
            f"the card names no {role} to train", where=place,
            remedy=f'{role} = "package.module:function", a function without arguments that gives the torch module',
        )  # fmt: skip
    net = _function(name, place)()
    if not isinstance(net, library("torch").nn.Module):
        raise ConfigError(f"{name} gives a {type(net).__name__} and no torch.nn.Module", where=place)
    return net


def _place(bench: Bench, role: str) -> str:
    return f"{bench.card.folder / 'model.toml'}, training.{role}"


def _function(name: str, place: str) -> Callable[[], Any]:
    library("torch")
    module, _, attribute = name.partition(":")
    remedy = 'write "package.module:function", importable from where the harness runs'
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigError(f"there is no {name!r}: {error}", where=place, remedy=remedy) from error
    if not callable(found):
        raise ConfigError(f"{name!r} is no function", where=place, remedy=remedy)
    function: Callable[[], Any] = found
    return function


def folded(net: Any) -> Any:
    """A copy for inference: each batch normalisation that follows a convolution in a Sequential is folded into it."""
    torch = library("torch")
    fuse = library("torch.nn.utils.fusion").fuse_conv_bn_eval
    plain = copy.deepcopy(net).eval()
    for places, at in _after_convolutions(plain, torch.nn.BatchNorm2d):
        places[at - 1], places[at] = fuse(places[at - 1], places[at]), torch.nn.Identity()
    return plain


def unfolded(net: Any, tensor: Any) -> Any:
    """A copy to train, with a batch normalisation again wherever `folded` took one out; a batch to set them by.

    Each starts with the statistics of what it sees, undone by its own scale and offset: the net computes the same, and
    is trained as such nets are.
    """
    torch = library("torch")
    copied, hooks = copy.deepcopy(net).eval(), []
    for places, at in _after_convolutions(copied, torch.nn.Identity):
        places[at] = torch.nn.BatchNorm2d(places[at - 1].out_channels).eval()
        places[at - 1].bias.requires_grad_(False)
        hooks.append(places[at].register_forward_pre_hook(_start))
    with torch.no_grad():
        copied(tensor)
    for hook in hooks:
        hook.remove()
    return copied


def _start(normalisation: Any, seen: tuple[Any, ...]) -> None:
    variance, mean = library("torch").var_mean(seen[0], (0, 2, 3))
    normalisation.running_mean.copy_(mean)
    normalisation.running_var.copy_(variance)
    normalisation.bias.data.copy_(mean)
    normalisation.weight.data.copy_((variance + normalisation.eps).sqrt())


def _after_convolutions(net: Any, kind: Any) -> Iterator[tuple[Any, int]]:
    """Where a module of this kind follows a convolution: the Sequential and the place in it."""
    nn = library("torch").nn
    for one in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for at in range(1, len(one)):
            if isinstance(one[at], kind) and isinstance(one[at - 1], nn.Conv2d):
                yield one, at


def load(net: Any, source: Path, *, where: str) -> None:
    """Give `net` the weights of an ONNX file, which keeps them under their torch names; ConfigError for others."""
    torch = library("torch")
    stored, own = _weights(source), net.state_dict()
    absent, extra = sorted(own.keys() - stored.keys()), sorted(stored.keys() - own.keys())
    other = [
        f"{name} {list(stored[name].shape)} instead of {list(own[name].shape)}"
        for name in sorted(own.keys() & stored.keys()) if stored[name].shape != tuple(own[name].shape)
    ]  # fmt: skip
    parts = {"not in the file": absent, "not in the net": extra, "of another shape": other}
    wrong = "; ".join(f"{what}: {_few(names)}" for what, names in parts.items() if names)
    if wrong:
        raise ConfigError(
            f"the weights of {source.name} do not fit the net ({wrong})", where=where,
            remedy="name the net that this file was exported from, after folding its batch normalisations",
        )  # fmt: skip
    net.load_state_dict({name: torch.from_numpy(value) for name, value in stored.items()})


def _weights(source: Path) -> Mapping[str, Array]:
    """The float initialisers; whole numbers are shapes and axes, no weights."""
    onnx = library("onnx")
    stored = {one.name: np.array(onnx.numpy_helper.to_array(one)) for one in onnx.load(str(source)).graph.initializer}
    return {name: value for name, value in stored.items() if value.dtype.kind == "f"}


def _few(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def require_same(net: Any, bench: Bench) -> float:
    """The largest difference of `net` from the parent's ONNX file on real frames; EngineError above rounding."""
    source = bench.parent("onnx")
    frames = first_frames(bench.frames.calibration, CHECKED_FRAMES)
    with one_thread():
        ours = list(net_answers(net, output_names(bench), bench.card, frames))
    return require_equal(differences(file_answers(source, bench.card, frames), ours), str(source)).largest


def output_names(bench: Bench) -> tuple[str, ...]:
    """What the net's outputs are called, in its order."""
    return task_outputs(bench) or interface(bench, "onnx").outputs


def example(bench: Bench, batch: int = 1) -> Any:
    """An input of zeros, [batch, channels, height, width]."""
    spec = bench.card.input_spec("onnx")
    return library("torch").zeros(batch, spec.channels, spec.height, spec.width)


def parameters(net: Any) -> int:
    """How many numbers were learned."""
    return sum(one.numel() for one in net.parameters())


def multiply_accumulates(net: Any, *shape: int) -> int:
    """Multiplications in convolutions and linear layers for one input of `shape`, without its batch axis.

    Two numbers are the height and width of a grey picture.
    """
    torch = library("torch")
    total = 0

    def count(module: Any, _: Any, output: Any) -> None:
        nonlocal total
        total += module.weight[0].numel() * output[0].numel()

    layers = [one for one in net.modules() if isinstance(one, (torch.nn.Conv2d, torch.nn.Linear))]
    hooks = [one.register_forward_hook(count) for one in layers]
    with torch.no_grad():
        net.eval()(torch.zeros(1, *((1, *shape) if len(shape) == 2 else shape)))
    for hook in hooks:
        hook.remove()
    return total
