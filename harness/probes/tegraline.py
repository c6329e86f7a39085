"""One line of NVIDIA's tegrastats, JetPack 3 to 7: text in, values out.

Forms: NVIDIA's appendix "tegrastats Utility" of the Jetson Linux guide, and logs of boards where it is silent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from harness.probes import ProbeError, Reading

LONGEST = 8192
OFF_C = -256.0
LOADED = ("EMC", "GR3D")
BYTES = {"kB": 2**10, "MB": 2**20, "GB": 2**30}

# Largest free blocks, cached swap and the work of the Denver cores' translator: no channel needs them.
_REMARK = re.compile(r"\([^()]*\)|\bMTS\s+fg\s+[0-9]{1,3}%\s+bg\s+[0-9]{1,3}%")
_STAMP = re.compile(r"\s*([0-9]{2}-[0-9]{2}-[0-9]{4}) +([0-9]{2}:[0-9]{2}:[0-9]{2})\s")
_MEMORY = re.compile(r"([0-9]{1,9})/([0-9]{1,9})(kB|MB|GB)")
_CORES = re.compile(r"\[([^\[\]]+)\](?:@([0-9]{1,5}))?")
_PART = re.compile(r"off|(?:([0-9]{1,3})%)?(?:@([0-9]{1,5})|@\[([0-9]{1,5}(?:,[0-9]{1,5}){0,31})\])?")
_ENGINE = re.compile(r"(GR3D|NVENC|MSENC|NVDEC|NVJPG|NVDLA|PVA|VIC|OFA|APE)[0-9]{0,2}")
_BARE_MHZ = re.compile(r"[0-9]{1,5}")
_TEMPERATURE = re.compile(r"([A-Za-z][\w.-]{0,39})@(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)C(?:/-?[0-9.]{1,12}C)?", re.ASCII)
_RAIL = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
# A pair of numbers without a unit is power only on the boards that JetPack 4 and older ran on: their rails are known.
_OLD_RAIL = re.compile(r"(?:VDD|POM)_[A-Z0-9_]{1,40}|GPU|CPU|SOC|CV|VDDRQ|SYS5V|NC")
_POWER = re.compile(r"(-?[0-9]{1,7})(?:(mW)(?:/-?[0-9]{1,7}mW){0,2}|(?:/-?[0-9]{1,7}){1,2})")


class TegrastatsError(ProbeError):
    """A line that tegrastats did not print."""


@dataclass(frozen=True)
class Memory:
    """Memory in use and all there is."""

    used_bytes: float
    total_bytes: float


@dataclass(frozen=True)
class Part:
    """Load and clocks of a processor, each where the line tells; a part that is off tells neither.

    khz: one clock, or one for each cluster of a GPU.
    """

    load_percent: Optional[float] = None
    khz: Tuple[float, ...] = ()


@dataclass(frozen=True)
class TegraLine:
    """What one line says. rails_mw: the momentary value, the first; the tool's average is one since its start.

    stamp: the tool's own date and time, empty without. unknown: words that were not understood.
    """

    stamp: str = ""
    ram: Optional[Memory] = None
    swap: Optional[Memory] = None
    cores: Tuple[Part, ...] = ()
    emc: Optional[Part] = None
    gpu: Optional[Part] = None
    engines: Mapping[str, Part] = field(default_factory=dict)
    temperatures_c: Mapping[str, Reading] = field(default_factory=dict)
    rails_mw: Mapping[str, float] = field(default_factory=dict)
    unknown: int = 0


def parse_line(text: str) -> TegraLine:
    """Read one line, in a time linear in its length; TegrastatsError where it holds neither memory nor a rail."""
    if len(text) > LONGEST:
        raise TegrastatsError(f"a line of {len(text)} characters, tegrastats prints no more than {LONGEST}")
    stamp = _STAMP.match(text)
    words = _REMARK.sub(" ", text[stamp.end() :] if stamp else text).split()
    found = _Findings()
    at = 0
    while at < len(words):
        at += found.take(words[at], words[at + 1] if at + 1 < len(words) else "")
    if "RAM" not in found.memory and not found.rails:
        raise TegrastatsError(f"neither memory nor a rail in {text[:80]!r}")
    return found.line(" ".join(stamp.groups()) if stamp else "")


class _Findings:
    """What the words of a line gave so far; where a name comes twice, its second value is not understood."""

    def __init__(self) -> None:
        self.memory: Dict[str, Memory] = {}
        self.cores: Tuple[Part, ...] = ()
        self.parts: Dict[str, Part] = {}
        self.temperatures: Dict[str, Reading] = {}
        self.rails: Dict[str, float] = {}
        self.unknown = 0

    def take(self, name: str, value: str) -> int:
        """Understand a word and, where they belong together, its next; how many words that were."""
        if self._memory(name, value) or self._cores(name, value) or self._part(name, value) or self._rail(name, value):
            return 2
        self.unknown += not self._temperature(name)
        return 1

    def line(self, stamp: str) -> TegraLine:
        """All of it, in its final form."""
        emc, gpu = self.parts.pop("EMC", None), self.parts.pop("GR3D", None)
        return TegraLine(
            stamp=stamp, ram=self.memory.get("RAM"), swap=self.memory.get("SWAP"), cores=self.cores, emc=emc, gpu=gpu,
            engines=self.parts, temperatures_c=self.temperatures, rails_mw=self.rails, unknown=self.unknown,
        )  # fmt: skip

    def _memory(self, name: str, value: str) -> bool:
        match = _MEMORY.fullmatch(value)
        if not match or name not in ("RAM", "SWAP", "IRAM") or name in self.memory:
            return False
        unit = BYTES[match.group(3)]
        self.memory[name] = Memory(float(match.group(1)) * unit, float(match.group(2)) * unit)
        return True

    def _cores(self, name: str, value: str) -> bool:
        match = _CORES.fullmatch(value)
        if not match or name not in ("CPU", "cpu") or self.cores:
            return False
        parts = [_part(one) for one in match.group(1).split(",")]
        cores = tuple(one for one in parts if one is not None)
        if len(cores) < len(parts):
            return False
        self.cores = _with_common_clock(cores, match.group(2)) if match.group(2) else cores
        return True

    def _part(self, name: str, value: str) -> bool:
        name = name[: -len("_FREQ")] if name.endswith("_FREQ") else name
        if name in self.parts or not (name == "EMC" or _ENGINE.fullmatch(name)):
            return False
        bare = name not in LOADED and _BARE_MHZ.fullmatch(value)
        part = Part(khz=(1e3 * float(value),)) if bare else _part(value)
        if part is None:
            return False
        self.parts[name] = part
        return True

    def _rail(self, name: str, value: str) -> bool:
        match = _POWER.fullmatch(value)
        if not match or name in self.rails or not (_RAIL if match.group(2) else _OLD_RAIL).fullmatch(name):
            return False
        # NC is an input of the sensor that is not connected; a board may have several.
        if name != "NC":
            self.rails[name] = float(match.group(1))
        return True

    def _temperature(self, word: str) -> bool:
        match = _TEMPERATURE.fullmatch(word)
        if not match or match.group(1) in self.temperatures:
            return False
        celsius = float(match.group(2))
        self.temperatures[match.group(1)] = "the sensor is off (-256 C)" if celsius == OFF_C else celsius
        return True


def _part(value: str) -> Optional[Part]:
    match = _PART.fullmatch(value)
    if not match or not value:
        return None
    load, clock, clocks = match.groups()
    megahertz: List[str] = (clocks or clock or "").split(",")
    return Part(float(load) if load else None, tuple(1e3 * float(one) for one in megahertz if one))


def _with_common_clock(cores: Tuple[Part, ...], megahertz: str) -> Tuple[Part, ...]:
    """L4T 28 prints one clock after the list; a core that is off does not run at it."""
    khz = (1e3 * float(megahertz),)
    return tuple(Part(one.load_percent, one.khz or khz) if one != Part() else one for one in cores)
