"""quarantine.toml: cases that are known to fail for now. They still run and are reported, and are red again in time.

Every entry names an owner, a reason and a day on which it ends, at most 90 days ahead. It forgives what says something
of the model: a FAIL, and, where it names no metric, a crash too. It never forgives the lab, the configuration or the
harness.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harness.config import Schema, check, read_toml
from harness.errors import DUT, ConfigError

FILE = "quarantine.toml"
LONGEST_DAYS = 90
PARTS = ("device", "model", "variant", "runtime")
FAIL = "FAIL"
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Entry(Schema):
    """One case, or all that a pattern names, of one metric or as a whole. expires: the last day, 2026-12-31."""

    case: Text
    metric: str = ""
    owner: Text
    reason: Text
    ticket: str = ""
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]

    @property
    def last_day(self) -> datetime.date:
        """The last day on which it holds."""
        return datetime.date.fromisoformat(self.expires)

    def names(self, case: str) -> bool:
        """Whether the pattern names this case: part by part, * and ? within one part."""
        parts, wanted = case.split("/"), self.case.split("/")
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))

    @property
    def sentence(self) -> str:
        """Who keeps it in quarantine, until when, and why."""
        ticket = f", {self.ticket}" if self.ticket else ""
        return f"quarantined until {self.expires} ({self.owner}{ticket}): {self.reason}"


class _File(Schema):
    quarantine: tuple[Entry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """The entries of one file, as they stand on one day."""

    entries: tuple[Entry, ...] = ()
    today: datetime.date = datetime.date.min
    path: Path = Path(FILE)

    @property
    def expired(self) -> tuple[Entry, ...]:
        """Those whose last day is over."""
        return tuple(one for one in self.entries if one.last_day < self.today)

    def of(self, case: str) -> tuple[Entry, ...]:
        """The entries that name the case, also those that are over."""
        return tuple(one for one in self.entries if one.names(case))

    def forgives(self, case: str, failure_class: str, metrics: Collection[str] = ()) -> Entry | None:
        """The entry that takes the red from a failure; None where it stays red.

        metrics: those whose gates broke, empty where the failure is of no metric. Each must be in quarantine.
        """
        if failure_class not in (FAIL, DUT):
            return None
        holding = [one for one in self.of(case) if one.last_day >= self.today]
        whole = next((one for one in holding if not one.metric), None)
        if whole is not None or not metrics:
            return whole
        named = {one.metric: one for one in holding}
        return named[min(metrics)] if set(metrics) <= set(named) else None

    def without_case(self, cases: Iterable[str], device: str = "") -> list[Entry]:
        """Entries that name none of `cases`; with `device`, only of those that mean this device."""
        known = list(cases)
        meant = [one for one in self.entries if not device or fnmatchcase(device, one.case.split("/")[0])]
        return [one for one in meant if not any(map(one.names, known))]


def read_quarantine(path: Path, today: datetime.date) -> Quarantine:
    """The quarantine of a file; ConfigError for one that is missing, unknown keys, no owner, or no end in time."""
    tables = read_toml(path)
    raw = tables.get("quarantine", [])
    entries = [_dated(one) for one in raw] if isinstance(raw, list) else raw
    found = check(_File, {**tables, "quarantine": entries}, path)
    for index, one in enumerate(found.quarantine):
        _check(one, today, f"{path}, quarantine.{index}")
    return Quarantine(entries=found.quarantine, today=today, path=path)


def find_quarantine(option: str, root: Path, today: datetime.date) -> Quarantine:
    """What --quarantine names, or else quarantine.toml of the repository, or else nothing."""
    path = Path(option) if option else root / FILE
    return read_quarantine(path, today) if option or path.exists() else Quarantine(today=today, path=path)


def _dated(entry: Any) -> Any:
    """TOML has days of its own; either form is right."""
    if isinstance(entry, dict) and type(entry.get("expires")) is datetime.date:
        return {**entry, "expires": entry["expires"].isoformat()}
    return entry


def _check(entry: Entry, today: datetime.date, where: str) -> None:
    if len(entry.case.split("/")) != len(PARTS) or not all(entry.case.split("/")):
        remedy = f"write {'/'.join(PARTS)}, with * for any, such as */eye_state/int8/*"
        raise ConfigError(f"case = {entry.case!r} is no pattern of a case", where=where, remedy=remedy)
    try:
        ahead = (entry.last_day - today).days
    except ValueError as error:
        raise ConfigError(f"expires = {entry.expires!r}: {error}", where=where) from error
    if ahead > LONGEST_DAYS:
        latest = today + datetime.timedelta(days=LONGEST_DAYS)
        raise ConfigError(
            f"expires = {entry.expires} is {ahead} days ahead, {LONGEST_DAYS} are the most", where=where,
            remedy=f"{latest} is the latest day; look at it again then",
        )  # fmt: skip
    if entry.metric:
        _check_metric(entry.metric, where)


def _check_metric(metric: str, where: str) -> None:
    from harness.budgets import check_metric

    if metric not in QUESTIONS:
        try:
            check_metric(metric)
        except ConfigError as error:
            raise error.placed(where) from None


# What `check` of a suite answers beside metrics.
QUESTIONS = ("outputs_alive", "baseline", "reference")
