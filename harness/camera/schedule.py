"""The camera's schedule: a fixed rate, or the timestamps of a recording with their jitter.

A recording is text, CSV or JSON. One timestamp a line, or a column `timestamp`, `time` or `t`, or a JSON list, or a
JSON object with such a key. The name ends with its unit (`timestamp_ms`), unless the reader is told it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, unknown

UNITS_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
SLOWEST_FPS, FASTEST_FPS = 0.001, 1e6
LONGEST_NS = 10**18
LARGEST_DIGITS = 19
_COLUMN = re.compile(r"(?:timestamps?|time|t)(?:_(s|ms|us|ns))?", re.IGNORECASE)
_BETWEEN = re.compile(r"[,;\t]")
_DIFFERENT = "a camera's frames come one after the other: correct or remove it"
Stamp = Tuple[str, str]


def fixed_rate(fps: float, count: int) -> Array:
    """Frame k is due at round(k * 1e9 / fps), int64 [count]: each from the start, so that no rounding adds up."""
    due: Array = np.rint(np.arange(count) * 1e9 / fps).astype(np.int64)
    return due


def repeated(timestamps: Sequence[int], count: int) -> Array:
    """The recording over and over, int64 [count]; its median interval lies between its end and its next beginning."""
    once = np.asarray(timestamps, np.int64)
    length = once[-1] - once[0] + int(np.median(np.diff(once)))
    rounds, place = np.divmod(np.arange(count), len(once))
    due: Array = (once - once[0])[place] + rounds * length
    return due


def check_fps(fps: Any, where: str = "fps") -> None:
    """ConfigError for a rate that no camera has."""
    number = isinstance(fps, (int, float)) and not isinstance(fps, bool)
    if not number or not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise ConfigError(
            f"fps = {fps!r} is no rate of a camera", where=where,
            remedy=f"a number from {SLOWEST_FPS:g} to {FASTEST_FPS:,.0f}, such as 30",
        )  # fmt: skip


def check_timestamps(timestamps: Sequence[int], where: str = "timestamps", places: Sequence[str] = ()) -> None:
    """ConfigError for fewer than two, or where one is not after the one before it; `places`: where each stands."""
    if len(timestamps) < 2:
        raise ConfigError(
            f"{len(timestamps)} timestamps are no schedule", where=where, remedy="a recording has at least 2 frames"
        )
    for number in range(1, len(timestamps)):
        before, after = timestamps[number - 1], timestamps[number]
        if after <= before:
            how = "repeats" if after == before else f"is {(before - after) / 1e6:g} ms before"
            place = places[number] if places else f"number {number}"
            raise ConfigError(f"the timestamp {how} the one ahead of it", where=f"{where}, {place}", remedy=_DIFFERENT)
    if timestamps[-1] - timestamps[0] > LONGEST_NS:
        raise ConfigError("the recording lasts more than 30 years", where=where, remedy="check the unit")


def read_timestamps(path: Path, unit: str = "") -> Tuple[int, ...]:
    """The timestamps of a recording in ns from its first frame, exact to the ns; `unit` where the file names none.

    ConfigError, with the line, for what is no number, goes backwards or repeats, and for fewer than two.
    """
    if unit and unit not in UNITS_NS:
        raise ConfigError(unknown("unit", unit, UNITS_NS), where=str(path))
    text = _text(path)
    found, stamps = _json(text, path) if text.lstrip()[:1] in ("[", "{") else _lines(text, path)
    if unit and found and unit != found:
        raise ConfigError(f"the file says {found} and the reader was told {unit}", where=str(path))
    if not (unit or found):
        raise ConfigError(
            "the unit of the timestamps is not known", where=str(path),
            remedy=f"name the column timestamp_UNIT, or say the unit: {', '.join(UNITS_NS)}",
        )  # fmt: skip
    values = [_nanoseconds(value, UNITS_NS[unit or found], f"{path}, {place}") for value, place in stamps]
    check_timestamps(values, str(path), [place for _, place in stamps])
    return tuple(value - values[0] for value in values)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"the recording is not readable: {error}", where=str(path)) from error


def _nanoseconds(text: str, scale: int, where: str) -> int:
    """Decimal, because the seconds of an epoch with nine digits behind the point are no float."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise ConfigError(f"{text!r} is no number", where=where)
    # By its digits: a number of a billion digits must not be multiplied out.
    if value.adjusted() > LARGEST_DIGITS or abs(value) * scale > LONGEST_NS * 10:
        raise ConfigError(f"{text!r} is too large for a timestamp", where=where, remedy="check the unit")
    return int((value * scale).to_integral_value())


def _lines(text: str, path: Path) -> Tuple[str, List[Stamp]]:
    """The unit that the header names, and each timestamp with its line; empty lines and comments (#) are left out."""
    rows = list(_rows(text))
    column, unit = _column(rows[0][0]) if rows else (None, "")
    if column is None:
        return "", [(cells[0], place) for cells, place in rows]
    return unit, [(cells[column] if column < len(cells) else "", place) for cells, place in rows[1:]]


def _rows(text: str) -> Iterator[Tuple[List[str], str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].strip()
        if content:
            yield [cell.strip().strip('"') for cell in _BETWEEN.split(content)], f"line {number}"


def _column(cells: Sequence[str]) -> Tuple[Optional[int], str]:
    """Which column holds the timestamps, and in what unit; None where the first row is no header."""
    for column, name in enumerate(cells):
        match = _COLUMN.fullmatch(name)
        if match:
            return column, (match.group(1) or "").lower()
    return None, ""


def _json(text: str, path: Path) -> Tuple[str, List[Stamp]]:
    """The unit that the key names, and each timestamp with its number."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}", where=str(path)) from error
    unit, values = ("", found) if isinstance(found, list) else _listed(found, path)
    return unit, [
        (value if isinstance(value, str) else json.dumps(value), f"entry {number}")
        for number, value in enumerate(values, start=1)
    ]


def _listed(found: Any, path: Path) -> Tuple[str, List[Any]]:
    for name, values in found.items():
        match = _COLUMN.fullmatch(name)
        if match and isinstance(values, list):
            return (match.group(1) or "").lower(), values
    raise ConfigError(unknown("list", "timestamps_ms", found), where=str(path))
