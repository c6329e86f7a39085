"""The board's lock and the lease that it keeps between two jobs: who may measure, and what frees itself."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from harness.boardlock import Holder, Lock, boot_id, release
from harness.errors import BusyError, ConfigError

MINE, THEIRS = Holder("mine", "me@here", "10:00"), Holder("theirs", "them@there", "11:00")


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "lock")


def test_two_sessions_of_one_name_are_two_sessions(lock):
    first = Lock(lock, MINE)
    first.lease(60)
    with pytest.raises(BusyError, match="busy: me@here, since 10:00"):
        Lock(lock, replace(MINE, session="another"))
    with pytest.raises(BusyError):
        Lock(lock, MINE)
    release(lock, "mine")  # it is held: nothing is released
    first.close()
    with pytest.raises(BusyError):
        Lock(lock, THEIRS)
    Lock(lock, MINE).close()


NOW_S = time.clock_gettime(time.CLOCK_BOOTTIME)
VALID = {**vars(THEIRS), "boot_id": boot_id(), "until": NOW_S + 3600}
VOID = {
    "over": json.dumps({**VALID, "until": NOW_S - 1}),
    "of another start of the board": json.dumps({**VALID, "boot_id": "another"}),
    "longer than any lease": json.dumps({**VALID, "until": 1e18}),
    "infinite": json.dumps({**VALID, "until": float("inf")}),
    "no number": json.dumps({**VALID, "until": float("nan")}),
    "a text for a number": json.dumps({**VALID, "until": "never"}),
    "nothing": "",
    "cut off": json.dumps(VALID)[:-5],
    "no object": "[1, 2]",
    "no lease": "{}",
    "deeply nested": "[" * 4000,
}


@pytest.mark.parametrize("content", VOID.values(), ids=VOID)
def test_a_stale_lease_frees_itself(tmp_path, lock, content):
    (tmp_path / "lock").write_text(content)
    held = Lock(lock, MINE)
    held.lease(60)
    held.close()
    left = json.loads((tmp_path / "lock").read_text())
    assert (left["session"], left["boot_id"]) == ("mine", boot_id())
    assert left["until"] == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME) + 60, abs=30)


def test_a_valid_lease_of_others_holds(tmp_path, lock):
    (tmp_path / "lock").write_text(json.dumps(VALID))
    with pytest.raises(BusyError, match="busy: them@there, since 11:00"):
        Lock(lock, MINE)
    (tmp_path / "lock").write_text(json.dumps({**VALID, "who": "\x1b[31m\nme"}))
    with pytest.raises(BusyError) as caught:
        Lock(lock, MINE)
    assert caught.value.what.isprintable()


def test_everybody_may_lock_the_file_that_the_first_one_made(tmp_path, lock):
    before = os.umask(0o077)
    try:
        Lock(lock, MINE).close()
    finally:
        os.umask(before)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o666


def test_what_is_no_lock_is_refused_and_left_as_it_is(tmp_path, lock):
    precious = tmp_path / "precious"
    precious.write_text("x" * 5000)
    (tmp_path / "lock").symlink_to(precious)
    os.mkfifo(tmp_path / "pipe")
    os.link(precious, tmp_path / "linked")
    for path in (lock, tmp_path / "pipe", precious, tmp_path / "linked", tmp_path, tmp_path / "no" / "folder"):
        with pytest.raises(ConfigError, match=r"the lock cannot be used: .*\[board\] lock"):
            Lock(str(path), MINE)
    assert precious.read_text() == "x" * 5000
    release(str(tmp_path / "not there"), "mine")
