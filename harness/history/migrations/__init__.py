"""Schema migrations: Alembic runs them, see `harness.history.upgrade`."""
