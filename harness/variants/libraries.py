"""The libraries that make variants: missing ones are said, their talk is not passed on, errors get a place."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, EngineError, HarnessError, printable


def library(name: str) -> Any:
    """The module `name` of the extra `zoo`; ConfigError where it cannot be imported."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0].replace("_", "-")
        what = f"{package} is not installed, and this technique needs it: {error}"
        raise ConfigError(what, remedy="pip install 'dms-harness[zoo]'") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is logged or warned of; the root logger, which some libraries set up, is afterwards as it was."""
    before, root = logging.root.manager.disable, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def working(what: str, where: Path, remedy: str = "") -> Iterator[None]:
    """Quiet, and nothing is printed; what is raised becomes an EngineError that says what failed, and on which file."""
    try:
        with quiet(), redirect_stdout(io.StringIO()):
            yield
    except HarnessError:
        raise
    except Exception as error:
        # These libraries raise whatever their parts do.
        told = printable(str(error), 500) or type(error).__name__
        raise EngineError(f"{what}: {told}", where=str(where), remedy=remedy) from error
