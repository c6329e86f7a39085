"""What one look at a worker on a board decides, row by row; and the looks until something is decided."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harness.board import detached
from harness.board.detached import Limits, Look, Standing, Watch, decide
from harness.errors import CutShortError, HostKeyError, UnreachableError
from harness.journal import to_line
from harness.transports import Poll

LIMITS = Limits(deadline_s=40, silent_s=10, lost_s=20, pause_s=0.01)
BOOT, OTHER = "boot-1", "boot-2"


def look(status=None, boot=BOOT, elapsed=5.0, silent=0.0, lost=0.0, begun=True, whole=False, answers=True):
    poll = Poll(boot_id=boot, status=status, journal=b"") if answers else None
    return Look(boot_id=BOOT, poll=poll, elapsed_s=elapsed, silent_s=silent, lost_s=lost, begun=begun, whole=whole)


ROWS = [
    ("it works", look(), Standing.GOES_ON),
    ("a lost look", look(answers=False, lost=1), Standing.GOES_ON),
    ("12 s without the link", look(answers=False, lost=12, silent=12), Standing.GOES_ON),
    ("out of reach for too long", look(answers=False, lost=20.1), Standing.LOST),
    ("out of reach after the deadline", look(answers=False, lost=1, elapsed=50.1), Standing.LOST),
    ("out of reach within deadline and silence", look(answers=False, lost=1, elapsed=49), Standing.GOES_ON),
    ("another start", look(boot=OTHER), Standing.REBOOTED),
    ("another start counts before a status", look(0, boot=OTHER, whole=True), Standing.REBOOTED),
    ("well, and whole", look(0, whole=True), Standing.ENDED),
    ("well without its end", look(0), Standing.CUT_SHORT),
    ("an error of its own", look(3, whole=True), Standing.ENDED),
    ("255 on a board that answers is its own", look(255), Standing.ENDED),
    ("127", look(127), Standing.ENDED),
    ("SIGSEGV", look(128 + 11), Standing.ENDED),
    ("busy", look(75, begun=False), Standing.BUSY),
    ("75 of an engine that had begun", look(75), Standing.ENDED),
    ("no room", look(74), Standing.NO_ROOM),
    ("nobody asked", look(76), Standing.ALONE),
    ("SIGALRM is the deadline", look(128 + 14, elapsed=3), Standing.DEADLINE),
    ("SIGKILL at the deadline", look(128 + 9, elapsed=41), Standing.DEADLINE),
    ("SIGKILL before it, for lack of memory", look(128 + 9, elapsed=5), Standing.ENDED),
    ("silent for long, and alive", look(silent=10.1), Standing.HUNG),
    ("silent for less", look(silent=9.9), Standing.GOES_ON),
    ("silent, and out of reach", look(answers=False, silent=15, lost=15), Standing.GOES_ON),
    ("silent, and ended", look(3, silent=11), Standing.ENDED),
    ("alive shortly after its deadline", look(elapsed=49), Standing.GOES_ON),
    ("alive long after its deadline, whatever it says", look(elapsed=50.1), Standing.HUNG),
]


@pytest.mark.parametrize(("seen", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_one_look_decides(seen, expected):
    assert decide(seen, LIMITS) is expected


@dataclass
class Wire:
    """A transport whose looks are given; None is one that gets no answer."""

    polls: Iterator[Any]
    offsets: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def poll(self, folder, offset, *, wait_s):
        self.offsets.append(offset)
        self.waits_s.append(wait_s)
        found = next(self.polls)
        if isinstance(found, Exception):
            raise found
        return found


def seen(journal=b"", status=None, boot=BOOT):
    return Poll(boot_id=boot, status=status, journal=journal)


def said(done, phase="measuring"):
    return to_line({"kind": "said", "phase": phase, "done": done, "total": 9})


END = to_line({"kind": "end", "status": 0, "frames": 9})
GONE = UnreachableError("no answer")


@pytest.fixture
def watch(tmp_path):
    def make(*polls, limits=LIMITS):
        words = []
        made = Watch(
            transport=Wire(iter(polls)), folder="/x", boot_id=BOOT, limits=limits, journal=tmp_path / "journal",
            say=lambda *one: words.append(one),
        )  # fmt: skip
        return made, words

    return make


def test_lost_looks_cost_nothing_but_themselves(watch):
    made, words = watch(seen(said(1)), GONE, GONE, seen(said(2)), seen(said(3) + END, 0))
    assert made.until_decided() is Standing.ENDED
    assert (made.lost, made.looks, made.status) == (2, 5, 0)
    assert words == [("measuring", 1, 9), ("measuring", 2, 9), ("measuring", 3, 9)]


LOOKS = [(60, 120, 30), (3, 120, 3), (60, 20, 5), (60, 1, 0.5), (0, 120, 0.5)]


@pytest.mark.parametrize(("silent_s", "lost_s", "wait_s"), LOOKS)
def test_a_look_is_long_and_notices_silence_and_a_broken_link_in_time(watch, silent_s, lost_s, wait_s):
    made, _ = watch(seen(END, 0), limits=replace(LIMITS, silent_s=silent_s, lost_s=lost_s))
    made.until_decided()
    assert made.transport.waits_s == [pytest.approx(wait_s, abs=0.1)]


def test_a_record_that_comes_in_pieces_is_read_once_and_kept_as_it_came(watch, tmp_path):
    whole = said(1) + said(2) + END
    pieces = [whole[start : start + 7] for start in range(0, len(whole), 7)]
    made, words = watch(*(seen(piece) for piece in pieces[:-1]), seen(pieces[-1], 0))
    assert made.until_decided() is Standing.ENDED
    assert [word[1] for word in words] == [1, 2]
    assert (tmp_path / "journal").read_bytes() == whole
    assert made.transport.offsets == [7 * index for index in range(len(pieces))]


def test_the_rest_of_a_long_journal_is_seen_before_a_worker_counts_as_cut_short(watch):
    made, _ = watch(seen(said(1), 0), seen(said(2), 0), seen(END, 0))
    assert made.until_decided() is Standing.ENDED
    made, _ = watch(seen(said(1), 0), seen(b"", 0))
    assert made.until_decided() is Standing.CUT_SHORT


def test_a_word_that_says_the_same_again_is_no_progress(watch):
    made, words = watch(limits=Limits(deadline_s=40, silent_s=0.1, lost_s=9))
    made.transport.polls = itertools.repeat(seen(said(1)))
    assert made.until_decided() is Standing.HUNG
    assert len(words) == made.looks > 1


def test_what_the_board_kept_before_it_started_anew_is_here(watch, tmp_path):
    made, _ = watch(seen(said(1)), seen(said(2), boot=OTHER))
    assert made.until_decided() is Standing.REBOOTED
    assert (tmp_path / "journal").read_bytes() == said(1) + said(2)


def test_announced_files_are_known_with_their_checksums(watch):
    record = {"kind": "file", "name": "run.json", "size": 3, "sha256": "ab"}
    made, _ = watch(seen(to_line(record) + END, 0))
    made.until_decided()
    assert made.announced == {"run.json": record}


SAID = {"kind": "said", "phase": "measuring", "done": 1, "total": 9}
FILE = {"kind": "file", "name": "run.json", "size": 3, "sha256": "ab"}
NONSENSE = [
    *({**SAID, **one} for one in ({"done": "x"}, {"done": None}, {"done": float("nan")}, {"done": float("inf")})),
    *({**SAID, **one} for one in ({"done": -1}, {"total": 10**400}, {"total": [1]}, {"phase": 7}, {"phase": None})),
    *({**FILE, **one} for one in ({"name": 7}, {"size": "3"}, {"size": -1}, {"size": 1e300}, {"size": 2**60})),
    *({**FILE, **one} for one in ({"sha256": None}, {"name": None})), {"kind": "said"}, {"kind": "file"}, {"kind": [1]},
]  # fmt: skip


def test_a_record_whose_fields_are_nonsense_says_nothing_and_is_no_error(watch):
    made, words = watch(seen(b"".join(map(to_line, NONSENSE)) + said(5) + END, 0))
    assert made.until_decided() is Standing.ENDED
    assert words == [("measuring", 5, 9)]
    assert made.announced == {}


def test_a_journal_without_end_does_not_fill_this_machine(watch, monkeypatch):
    monkeypatch.setattr(detached, "LARGEST_JOURNAL_BYTES", 2000)
    made, _ = watch()
    made.transport.polls = itertools.repeat(seen(b"x" * 1000, 0))
    with pytest.raises(CutShortError, match="a journal of more than"):
        made.until_decided()


def test_another_host_key_ends_the_watch_at_once(watch):
    made, _ = watch(HostKeyError("another one"))
    with pytest.raises(HostKeyError):
        made.until_decided()
