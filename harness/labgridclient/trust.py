"""Which of labgrid's environment files may be read: `imports:` in them runs Python files, so they are code."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import ConfigError

TRUSTED_LIST = "dms-harness/trusted-environments"
WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def trusted(name: str, repository: Path) -> Path:
    """The file, resolved: below the repository, or elsewhere by an absolute path that the user's own list names.

    ConfigError otherwise, and where anybody but the user and root can write it, a folder above it or a Python file
    that it imports.
    """
    path = (repository / name).resolve()
    if not path.is_file():
        raise ConfigError(f"there is no environment file {name!r}", where=str(path))
    _in_its_place(name, path, repository.resolve())
    _only_ours(path)
    for imported in _imports(path):
        _only_ours(imported)
    return path


def trusted_list() -> Path:
    """The user's own list: one absolute path a line."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / TRUSTED_LIST


def _in_its_place(name: str, path: Path, repository: Path) -> None:
    if path.is_relative_to(repository):
        return
    own = trusted_list()
    if own.is_file() and str(path) in own.read_text(encoding="utf-8").splitlines():
        _only_ours(own.resolve())
        return
    raise ConfigError(
        f"the environment file {name!r} is outside of the repository, and such a file can run any code",
        where=str(path), remedy=f"look at it, then write that path into {own}, or move it into the repository",
    )  # fmt: skip


def _only_ours(path: Path) -> None:
    """Owned by the user or root all the way up, and writable for nobody else, as sshd has it of its keys.

    A folder with the sticky bit (/tmp) is as good: nobody can replace there what is not his.
    """
    for one in (path, *path.parents):
        if not one.exists():
            raise ConfigError("an environment file imports what is not there", where=str(one))
        found = one.stat()
        if found.st_uid not in (0, os.getuid()) or (found.st_mode & WRITABLE and not found.st_mode & stat.S_ISVTX):
            raise ConfigError(
                f"the environment file {path.name!r} can be changed by others, and it runs code",
                where=str(one), remedy=f"chown it to yourself, and chmod go-w {one}",
            )  # fmt: skip


def _imports(path: Path) -> Iterator[Path]:
    """The Python files that labgrid would run for it, found by its own rules; reading its text runs none."""
    from labgrid.util.yaml import load, yaml

    try:
        tables = load(path.read_text(encoding="utf-8"))
        found = tables.get("imports", [])
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise ConfigError(f"not an environment file of labgrid: {error}", where=str(path)) from error
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ConfigError("`imports` of a labgrid environment file is a list of plain texts", where=str(path))
    for one in found:
        if one.endswith(".py"):
            yield (path.parent / os.path.expandvars(os.path.expanduser(one))).resolve()
