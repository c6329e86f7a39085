"""One job on a board: laid out there, watched, its results fetched; they lie here as those of a worker on this machine.

Two connections and the looks: begin, collect. Where files or code are missing they are put, and the worker is spawned.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import shutil
import tarfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.board.asking import Link, lost_s, session_text, understood
from harness.board.attempts import Note, attempt
from harness.board.detached import PAUSE_S, Limits, Say, Standing, Watch
from harness.board.store import Bundle, code_of, travelling
from harness.board.there import BASE, CODE, RUNS
from harness.board.travel import Archive
from harness.errors import (
    BusyError,
    ConfigError,
    CutShortError,
    DiskError,
    HarnessError,
    InfraError,
    RebootedError,
    UnreachableError,
    WorkerError,
    printable,
)
from harness.following import Exit
from harness.profile import DeviceProfile
from harness.transports.copies import NO_ROOM
from harness.transports.shell import launch
from harness.workers import ONE_THREAD, last_words

MIB = 2**20
ROOM = 3
FETCH_S, BYTES_PER_S = 20.0, 1_000_000
# The board ends the worker by itself this much after the worker should have.
GRACE_S = 5.0
NAME = re.compile(r"[a-z][a-z0-9_-]*\.(json|npz)")
LOG, ERROR, JOB, SESSION, JOURNAL = "worker.log", "error.json", "job.json", "session.json", "journal"
OURS = (JOB, SESSION)
RESULTS = ("run.npz", "run.json")
SIGNALS = range(129, 129 + 64)


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A job as text, the folder here for its results, and how long it may be silent or go on. where: for errors."""

    text: str
    folder: Path
    where: str
    silent_s: float
    cap_s: float


def carry_out(errand: Errand, profile: DeviceProfile, say: Say, note: Note) -> Exit:
    """How the job's worker ended on the device, its files in the errand's folder; once more where the lab spoiled it.

    Raises InfraError of every kind, and ConfigError for what cannot travel.
    """
    tries = iter(range(1, 99))

    def once(link: Link) -> Exit:
        _clear(errand.folder, next(tries))
        return _Attempt(errand, link, say).done()

    try:
        return attempt(profile, once, note)
    except OSError as error:  # of this machine: neither counted against the board nor tried again
        kind = DiskError if error.errno in NO_ROOM else ConfigError
        what = f"this machine cannot read the job's files or keep its results: {error.strerror or error}"
        remedy = "free some space there" if kind is DiskError else "may this user read and write there?"
        raise kind(what, where=str(error.filename or errand.folder), remedy=remedy) from error


def _clear(folder: Path, number: int) -> None:
    """What an attempt before this one left stays beside it: its journal says how far it came."""
    if number > 1:
        before = folder.with_name(f"{folder.name}.attempt-{number - 1}")
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
        folder.mkdir()
        shutil.copy(before / JOB, folder)


class _Attempt:
    """One attempt, in a run of its own on the board."""

    def __init__(self, errand: Errand, link: Link, say: Say) -> None:
        self._errand, self._link, self._say = errand, link, say
        self._run = uuid.uuid4().hex
        self._board = link.profile.board

    @property
    def _folder(self) -> str:
        return f"{self._link.base}/{RUNS}/{self._run}"

    def done(self) -> Exit:
        text, bundles = travelling(self._errand.text)
        archive = code_of(self._errand.text, self._link.archives)
        if not self._begun(text, bundles, archive):
            self._spawn()
        watch = Watch(
            transport=self._link.transport, folder=self._folder, boot_id=self._link.boot_id, say=self._say_on,
            limits=Limits(
                deadline_s=self._errand.cap_s, silent_s=self._errand.silent_s, lost_s=self._board.lost_s
            ),
            journal=self._errand.folder / JOURNAL,
        )  # fmt: skip
        with self._ended_with_us():
            return self._concluded(watch.until_decided(), watch)

    def _begun(self, text: str, bundles: tuple[Bundle, ...], archive: Archive) -> bool:
        """One question, then what the board lacks; whether the worker was started already, since it lacked nothing."""
        wanted = {name: path for bundle in bundles for name, path in bundle.wanted.items()}
        self._link.code = code = f"{CODE}/{archive.sha256}"
        found = self._link.begin({
            "run": self._run, "files": {name: path.stat().st_size for name, path in wanted.items()}, "code": code,
            "texts": {JOB: text, SESSION: session_text(self._link, self._errand.cap_s)},
            "room_bytes": self._board.min_free_mib * MIB,
            "launch": launch(**self._starting(BASE)),
        })  # fmt: skip
        with understood(self._link.profile.name):
            missing = {name: wanted[name] for name in found["missing"] if name in wanted}
            free_bytes = int(found["free_bytes"])
        self._require_room(free_bytes, sum(path.stat().st_size for path in missing.values()))
        for name, path in missing.items():
            self._link.transport.put(path, f"{self._link.base}/{name}", deadline_s=_patience_s(path.stat().st_size))
        if not found.get("code"):
            self._link.unpack(code, archive.content)
        return found.get("started") is True

    def _require_room(self, free_bytes: int, expected_bytes: int) -> None:
        wanted = max(ROOM * expected_bytes, self._board.min_free_mib * MIB)
        if free_bytes < wanted:
            raise DiskError(
                f"{free_bytes / MIB:.0f} MiB of the board's disk are free, {wanted / MIB:.0f} MiB are wanted",
                where=f"{self._link.profile.name}:{self._link.base}",
                remedy=f"free some space there; harness board release {self._link.profile.name} --prune",
            )  # fmt: skip

    def _spawn(self) -> None:
        self._link.transport.spawn(**self._starting(self._link.base))

    def _starting(self, base: str) -> dict[str, Any]:
        """How the worker is started below `base` there."""
        folder = f"{base}/{RUNS}/{self._run}"
        return {
            "command": [self._link.profile.board_python, "-m", "harness.boardworker", folder], "folder": folder,
            "environment": {**ONE_THREAD, "PYTHONPATH": f"{base}/{self._link.code}"},
            "deadline_s": self._errand.cap_s + GRACE_S,
        }  # fmt: skip

    def _say_on(self, phase: str, done: int, total: int) -> None:
        self._say(printable(phase), done, total)

    @contextlib.contextmanager
    def _ended_with_us(self) -> Iterator[None]:
        """Whatever ends this side, Ctrl-C too, ends the worker there, at the latest with the next job."""
        try:
            yield
        except UnreachableError:
            raise
        except BaseException:
            with contextlib.suppress(HarnessError):
                self._end()
            raise

    def _end(self) -> None:
        self._link.ask("end", {"base": self._link.base, "ended": [self._run], "keep": True})

    def _concluded(self, standing: Standing, watch: Watch) -> Exit:
        """Results, or the error that the standing means; what a failed worker left is fetched all the same."""
        if standing is Standing.LOST:
            raise self._error(UnreachableError, f"it did not answer any more for {self._board.lost_s:g} s")
        if standing is Standing.ALONE:
            raise self._error(
                UnreachableError, f"its worker ended, since nobody had asked for {lost_s(self._board):g} s"
            )
        if standing is Standing.REBOOTED:
            raise self._error(RebootedError, "it started anew while it measured")
        if standing is Standing.HUNG:
            self._end()
        self._fetch(watch, strict=standing is Standing.ENDED and watch.status == 0)
        words = last_words(self._errand.folder / LOG).removeprefix(": ")
        if standing is Standing.BUSY:
            raise self._error(BusyError, words or "busy", remedy="wait, or ask them")
        if standing is Standing.NO_ROOM:
            raise self._error(DiskError, f"the worker could not keep its records: {words}")
        if standing is Standing.CUT_SHORT:
            raise self._error(CutShortError, "the worker ended well without its last record")
        if standing is Standing.DEADLINE and not (self._errand.folder / RESULTS[-1]).is_file():
            raise WorkerError(
                f"the worker was ended at its deadline of {self._errand.cap_s:g} s", where=self._errand.where,
                remedy=f"set deadline_s in {self._link.profile.file}; see {self._errand.folder / LOG}",
            )  # fmt: skip
        return Exit(status=local_status(watch.status or 0), timed_out=standing is not Standing.ENDED)

    def _error(self, kind: type[InfraError], what: str, remedy: str = "") -> InfraError:
        return kind(f"board {self._link.profile.name}: {what}", where=self._errand.where, remedy=remedy)

    def _fetch(self, watch: Watch, *, strict: bool) -> None:
        """The announced files, the log and the error. strict: all of them, each with its checksum."""
        announced = {name: one for name, one in watch.announced.items() if NAME.fullmatch(name) and name not in OURS}
        # What a worker left that died before it could say so counts as on this machine.
        names = list(dict.fromkeys([*announced, *(() if strict else RESULTS), LOG, ERROR]))
        found = self._collected(names, sum(one["size"] for one in announced.values()))
        for name in names:
            right = name not in announced or digest(found.get(name)) == announced[name]["sha256"]
            if name in found and right:
                (self._errand.folder / name).write_bytes(found[name])
            elif strict and not right:
                raise self._error(CutShortError, f"{name} did not arrive as it was written")

    def _collected(self, names: list[str], size: int) -> Mapping[str, bytes]:
        """They lie there: a link that breaks now is waited for as one that breaks before."""
        asked = {"base": self._link.base, "run": self._run, "names": names}
        until = time.monotonic() + self._board.lost_s
        while True:
            try:
                return unpacked(self._link.content("collect", asked, _patience_s(size)))
            except UnreachableError:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE_S)


def digest(content: bytes | None) -> str:
    """Empty for what is not there."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def unpacked(content: bytes) -> Mapping[str, bytes]:
    """Name -> content of the plain files in a tar archive; CutShortError where it is not whole."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            # No links, and no file that claims to be larger than what came: the board may be anybody.
            plain = [one for one in archive if one.isreg() and not one.issparse()]
            return {one.name: file.read() for one in plain if (file := archive.extractfile(one))}
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise CutShortError(f"the results cannot be read: {error}") from error


def local_status(status: int) -> int:
    """An exit status as a shell gives it, with signals as this machine's processes show them. 255 is no signal."""
    return 128 - status if status in SIGNALS else status


def _patience_s(size: int) -> float:
    return FETCH_S + size / BYTES_PER_S
