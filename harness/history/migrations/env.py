"""Alembic runs this file for each upgrade, in the transaction that `harness.history.upgrade` has begun."""

from __future__ import annotations

from alembic import context

from harness.history.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
