"""The Python package tensorrt of this interpreter: its version, its log, its plug-in libraries.

Sources: docs.nvidia.com/deeplearning/tensorrt, Python API; the package's own signatures, which the tests read.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any, List, Sequence, Tuple

from harness.errors import EngineError
from harness.runtimes.sharedlibrary import check_library

OLDEST, NEWEST = (8, 5), 11
WORDS_LIMIT = 40
PLUGINS = "option plugins of the runtime in the device profile"
# What a library of plug-ins has that registers them only when the registry asks for it.
CREATORS = ("getCreators", "getPluginCreators")

Version = Tuple[int, int, int]


def import_tensorrt() -> Any:
    """The module; EngineError where it is not there or of a version that is not known here."""
    try:
        trt = importlib.import_module("tensorrt")
    except ImportError as error:
        raise EngineError(
            f"the engine tensorrt cannot be imported: {error}", where=f"the worker's interpreter {sys.executable}",
            remedy="on a Jetson: sudo apt install python3-libnvinfer, and python = '/usr/bin/python3' in the device "
            "profile; elsewhere: pip install tensorrt. Without Python bindings take the engine trtexec",
        ) from error  # fmt: skip
    found = version_of(trt)
    if found[:2] < OLDEST or found[0] > NEWEST:
        raise EngineError(
            f"TensorRT {trt.__version__} is none of 8.5 to {NEWEST}", remedy="take the engine trtexec for an older one"
        )
    return trt


def version_of(trt: Any) -> Version:
    """The first three numbers: a plan fits only a TensorRT in which they are the same."""
    numbers = [int(one) for one in trt.__version__.split(".")[:3] if one.isdigit()]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def make_log(trt: Any) -> Any:
    """A logger that prints warnings and errors, and keeps the last errors and what the builder placed where."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: List[str] = []
            self.placed: List[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors = [*self.errors, msg][-WORDS_LIMIT:]
            if msg.startswith(("[DlaLayer] ", "[GpuLayer] ")):
                self.placed.append(msg)
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING):
                sys.stderr.write(f"[TensorRT] {msg}\n")

    return Log()


def words_of(log: Any) -> str:
    """The last errors that TensorRT logged, in one line."""
    return " / ".join(log.errors[-3:]) or "it gives no reason"


def load_plugins(trt: Any, log: Any, libraries: Sequence[str]) -> None:
    """TensorRT's own plug-ins and those of the profile; EngineError names the library that cannot be loaded."""
    if not trt.init_libnvinfer_plugins(log, ""):
        raise EngineError(f"TensorRT's own plug-ins cannot be registered: {words_of(log)}")
    for library in libraries:
        path = check_library(library, PLUGINS)
        try:
            loaded = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            remedy = "build it for this TensorRT, and install what it needs (ldd shows it)"
            raise EngineError(
                f"the plug-in library {path} cannot be loaded: {error}", where=PLUGINS, remedy=remedy
            ) from error
        if any(hasattr(loaded, name) for name in CREATORS):
            _register(trt, path)


def _register(trt: Any, path: str) -> None:
    """A library without creators registers its plug-ins itself, while it is being loaded."""
    registry = trt.get_plugin_registry()
    if hasattr(registry, "load_library") and registry.load_library(path) is None:
        raise EngineError(f"TensorRT does not take the plug-in library {path}", where=PLUGINS)
