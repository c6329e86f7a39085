"""ONNX's own libraries: missing ones are said, their talk is not passed on, and what they raise is given a place."""

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
    """The module `name` of the extra `zoo`; ConfigError where it is not installed."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        what = f"{name} cannot be imported, and ONNX files are made with it: {error}"
        raise ConfigError(what, remedy="pip install 'dms-harness[zoo]'") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed, logged or warned of; a library that sets up the root logger finds it as it was afterwards."""
    before, root = logging.root.manager.disable, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def working(what: str, where: Path, remedy: str = "") -> Iterator[None]:
    """Quiet; whatever is raised becomes an EngineError that says what did not work, and on which file."""
    try:
        with quiet():
            yield
    except HarnessError:
        raise
    except Exception as error:
        # These libraries raise whatever their parts do.
        told = printable(str(error), 500) or type(error).__name__
        raise EngineError(f"{what}: {told}", where=str(where), remedy=remedy) from error
