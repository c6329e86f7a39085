"""The normal form of what a tool printed: each number once converted, of a stated kind, with what its time includes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Pattern, Sequence, Tuple

from harness.errors import HarnessError

MS_PER_S = Decimal(1000)
LONGEST_LINE = 2000
SCALES: Mapping[str, Tuple[str, Decimal]] = {
    "ns": ("ms", Decimal("1e-6")), "us": ("ms", Decimal("1e-3")), "ms": ("ms", Decimal(1)), "s": ("ms", MS_PER_S),
    "bytes": ("MB", Decimal("1e-6")), "KiB": ("MB", Decimal("1.024e-3")), "MiB": ("MB", Decimal("1.048576")),
    "MB": ("MB", Decimal(1)), "MB/s": ("MB/s", Decimal(1)), "1/s": ("1/s", Decimal(1)), "%": ("%", Decimal(1)),
    "cycles": ("cycles", Decimal(1)), "": ("", Decimal(1)),
}  # fmt: skip
UNIT_WORDS = {"sec": "s", "se": "s", "seconds": "s", "\u00b5s": "us", "\u03bcs": "us", "FPS": "1/s", "fps": "1/s",
              "qps": "1/s", "inf/sec": "1/s", "KB": "KiB", "count": "", "US": "us", "CYCLES": "cycles"}  # fmt: skip
PLACES = re.compile(r"median|mean|p\d[\d.]*")


class ToolOutputError(HarnessError):
    """Text that is not the output of the tool it is said to come from, or of none that is known."""


@dataclass(frozen=True)
class Number:
    """One figure in ms, 1/s, MB, %, cycles, or "" for a count.

    statistic: mean, median, p99, min, max, std, first, last, once (one event), total, count, rate. includes: what the
    time spans, or how the figure came about.
    """

    name: str
    value: float
    unit: str
    statistic: str
    includes: str = ""


@dataclass(frozen=True)
class Layer:
    """One layer or operator; value: None where it did not run or was not timed. runtime: where or how it ran."""

    name: str
    value: Optional[float]
    unit: str
    kind: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class ToolOutput:
    """One output. version: "" where the text does not tell. settings: as the tool words them."""

    tool: str
    version: str
    settings: Mapping[str, str]
    numbers: Tuple[Number, ...]
    layers: Tuple[Layer, ...]
    warnings: Tuple[str, ...]

    def find(self, name: str, statistic: str) -> Optional[float]:
        """The first value of this name and kind; None if the tool did not tell."""
        return _value(self.numbers, name, statistic)


class Rule(NamedTuple):
    """A line with one figure: the groups `value` and, unless `unit` is given, `unit`; {} in `name` is group `what`."""

    pattern: Pattern[str]
    name: str
    statistic: str
    includes: str = ""
    unit: Optional[str] = None


@dataclass
class Draft:
    """What a reader has found so far; whatever it does not understand goes into the warnings."""

    tool: str
    version: str = ""
    settings: Dict[str, str] = field(default_factory=dict)
    numbers: List[Number] = field(default_factory=list)
    layers: List[Layer] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)

    def add(self, name: str, value: Any, unit: str, statistic: str, includes: str = "", line: str = "") -> None:
        """`value` (text or number) in the tool's own unit; a printed 0 is no measurement and becomes a warning."""
        found = normal(value, unit)
        if found is None:
            self.unread(line or f"{name}: {value} {unit}".rstrip())
        elif found[0] == 0:
            self.warn(f"{name} ({statistic}) is printed as {value}: taken as not measured")
        elif Number(name, found[0], found[1], statistic, includes) not in self.numbers:
            self.numbers.append(Number(name, found[0], found[1], statistic, includes))

    def apply(self, rules: Sequence[Rule], body: str, line: str) -> bool:
        """The figure of the first rule that fits the whole of `body`; False where none does."""
        for rule in rules:
            found = rule.pattern.fullmatch(body)
            if found:
                groups = found.groupdict()
                name = rule.name.format(groups.get("what", "").lower())
                unit = groups["unit"] if rule.unit is None else rule.unit
                self.add(name, groups["value"], unit, rule.statistic, rule.includes, line)
                return True
        return False

    def layer(self, name: str, value: Any, unit: str, kind: str = "", runtime: str = "", ran: bool = True) -> None:
        """A layer; without a readable time it is kept, its value None."""
        found = normal(value, unit) if ran else None
        if ran and found is None:
            self.unread(f"{name}: {value} {unit}")
        plain = normal(0, unit)
        self.layers.append(Layer(name, found[0] if found else None, plain[1] if plain else unit, kind, runtime))

    def find(self, name: str, statistic: str) -> Optional[float]:
        """The first value of this name and kind so far; None if there is none."""
        return _value(self.numbers, name, statistic)

    def warn(self, sentence: str) -> None:
        """A warning, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def unread(self, line: str) -> None:
        """A line that says nothing to the reader is kept as it stands."""
        if line.strip():
            self.warn(f"not understood: {line.strip()[:LONGEST_LINE]}")

    def lines(self, text: str) -> Iterator[str]:
        """The lines of the text; one that no tool writes so long is unread."""
        for line in text.splitlines():
            if len(line) > LONGEST_LINE:
                self.unread(line)
            else:
                yield line

    def done(self) -> ToolOutput:
        """ToolOutputError where nothing at all was found."""
        if not (self.numbers or self.layers or self.settings):
            said = f"; {self.warnings[0]}" if self.warnings else ""
            raise ToolOutputError(f"there is nothing of {self.tool} in the text{said}", remedy="name another --tool")
        if not (self.numbers or self.layers):
            self.warn(
                "there is no figure in the text: it describes only, the tool was stopped or failed, or the text is cut"
            )
        self._contradictions()
        return ToolOutput(
            self.tool, self.version, dict(self.settings), tuple(self.numbers), tuple(self.layers), tuple(self.warnings)
        )

    def _contradictions(self) -> None:
        """A mean or percentile outside minimum and maximum: lines of several runs, or a number in another unit."""
        for name in dict.fromkeys(one.name for one in self.numbers):
            own = [one for one in self.numbers if one.name == name]
            if len({one.statistic for one in own}) < len(own):
                self.warn(f"{name} stands there with different values: the text holds several runs")
                continue
            low = next((one.value for one in own if one.statistic == "min"), 0.0)
            high = next((one.value for one in own if one.statistic == "max"), math.inf)
            for one in own:
                if PLACES.fullmatch(one.statistic) and not low <= one.value <= high:
                    self.warn(f"the {one.statistic} of {name} lies outside its minimum and maximum: not of one run")


def _value(numbers: Sequence[Number], name: str, statistic: str) -> Optional[float]:
    fitting = (one.value for one in numbers if (one.name, one.statistic) == (name, statistic))
    return next(fitting, None)


def normal(value: Any, unit: str) -> Optional[Tuple[float, str]]:
    """The value in the harness's unit, converted in decimal; None if it is no number from 0 on or the unit unknown."""
    scale = SCALES.get(UNIT_WORDS.get(unit, unit))
    if scale is None or isinstance(value, bool):
        return None
    try:
        converted = float(Decimal(str(value).strip()) * scale[1])
    except ArithmeticError:
        return None
    return (converted, scale[0]) if 0 <= converted < math.inf else None


def percentile_name(percent: str) -> str:
    """99.90 is p99.9, 50 is the median; no number stays as it is."""
    found = normal(percent, "")
    if found is None:
        return f"percentile {percent}"
    return "median" if found[0] == 50 else f"p{found[0]:g}"
