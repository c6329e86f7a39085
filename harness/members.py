"""A rib's members, by their names in its table."""

from __future__ import annotations

import importlib
from typing import Any, Mapping

from harness.errors import ConfigError, unknown


def member(kind: str, name: str, table: Mapping[str, str], where: str = "") -> Any:
    """What "module:Member" of `table` is called `name`, imported now; ConfigError, with the known names, for none."""
    if name not in table:
        raise ConfigError(unknown(kind, name, table), where=where)
    module, _, found = table[name].partition(":")
    return getattr(importlib.import_module(module), found)
