"""Bring a history to the newest schema version, or say why not."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from harness.errors import ConfigError
from harness.history.database import Database, damaged
from harness.history.schema import METADATA, VERSION, VERSION_TABLE

MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def upgrade(database: Database, *, create: bool = True, version: int = VERSION) -> None:
    """Create or migrate the tables up to `version`; concurrent callers wait for each other.

    ConfigError where the database is not a history, is of a newer version, or is missing and not to be created.
    """
    _prepare_folder(database, create)
    with database.reading() as connection:
        found = _version(connection, database)
    if found == version:
        return
    if not found and not create:
        raise _missing(database)
    with database.writing() as connection:
        # Another process may have been faster.
        if _version(connection, database) < version:
            migrate(connection, version)


def migrate(connection: Connection, version: int) -> None:
    """Run the migration scripts up to `version` in the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, str(version))


def _prepare_folder(database: Database, create: bool) -> None:
    path = database.location.path
    if path is None:
        return
    if not create and not path.exists():
        raise _missing(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the history's folder cannot be made: {error.strerror}", where=str(path.parent)) from error


def _version(connection: Connection, database: Database) -> int:
    """0: nothing is there yet."""
    tables, where = set(inspect(connection).get_table_names()), database.location.shown
    if VERSION_TABLE not in tables:
        if tables & set(METADATA.tables) or (tables and database.is_file):
            remedy = "give the history a database or a schema of its own"
            raise ConfigError("a database of another program", where=where, remedy=remedy)
        return 0
    rows = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if len(rows) != 1 or not str(rows[0]).isdecimal() or int(rows[0]) == 0:
        raise damaged(where, f"its version is {', '.join(map(str, rows)) or 'missing'}")
    if int(rows[0]) > VERSION:
        what = f"the history has schema version {rows[0]}, this program knows {VERSION}"
        raise ConfigError(what, where=where, remedy="update dms-harness")
    return int(rows[0])


def _missing(database: Database) -> ConfigError:
    remedy = "measure first, or name another with --history"
    return ConfigError("there is no history yet", where=database.location.shown, remedy=remedy)
