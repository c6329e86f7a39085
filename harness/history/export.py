"""The values of a history as one table: a row for each session, metric and process."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from harness.errors import ConfigError
from harness.history.files import whole_file
from harness.record import SessionRecord

FORMULA = re.compile(r"[\t\r]|\s*[=+\-@]")
IDENTITY = "identity."


def export_csv(sessions: Sequence[SessionRecord], path: Path) -> int:
    """Write UTF-8 CSV with a header; the number of rows. HarnessError where it cannot be written.

    Text is as `without_formula` makes it.
    """
    table = _table(sessions)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(_cell, table))
        writer.writerows(map(_cell, row) for row in zip(*table.values()))
    return len(table["session"])


def without_formula(text: str) -> str:
    """The text of a cell, with an apostrophe before it where a spreadsheet would take it for a formula."""
    # Normal form KC: spreadsheets take the full-width signs of East Asian keyboards for the plain ones.
    return f"'{text}" if FORMULA.match(normalize("NFKC", text)) else text


def export_parquet(sessions: Sequence[SessionRecord], path: Path) -> int:
    """Write Parquet; the number of rows. ConfigError without pyarrow, HarnessError where it cannot be written."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow", remedy="pip install 'dms-harness[parquet]'") from error
    table = _table(sessions)
    columns = {_clean(name): _column(pyarrow, values) for name, values in table.items()}
    with whole_file(path) as temporary:
        parquet.write_table(pyarrow.table(columns), temporary)
    return len(table["session"])


def _table(sessions: Sequence[SessionRecord]) -> dict[str, list[Any]]:
    """Column name -> one cell per value; what a session's identity lacks is None."""
    names = sorted({name for session in sessions for name in session.identity})
    rows = [row for session in sessions for row in _rows(session, names)]
    header = (
        "session", "at", "purpose", "device", "model", "variant", "runtime", "simulated", "valid",
        "metric", "process", "value", *(f"{IDENTITY}{name}" for name in names),
    )  # fmt: skip
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _rows(session: SessionRecord, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    case = session.case
    head = (session.id, session.at, session.purpose, case.device, case.model, case.variant, case.runtime)
    identity = [session.identity.get(name) for name in names]
    for metric, values in session.values.items():
        for process, value in enumerate(values):
            yield (*head, session.simulated, session.valid, metric, process, value, *identity)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return without_formula(_clean(value))


def _column(pyarrow: Any, values: list[Any]) -> Any:
    """Of the type of its values where they have one in common, otherwise text."""
    cleaned = [_clean(value) if isinstance(value, str) else value for value in values]
    try:
        return pyarrow.array(cleaned)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
        return pyarrow.array([None if value is None else str(value) for value in cleaned], pyarrow.string())


def _clean(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
