"""A board within reach, and what it is asked: by programs of ours, given as their text to its own interpreter."""

from __future__ import annotations

import base64
import contextlib
import getpass
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.board import there
from harness.errors import ConfigError, CutShortError, DiskError, HarnessError, UnreachableError
from harness.profile import Board, DeviceProfile
from harness.transports import Answer, Transport
from harness.transports.shell import NO_ROOM

DEFAULT_FOLDER = {"adb": "/data/local/tmp/dms-harness"}
ANY_FOLDER = "/var/tmp/dms-harness"
ASK_S, BEGIN_S = 8.0, 16.0
OLDEST_PYTHON = (3, 8)
NO_COMMAND = (126, 127)
SOURCE = Path(there.__file__).read_text(encoding="utf-8")


@dataclass
class Link:
    """One device within reach. base, boot_id: our folder there and the board's start, known once it was greeted.

    archives: folder here of code that was made before. code: folder there of the worker's code. ended: runs there that
    nobody needs any more; they are removed on the way.
    """

    profile: DeviceProfile
    transport: Transport
    session: str
    base: str = ""
    boot_id: str = ""
    archives: Path | None = None
    code: str = ""
    ended: list[str] = field(default_factory=list)

    def greet(self) -> Link:
        """Find out which start of the board this is, and the folder that is ours there; asked once."""
        if not self.base:
            self._met(self.ask("greet", {"base": self._folder}))
        return self

    def begin(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Lay out a run there, which greets the board too, and start it where nothing is missing."""
        others = [*self.ended]
        self.ended.append(asked["run"])  # it may be there although no answer comes
        found = self.ask("begin", {**asked, "base": self._folder, "ended": others}, BEGIN_S)
        del self.ended[: len(others)]
        self._met(found)
        return found

    @property
    def _folder(self) -> str:
        return self.profile.board.folder or DEFAULT_FOLDER.get(self.profile.transport, ANY_FOLDER)

    def _met(self, found: Mapping[str, Any]) -> None:
        with understood(self.profile.name):
            major, minor = found["python"]
            if (int(major), int(minor)) < OLDEST_PYTHON:
                raise self._no_python(f"it is Python {major}.{minor}")
            self.base, self.boot_id = str(found["base"]), str(found["boot_id"])

    def ask(self, what: str, asked: Mapping[str, Any], deadline_s: float = ASK_S) -> dict[str, Any]:
        """What harness/board/there.py answers on the board."""
        return self._read(self._answer(_call(what, asked), (), deadline_s))

    def told(self, source: str, arguments: Sequence[str], deadline_s: float = ASK_S) -> dict[str, Any]:
        """What a program of ours, given as its text, writes there on its last line."""
        return self._read(self._answer(source, arguments, deadline_s))

    def content(self, what: str, asked: Mapping[str, Any], deadline_s: float) -> bytes:
        """The same, for an answer that is no text."""
        return self._answer(_call(what, asked), (), deadline_s).out

    def unpack(self, code: str, content: bytes) -> None:
        """The worker's code, below its hash."""
        packed = base64.b64encode(content).decode("ascii")
        self.ask("unpack", {"base": self.base, "code": code, "zip": packed}, 3 * ASK_S)

    def close(self, *, answers: bool = True) -> None:
        """Leave the board; where it `answers`, end what nobody waits for and give its lease back."""
        with contextlib.suppress(HarnessError):
            if answers and self.ended:
                self.ask("end", {"base": self.base or self._folder, "ended": self.ended})
                self.ended.clear()
        with contextlib.suppress(HarnessError):
            if answers and self.base and self.code:
                self.transport.run(self.worker("--release", self.session, self.profile.board.lock), deadline_s=ASK_S)
        self.transport.__exit__(None, None, None)

    def worker(self, *arguments: str) -> Sequence[str]:
        """The command of the worker's own program there."""
        path = f"PYTHONPATH={self.base}/{self.code}"
        return ["env", path, self.profile.board_python, "-m", "harness.boardworker", *arguments]

    def _read(self, found: Answer) -> dict[str, Any]:
        """The last line: a site's own start-up file may greet first."""
        words = found.out.decode("utf-8", "replace").split("\n")
        with understood(self.profile.name):
            return dict(json.loads(next(filter(None, reversed(words)), "")))

    def _answer(self, source: str, arguments: Sequence[str], deadline_s: float) -> Answer:
        command = [self.profile.board_python, "-", *arguments]
        found = self.transport.run(command, deadline_s=deadline_s, text=source.encode("utf-8"))
        if found.timed_out:
            raise UnreachableError(f"the board gave no answer within {deadline_s:g} s", where=self.profile.name)
        if found.status:
            raise self._failed(found)
        return found

    def _failed(self, found: Answer) -> HarnessError:
        last = (found.err.decode("utf-8", "replace").strip().splitlines() or [f"status {found.status}"])[-1]
        if found.status in NO_COMMAND or "SyntaxError" in last:
            return self._no_python(last)
        if "PermissionError" in last or "Read-only file system" in last:
            remedy = f"name a folder of your own as `folder` in [board] of {self.profile.file}"
            return ConfigError(f"the board's folder cannot be used: {last}", where=self.profile.name, remedy=remedy)
        return _of_errno(last, self.profile.name)

    def _no_python(self, why: str) -> ConfigError:
        python = self.profile.board_python
        return ConfigError(
            f"the board's interpreter {python} cannot be used: {why}", where=self.profile.name,
            remedy=f"Python 3.8 or newer with numpy; name it as `python` in {self.profile.file}",
        )  # fmt: skip


@contextlib.contextmanager
def understood(device: str) -> Iterator[None]:
    """CutShortError where what the board answered is not what it was asked: it may be anybody."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        what = f"the board's answer cannot be read: {type(error).__name__}: {error}"
        raise CutShortError(what, where=device) from error


def _call(what: str, asked: Mapping[str, Any]) -> str:
    return f"{SOURCE}\nanswer(json.loads({json.dumps({**asked, 'what': what})!r}))\n"


def _of_errno(last: str, where: str) -> HarnessError:
    if NO_ROOM.search(last):
        return DiskError(f"the board has no room: {last}", where=where, remedy="harness board release NAME --prune")
    return CutShortError(f"the board did not do what it was asked: {last}", where=where)


def whoami() -> str:
    """user@host, for people who find a board busy."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"{os.getuid()}@{platform.node()}"


def session_text(link: Link, deadline_s: float) -> str:
    """What a worker there must know of this session."""
    board = link.profile.board
    return json.dumps({
        "session": link.session, "who": whoami(), "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "lease_s": board.lease_s, "lock": board.lock, "deadline_s": deadline_s,
        "lost_s": lost_s(board),
    })  # fmt: skip


def lost_s(board: Board) -> float:
    """After how long a worker ends that nobody asks: not before whoever watched it has given it up."""
    return 2 * board.lost_s
