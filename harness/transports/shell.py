"""What all transports share that reach a device's shell: scripts, told apart from all that is said around them.

Between two marks that no other call has stands the answer; after the second one the command's own exit status. So
neither a banner nor a talkative .bashrc is taken for an answer, and without the second mark it was the link that ended.
"""

from __future__ import annotations

import math
import os
import posixpath
import re
import secrets
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn, Self

from harness.errors import ConfigError, DiskError, HarnessError, InfraError, UnreachableError
from harness.transports import Answer, Poll, Reach
from harness.transports.copies import arriving, opened, spooled
from harness.transports.scripts import GET, POLL, PUT, RUN, SPAWN, SUPERVISE
from harness.transports.talking import Said

CONNECT_S = 4
# A connection, and what a loaded board needs to begin and to end.
GRACE_S = 10.0
POLL_LIMIT_BYTES = 2**20
# dash says "I/O error" whatever the reason is.
NO_ROOM = re.compile(r"no space left|disk quota exceeded|file too large|i/o error", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
STATUS = re.compile(r"[0-9]{1,3}")
# What every login shell, fish and csh too, takes for itself between single quotes.
PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set("'\\!")
# Linux takes 128 KiB as one argument (man 2 execve).
LINE_LIMIT = 2**17 - 1024


class Shell(ABC):
    """A device whose shell takes one command line at a time; a subclass says how, and what its client's words mean."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @abstractmethod
    def tell(self, line: str, *, deadline_s: float, source: IO[bytes] | int) -> Said:
        """Give `line` to the device's login shell, with `source` as its input."""

    @abstractmethod
    def failure(self, said: Said) -> HarnessError:
        """Why the client said nothing of ours; from what it said instead."""

    def ask(self, script: str, *parameters: str, deadline_s: float, source: IO[bytes] | None = None) -> Answer:
        """Run `script` there with `parameters`; UnreachableError, or `failure`'s error, without its whole answer."""
        mark = secrets.token_hex(12)
        line = wrapped(self.marked(script, parameters, mark))
        said = self.tell(line, deadline_s=deadline_s, source=subprocess.DEVNULL if source is None else source)
        answer = answered(said, mark)
        if answer is None:
            # Once it had begun, only the link can have ended it; before, what was said may say why.
            _, begun, words = said.err.partition(f"{mark}[".encode())
            raise self.unreachable(replace(said, err=words)) if begun else self.failure(said)
        return answer

    def marked(self, script: str, parameters: Sequence[str], mark: str) -> str:
        """`script` between its marks, `parameters` as its $1, $2 ..."""
        begin = f"late=0; printf '{mark}['; printf '{mark}[' >&2"
        end = f"""printf '{mark}]%d %d\\n' "$status" "$late" """
        return f"{begin}\nset -- {quoted(parameters)}\n{script}\n{end}"

    def put(self, source: Path, target: str, *, deadline_s: float) -> None:
        with opened(source) as file:
            size = os.fstat(file.fileno()).st_size
            parts = staged(target)
            answer = self.ask(PUT, *parts, str(size), deadline_s=deadline_s, source=file)
        if answer.status:
            self.refuse(target, answer)

    def get(self, source: str, target: Path, *, deadline_s: float) -> None:
        answer = self.ask(GET, absolute(source), deadline_s=deadline_s)
        if answer.status:
            self.refuse(source, answer)
        size, _, content = answer.out.partition(b"\n")
        if size.strip() != str(len(content)).encode():
            raise UnreachableError(f"{source} was cut off on its way", where=self.reach.device)
        with arriving(target) as part:
            part.write_bytes(content)

    def run(self, command: Sequence[str], *, deadline_s: float, text: bytes = b"") -> Answer:
        seconds = whole_seconds(deadline_s)
        with spooled(text) as source:
            return self.ask(RUN, str(seconds), *command, deadline_s=seconds + GRACE_S, source=source)

    def spawn(self, command: Sequence[str], folder: str, *, environment: Mapping[str, str], deadline_s: float) -> None:
        answer = self.ask(SPAWN, *spawning(command, folder, environment, deadline_s), deadline_s=GRACE_S)
        if answer.status:
            self.refuse(folder, answer)

    def poll(self, folder: str, offset: int, *, wait_s: float) -> Poll:
        words = [absolute(folder), str(offset + 1), str(POLL_LIMIT_BYTES), str(math.ceil(wait_s))]
        answer = self.ask(POLL, *words, deadline_s=wait_s + GRACE_S)
        first, _, journal = answer.out.partition(b"\n")
        boot_id, _, state = first.decode("ascii", "replace").partition(" ")
        return Poll(boot_id=boot_id, status=int(state) if STATUS.fullmatch(state) else None, journal=journal)

    def refuse(self, path: str, answer: Answer) -> NoReturn:
        """What the device said against a file of ours."""
        words = last_words(answer.err) or f"exit status {answer.status}"
        where = f"{self.reach.device}:{path}"
        if NO_ROOM.search(words):
            raise DiskError(
                f"the disk of {self.reach.device} takes no more: {words}", where=where, remedy="free some space"
            )
        remedy = "may this user write there? [board] folder in the profile names another place"
        raise ConfigError(f"{self.reach.device} refuses: {words}", where=where, remedy=remedy)

    def unreachable(self, said: Said) -> InfraError:
        """The device did not answer, or not to the end."""
        words = "no answer in time" if said.status is None else said.words or "the link ended"
        return UnreachableError(f"{self.reach.device} is out of reach: {words}", where=self.reach.address)


def wrapped(script: str) -> str:
    """A command line that runs `script` in sh, whatever shell reads it: csh and fish know other quotes than sh."""
    coded = "".join(char if char in PLAIN else "".join(f"\\0{byte:03o}" for byte in char.encode()) for char in script)
    if len(coded) > LINE_LIMIT:
        raise ConfigError(f"a command of {len(coded)} characters", remedy="send it as text, or in several")
    return f"""exec sh -c 'eval "$(printf %b "$1")"' sh '{coded}'"""


def answered(said: Said, mark: str) -> Answer | None:
    """What stands between the marks; None where the second one is missing. What follows it belongs to the errors."""
    begin, end = f"{mark}[".encode(), f"{mark}]".encode()
    _, begun, rest = said.out.partition(begin)
    out, ended, trailer = rest.rpartition(end)
    found = re.match(rb"(\d{1,3}) (\d)\n", trailer)
    if not begun or not ended or not found:
        return None
    err = (said.err + trailer[found.end() :]).rpartition(begin)[2]
    return Answer(status=int(found[1]), out=out.removeprefix(begin), err=err, timed_out=found[2] == b"1")


def quoted(words: Sequence[str]) -> str:
    """The words as sh reads them back; ConfigError for one that no program can be given."""
    for word in words:
        if "\0" in word:
            raise ConfigError(f"{word!r} holds a NUL character", remedy="no command, path or setting can have one")
    return shlex.join(words)


def spawning(command: Sequence[str], folder: str, environment: Mapping[str, str], deadline_s: float) -> tuple[str, ...]:
    """The parameters of SPAWN: `environment` is added to that of the command."""
    for name in environment:
        if not NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name of an environment variable")
    exports = [f"export {name}={quoted([value])}" for name, value in environment.items()]
    quoted(command)
    return absolute(folder), "\n".join([*exports, SUPERVISE]), "sh", str(whole_seconds(deadline_s)), *command


def launch(command: Sequence[str], folder: str, environment: Mapping[str, str], deadline_s: float) -> tuple[str, ...]:
    """SPAWN with its parameters as a command, for whoever is on the device already."""
    return "sh", "-c", f'{SPAWN}\nexit "$status"', "sh", *spawning(command, folder, environment, deadline_s)


def absolute(path: str) -> str:
    """The path, which must not depend on where a shell happens to start."""
    if not path.startswith("/"):
        raise ConfigError(f"{path!r} is no absolute path", remedy="paths on a board start with /")
    return path


def staged(target: str) -> tuple[str, str, str]:
    """The folder of `target`, the file beside it that becomes it, and itself."""
    folder, name = posixpath.split(absolute(target))
    return folder, posixpath.join(folder, f".{secrets.token_hex(6)}.part"), posixpath.join(folder, name)


def whole_seconds(seconds: float) -> int:
    """Rounded up: not every board's `sleep` knows fractions."""
    return max(1, math.ceil(seconds))


def last_words(said: bytes) -> str:
    """The last line of what a shell said, without its own name in front."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return re.sub(r"^(sh|/bin/sh|/system/bin/sh)(: (line )?\d+)?: ", "", lines[-1]) if lines else ""
