"""The operator profile of TFLite's benchmark tools: tables with tabs or as CSV, the same layer in more than one."""

from __future__ import annotations

import re
from typing import Dict, List, Set, Tuple

from harness.tooloutput.figures import Draft

TITLE = re.compile(r"^.*=+ (Run Order|Top by [\w ]+|Summary by node type) =+\s*$")
HEADER = re.compile(r"\[(?:n|N)ode type\]|^(?:.*\] )?node type, ")
INITIALISATION = "Profiling Info for Benchmark Initialization"
RUNS = "Profiling Info for Regular Benchmark Runs"


class Operators:
    """Layers from the first table that names them; events of the initialisation are numbers, not layers."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.columns: List[str] = []
        self.initialising = False
        self.seen: Set[Tuple[bool, str]] = set()

    def take(self, line: str) -> bool:
        """True where the line belongs to a profile."""
        if INITIALISATION in line or RUNS in line:
            self.initialising, self.columns = INITIALISATION in line, []
            return True
        if HEADER.search(line):
            self.columns = [cell.strip("[] ").lower() for cell in _cells(line)]
            return True
        if TITLE.match(line):
            self.columns = []
            return True
        cells = _cells(line)
        if not self.columns or len(cells) != len(self.columns):
            return False
        self._row(dict(zip(self.columns, cells)), line)
        return True

    def _row(self, row: Dict[str, str], line: str) -> None:
        name = row.get("name", "")
        if "name" not in row or (self.initialising, name) in self.seen:
            return  # a sum by type, or the same operator in another order
        self.seen.add((self.initialising, name))
        time, kind = row.get("avg ms", row.get("avg_ms", "")), row.get("node type", "")
        if self.initialising:
            self.draft.add(f"initialisation {kind}", time, "ms", "mean", "", line)
        else:
            own = "Delegate" in kind or name.startswith("Delegate/")
            self.draft.layer(name, time, "ms", kind, "delegate" if own else "CPU")
            self.draft.warn("operator times are with profiling switched on: compare them among themselves only")


def _cells(line: str) -> List[str]:
    """A table's cells: after the first tab, or between commas; the name is last and may hold commas."""
    if "\t" in line:
        return [cell.strip() for cell in line.split("\t")[1:]]
    return [cell.strip() for cell in line.split(", ", 8)] if line.count(", ") >= 6 else []
