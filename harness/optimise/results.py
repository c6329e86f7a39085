"""Result: everything that a run found out about one model on one device, as the reports tell it. Plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.files import write_atomically
from harness.optimise.pareto import Best, Standing
from harness.optimise.rows import Row, row_from

FORMAT = 1
NAME = "report.json"


@dataclass(frozen=True, kw_only=True)
class Result:
    """rows: every candidate on every runtime, the parent's own first. standings: by the rows' names.

    made: candidate -> its recipe, facts, and failures by format. best: the row to take. latency_ms: the tightest limit.
    notes: sentences for the reader. adopted: what became of the best one;
    refused: it was to be written, and was not.
    """

    model: str
    device: str
    description: str
    simulated: bool
    parent: str
    at: str
    harness: str
    seed: int
    plan: str
    frames: int
    loss_points: float
    latency_ms: float
    rows: tuple[Row, ...]
    standings: Mapping[str, Standing]
    best: Best
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    adopted: str = ""
    refused: bool = False

    @property
    def machine(self) -> str:
        """The processor and its cores, as the workers told; the device's name where none did."""
        facts = next((row.facts for row in self.rows if row.facts), {})
        cores = f", {facts['cores']} cores" if "cores" in facts else ""
        return f"{facts.get('cpu') or facts.get('board') or self.device}{cores}"

    @property
    def engines(self) -> dict[str, str]:
        """Runtime -> engine and version, as the workers told."""
        return {row.runtime: f"{row.facts.get('engine', '')} {row.facts.get('version', '')}".strip()
                for row in self.rows if row.facts}  # fmt: skip

    def row(self, name: str) -> Row | None:
        """The row of that name."""
        return next((row for row in self.rows if row.name == name), None)


def write_result(result: Result, folder: Path) -> Path:
    """report.json: all of it."""
    text = json.dumps({"format": FORMAT, **asdict(result)}, indent=1, sort_keys=True, default=str)
    return write_atomically(folder / NAME, text + "\n", option="--out")


def read_result(path: Path) -> Result:
    """What `write_result` wrote; ConfigError where it cannot be read."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise ConfigError("a result of another format", where=str(path), remedy="run harness optimize again")
        return Result(**{
            **raw, "rows": tuple(map(row_from, raw["rows"])), "best": Best(**raw["best"]),
            "standings": {name: _standing(one) for name, one in raw["standings"].items()},
            "notes": tuple(raw["notes"]),
        })  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"no result can be read: {error}", where=str(path)) from error


def results_in(folder: Path) -> tuple[list[Result], list[str]]:
    """Every result below a device's folder, by model, and a sentence on each that cannot be read."""
    found, unread = [], []
    for path in sorted(folder.glob(f"*/{NAME}")):
        try:
            found.append(read_result(path))
        except ConfigError as error:
            unread.append(error.sentence)
    return found, unread


def _standing(raw: Mapping[str, Any]) -> Standing:
    return Standing(
        on_front=raw["on_front"], dominated_by=tuple(raw["dominated_by"]), unmet=tuple(raw["unmet"])
    )  # fmt: skip
