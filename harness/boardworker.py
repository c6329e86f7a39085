"""The worker on a board that is not the host: it needs no link to it from its start to its end.

`python -m harness.boardworker RUN_FOLDER` does RUN_FOLDER/job.json (a Job, PairedJob or SurveyJob, with paths of the
board) as RUN_FOLDER/session.json asks: {"session", "who", "since", "lease_s", "lock", "deadline_s", "lost_s"}. It is
started detached, once a folder, and ends of itself: at the latest after `deadline_s`, by SIGALRM, with all its
children, and at its next word where nobody has written RUN_FOLDER/polled for `lost_s`.

It holds the board's lock meanwhile, and leaves a lease (boardlock.py), which
`python -m harness.boardworker --release SESSION LOCK` ends.

What it did is in RUN_FOLDER/journal (journal.py), each record on disk before it goes on:
{"kind": "start", "run", "boot_id", "pid", "planned"}   planned: timed frames, rounds of a pair, 0 of a survey
{"kind": "said", "phase", "done", "total"}              progress: at every change of phase, else once a second
{"kind": "frames", "first", "count", "columns", "data"} timed frames, between two chunks of them: see `salvage`
{"kind": "file", "name", "size", "sha256"}              a result that is whole and on disk
{"kind": "end", "status", "frames"}                     nothing comes after it

Exit status: 0, with results; 3, with error.json, as the agent; 74 where something could not be written, then without
"end"; 76, without it too, where nobody asks any more; 75 and "busy: WHO, since SINCE" on standard error where somebody
else has the board, then without a journal.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
import signal
import sys
import time
import traceback
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional

import numpy as np

from harness.agent import carry_out, leave_error
from harness.boardlock import Holder, Lock, boot_id, release
from harness.case import Array
from harness.errors import BusyError
from harness.journal import Journal
from harness.pipeline import CAMERA_RECORD, RECORD, split_records, table_of

WRITE_FAILED, BUSY, ALONE = 74, 75, 76
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
RESULTS = ("run.npz", "predictions.npz", "run.json", "error.json")
SAID_NS = 1_000_000_000


class JournalError(Exception):
    """The journal takes no more."""


def main(arguments: List[str]) -> int:
    """Returns the process's exit status."""
    if arguments[:1] == ["--release"]:
        release(arguments[2], arguments[1])
        return 0
    folder = Path(arguments[0])
    try:
        session = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        _end_in(session["deadline_s"])
        lock = Lock(session["lock"], Holder(session["session"], session["who"], session["since"]))
        lock.lease(session["lease_s"])
        status = _work(folder, _Telling(folder, boot_id(), _Asked(folder / "polled", session["lost_s"])))
        with contextlib.suppress(OSError):  # all is done, and the earlier lease may still last
            lock.lease(session["lease_s"])
        return status
    except BusyError as error:
        sys.stderr.write(f"{error.what}\n")
        return BUSY
    except BaseException as error:
        return _failed(error, folder)


def _end_in(seconds: float) -> None:
    """By a signal that no code of an engine can miss, whoever started this process may have ignored or blocked it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _work(folder: Path, telling: _Telling) -> int:
    """From the first record to the last."""
    status, text = 0, (folder / "job.json").read_text(encoding="utf-8")
    job = json.loads(text)
    telling.start(planned(job))
    columns = CAMERA_RECORD if job.get("plan", {}).get("arrivals") else RECORD
    try:
        carry_out(text, folder, telling.say, partial(telling.recorded, columns))
    except BaseException as error:
        status = _failed(error, folder)
    if status != WRITE_FAILED:
        telling.end(status)
    return status


def _failed(error: BaseException, folder: Path) -> int:
    """The exit status of what went wrong: where nothing can be written, an error.json cannot be either."""
    try:
        if isinstance(error, JournalError) or (isinstance(error, OSError) and error.errno in UNWRITABLE):
            traceback.print_exception(type(error), error, error.__traceback__)
            return WRITE_FAILED
        return leave_error(error, folder)
    except OSError:  # the log and error.json lie on the same disk
        return WRITE_FAILED


def planned(job: Mapping[str, Any]) -> int:
    """How many frames, or rounds, a job asks for at least."""
    if "plan" in job:
        return int(job["plan"]["frames"]) if job["timed"] else 0
    return int(job.get("rounds", 0))


class _Asked:
    """Whether the host still asks: it writes the file `path` anew at every look. No clock of the day is read."""

    def __init__(self, path: Path, lost_s: float) -> None:
        self._path, self._lost_s = path, lost_s
        self._seen, self._seen_s = self._written(), time.monotonic()

    def require(self) -> None:
        """Ends this process where it has not for too long: at once, whatever an engine does in another thread."""
        written, now_s = self._written(), time.monotonic()
        if written != self._seen:
            self._seen, self._seen_s = written, now_s
        if now_s - self._seen_s > self._lost_s:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"ended, since nobody has asked for {self._lost_s:g} s\n")
                sys.stderr.flush()
            os._exit(ALONE)

    def _written(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0


class _Telling:
    """Keeps the journal of one run; JournalError where it takes no more. Ends the process where nobody reads it."""

    def __init__(self, folder: Path, boot: str, asked: _Asked) -> None:
        self._folder, self._boot, self._asked = folder, boot, asked
        self._journal = Journal(folder / "journal")
        self._last, self._said_ns, self._frames = ("", -1), 0, 0

    def start(self, frames: int) -> None:
        run = self._folder.resolve().name
        self._keep({"kind": "start", "run": run, "boot_id": self._boot, "pid": os.getpid(), "planned": frames})

    def say(self, phase: str, done: int, total: int) -> None:
        """A word that is not kept is no progress; one that says the same again is none either."""
        now_ns = time.monotonic_ns()
        if (phase, done) == self._last or (phase == self._last[0] and now_ns - self._said_ns < SAID_NS):
            return
        self._last, self._said_ns = (phase, done), now_ns
        self._asked.require()
        self._keep({"kind": "said", "phase": phase, "done": done, "total": total})

    def recorded(self, columns: int, first: int, content: bytes) -> None:
        count = len(table_of(content, columns))
        self._frames = first + count
        data = base64.b64encode(zlib.compress(content, 1)).decode("ascii")
        self._keep({"kind": "frames", "first": first, "count": count, "columns": columns, "data": data})

    def end(self, status: int) -> None:
        """Results are told once they are on disk, with their names."""
        found = [self._folder / name for name in RESULTS if (self._folder / name).is_file()]
        try:
            wires = [_durable(path) for path in found]
            _sync(self._folder)
        except OSError as error:
            raise JournalError(str(error)) from error
        for wire in wires:
            self._keep({"kind": "file", **wire})
        self._keep({"kind": "end", "status": status, "frames": self._frames})
        self._journal.close()

    def _keep(self, record: Dict[str, Any]) -> None:
        try:
            self._journal.write(record)
        except OSError as error:
            raise JournalError(str(error)) from error


def _durable(path: Path) -> Dict[str, Any]:
    _sync(path)
    content = path.read_bytes()
    return {"name": path.name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _sync(path: Path) -> None:
    file = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def salvage(records: Iterable[Mapping[str, Any]]) -> Dict[str, Array]:
    """The timed frames of a journal up to the first gap, as the columns of `split_records`."""
    found: List[Array] = []
    frames = 0
    for one in (one for one in records if one.get("kind") == "frames"):
        chunk = _chunk(one)
        if chunk is None or one["first"] != frames or one["count"] != len(chunk):
            break
        found.append(chunk)
        frames += one["count"]
    return split_records(np.concatenate(found) if found else [])


def _chunk(record: Mapping[str, Any]) -> Optional[Array]:
    """The records of a chunk; None where it is not whole."""
    try:
        content = zlib.decompress(base64.b64decode(record["data"], validate=True))
        table = table_of(content, record["columns"])
        return table if len(table) else None
    except (KeyError, TypeError, ValueError, zlib.error):
        return None


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    with contextlib.suppress(OSError):  # a full disk costs the log, not the status
        sys.stdout.flush()
        sys.stderr.flush()
    # Engines may hang or crash in their own tear-down; the results are on disk by now.
    os._exit(ended)
