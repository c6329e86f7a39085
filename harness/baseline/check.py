"""Is a text what `layout` wrote? Anything else is an error with its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from harness.baseline.layout import (
    METRIC_OF,
    SCHEMA_VERSION,
    Band,
    Baseline,
    BaselineError,
    BaselineSession,
    Scalar,
    header_digest,
    is_whole,
    loaded_value,
    session_digest,
)
from harness.case import Case
from harness.metrics import METRICS

HEADER = {"schema_version", "case", "accepted", "identity", "context", "advice", "sessions", "digest"}
ACCEPTED = {"at", "by", "reason", "commit"}
CASE = {"device", "model", "variant", "runtime"}
SESSION = {"at", "unit", "values", "context", "provenance", "digest"}
REMEDY = "restore the file from git, go back with harness accept --revert, or accept again"
# A float holds every whole number up to here, so that nanoseconds survive being milliseconds: 11 days, 1 PB.
LARGEST = 10**15
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|[{}\n]', re.DOTALL)


class Table(dict[str, Any]):
    """A JSON object that knows where it and its keys stand; BaselineError for a key that stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]], line: int, key_lines: list[int]) -> None:
        super().__init__(pairs)
        self._line = line
        self._lines: dict[str, int] = {}
        for (key, _), place in zip(pairs, key_lines):
            if key in self._lines:
                raise fault(f"the key {key!r} stands twice", place)
            self._lines[key] = place

    def fault(self, what: str, key: str = "") -> BaselineError:
        """An error in the line of `key`, or of the object."""
        return fault(what, self._lines.get(key, self._line))

    def need(self, good: bool, what: str, key: str = "") -> None:
        """The `fault`, unless `good`."""
        if not good:
            raise self.fault(what, key)

    def need_keys(self, wanted: set[str], what: str) -> None:
        """The `fault`, unless these are the keys."""
        strange, missing = sorted(set(self) - wanted), sorted(wanted - set(self))
        if strange:
            raise self.fault(f"{what} has the unknown key {strange[0]!r}", strange[0])
        self.need(not missing, f"{what} lacks {', '.join(missing)}")

    def table(self, key: str) -> Table:
        """The object that stands at `key`."""
        found = self[key]
        if not isinstance(found, Table):
            raise self.fault(f"{key} is no object", key)
        return found


def parse_baseline(text: str) -> Baseline:
    """The baseline that `text` holds; BaselineError with the line where it does not hold one."""
    table = _parsed(text)
    _check_version(table)
    table.need_keys(HEADER, "the file")
    case, accepted = _texts(table, "case", CASE), _texts(table, "accepted", ACCEPTED)
    table.table("accepted").need(_AT.fullmatch(accepted["at"]) is not None, "accepted.at is no UTC time", "at")
    baseline = Baseline(
        case=Case(**case), accepted_at=accepted["at"], accepted_by=accepted["by"], reason=accepted["reason"],
        commit=accepted["commit"], identity=_scalars(table, "identity"), context=_bands(table),
        advice=_advice(table), sessions=_sessions(table),
    )  # fmt: skip
    digest = header_digest(table, [one["digest"] for one in table["sessions"]])
    what = "the head of the file or the list of its sessions was edited by hand, or badly merged"
    table.need(table["digest"] == digest, what, "digest")
    return baseline


def fault(what: str, line: int) -> BaselineError:
    """An error in a line of a file that its caller knows."""
    return BaselineError(what, where=f"line {line}", remedy=REMEDY)


def _parsed(text: str) -> Table:
    places = _places(text)
    try:
        # Whole numbers of hundreds of digits overflow a float, and of thousands Python refuses to read them.
        found = json.loads(
            text, object_pairs_hook=lambda pairs: Table(pairs, *next(places)),
            parse_int=lambda digits: int(digits) if len(digits) < 300 else float(digits),
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise fault(f"not JSON, or cut off: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise fault("not a baseline: lists within lists without end", 1) from error
    if not isinstance(found, Table):
        raise fault("not a baseline: the outermost value is no object", 1)
    return found


def _places(text: str) -> Iterator[tuple[int, list[int]]]:
    """The line of each object and those of its keys; objects in the order in which they end, as the parser has them."""
    line = 1
    open_objects: list[tuple[int, list[int]]] = []
    for token in _TOKEN.finditer(text):
        found = token.group()
        if found == "{":
            open_objects.append((line, []))
        elif found == "}":
            yield open_objects.pop()
        elif token["key"]:
            open_objects[-1][1].append(line)
        line += found.count("\n")


def _check_version(table: Table) -> None:
    version = table.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        what = f"written by a newer version: schema_version is {version}, this version knows {SCHEMA_VERSION}"
        raise BaselineError(what, where=table.fault(what, "schema_version").where, remedy="update the harness")
    known = type(version) is int and version == SCHEMA_VERSION
    table.need(known, f"schema_version = {version!r} is none that was ever written", "schema_version")


def _texts(parent: Table, name: str, keys: set[str]) -> dict[str, str]:
    table = parent.table(name)
    table.need_keys(keys, name)
    for key, text in table.items():
        table.need(isinstance(text, str) and (text != "" or key == "commit"), f"{name}.{key} is no text", key)
    return dict(table)


def _scalars(parent: Table, name: str) -> dict[str, Scalar]:
    table = parent.table(name)
    for key, value in table.items():
        table.need(_is_scalar(value), f"{name}.{key} is no text, finite number or truth value", key)
    return dict(table)


def _bands(parent: Table) -> dict[str, Scalar | Band]:
    table = parent.table("context")
    for key, value in table.items():
        good = _is_scalar(value) or _is_band(value)
        table.need(good, f"context.{key} is neither a plain value nor a band [low, high]", key)
    return {key: (value[0], value[1]) if isinstance(value, list) else value for key, value in table.items()}


def _advice(table: Table) -> tuple[str, ...]:
    found = table["advice"]
    table.need(isinstance(found, list), "advice is no list", "advice")
    strange = [one for one in found if one not in METRIC_OF.values()]
    table.need(not strange, f"advice names what is no metric of this version: {strange[:1]}", "advice")
    return tuple(found)


def _sessions(parent: Table) -> tuple[BaselineSession, ...]:
    found = parent["sessions"]
    good = isinstance(found, list) and found and all(isinstance(one, Table) for one in found)
    parent.need(bool(good), "sessions is no list of objects, or empty", "sessions")
    sessions = tuple(map(_session, found))
    for table, session in zip(found, sessions):
        differing = sorted(session.values.keys() ^ sessions[0].values.keys())
        table.need(not differing, f"not the metrics of the first session: {', '.join(differing)}")
    return sessions


def _session(table: Table) -> BaselineSession:
    table.need_keys(SESSION, "the session")
    for key in ("at", "unit", "digest"):
        table.need(isinstance(table[key], str), f"{key} is no text", key)
    table.need(_AT.fullmatch(table["at"]) is not None, "at is no UTC time", "at")
    session = BaselineSession(
        at=table["at"], unit=table["unit"], values=_values(table.table("values")),
        context=_scalars(table, "context"), provenance=_scalars(table, "provenance"),
    )  # fmt: skip
    table.need(table["digest"] == session_digest(table), "this session was edited by hand", "digest")
    return session


def _values(table: Table) -> dict[str, tuple[float, ...]]:
    table.need(len(table) > 0, "the session holds no values")
    for name, values in table.items():
        table.need(name in METRIC_OF, f"{name} is no metric of this version", name)
        good = isinstance(values, list) and values and all(_is_stored(METRIC_OF[name], one) for one in values)
        kind = "whole numbers" if is_whole(METRIC_OF[name]) else "numbers"
        table.need(bool(good), f"{name} is no list of {kind} above 0, one per process", name)
    return {METRIC_OF[name]: tuple(loaded_value(METRIC_OF[name], one) for one in values)
            for name, values in table.items()}  # fmt: skip


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_band(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]


def _is_stored(metric: str, value: Any) -> bool:
    """Positive, since logs are compared; what is compared exactly may be nothing at all."""
    if not _is_number(value):
        return False
    enough = value >= 0 if METRICS[metric].exact else value > 0
    return enough and value <= LARGEST and (type(value) is int or not is_whole(metric))
