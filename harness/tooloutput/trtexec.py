"""What NVIDIA's trtexec prints, versions 8.2 to 11: lines appear and vanish, time stamps may be missing.

Formats: samples/common/sampleReporting.cpp of NVIDIA/TensorRT (Apache-2.0) and outputs of boards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

PREFIX = re.compile(r"^(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] )?(?:\[([A-Z])\] ?)?(.*)$")
BANNER = re.compile(r"&&&& (RUNNING|PASSED|FAILED|WAIVED) TensorRT\.trtexec \[TensorRT v(\d+)\]")
SECTION = re.compile(r"=== (.+?) ===$")
BINDING = re.compile(
    r"(?:Created )?(input|output) binding for (\S+) with dimensions (\S*?)(?: and type (\w+))?(?: is created\.)?$", re.I
)
SPREAD = re.compile(r"(.+?): (min = .+)$")
FIGURE = re.compile(r"(min|max|mean|median|percentile\(([\d.]+)%\)) = (\S+) ms")
TABLE_ROW = re.compile(r"\s*" + r"(\d+\.\d+)\s+" * 4 + r"(\S.*)$")
NUMBERS = {"Throughput": "qps", "Total Host Walltime": "s", "Total GPU Compute Time": "s"}
DTYPES = {"fp32": "float32", "fp16": "float16"}


@dataclass(frozen=True)
class Spread:
    """Figures of one line of the performance summary; percentiles_ms by per cent."""

    min_ms: float
    max_ms: float
    mean_ms: float
    median_ms: float
    percentiles_ms: Mapping[float, float]


@dataclass(frozen=True)
class Binding:
    """An input or output; `shape` is empty and `dtype` "" where this version does not tell."""

    name: str
    is_input: bool
    shape: Tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class LayerTime:
    """One layer over all iterations; median_ms is None in old versions."""

    name: str
    total_ms: float
    average_ms: float
    median_ms: Optional[float]


@dataclass(frozen=True)
class Profile:
    """Times per layer, and over how many iterations."""

    iterations: int
    layers: Tuple[LayerTime, ...]


@dataclass(frozen=True)
class Log:
    """One log. version is (0, 0, 0) without a banner; passed None where the tool never came to its end.

    sections: heading -> its "key: value" lines. spreads: "Latency", "GPU Compute Time" and so on. dla_layers and
    gpu_layers: names that the builder printed, where it did. What is absent was not printed.
    """

    version: Tuple[int, int, int]
    passed: Optional[bool]
    sections: Mapping[str, Mapping[str, str]]
    bindings: Tuple[Binding, ...]
    spreads: Mapping[str, Spread]
    throughput_per_s: Optional[float]
    host_walltime_s: Optional[float]
    gpu_compute_s: Optional[float]
    engine_built_s: Optional[float]
    engine_deserialized_s: Optional[float]
    profile: Optional[Profile]
    dla_layers: Tuple[str, ...]
    gpu_layers: Tuple[str, ...]
    warnings: Tuple[str, ...]
    errors: Tuple[str, ...]


def parse_log(text: str) -> Log:
    """A whole log, with or without time stamps; missing parts are absent, never zero."""
    lines = [(level or "", body) for level, body in (PREFIX.match(line).groups() for line in text.splitlines())]  # type: ignore[union-attr]
    bodies = [body for _, body in lines]
    banner = [found for found in map(BANNER.search, bodies) if found]
    numbers = _numbers(bodies)
    return Log(
        version=parse_version(banner[0][2]) if banner else (0, 0, 0),
        passed=next((one[1] == "PASSED" for one in reversed(banner) if one[1] != "RUNNING"), None),
        sections=_sections(bodies),
        bindings=tuple(_binding(found) for found in map(BINDING.search, bodies) if found),
        spreads=dict(found for found in map(_spread, bodies) if found),
        throughput_per_s=numbers.get("Throughput"),
        host_walltime_s=numbers.get("Total Host Walltime"),
        gpu_compute_s=numbers.get("Total GPU Compute Time"),
        engine_built_s=_seconds(bodies, r"Engine built in (\S+) sec"),
        engine_deserialized_s=_loading_s(bodies),
        profile=_table(bodies),
        dla_layers=_after(bodies, "[DlaLayer] "),
        gpu_layers=_after(bodies, "[GpuLayer] "),
        warnings=tuple(body for level, body in lines if level == "W"),
        errors=tuple(body for level, body in lines if level in ("E", "F")),
    )


def parse_version(digits: str) -> Tuple[int, int, int]:
    """8201 is 8.2.1, 101601 is 10.16.1."""
    number = int(digits)
    base = 100 if number >= 100_000 else 10
    return (number // (base * 100), number // 100 % base, number % 100)


def parse_flags(help_text: str) -> Tuple[str, ...]:
    """The names of all options that --help lists; what a version can do is asked of it, not remembered."""
    return tuple(sorted(set(re.findall(r"(?<![\w-])--(\w+)", help_text))))


def _sections(bodies: List[str]) -> Dict[str, Dict[str, str]]:
    found: Dict[str, Dict[str, str]] = {}
    lines: Optional[Dict[str, str]] = None
    for body in bodies:
        heading = SECTION.search(body)
        if heading:
            lines = found.setdefault(heading[1].strip(), {})
        elif lines is not None:
            key, colon, value = body.partition(":")
            if not colon:
                lines = None
            else:
                lines.setdefault(key.strip(), value.strip())
    return found


def _binding(found: Any) -> Binding:
    shape = tuple(int(size) for size in found[3].split("x")) if found[3] else ()
    dtype = (found[4] or "").lower()
    return Binding(found[2], found[1].lower() == "input", shape, DTYPES.get(dtype, dtype))


def _spread(body: str) -> Optional[Tuple[str, Spread]]:
    found = SPREAD.match(body)
    if not found:
        return None
    figures = {word: (percent, _float(value)) for word, percent, value in FIGURE.findall(found[2])}
    if not {"min", "max", "mean", "median"} <= figures.keys():
        return None
    percentiles = {float(percent): value for percent, value in figures.values() if percent}
    least, most, mean, median = (figures[name][1] for name in ("min", "max", "mean", "median"))
    return found[1], Spread(least, most, mean, median, percentiles)


def _numbers(bodies: List[str]) -> Dict[str, float]:
    found = {}
    for body in bodies:
        key, _, value = body.partition(": ")
        number, _, unit = value.partition(" ")
        if NUMBERS.get(key) == unit.strip() and unit:
            found[key] = _float(number)
    return found


def _seconds(bodies: List[str], pattern: str) -> Optional[float]:
    found = next((one for one in (re.search(pattern, body) for body in bodies) if one), None)
    return _float(found[1]) if found else None


def _loading_s(bodies: List[str]) -> Optional[float]:
    """Version 8.2 has one word for reading the file and deserialising; where there are two, reading is no loading."""
    deserialized = _seconds(bodies, r"Engine deserialized in (\S+) sec")
    return _seconds(bodies, r"Engine loaded in (\S+) sec") if deserialized is None else deserialized


def _table(bodies: List[str]) -> Optional[Profile]:
    """The table of --dumpProfile in the layout since 8.5: four numbers, then the name."""
    start = next((at for at, body in enumerate(bodies) if body.startswith("=== Profile (")), None)
    if start is None:
        return None
    rows = [found for found in map(TABLE_ROW.match, bodies[start + 1 :]) if found]
    layers = tuple(LayerTime(row[5], _float(row[1]), _float(row[2]), _float(row[3])) for row in rows)
    return Profile(int(bodies[start].split("(")[1].split()[0]), tuple(one for one in layers if one.name != "Total"))


def _after(bodies: List[str], mark: str) -> Tuple[str, ...]:
    return tuple(body.split(mark, 1)[1].strip() for body in bodies if mark in body)


def _float(text: str) -> float:
    return float(text.rstrip(",.s"))
