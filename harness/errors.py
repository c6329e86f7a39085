"""Every error of the harness: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from typing import Dict, Iterable, Iterator, Type

CONFIG, DUT, INFRA, BUG = "CONFIG", "DUT", "INFRA", "BUG"


class HarnessError(Exception):
    """Base: `what` is wrong, `where` it stands (file, key), `remedy` says what to do next.

    failure_class: whose fault it is. CONFIG: who asked; DUT: the model on the device under test; INFRA: the lab.
    """

    failure_class = CONFIG

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = printable(what)
        self.where = printable(where)
        self.remedy = printable(remedy)
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The whole message on one line, safe to print on a terminal."""
        place = f" ({self.where})" if self.where else ""
        advice = f"; {self.remedy}" if self.remedy else ""
        return f"{self.what}{place}{advice}"

    def placed(self, where: str) -> HarnessError:
        """The same error with `where` before the place it knows."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, remedy=self.remedy)

    def to_wire(self) -> Dict[str, str]:
        """The error as plain JSON values, to cross from the worker to the host."""
        return {"type": type(self).__name__, "what": self.what, "where": self.where, "remedy": self.remedy}

    @staticmethod
    def from_wire(wire: Dict[str, str]) -> HarnessError:
        """Rebuild the error that `to_wire` gave."""
        kind = _BY_NAME.get(wire.get("type", ""), HarnessError)
        return kind(wire.get("what", ""), where=wire.get("where", ""), remedy=wire.get("remedy", ""))


class ConfigError(HarnessError):
    """A profile, card or option that cannot be right; ends the session with exit code 4."""


class ModelFileError(HarnessError):
    """A model file that is damaged, dangerous or not what its name says."""


class DatasetError(HarnessError):
    """Frames or labels that cannot be read or do not match."""


class EngineError(HarnessError):
    """An engine that is missing, refuses the model, or does not run as the profile promises."""

    failure_class = DUT


class WorkerError(HarnessError):
    """A worker process that crashed, hung, ran out of memory or wrote nonsense."""

    failure_class = DUT


class InfraError(HarnessError):
    """The device itself, or the way to it: nothing is said of the model. The only kind that may be tried again."""

    failure_class = INFRA


class UnreachableError(InfraError):
    """A device that does not answer."""


class RebootedError(InfraError):
    """A device that started anew while it measured."""


class BusyError(InfraError):
    """A device that somebody else measures on: who, and since when."""


class DiskError(InfraError):
    """A disk without room, here or on the device."""


class PowerError(InfraError):
    """A power switch that does not do what it is told."""


class HostKeyError(InfraError):
    """A device that is not the one whose key is known."""


class NoBoardError(InfraError):
    """A lab without a free board of the kind that is wanted."""


class CutShortError(InfraError):
    """A worker that ended well and left less than it should have."""


def _kinds(base: Type[HarnessError]) -> Iterator[Type[HarnessError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


_BY_NAME: Dict[str, Type[HarnessError]] = {kind.__name__: kind for kind in _kinds(HarnessError)}


def failure_class(error: BaseException) -> str:
    """CONFIG, DUT or INFRA of an error of ours; BUG of any other."""
    return error.failure_class if isinstance(error, HarnessError) else BUG


def printable(text: str, limit: int = 2000) -> str:
    """`text` on one line: control, bidirectional and other invisible characters shown as escapes."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence for a name that is not known: the nearest known one, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ";"
    return f"no {kind} called {name!r}{hint} known: {', '.join(names) or 'none'}"
