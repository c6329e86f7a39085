"""The console commands `harness history ...` and `harness annotate`; each returns the text to print."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, HarnessError, printable, unknown
from harness.history import DEFAULT_LOCATION, open_history

if TYPE_CHECKING:
    from harness.case import Case
    from harness.history.store import History
    from harness.record import SessionRecord

SHOWN_METRICS = ("frame_p50_ms", "frame_p99_ms", "fps_mean", "peak_memory_mb")
# `expected`: a step that people know of; no search for changes goes across it. `approved`: somebody looked at a result
# and agrees.
KINDS = ("note", "expected", "hardware", "firmware", "approved")
# What `harness accept` writes itself, beside the baseline that it changes.
WRITTEN_BY_ACCEPT = ("accepted", "reverted")
ID_DIGITS = 8
MB = 1e6

Add = Callable[..., argparse.ArgumentParser]


def add_history_commands(subparsers: Any) -> None:
    """Add `history` with its commands to what `ArgumentParser.add_subparsers` gave."""
    history = subparsers.add_parser("history", help="look at, export and look after the sessions measured so far")
    commands = history.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], str], what: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
        _add_location(parser)
        parser.set_defaults(command=run)
        return parser

    _add_readers(add)
    _add_writers(add)


def _add_readers(add: Add) -> None:
    sessions = add("list", _list, "list the last sessions")
    sessions.add_argument("--case", default=None, metavar="DEVICE/MODEL/VARIANT/RUNTIME")
    sessions.add_argument("--last", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    export = add("export", _export, "write every value into one table")
    form = export.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", type=Path, metavar="FILE")
    form.add_argument("--parquet", type=Path, metavar="FILE")
    backup = add("backup", _backup, "copy the history into a new SQLite file, while it is in use")
    backup.add_argument("file", type=Path)
    add("check", _check, "read every record once and say what is damaged")


def _add_writers(add: Add) -> None:
    prune = add("prune", _prune, "remove the raw times of old sessions and give their space back")
    prune.add_argument("--keep-raw", type=int, required=True, metavar="N", help="newest sessions of each case")
    prune.add_argument("--keep-sessions", type=int, default=None, metavar="N",
                       help="remove sessions older than the newest N of each case altogether")  # fmt: skip
    imported = add("import", _import, "take over the results of pytest-benchmark")
    imported.add_argument("file", type=Path, help="written by pytest --benchmark-json")


def add_annotate_command(subparsers: Any) -> None:
    """Add `annotate` to what `ArgumentParser.add_subparsers` gave."""
    what = "keep a remark in the history, which trends show: a new board, a known step, an approval"
    parser = subparsers.add_parser("annotate", help=what, description=f"{what}.")
    parser.add_argument("text", nargs="?", default="", help="what to keep")
    parser.add_argument("--kind", default="note", help=f"{', '.join(KINDS)} (default: %(default)s)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--case", default=None, metavar="DEVICE/MODEL/VARIANT/RUNTIME", help="(default: all)")
    place.add_argument("--device", default=None, metavar="NAME", help="each case of this device that the history has")
    parser.add_argument("--at", default=None, help="UTC, 2026-01-31T23:59:59Z (default: now)")
    parser.add_argument("--author", default=os.environ.get("USER", "unknown"), help="(default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the remarks, with --case or --device those on these")
    _add_location(parser)
    parser.set_defaults(command=_annotate)


def _add_location(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--history", default=DEFAULT_LOCATION, metavar="LOCATION",
                        help="path, or URL of a PostgreSQL database (default: %(default)s)")  # fmt: skip


def _list(parsed: argparse.Namespace) -> str:
    with open_history(parsed.history, create=False) as history:
        case = _case(history, parsed.case) if parsed.case else None
        sessions = history.sessions(case, limit=max(parsed.last, 0))
    head = ("id", "at", "case", "purpose", "valid", *SHOWN_METRICS)
    return _aligned([head, *map(_summary, sessions)]) if sessions else "the history holds no sessions yet"


def _export(parsed: argparse.Namespace) -> str:
    from harness.history.export import export_csv, export_parquet

    with open_history(parsed.history, create=False) as history:
        sessions = history.sessions()
    rows = export_csv(sessions, parsed.csv) if parsed.csv else export_parquet(sessions, parsed.parquet)
    return f"{rows} values of {len(sessions)} sessions written to {parsed.csv or parsed.parquet}"


def _backup(parsed: argparse.Namespace) -> str:
    with open_history(parsed.history, create=False) as history:
        path = history.backup(parsed.file)
    return f"{path} holds the whole history, {path.stat().st_size / MB:.1f} MB"


def _check(parsed: argparse.Namespace) -> str:
    with open_history(parsed.history, create=False) as history:
        faults = history.check()
    if faults:
        remedy = "take the last backup, or export what can still be read"
        raise HarnessError("; ".join(faults), where="check of the history", remedy=remedy)
    return "the history is whole: its structure is sound and every record can be read"


def _prune(parsed: argparse.Namespace) -> str:
    with open_history(parsed.history, create=False) as history:
        found = history.prune(keep_raw=parsed.keep_raw, keep_sessions=parsed.keep_sessions)
    sizes = f"{found.bytes_before / MB:.1f} MB before, {found.bytes_after / MB:.1f} MB now"
    return f"removed the raw times of {found.raw_sessions} sessions, and {found.sessions} sessions: {sizes}"


def _import(parsed: argparse.Namespace) -> str:
    from harness.history.benchmark_import import read_benchmarks

    sessions = read_benchmarks(parsed.file)
    with open_history(parsed.history) as history:
        for session in sessions:
            history.record(session)
    return f"{len(sessions)} benchmarks of {parsed.file} are in the history"


def _annotate(parsed: argparse.Namespace) -> str:
    if parsed.history == "none":
        raise ConfigError("without a history there are no remarks", where="--history none", remedy="name a history")
    return _remarks(parsed) if parsed.list else _remark(parsed)


def _remarks(parsed: argparse.Namespace) -> str:
    if parsed.text:
        remedy = "leave --list out to keep the remark, or the text to see all"
        raise ConfigError("--list shows remarks and keeps none", where=repr(parsed.text), remedy=remedy)
    with open_history(parsed.history, create=False) as history:
        wanted = {None, *_keys(history, parsed)}
        found = [one for one in history.annotations() if wanted == {None} or one.case_key in wanted]
    rows = [(one.at, one.kind, one.case_key or "all cases", one.author, one.text) for one in found]
    shown = [tuple(map(printable, row)) for row in rows]
    return _aligned([("at", "kind", "case", "author", "text"), *shown]) if shown else "no remarks yet"


def _remark(parsed: argparse.Namespace) -> str:
    if not parsed.text.strip():
        remedy = 'say it: harness annotate "new fan", or look: harness annotate --list'
        raise ConfigError("a remark needs a text", remedy=remedy)
    _check_kind(parsed.kind)
    at = _checked_time(parsed.at) if parsed.at else _time(datetime.now(UTC))
    with open_history(parsed.history, create=False) as history:
        keys = _keys(history, parsed)
        for key in keys:
            history.annotate(key, at, parsed.kind, parsed.text, parsed.author)
    return "\n".join(printable(f"kept a remark on {key or 'all cases'} at {at}") for key in keys)


def _keys(history: History, parsed: argparse.Namespace) -> list[str | None]:
    """The cases that are meant; None stands for all."""
    if parsed.case is not None:
        return [_case(history, parsed.case).key]
    if parsed.device is None:
        return [None]
    cases = history.cases()
    keys: list[str | None] = [case.key for case in cases if case.device == parsed.device]
    if not keys:
        devices = {case.device for case in cases}
        raise ConfigError(unknown("device in the history", parsed.device, devices), where="--device")
    return keys


def _check_kind(kind: str) -> None:
    if kind in WRITTEN_BY_ACCEPT:
        remedy = "accept the build, or say --kind approved: somebody looked at a result and agrees"
        raise ConfigError(f"{kind!r} is what harness accept writes itself", where="--kind", remedy=remedy)
    if kind not in KINDS:
        raise ConfigError(unknown("kind of remark", kind, KINDS), where="--kind")


def _checked_time(at: str) -> str:
    from harness.history.rows import checked_time

    try:
        checked = checked_time(at)
    except HarnessError as error:
        raise ConfigError(f"{error.what}: {at!r}", where="--at", remedy=error.remedy) from error
    # A day, since the clock of the board or of another lab may be ahead.
    if checked > _time(datetime.now(UTC) + timedelta(days=1)):
        raise ConfigError(f"a time that is yet to come: {at!r}", where="--at", remedy="leave it out for now")
    return checked


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _case(history: History, key: str) -> Case:
    cases = {case.key: case for case in history.cases()}
    if key not in cases:
        raise ConfigError(unknown("case in the history", key, cases), where="--case")
    return cases[key]


def _summary(session: SessionRecord) -> tuple[str, ...]:
    numbers = (f"{median(session.values[name]):.4g}" if name in session.values else "-" for name in SHOWN_METRICS)
    valid = "yes" if session.valid else "no"
    return (session.id[:ID_DIGITS], session.at, printable(session.case.key), session.purpose, valid, *numbers)


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
