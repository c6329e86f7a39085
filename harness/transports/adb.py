"""Android devices, by the `adb` command. Never run on a real one so far: tests use a stand-in for the command.

adb tells no exit status of old devices and mixes the two streams of a command: the mark at the end of the answer says
the one, and the second stream waits in a file until then.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.errors import ConfigError, HarnessError, UnreachableError
from harness.transports import Answer, Reach
from harness.transports.copies import arriving, opened
from harness.transports.scripts import FOLDER, PUBLISH, REMOVE, SIZE
from harness.transports.shell import GRACE_S, Shell, absolute, quoted, staged
from harness.transports.talking import Said, talk

SCRATCH = "/data/local/tmp"
# Together below the 10 s within which a device that hangs is named.
DISCONNECT_S, CONNECT_S, STATE_S = 1.5, 4.0, 4.0
SERIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*|\[[0-9A-Fa-f:.]+\]:[0-9]+")
LENGTH = re.compile(rb"\s*[0-9]{1,18}\s*")
NETWORK = re.compile(r".+:[0-9]{1,5}")
REFUSED = re.compile(r"No space left|quota exceeded|Permission denied|Read-only file system|Is a directory")


class Adb(Shell):
    """address: a serial number, HOST:PORT of a network device, or empty where only one device is connected.

    options of the profile: scratch, a folder there for what is on its way, "/data/local/tmp" by default.
    """

    def __init__(self, reach: Reach) -> None:
        super().__init__(reach)
        if reach.address and not SERIAL.fullmatch(reach.address):
            remedy = "write the serial number or HOST:PORT that `adb devices` lists"
            raise ConfigError(f"{reach.address!r} is no address of adb", where=reach.device, remedy=remedy)
        self._scratch = absolute(str(reach.options.get("scratch") or SCRATCH))
        self._text, self._ready = "", False

    def ask(self, script: str, *parameters: str, deadline_s: float, source: IO[bytes] | None = None) -> Answer:
        try:
            with self._input(source, deadline_s):
                return super().ask(script, *parameters, deadline_s=deadline_s)
        except UnreachableError:
            self._ready = False
            raise

    def tell(self, line: str, *, deadline_s: float, source: IO[bytes] | int) -> Said:
        return self._adb("exec-out", line, deadline_s=deadline_s)

    def marked(self, script: str, parameters: Sequence[str], mark: str) -> str:
        """With the errors in a file that follows the answer, and the input from one."""
        errors, text = quoted([f"{self._scratch}/.{mark}.err"]), quoted([self._text or "/dev/null"])
        apart = f"{{ : >{errors}; }} 2>/dev/null && exec 2>{errors}\nexec <{text}"
        return f"{apart}\n{super().marked(script, parameters, mark)}\ncat {errors}; rm -f {errors}"

    def put(self, source: Path, target: str, *, deadline_s: float) -> None:
        folder, part, target = staged(target)
        with opened(source) as file:
            answer = self.ask(FOLDER, folder, deadline_s=GRACE_S)
            if not answer.status:
                self._push(Path(file.name), part, target, deadline_s)
                answer = self.ask(PUBLISH, folder, part, target, str(source.stat().st_size), deadline_s=GRACE_S)
        if answer.status:
            self.refuse(target, answer)

    def get(self, source: str, target: Path, *, deadline_s: float) -> None:
        answer = self.ask(SIZE, absolute(source), deadline_s=GRACE_S)
        if answer.status:
            self.refuse(source, answer)
        with arriving(target) as part:
            said = self._adb("pull", source, str(part.absolute()), deadline_s=deadline_s)
            if said.status or said.status is None:
                raise self.failure(said)
            # It may have grown meanwhile.
            if not LENGTH.fullmatch(answer.out) or part.stat().st_size < int(answer.out):
                raise UnreachableError(f"{source} was cut off on its way", where=self.reach.device)

    def failure(self, said: Said) -> HarnessError:
        self._ready = False
        device, where, words = self.reach.device, self.reach.address, _words(said)
        if "unauthori" in words:
            remedy = "unlock its screen and allow debugging from this machine, or give adb the key with ADB_VENDOR_KEYS"
            return ConfigError(f"{device} has not authorised this machine: {words}", where=where, remedy=remedy)
        if "more than one" in words:
            remedy = "write the serial number of the right one (`adb devices`) as its address"
            return ConfigError(f"several devices, and {device} has no address: {words}", remedy=remedy)
        if said.status is None:
            what = f"{device} is out of reach: adb did not answer in time"
            return UnreachableError(what, where=where, remedy="plug it in again, or run adb kill-server")
        return UnreachableError(f"{device} is out of reach: {words}", where=where)

    def _adb(self, *words: str, deadline_s: float) -> Said:
        """One command for this device, which answered when it was last asked."""
        if not self._ready:
            self._connect()
            self._ready = True
        return self._call(*words, deadline_s=deadline_s)

    def _call(self, *words: str, deadline_s: float) -> Said:
        chosen = ["-s", self.reach.address] if self.reach.address else []
        return talk(["adb", *chosen, *words], deadline_s=deadline_s)

    def _connect(self) -> None:
        """A network device that went away blocks adb for ever, unless it is told to forget it first."""
        address = self.reach.address
        if NETWORK.fullmatch(address):
            talk(["adb", "disconnect", address], deadline_s=DISCONNECT_S)
            said = talk(["adb", "connect", address], deadline_s=CONNECT_S)
            if b"connected to" not in said.out:
                raise self.failure(said)
        said = self._call("get-state", deadline_s=STATE_S)
        if said.out.strip() != b"device":
            raise self.failure(said)

    def _push(self, source: Path, part: str, target: str, deadline_s: float) -> None:
        said = self._adb("push", str(source.absolute()), part, deadline_s=deadline_s)
        if said.status == 0:
            return
        with suppress(UnreachableError):
            self.ask(REMOVE, part, deadline_s=GRACE_S)
        if said.status is not None and REFUSED.search(_words(said)):
            self.refuse(target, Answer(status=said.status, err=_words(said).encode()))
        raise self.failure(said)

    @contextmanager
    def _input(self, source: IO[bytes] | None, deadline_s: float) -> Iterator[None]:
        """What a command reads, as a file there: adb hands on no input that could hold every byte."""
        if source is None:
            yield
            return
        part = f"{self._scratch}/.{secrets.token_hex(6)}.in"
        with tempfile.NamedTemporaryFile() as file:
            shutil.copyfileobj(source, file)
            file.flush()
            self._push(Path(file.name), part, part, deadline_s)
        self._text = part
        try:
            yield
        finally:
            self._text = ""
            with suppress(UnreachableError):
                self.ask(REMOVE, part, deadline_s=GRACE_S)


def _words(said: Said) -> str:
    """adb says some of its troubles on one stream, some on the other."""
    return said.words or said.out[-200:].decode("utf-8", "replace").strip() or f"exit status {said.status}"
