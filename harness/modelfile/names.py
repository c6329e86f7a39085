"""Names of models: they stand in paths, case keys, reports and command lines."""

from __future__ import annotations

import re

from harness.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_model_name(name: str, where: str = "") -> str:
    """`name` itself, or ConfigError where it could be taken for a path, an option, markup or two names."""
    if _NAME.fullmatch(name):
        return name
    raise ConfigError(
        f"the model name '{name}' cannot be used",
        where=where,
        remedy="use 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or a digit",
    )


def derive_model_name(file_name: str) -> str:
    """A valid model name made of a file's name: its stem, each run of other characters as one '-'."""
    stem = file_name.rpartition(".")[0] or file_name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64].rstrip("-.")
    return name or "model"
