"""`harness floor`: the roofline floor of every case of a device, without measuring and without the device."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.case import Case
from harness.casefloor import case_floor, facts_text, floor_values
from harness.errors import ConfigError, printable
from harness.layercost import READABLE
from harness.model import ModelCard, find_cards
from harness.prepare import file_format
from harness.profile import DeviceProfile, read_profile
from harness.roofline import BANDWIDTH, PEAKS, Floor, Multiple

ONLY = "floor only, nobody measured"
NO_RUNTIME = "-"
COLUMNS = ("model/variant/runtime", "MMACs", "weights MB", "op/byte", "precision", "bound", "floor ms", "layerwise ms")


@dataclass(frozen=True, kw_only=True)
class CaseFloor:
    """The floor of one case."""

    case: Case
    floor: Floor


def add_floor_command(commands: Any) -> None:
    """The command `harness floor`."""
    parser = commands.add_parser("floor", help="say how fast a device could be at best, from its facts, without it")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--models", default="", help="names or folders of models, with commas (default: all)")
    parser.add_argument("--json", action="store_true", help="the same as JSON, in ms, bytes and multiply-adds")
    parser.set_defaults(command=_floor)


def _floor(parsed: argparse.Namespace) -> str:
    root = Path.cwd()
    profile = read_profile(parsed.device, root / "devices")
    models = [name.strip() for name in parsed.models.split(",") if name.strip()]
    found = floors(profile, find_cards(models, root / "suites" / "models"))
    if not found:
        remedy = f"give the variants a file in one of the formats {', '.join(READABLE)}"
        raise ConfigError("no file whose layers can be read", where="--models", remedy=remedy)
    return as_json(profile, found) if parsed.json else "\n".join(as_text(profile, found))


def floors(profile: DeviceProfile, cards: Sequence[ModelCard]) -> list[CaseFloor]:
    """The floor of every case of the device; of a variant that no runtime takes, one for the device itself.

    ModelFileError where a file is missing or not safe to open.
    """
    return [
        CaseFloor(case=case, floor=floor)
        for card in cards
        for case in _cases(profile, card)
        if (floor := case_floor(profile, card, case)) is not None
    ]


def _cases(profile: DeviceProfile, card: ModelCard) -> Iterator[Case]:
    for variant in card.variants:
        runtimes = [one for one in profile.runtimes if file_format(profile, card, variant, one)]
        yield from (Case(profile.name, card.name, variant, runtime) for runtime in runtimes or [NO_RUNTIME])


def as_text(profile: DeviceProfile, found: Sequence[CaseFloor]) -> list[str]:
    """A table, what it leaves out, and which facts are missing in which file."""
    rows = [COLUMNS, *(_row(one) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [_aligned(row, widths) for row in rows]
    return [
        printable(f"{profile.name}: {ONLY}; {facts_text(profile.facts)}"), "", *lines, "",
        *(printable(f"{label}: {', '.join(cases)}") for label, cases in _labelled(found)),
        *missing_facts(profile, [one.floor for one in found]),
    ]  # fmt: skip


def missing_facts(profile: DeviceProfile, floors: Sequence[Floor]) -> list[str]:
    """A sentence for every fact that a floor lacks, with the file to write it to."""
    names = dict.fromkeys(name for floor in floors for name in floor.missing)
    file = "devices/host.local.toml" if profile.name == "host" else profile.file
    return [
        f"{name} is not known: write it under [facts] in {file}, with its source"
        if name in (BANDWIDTH, *PEAKS.values()) else f"no fact says {name}" for name in names
    ]  # fmt: skip


def as_json(profile: DeviceProfile, found: Sequence[CaseFloor]) -> str:
    """The same for programs; what is not known is null."""
    cases = [{"case": one.case.key, **floor_values(Multiple(one.floor))} for one in found]
    whole = {"device": profile.name, "note": ONLY, "facts": profile.facts.model_dump(exclude_none=True), "cases": cases}
    return json.dumps(whole, indent=1, allow_nan=False)


def _row(one: CaseFloor) -> tuple[str, ...]:
    floor, network = one.floor, one.floor.network
    least = ">=" if network.uncounted else ""
    return (
        printable(f"{one.case.model}/{one.case.variant}/{one.case.runtime}"), f"{least}{network.macs / 1e6:.1f}",
        f"{network.parameter_bytes / 1e6:.3f}", _number(floor.intensity), "+".join(floor.precisions) or "-",
        floor.bound or "-", _number(floor.ms), _number(floor.layerwise_ms),
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )


def _labelled(found: Sequence[CaseFloor]) -> list[tuple[str, list[str]]]:
    """The reasons why floors are lower than the truth, each with its cases."""
    said: dict[str, list[str]] = {}
    for one in found:
        for label in one.floor.labels:
            said.setdefault(label, []).append(f"{one.case.model}/{one.case.variant}/{one.case.runtime}")
    return list(said.items())
