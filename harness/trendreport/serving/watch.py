"""Whether a history is still what it was, without reading it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness.history.location import parse_location

# Bytes 24 to 27 of an SQLite file count its transactions ("Database File Format", section 1.3.7).
COUNTER = slice(24, 28)


def history_state(location: str) -> object:
    """Equal to what it was as long as nothing was written; None where nothing is there.

    Some microseconds for a file. In a database: how many sessions, runs and remarks there are, and the newest of each.
    ConfigError where that is not to be had.
    """
    place = parse_location(location)
    return _of_tables(location) if place.path is None else _of_file(place.path)


def _of_file(path: Path) -> object:
    if not path.is_file():
        # To open a pipe would wait for whoever writes into it.
        return None
    with contextlib.suppress(OSError), path.open("rb") as file:
        told = path.stat()
        return told.st_ino, told.st_size, told.st_mtime_ns, file.read(COUNTER.stop)[COUNTER]
    return None


def _of_tables(location: str) -> object:
    from sqlalchemy import func, select

    from harness.history.database import Database
    from harness.history.schema import METADATA

    numbered = [one for one in METADATA.sorted_tables if "number" in one.primary_key.columns]
    with Database(parse_location(location)).reading() as connection:
        return [tuple(connection.execute(select(func.count(), func.max(one.c.number))).one()) for one in numbered]
