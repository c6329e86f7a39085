"""The highest clock that this host's cores may take, by cpufreq. NEVER RUN ON A MACHINE THAT HAS IT.

Facts: kernel Documentation/admin-guide/pm/cpufreq.rst, scaling_max_freq.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.powermodes.front import CPUFREQ


@dataclass(frozen=True, kw_only=True)
class ClockCaps:
    """Of all cores together."""

    root: Path = Path("/")

    def set(self, khz: int) -> None:
        """HarnessError where a core does not take it."""
        for path in self._files():
            self._write(path, str(khz))
            if (now := path.read_text(encoding="utf-8").strip()) != str(khz):
                raise HarnessError(f"the highest clock stays at {now} kHz instead of {khz}", where=str(path))

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Put back what was before, of every core: one that does not take it hinders no other, and is told then."""
        with contextlib.ExitStack() as stack:
            for path in self._files():
                stack.callback(self._write, path, path.read_text(encoding="utf-8").strip())
            yield

    def _files(self) -> list[Path]:
        # Cores of one cluster have links to the same folder.
        found = (self.root / CPUFREQ).glob("cpu[0-9]*/cpufreq/scaling_max_freq")
        return sorted({one.resolve() for one in found})

    def _write(self, path: Path, value: str) -> None:
        try:
            path.write_text(value, encoding="utf-8")
        except OSError as error:
            what = f"the highest clock cannot be set: {error.strerror or error}"
            raise HarnessError(what, where=str(path), remedy="run as root (sudo)") from error
