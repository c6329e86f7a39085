"""Version 2: annotations, and whether the environment disqualified a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the table and the column; sessions of version 1 were recorded only where they were valid."""
    op.add_column("session", sa.Column("valid", sa.Boolean, nullable=False, server_default=sa.true()))
    op.create_table(
        "annotation",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(20), nullable=False),
        sa.Column("case_key", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
    )
