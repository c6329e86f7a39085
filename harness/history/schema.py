"""The tables of the newest schema version; docs/history.md documents every column."""

from __future__ import annotations

import re

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

VERSION = 3
VERSION_TABLE = "history_version"
METADATA = MetaData()
_UNSTORABLE = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPE = re.compile(r"\\([0-9a-f]{4})")


class AnyText(TypeDecorator[str]):
    """Text of any characters: what UTF-8 or a server cannot hold is written as a backslash and 4 digits."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _UNSTORABLE.sub(lambda found: f"\\{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else decoded(value)


def decoded(stored: str) -> str:
    """The text that `AnyText` has written so."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), stored) if "\\" in stored else stored


SESSION = Table(
    "session", METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("at", String(20), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("device", AnyText, nullable=False),
    Column("model", AnyText, nullable=False),
    Column("variant", AnyText, nullable=False),
    Column("runtime", AnyText, nullable=False),
    Column("plan", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("identity_sha256", String(64), nullable=False),
    Column("context", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("valid", Boolean, nullable=False),
    Index("session_of_case", "device", "model", "variant", "runtime", "at"),
)  # fmt: skip
POINT = Table(
    "point", METADATA,
    Column("session", ForeignKey("session.number", ondelete="CASCADE"), primary_key=True),
    Column("metric", AnyText, primary_key=True),
    Column("process", Integer, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
RUN = Table(
    "run", METADATA,
    Column("session", ForeignKey("session.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False),
    Column("marks", Text, nullable=False),
)  # fmt: skip
RAW = Table(
    "raw", METADATA,
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("name", AnyText, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(["session", "run"], ["run.session", "run.number"], ondelete="CASCADE"),
)  # fmt: skip
VERDICT = Table(
    "verdict", METADATA,
    Column("session", ForeignKey("session.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("metric", AnyText, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("gate", Boolean, nullable=False),
    Column("rule", AnyText, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("sentence", AnyText, nullable=False),
    Column("value", Double),
    Column("limit_value", Double),
    Column("error_class", AnyText, nullable=False),
)  # fmt: skip
ANNOTATION = Table(
    "annotation", METADATA,
    Column("number", Integer, primary_key=True),
    Column("at", String(20), nullable=False),
    Column("case_key", AnyText),
    Column("kind", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("author", AnyText, nullable=False),
)  # fmt: skip
INVOCATION = Table(
    "invocation", METADATA,
    Column("number", Integer, primary_key=True),
    Column("run", AnyText, nullable=False, unique=True),
    Column("at", String(20), nullable=False),
    Column("device", AnyText, nullable=False),
    Column("command", AnyText, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("policy", AnyText, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("selected", Boolean, nullable=False),
    Column("named", Boolean, nullable=False),
    Column("asked", Text, nullable=False),
)  # fmt: skip
FAILURE = Table(
    "failure", METADATA,
    Column("invocation", ForeignKey("invocation.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("device", AnyText, nullable=False),
    Column("model", AnyText, nullable=False),
    Column("variant", AnyText, nullable=False),
    Column("runtime", AnyText, nullable=False),
    Column("metric", AnyText, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("sentence", AnyText, nullable=False),
)  # fmt: skip
