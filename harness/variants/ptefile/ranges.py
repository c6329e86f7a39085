"""A torch program in INT8 for XNNPACK: torchao inserts observers, and frames tell them the ranges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from harness.case import Array
from harness.variants.quantise.histogram_cache import Histograms
from harness.variants.quantise.histograms import BINS, chosen_range, empty

SQUARED_ERROR = "squared_error"
# The least scale that XNNPACK's quantiser gives a tensor.
_LEAST_SCALE = 2**-12
Tensors = Callable[[], Iterable[Array]]
Cached = Callable[[Callable[[], Histograms]], Histograms]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How ranges are found. method: one of harness.variants.quantise.histograms, or SQUARED_ERROR, torchao's own.

    floats: names of the weights of layers that stay in float. cached: gives the histograms, or has them made.
    """

    method: str = "minmax"
    percentile: float = 99.99
    bins: int = BINS
    per_channel: bool = True
    floats: Collection[str] = ()
    cached: Cached = lambda make: make()

    def facts(self) -> dict[str, Any]:
        """What of it decides the ranges."""
        return {
            "method": self.method,
            **({"percentile": self.percentile} if self.method == "percentile" else {}),
            **({"bins": self.bins} if self.method in ("percentile", "entropy") else {}),
            "per_channel": self.per_channel,
        }


def quantised(module: Any, tensors: Tensors, how: Calibration) -> Any:
    """`module`, an exported one, with rounded weights and activations; `tensors` is asked for all of them twice."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantiser = XNNPACKQuantizer().set_global(_config(how))
    if how.floats:
        quantiser.set_filter_function(lambda node: _weight(node) not in how.floats)
    observed = prepare_pt2e(module, quantiser)
    with torch.no_grad():
        if how.method == SQUARED_ERROR:
            _show(observed, tensors())
        else:
            _calibrate(observed, tensors, how)
    return convert_pt2e(observed)


def weights(module: Any) -> dict[str, Array]:
    """Name -> values, of every layer with weights of an exported module."""
    stored = {name: one for name, one in module.state_dict().items() if one.dim() > 1}
    names = [_weight(node) for node in module.graph.nodes]
    return {name: stored[name].detach().numpy() for name in names if name in stored}


def rounded_layers(module: Any) -> int:
    """How many layers of a quantised module have integer weights."""
    given = [node.args[1] for node in module.graph.nodes if node.op == "call_function" and len(node.args) > 1]
    return sum(str(getattr(one, "target", "")).startswith("quantized_decomposed.dequantize") for one in given)


def _weight(node: Any) -> str:
    """The name of the weights that a node multiplies with; "" where it does not."""
    given = [one for one in node.args[1:2] if getattr(one, "op", "") == "get_attr"]
    return str(given[0].target) if given and node.op == "call_function" else ""


def _config(how: Calibration) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import get_symmetric_quantization_config

    config = get_symmetric_quantization_config(is_per_channel=how.per_channel)
    if how.method == SQUARED_ERROR:
        return config
    make = _observer().with_args(eps=_LEAST_SCALE)
    watched = replace(config.input_activation, observer_or_fake_quant_ctr=make)
    return replace(config, input_activation=watched, output_activation=watched)


def _observer() -> Any:
    """The class of an observer that finds the widest range first, and counts what is within afterwards."""
    from torchao.quantization.pt2e import MinMaxObserver

    class Counting(MinMaxObserver):  # type: ignore[misc]
        histogram = None

        def forward(self, values: Any) -> Any:
            if self.histogram is None:
                return super().forward(values)
            self.histogram = self.histogram.adding(values.detach().numpy())
            return values

    return Counting


def _calibrate(observed: Any, tensors: Tensors, how: Calibration) -> None:
    """Give every observer the range of the method."""
    import torch

    counting = {name: one for name, one in observed.named_modules() if hasattr(one, "histogram")}
    first = next(iter(tensors()), None)
    if first is None or not counting:
        return
    found = how.cached(lambda: _counted(observed, counting, tensors, how.bins))
    # Observers of weights have to see them once.
    observed(torch.from_numpy(first))
    for name, one in counting.items():
        low, high = chosen_range(found[name], how.method, how.percentile)
        one.min_val.fill_(low)
        one.max_val.fill_(high)


def _counted(observed: Any, counting: dict[str, Any], tensors: Tensors, bins: int) -> Histograms:
    _show(observed, tensors())
    for one in counting.values():
        one.histogram = empty(float(one.min_val), float(one.max_val), bins)
    _show(observed, tensors())
    return {name: one.histogram for name, one in counting.items()}


def _show(observed: Any, tensors: Iterable[Array]) -> None:
    import torch

    for one in tensors:
        observed(torch.from_numpy(one))
