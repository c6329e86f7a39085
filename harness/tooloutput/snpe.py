"""What Qualcomm's snpe-diagview prints: averages and times per layer, no time of a single inference.

ValueError says what does not fit.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

VALUE = re.compile(r"^([A-Z][^:]*): (\d+) (us|NONE)$")
LAYER = re.compile(r"^(\d+): (\d+) (us|cycles) : (\S+)$")
VERSION = re.compile(r"^Software library version: (\S+)$", re.M)


@dataclass(frozen=True)
class LayerTime:
    """One layer; `unit` is us, or cycles on the DSP, which are no time."""

    number: int
    time: float
    unit: str
    runtime: str


@dataclass(frozen=True)
class Diagnosis:
    """Microseconds by name as the tool writes it; None where it prints `0 NONE`, which is no measurement."""

    version: str
    microseconds: Dict[str, Optional[float]]
    layers: Tuple[LayerTime, ...]

    @property
    def placement(self) -> Dict[str, float]:
        """Share of the printed layers on each runtime."""
        names = [one.runtime for one in self.layers]
        return {name: names.count(name) / len(names) for name in dict.fromkeys(names)}

    @property
    def partitions(self) -> Dict[str, int]:
        """Runs of neighbouring layers on each runtime."""
        pieces = [name for name, _ in itertools.groupby(one.runtime for one in self.layers)]
        return {name: pieces.count(name) for name in dict.fromkeys(pieces)}

    @property
    def accelerator_share(self) -> Optional[float]:
        """Of the total inference time, what the accelerator itself took; None where none took part."""
        total, own = self.microseconds.get("Total Inference Time"), self.microseconds.get("Accelerator Time")
        return own / total if total and own else None


def parse_diagnosis(text: str) -> Diagnosis:
    """One text of snpe-diagview. ValueError where its averages are not there: another tool, or cut off."""
    found: Dict[str, Optional[float]] = {}
    layers = []
    for line in text.splitlines():
        value, layer = VALUE.match(line.strip()), LAYER.match(line.strip())
        if value:
            name = re.sub(r"[ .]+", " ", value[1])
            found[name] = None if value[3] == "NONE" else float(value[2])
        elif layer:
            layers.append(LayerTime(int(layer[1]), float(layer[2]), layer[3], layer[4]))
    if "Total Inference Time" not in found:
        raise ValueError("there is no 'Total Inference Time': this is no whole text of snpe-diagview")
    version = VERSION.search(text)
    return Diagnosis(version[1] if version else "", found, tuple(layers))
