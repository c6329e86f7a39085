"""Remarks on the history: which kinds there are, and reading them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from harness.errors import HarnessError
from harness.history.database import damaged
from harness.history.rows import checked_time
from harness.history.schema import ANNOTATION
from harness.record import Annotation


def read_remarks(connection: Connection, shown: str) -> list[Annotation]:
    """Every remark, oldest first; `damaged` for one without a time."""
    found = connection.execute(select(ANNOTATION).order_by(ANNOTATION.c.at, ANNOTATION.c.number)).all()
    try:
        return [
            Annotation(at=checked_time(row.at), kind=row.kind, text=row.text, author=row.author, case_key=row.case_key)
            for row in found
        ]
    except HarnessError as error:
        raise damaged(f"{shown}, a remark", error) from error
