"""Every error of the harness: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from typing import Dict, Iterable, Type


class HarnessError(Exception):
    """Base: `what` is wrong, `where` it stands (file, key), `remedy` says what to do next."""

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


class WorkerError(HarnessError):
    """A worker process that crashed, hung, ran out of memory or wrote nonsense."""


_BY_NAME: Dict[str, Type[HarnessError]] = {
    kind.__name__: kind for kind in (HarnessError, ConfigError, ModelFileError, DatasetError, EngineError, WorkerError)
}


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
