"""The console commands `harness history ...`; each returns the text to print."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
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
ID_DIGITS = 8
MB = 1e6

Add = Callable[..., argparse.ArgumentParser]


def add_history_commands(subparsers: Any) -> None:
    """Add `history` with its commands to what `ArgumentParser.add_subparsers` gave."""
    history = subparsers.add_parser("history", help="look at, export and look after the sessions measured so far")
    commands = history.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], str], what: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
        parser.add_argument("--history", default=DEFAULT_LOCATION, metavar="LOCATION",
                            help="path, or URL of a PostgreSQL database (default: %(default)s)")  # fmt: skip
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
    annotate = add("annotate", _annotate, "keep a remark: new hardware, a known disturbance")
    annotate.add_argument("text")
    annotate.add_argument("--case", default=None, metavar="DEVICE/MODEL/VARIANT/RUNTIME", help="(default: all)")
    annotate.add_argument("--at", default=None, help="UTC, 2026-01-31T23:59:59Z (default: now)")
    annotate.add_argument("--kind", default="note", help="(default: %(default)s)")
    annotate.add_argument("--author", default=os.environ.get("USER", "unknown"), help="(default: %(default)s)")


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
    at = parsed.at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open_history(parsed.history) as history:
        key = _case(history, parsed.case).key if parsed.case else None
        history.annotate(key, at, parsed.kind, parsed.text, parsed.author)
    return f"kept a remark on {key or 'all cases'} at {at}"


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
