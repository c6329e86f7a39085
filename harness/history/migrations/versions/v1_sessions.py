"""Version 1: sessions with their points, runs, raw times and verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "session",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("at", sa.String(20), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("identity_sha256", sa.String(64), nullable=False),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Index("session_of_case", "device", "model", "variant", "runtime", "at"),
    )
    op.create_table(
        "point",
        _of_session(),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("process", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run",
        _of_session(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("marks", sa.Text, nullable=False),
    )
    op.create_table(
        "raw",
        sa.Column("session", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["session", "run"], ["run.session", "run.number"], ondelete="CASCADE"),
    )
    op.create_table(
        "verdict",
        _of_session(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("gate", sa.Boolean, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("limit_value", sa.Double),
    )


def _of_session() -> sa.Column[int]:
    return sa.Column("session", sa.Integer, sa.ForeignKey("session.number", ondelete="CASCADE"), primary_key=True)
