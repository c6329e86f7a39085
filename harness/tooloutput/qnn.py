"""What Qualcomm's qnn-profile-viewer prints and writes as CSV, and the CSV that ONNX Runtime's QNN provider writes.

A key alone says nothing: `NetRun` stands in Init, Finalize, Execute (Average), (Min) and (Max). Every reader raises
ValueError that says what does not fit.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

STATS = re.compile(r"^(?:-+ )?(.+? Stats(?: \((?:Average|Min|Max|Overall)\))?):\s*$")
GRAPH = re.compile(r"^-+ Graph \d+ \((.*)\):\s*$")
VALUE = re.compile(r"^\s+(\S.*): +(-?[\d.]+(?:[eE][+-]?\d+)?) +(\S+)\s*$")
COLUMNS = (
    "Msg Timestamp",
    "Message",
    "Time",
    "Unit of Measurement",
    "Timing Source",
    "Event Level",
    "Event Identifier",
)
ABSENT = "NONE"


@dataclass(frozen=True)
class Figure:
    """One line of the viewer. value: None where the tool printed `0 NONE`, which is no measurement."""

    section: str
    graph: str
    key: str
    value: Optional[float]
    unit: str


@dataclass(frozen=True)
class Report:
    """All figures of one text, in order."""

    figures: Tuple[Figure, ...]

    def find(self, section: str, key: str) -> Optional[float]:
        """The first value of `key` in `section`, such as ("Execute Stats (Average)", "NetRun"); None if not told."""
        fitting = (one.value for one in self.figures if (one.section, one.key) == (section, key))
        return next(fitting, None)

    @property
    def graphs(self) -> Tuple[str, ...]:
        """The names of the graphs, each once."""
        return tuple(dict.fromkeys(one.graph for one in self.figures if one.graph))


@dataclass(frozen=True)
class Event:
    """One row of the CSV: `time` in `unit` (US, CYCLES, COUNT). timestamp_us: None where it says UNKNOWN."""

    timestamp_us: Optional[int]
    message: str
    time: float
    unit: str
    source: str
    level: str
    identifier: str


def parse_report(text: str) -> Report:
    """The viewer's text. ValueError where it has no section or a value stands before the first."""
    figures: List[Figure] = []
    section = graph = ""
    for line in text.splitlines():
        heading, named, value = STATS.match(line), GRAPH.match(line), VALUE.match(line)
        if heading:
            section, graph = heading[1], ""
        elif named:
            graph = named[1]
        elif value and not section:
            raise ValueError(f"a value stands before the first section: {line.strip()!r}")
        elif value:
            figures.append(_figure(section, graph, value[1], value[2], value[3]))
    if not section:
        raise ValueError("there is no section such as 'Init Stats:': this is no text of qnn-profile-viewer")
    return Report(tuple(figures))


def parse_events(text: str) -> Tuple[Event, ...]:
    """The CSV; lines before its header are left out. ValueError where the header is not there or a row is cut."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.replace(" ", "").startswith("MsgTimestamp,")), None)
    if start is None:
        raise ValueError(f"there is no header that begins with {COLUMNS[0]!r}")
    names = [name.strip() for name in lines[start].split(",")]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"the header has no column {missing[0]!r} but {', '.join(names)}")
    rows = csv.reader(io.StringIO("\n".join(lines[start + 1 :])), skipinitialspace=True)
    return tuple(_event(names, row) for row in rows if row)


def execute_us(events: Tuple[Event, ...], source: str = "NETRUN", identifier: str = "") -> Tuple[float, ...]:
    """Microseconds of each execution, in order: root events of `source`, whose identifier begins with `identifier`."""
    return tuple(
        one.time
        for one in events
        if (one.message, one.unit, one.source, one.level) == ("EXECUTE", "US", source, "ROOT")
        and one.identifier.startswith(identifier)
    )


def _figure(section: str, graph: str, key: str, value: str, unit: str) -> Figure:
    plain = key[len("Backend (") : -1] if key.startswith("Backend (") and key.endswith(")") else key
    return Figure(section, graph, plain, None if unit == ABSENT else float(value), "" if unit == ABSENT else unit)


def _event(names: List[str], row: List[str]) -> Event:
    if len(row) < len(COLUMNS):
        raise ValueError(f"a row has {len(row)} of {len(names)} columns: {','.join(row)!r}")
    found: Dict[str, str] = dict(zip(names, (value.strip() for value in row)))
    stamp = found[COLUMNS[0]]
    try:
        time = float(found["Time"])
    except ValueError as error:
        raise ValueError(f"the time of a row is no number: {','.join(row)!r}") from error
    return Event(
        int(stamp) if stamp.isdigit() else None, found["Message"], time, found["Unit of Measurement"],
        found["Timing Source"], found["Event Level"], found["Event Identifier"],
    )  # fmt: skip
