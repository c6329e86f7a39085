"""A provider of ONNX Runtime in a library of its own, as Qualcomm's package onnxruntime-qnn brings one.

Sources: onnxruntime/core/session/plugin_ep, the packages onnxruntime-qnn 2.7 (`get_ep_name`, `get_library_path`) and
docs.qualcomm.com, "QNN EP ABI".
"""

from __future__ import annotations

import importlib
import mmap
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple

from harness.errors import EngineError, unknown
from harness.runtimes import missing_engine

WHERE = "runtimes.*.plugin of the device profile"
LIBRARY = re.compile(r"\.(so[.\d]*|dll)$")
_LINE = re.compile(r"\[(?P<level>[EW]):onnxruntime:[^\]]*? (?P<function>\w+|operator\(\))\] (?P<text>.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LogLine(NamedTuple):
    """One complaint of the engine: "E" or "W", the function that has it, its words."""

    level: str
    function: str
    text: str


class Plugin:
    """The library that `name` (a package or a path) stands for, registered as `provider`; EngineError if it is none."""

    def __init__(self, engine: Any, name: str, provider: str) -> None:
        self._engine, self._provider = engine, provider
        self.library = name if os.sep in name or LIBRARY.search(name) else _library_of(name, provider)
        self._register()

    def add_to(self, options: Any, values: Mapping[str, str], kind: str) -> None:
        """Make a session's options use the plug-in, on its devices of the hardware `kind` ("" for all)."""
        devices = self._devices(kind)
        try:
            options.add_provider_for_devices(devices, dict(values))
        except Exception as error:
            raise EngineError(f"{self._provider} refuses its options: {words_of(error)}", where=self.library) from error

    @property
    def version(self) -> str:
        """The provider's own version, where it tells one."""
        mine = self._mine()
        return str(mine[0].ep_metadata.get("version", "")) if mine else ""

    def resolved(self, values: Mapping[str, str]) -> Dict[str, str]:
        """The options, with bare names of libraries that lie beside the plug-in as paths.

        EngineError for an option whose name the library does not hold: such a provider ignores it in silence.
        """
        names = [name for name in values if not self._holds(name)]
        if names:
            raise EngineError(
                f"{self._provider} knows no option {names[0]!r}: the word is not in its library",
                where=f"{self.library}, runtimes.*.provider_options of the device profile",
                remedy="correct its spelling, or install the version of the provider that has it",
            )
        return {name: self._beside(value) for name, value in values.items()}

    def _register(self) -> None:
        if not hasattr(self._engine, "register_execution_provider_library"):
            raise EngineError(
                f"ONNX Runtime {self._engine.__version__} takes no plug-in providers", where=WHERE,
                remedy="install a newer one, or a build that has the provider inside",
            )  # fmt: skip
        if self.library in [one.ep_metadata.get("library_path") for one in self._mine()]:
            return
        try:
            self._engine.register_execution_provider_library(self._provider, self.library)
        except Exception as error:
            raise EngineError(
                f"{self.library} is no provider that loads here: {words_of(error)}", where=WHERE,
                remedy="give the library of a plug-in provider, built for this machine and this ONNX Runtime",
            ) from error  # fmt: skip

    def _mine(self) -> List[Any]:
        return [one for one in self._engine.get_ep_devices() if one.ep_name == self._provider]

    def _devices(self, kind: str) -> List[Any]:
        mine = self._mine()
        found = [one for one in mine if kind.upper() in ("", one.device.type.name)]
        if not found:
            have = sorted({one.device.type.name.lower() for one in mine})
            raise EngineError(
                f"{self._provider} offers no device {kind!r} here: it has {', '.join(have) or 'none'}",
                where="runtimes.*.device of the device profile",
                remedy="check the driver of the accelerator, or name a device that is there",
            )
        return found

    def _holds(self, word: str) -> bool:
        if not os.path.isfile(self.library):
            return True
        with open(self.library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return re.search(rb"(?<![a-z_])" + re.escape(word.encode()) + rb"(?![a-z_])", content) is not None

    def _beside(self, value: str) -> str:
        path = Path(self.library).parent / value
        return str(path) if LIBRARY.search(value) and os.sep not in value and path.is_file() else value


@contextmanager
def complaints() -> Iterator[List[LogLine]]:
    """The errors and warnings that ONNX Runtime writes meanwhile: its only way to say why a provider did not work."""
    found: List[LogLine] = []
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield found
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            found.extend(_parsed(file.read().decode("utf-8", "replace")))


def refuse_ignored_values(lines: List[LogLine], where: str) -> None:
    """EngineError for the value of an option that the provider's own parser warned of and then ignored."""
    for line in lines:
        if line.function.startswith("Parse"):
            raise EngineError(
                f"the provider does not take an option: {line.text}", where=where,
                remedy="correct its value under runtimes.*.provider_options of the device profile",
            )  # fmt: skip


def _parsed(text: str) -> Iterator[LogLine]:
    for line in _COLOUR.sub("", text).splitlines():
        match = _LINE.search(line)
        if match:
            yield LogLine(match["level"], match["function"], match["text"].strip())


def _library_of(package: str, provider: str) -> str:
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise missing_engine(package, "qnn", error) from error
    if not hasattr(module, "get_library_path") or not hasattr(module, "get_ep_name"):
        raise EngineError(
            f"{package} is no package of a plug-in provider: it has no get_library_path", where=WHERE,
            remedy="name such a package (onnxruntime_qnn), or the path of the library",
        )  # fmt: skip
    names = [str(name) for name in getattr(module, "get_ep_names", lambda: [module.get_ep_name()])()]
    if provider not in names:
        raise EngineError(f"{package}: " + unknown("provider", provider, names), where="runtimes.*.providers")
    return str(module.get_library_path())


def words_of(error: Exception) -> str:
    """What an error of ONNX Runtime says after its codes and the places in its source."""
    return re.sub(r"(?s)^.*\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error)).strip()
