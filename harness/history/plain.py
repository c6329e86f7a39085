"""Rows as the driver gives them, for reading many: of the texts each is there once, however many rows hold it."""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern
from typing import Any

from sqlalchemy import Connection, Select

from harness.history.schema import decoded

# More would not stay in the processor's cache, and take half as long again.
ROWS_AT_ONCE = 500


class Texts(dict[str, str]):
    """What a stored text means; ValueError for what is no text."""

    def __missing__(self, stored: str) -> str:
        if not isinstance(stored, str):
            raise ValueError(f"not a text: {stored!r}")
        self[stored] = meant = intern(decoded(stored))
        return meant


def batches(connection: Connection, wanted: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Plain tuples of what is stored: rows of the library would cost as much as all the rest."""
    cursor: Any = connection.execute(wanted).cursor
    while batch := cursor.fetchmany(ROWS_AT_ONCE):
        yield batch
