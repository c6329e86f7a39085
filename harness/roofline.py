"""The roofline floor of a network on a device, and how far a measured time lies above it. Pure.

Williams, Waterman, Patterson: Roofline: An Insightful Visual Performance Model for Multicore Architectures,
Communications of the ACM 52(4), 2009, doi 10.1145/1498765.1498785. docs/roofline.md says what is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.layers import BITS, Layer, Network, fastest, precision_named
from harness.profile import Facts

BANDWIDTH = "memory_bandwidth_gb_s"
PEAKS = {"int8": "int8_tops", "fp16": "fp16_tflops", "fp32": "fp32_tflops"}
BELOW = (
    "fewer multiply-adds than the file asks for (Winograd, zeros left out), weights that stay in a cache, "
    "a faster precision than was told (TF32, bf16), or a wrong fact"
)


@dataclass(frozen=True, kw_only=True)
class LayerFloor:
    """One layer by itself, its activations read from memory and written back; None where a fact is missing."""

    layer: Layer
    precision: str
    compute_ms: float | None
    memory_ms: float | None

    @property
    def ms(self) -> float:
        """The longer of the two that are known."""
        return max(self.compute_ms or 0.0, self.memory_ms or 0.0)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """No schedule of the network's multiply-adds on the device is faster than `ms`.

    compute_ms: all multiply-adds at the peak of their precision. memory_ms: weights, inputs and outputs once through
    the main memory. None where a fact is missing; `missing` names the facts. layers: those with multiply-adds.
    """

    network: Network
    layers: tuple[LayerFloor, ...]
    moved_bytes: float
    compute_ms: float | None
    memory_ms: float | None
    missing: tuple[str, ...] = ()

    @property
    def ms(self) -> float | None:
        """The floor; None where no fact is given."""
        return max((one for one in (self.compute_ms, self.memory_ms) if one is not None), default=None)

    @property
    def bound(self) -> str:
        """What limits: "compute" or "memory"; "" where only one of them is known, and so nobody can tell."""
        if self.compute_ms is None or self.memory_ms is None or self.missing:
            return ""
        return "compute" if self.compute_ms >= self.memory_ms else "memory"

    @property
    def layerwise_ms(self) -> float | None:
        """Layer after layer, every activation once written and once read: a good engine's time, not a bound."""
        return None if self.missing else sum(one.ms for one in self.layers)

    @property
    def intensity(self) -> float | None:
        """Operations (two per multiply-add) per byte that must be moved."""
        return 2 * self.network.macs / self.moved_bytes if self.moved_bytes else None

    @property
    def precisions(self) -> tuple[str, ...]:
        """Those of the multiply-adds, the fastest first."""
        found = {one.precision for one in self.layers}
        return tuple(one for one in BITS if one in found)

    @property
    def labels(self) -> tuple[str, ...]:
        """Why the floor may be lower than the truth, one sentence each; empty where nothing is left out."""
        return tuple(_labels(self))


@dataclass(frozen=True)
class Multiple:
    """A measured time, None where nobody measured, beside its floor."""

    floor: Floor
    measured_ms: float | None = None

    @property
    def value(self) -> float | None:
        """How many times the floor; None where one of the two is not known."""
        return self.measured_ms / self.floor.ms if self.measured_ms and self.floor.ms else None

    @property
    def sentence(self) -> str:
        """The two in words, with everything that makes the floor less than the whole truth."""
        return "; ".join((_compared(self), *self.floor.labels))


def floor_of(network: Network, facts: Facts, ran: Iterable[str] = ()) -> Floor:
    """The floor of `network`; ran: the precisions that really ran, empty for those of the file."""
    told = fastest(ran)
    layers = tuple(_layer_floor(one, facts, told or one.precision) for one in network.working)
    weights = sum(one.layer.parameter_bytes * _narrowing(one.layer, one.precision) for one in layers)
    moved = weights + network.input_bytes + network.output_bytes
    known = [one.compute_ms for one in layers if one.compute_ms is not None]
    return Floor(
        network=network, layers=layers, moved_bytes=moved,
        compute_ms=sum(known) if known else None,
        memory_ms=_memory_ms(moved, facts), missing=tuple(_missing(layers, facts)),
    )  # fmt: skip


def has_facts(facts: Facts) -> bool:
    """True where the device has a floor at all."""
    return any(one is not None for one in (facts.memory_bandwidth_gb_s, *_peaks(facts).values()))


def precisions_that_ran(facts: Mapping[str, Any], network: Network) -> frozenset[str]:
    """What a run's facts tell of precision; empty where they tell nothing, or "as in the file".

    A precision without `layer_precisions` is a setting, under which layers may still run as the file has them.
    """
    shares = facts.get("layer_precisions")
    if isinstance(shares, Mapping):
        found = frozenset(precision_named(str(name)) for name, share in shares.items() if share) - {""}
        if found:
            return found
    setting = precision_named(str(facts.get("precision", "")))
    return frozenset([setting, *(one.precision for one in network.working)]) if setting else frozenset()


def _layer_floor(layer: Layer, facts: Facts, precision: str) -> LayerFloor:
    peak = _peaks(facts).get(precision)
    moved = (layer.parameter_bytes + layer.read_bytes + layer.written_bytes) * _narrowing(layer, precision)
    return LayerFloor(
        layer=layer, precision=precision,
        compute_ms=None if peak is None else 2 * layer.macs / peak / 1e9,
        memory_ms=_memory_ms(moved, facts),
    )  # fmt: skip


def _peaks(facts: Facts) -> Mapping[str, float | None]:
    """In 10^12 operations a second."""
    return {"int8": facts.int8_tops, "fp16": facts.fp16_tflops, "fp32": facts.fp32_tflops}


def _memory_ms(moved_bytes: float, facts: Facts) -> float | None:
    return None if facts.memory_bandwidth_gb_s is None else moved_bytes / facts.memory_bandwidth_gb_s / 1e6


def _narrowing(layer: Layer, precision: str) -> float:
    """An engine that computes in fewer bits than the file has can also keep the values in fewer."""
    return min(1.0, BITS.get(precision, 32) / BITS.get(layer.precision, 32))


def _missing(layers: tuple[LayerFloor, ...], facts: Facts) -> Iterable[str]:
    """Facts by name, or the precision for which there is no fact."""
    absent = dict.fromkeys(one.precision for one in layers if one.compute_ms is None)
    yield from (PEAKS.get(one, f"a peak for {one or 'unknown precision'}") for one in absent)
    if facts.memory_bandwidth_gb_s is None:
        yield BANDWIDTH


def _labels(floor: Floor) -> Iterable[str]:
    peaks = [one for one in floor.missing if one != BANDWIDTH]
    if floor.ms is None:
        yield f"no floor without {', '.join(floor.missing) or 'a layer that is known'}"
    elif peaks:
        yield f"{'part of the multiply-adds' if floor.compute_ms else 'bandwidth'} alone, without {', '.join(peaks)}"
    if floor.ms is not None and BANDWIDTH in floor.missing:
        yield f"multiply-adds alone, without {BANDWIDTH}"
    if floor.network.uncounted:
        yield f"at least: not counted are {uncounted_text(floor.network)}"


def uncounted_text(network: Network) -> str:
    """The operators whose cost is not known: "NonMaxSuppression, 2 Loop"."""
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in network.uncounted.items())


def _compared(multiple: Multiple) -> str:
    floor, measured_ms = multiple.floor, multiple.measured_ms
    if floor.ms is None:
        return "no floor"
    named = f"the floor of {floor.ms:.3g} ms ({', '.join((*filter(None, [floor.bound]), *floor.precisions))})"
    if measured_ms is None or multiple.value is None:
        return f"{named}, floor only, nobody measured"
    if multiple.value < 1:
        return f"{measured_ms:.3g} ms is below {named}: {BELOW}"
    return f"{measured_ms:.3g} ms is {multiple.value:.3g} times {named}"
