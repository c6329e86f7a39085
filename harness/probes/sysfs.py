"""Files of the kernel that hold one value: opened once, read again at offset 0, an error told in words."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import List, Optional, Sequence, Set, Tuple, Union

LONGEST = 4096
REASONS = {
    errno.EAGAIN: "not available at the moment (EAGAIN), as of a part that is switched off",
    errno.ETIMEDOUT: "the sensor did not answer in time (ETIMEDOUT)",
    errno.ENODATA: "the channel is disabled (ENODATA)",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "there is no such file",
    errno.ENODEV: "the device has gone",
}


class ValueFile:
    """One file, kept open; `read` never raises and never tries twice, since a retry would cost the next sample."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: Optional[int] = None
        self._fault = ""
        try:
            self._descriptor = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._fault = reason(error, path)

    def content(self) -> Tuple[str, str]:
        """The text without white space around, and why there is none; one of the two is empty."""
        if self._descriptor is None:
            return "", self._fault
        try:
            return os.pread(self._descriptor, LONGEST, 0).decode("utf-8", "replace").strip("\0 \n\t"), ""
        except OSError as error:
            return "", reason(error, self.path)

    def read(self) -> Union[float, str]:
        """The number in the file, or why there is none."""
        text, fault = self.content()
        if fault:
            return fault
        try:
            return float(int(text))
        except (ValueError, OverflowError):
            return f"{self.path}: not a whole number: {text[:40]!r}"

    def close(self) -> None:
        """Give the descriptor back; reading goes on to say that the file is closed."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor, self._fault = None, f"{self.path}: closed"


def reason(error: OSError, path: Path) -> str:
    """What went wrong with a file, in words."""
    said = REASONS.get(error.errno or 0) or error.strerror or str(error)
    return f"{path}: {said}"


def text_of(path: Path) -> Optional[str]:
    """The whole text of a small file, None where it cannot be read; for what is read once."""
    try:
        with open(path, "rb") as file:
            return file.read(LONGEST).decode("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return None


def number_of(path: Path) -> Optional[int]:
    """The whole number in a small file, None where there is none; for what is read once."""
    try:
        return int(text_of(path) or "")
    except ValueError:
        return None


def below(root: str, pattern: str) -> List[Path]:
    """The paths below `root` that fit `pattern` (of pathlib), by name, numbers in order: hwmon2 before hwmon10."""
    return sorted(Path(root).glob(pattern.lstrip("/")), key=_natural)


def distinct(named: Sequence[Tuple[str, str]]) -> List[str]:
    """The first of each pair, with "@" and the second behind it from the second time on that it occurs."""
    seen: Set[str] = set()
    names = []
    for name, place in named:
        names.append(f"{name}@{place}" if name in seen else name)
        seen.add(name)
    return names


def _natural(path: Path) -> List[Tuple[bool, int, str]]:
    pieces = re.split("([0-9]+)", str(path))
    return [(False, int(one), "") if one.isdigit() else (True, 0, one) for one in pieces]
