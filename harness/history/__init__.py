"""The history: every session ever measured, in an SQLite file or a PostgreSQL database; docs/history.md.

`open_history` is the way in, `harness.history.store.History` what it gives. The database libraries are
loaded when a history is opened, not when this package is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.history.store import History

DEFAULT_LOCATION = "reports/history.sqlite"


def open_history(location: str | Path = DEFAULT_LOCATION, *, create: bool = True) -> History:
    """Open the history at a path (SQLite) or a URL such as postgresql+psycopg://user@host/database.

    A missing one is created, an older schema is migrated. ConfigError: not a location, driver missing,
    server unreachable, not a history, of a newer schema, not writable, or missing where `create` is False.
    """
    from harness.history.database import Database
    from harness.history.location import parse_location
    from harness.history.store import History
    from harness.history.upgrade import upgrade

    database = Database(parse_location(location))
    upgrade(database, create=create)
    return History(database)
