"""A worker on a board, watched through its journal: what one look decides, and the looks until something is decided.

The link may break and come back meanwhile: that costs looks, never the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeGuard

from harness.errors import CutShortError, UnreachableError
from harness.journal import read_lines
from harness.transports import Poll, Transport

LOOK_S, LEAST_LOOK_S, PAUSE_S = 30.0, 0.5, 1.0
# Of `lost_s`: a look that gets no answer has used up so much of it.
LOOK_SHARE = 0.25
BUSY, NO_ROOM, ALONE, SIGKILL, SIGALRM = 75, 74, 76, 128 + 9, 128 + 14
SLACK_S = 1.0
# Far above any honest one: what a board sends must not fill this machine.
LARGEST_JOURNAL_BYTES, LARGEST_FILE_BYTES, LARGEST_COUNT = 2**28, 2**28, 2**53
Say = Callable[[str, int, int], None]


class Standing(Enum):
    """How a worker on a board stands after a look."""

    GOES_ON = "goes on"
    ENDED = "ended, whatever its status is"
    BUSY = "somebody else measures there"
    NO_ROOM = "it could not keep its records"
    CUT_SHORT = "it ended well without its last record"
    DEADLINE = "it was ended at its deadline"
    HUNG = "it shows no progress, on a board that answers"
    REBOOTED = "the board started anew"
    LOST = "the board does not answer"
    ALONE = "it ended, since nobody asked for it any more"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """deadline_s: the worker's own, from its start. silent_s, lost_s: without progress, and out of reach.

    pause_s: after a look that got no answer.
    """

    deadline_s: float
    silent_s: float
    lost_s: float
    pause_s: float = PAUSE_S


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known at one look. poll: None where the board did not answer. boot_id: of the start.

    elapsed_s: since the start; silent_s: since the last progress; lost_s: since the last answer. begun, whole: the
    journal has a first and a last record.
    """

    boot_id: str
    poll: Poll | None
    elapsed_s: float
    silent_s: float
    lost_s: float
    begun: bool
    whole: bool


def decide(look: Look, limits: Limits) -> Standing:
    """One look, judged in a fixed order: out of reach, another start, an exit status, silence. Pure."""
    poll = look.poll
    if poll is None:
        given_up = look.lost_s > limits.lost_s or look.elapsed_s > limits.deadline_s + limits.silent_s
        return Standing.LOST if given_up else Standing.GOES_ON
    if poll.boot_id != look.boot_id:
        return Standing.REBOOTED
    if poll.status is not None:
        return _ended(poll.status, look, limits)
    # The board itself ends it at its deadline; one that does not must not be watched for ever.
    over = look.silent_s > limits.silent_s or look.elapsed_s > limits.deadline_s + limits.silent_s
    return Standing.HUNG if over else Standing.GOES_ON


def _ended(status: int, look: Look, limits: Limits) -> Standing:
    """A status means what it says only because the board answers: 255 is the worker's own then."""
    if status == 0:
        return Standing.ENDED if look.whole else Standing.CUT_SHORT
    if status == SIGALRM or (status == SIGKILL and look.elapsed_s > limits.deadline_s - SLACK_S):
        return Standing.DEADLINE
    if status == BUSY:
        # A worker that finds the board busy writes no record; afterwards 75 is what the engine ended with.
        return Standing.ENDED if look.begun else Standing.BUSY
    return {NO_ROOM: Standing.NO_ROOM, ALONE: Standing.ALONE}.get(status, Standing.ENDED)


@dataclass
class Watch:
    """A worker in `folder` there; what its journal holds is kept in the file `journal` here as it comes.

    announced: result files by name, with size and sha256. lost: looks that got no answer.
    """

    transport: Transport
    folder: str
    boot_id: str
    limits: Limits
    journal: Path
    say: Say
    announced: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    status: int | None = None
    begun: bool = False
    whole: bool = False
    looks: int = 0
    lost: int = 0
    _rest: bytes = b""
    _offset: int = 0
    _last_said: tuple[str, int] = ("", -1)

    def until_decided(self) -> Standing:
        """Look until something is decided; raises what the transport raises but UnreachableError."""
        start_s = self._answered_s = self._moved_s = time.monotonic()
        while True:
            poll = self._look()
            now_s = time.monotonic()
            found = decide(
                Look(
                    boot_id=self.boot_id, poll=poll, elapsed_s=now_s - start_s, silent_s=now_s - self._moved_s,
                    lost_s=now_s - self._answered_s, begun=self.begun, whole=self.whole,
                ),
                self.limits,
            )  # fmt: skip
            if found is not Standing.GOES_ON:
                self.status = poll.status if poll else None
                return found
            if poll is None:
                time.sleep(self.limits.pause_s)

    def _look(self) -> Poll | None:
        while True:
            self.looks += 1
            try:
                poll = self.transport.poll(self.folder, self._offset, wait_s=self._patience_s())
            except UnreachableError:
                self.lost += 1
                return None
            self._answered_s = time.monotonic()
            self._take(poll.journal)
            # A look brings so much and no more, and all of it must be seen before an end is judged.
            if poll.status is None or not poll.journal or self.whole:
                return poll

    def _patience_s(self) -> float:
        """Long, since a connection costs more than to wait; silence or a broken link must not be noticed late."""
        left_s = self._moved_s + self.limits.silent_s - time.monotonic()
        return max(min(left_s, LOOK_S, LOOK_SHARE * self.limits.lost_s), LEAST_LOOK_S)

    def _take(self, content: bytes) -> None:
        """Whole records are read, the rest waits for more; all of it is kept as it came."""
        self._offset += len(content)
        if self._offset > LARGEST_JOURNAL_BYTES:
            raise CutShortError(f"a journal of more than {LARGEST_JOURNAL_BYTES // 2**20} MiB", where=self.folder)
        with open(self.journal, "ab") as file:
            file.write(content)
        content = self._rest + content
        found = read_lines(content)
        self._rest = content[found.length :]
        for record in found.records:
            if self._is_progress(record):
                self._moved_s = time.monotonic()

    def _is_progress(self, record: Mapping[str, Any]) -> bool:
        """Also takes what it says; one that is not what it should be says nothing."""
        kind = record.get("kind")
        if kind == "said":
            return self._is_new(_word(record))
        if kind == "file" and _is_file(record):
            self.announced[record["name"]] = record
        self.begun |= kind == "start"
        self.whole |= kind == "end"
        return True

    def _is_new(self, word: tuple[str, int, int] | None) -> bool:
        if word is None:
            return False
        self.say(*word)
        moved, self._last_said = word[:2] != self._last_said, word[:2]
        return moved


def _word(record: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """Phase, done and total; None where they are none: the checksum of a record says nothing of who wrote it."""
    phase, done, total = (record.get(name) for name in ("phase", "done", "total"))
    return (phase, done, total) if isinstance(phase, str) and _is_count(done) and _is_count(total) else None


def _is_file(record: Mapping[str, Any]) -> bool:
    named = isinstance(record.get("name"), str) and isinstance(record.get("sha256"), str)
    return named and _is_count(record.get("size"), LARGEST_FILE_BYTES)


def _is_count(value: object, most: int = LARGEST_COUNT) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value <= most
