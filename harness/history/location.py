"""Where a history is: a path, or the URL of a database; a password is never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import ConfigError, unknown

DIALECTS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*:)[^\s/]*(?=@)|([?&]password=)[^\s&]*")
REMEDY = "give a path such as reports/history.sqlite, or a URL such as postgresql+psycopg://user@host/database"


@dataclass(frozen=True, kw_only=True)
class Location:
    """shown: the location without password and options. path: of an SQLite file, otherwise None."""

    url: URL
    shown: str
    path: Path | None


def parse_location(location: str | Path) -> Location:
    """Read a location; ConfigError for a URL that is none, an unknown dialect, or a URL without a file."""
    if isinstance(location, Path) or "://" not in location:
        return _file(Path(location))
    dialect = location.partition("://")[0]
    if dialect not in DIALECTS:
        raise ConfigError(unknown("kind of database", dialect, DIALECTS), where="location of the history")
    try:
        url = make_url(location).set(drivername=DIALECTS[dialect])
    except (ArgumentError, ValueError):
        # The library's words quote parts of the URL, and any part may be the password.
        raise _no_url(dialect) from None
    if url.drivername == "sqlite":
        # With two slashes instead of three, the first folder would be a host.
        if url.host or url.username or url.query:
            raise _no_url(dialect)
        return _file(Path(url.database or ""))
    return Location(url=url, shown=url.set(password=None, query={}).render_as_string(), path=None)


def without_passwords(text: str) -> str:
    """`text` with *** for the passwords in its URLs."""
    return _PASSWORD.sub(r"\1\2***", text)


def _no_url(dialect: str) -> ConfigError:
    return ConfigError("not the URL of a database", where=f"{dialect}://...", remedy=REMEDY)


def _file(path: Path) -> Location:
    if path == Path() or "\0" in str(path):
        raise ConfigError("the history's location names no file", where=str(path), remedy=REMEDY)
    return Location(url=URL.create("sqlite", database=str(path.absolute())), shown=str(path), path=path.absolute())
