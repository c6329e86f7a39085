"""Whatever interrupts a write or a way back, a whole baseline is there afterwards."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from harness.baseline import BaselineError, read_baseline, revert_baseline, write_baseline
from tests.baseline.baselines import baseline, full_disk, killed_before_change, names_beside, path_in, start

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
FIRST, SECOND, THIRD = (baseline(3 + number, reason=reason) for number, reason in enumerate(("one", "two", "three")))
NAMES = {"int8.trt.json", "int8.trt.previous.json"}


@pytest.fixture
def path(tmp_path):
    """A file that holds SECOND, and FIRST before it."""
    return held(path_in(tmp_path), FIRST, SECOND)


def held(path, *baselines):
    for each in baselines:
        write_baseline(path, each)
    return path


def previous(path, folder):
    """The baseline before, read by putting a copy of it in the place of one."""
    copy = path_in(folder / "copy")
    copy.write_bytes(path.with_name("int8.trt.previous.json").read_bytes())
    return read_baseline(copy)


def test_the_baseline_before_is_kept_beside_the_new_one(path, tmp_path):
    assert read_baseline(path) == SECOND
    assert previous(path, tmp_path) == FIRST
    assert names_beside(path) == NAMES


def test_the_first_baseline_has_none_before_it(tmp_path):
    path = held(path_in(tmp_path), FIRST)
    assert names_beside(path) == {"int8.trt.json"}
    with pytest.raises(BaselineError, match=r"there is no previous baseline .*previous.json"):
        revert_baseline(path)
    assert read_baseline(path) == FIRST


def test_going_back_swaps_and_going_back_again_returns(path, tmp_path):
    files = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    revert_baseline(path)
    assert read_baseline(path) == FIRST
    assert previous(path, tmp_path) == SECOND
    revert_baseline(path)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == files


def test_going_back_mends_a_damaged_file(path, tmp_path):
    path.write_bytes(b"damaged")
    revert_baseline(path)
    assert read_baseline(path) == FIRST


def test_a_new_baseline_replaces_a_damaged_one(path):
    path.write_bytes(b"damaged")
    write_baseline(path, THIRD)
    assert read_baseline(path) == THIRD


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "there is no baseline to go back from"),
        (lambda path: path.with_name("int8.trt.previous.json").write_text("{"), r"not JSON.*previous\.json, line 1"),
        (lambda path: path.with_name("int8.trt.previous.json").unlink(), "there is no previous baseline"),
    ],
)
def test_going_back_to_what_is_no_baseline_changes_nothing(path, spoil, said):
    spoil(path)
    files = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with pytest.raises(BaselineError, match=said):
        revert_baseline(path)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == files


def test_a_kill_at_any_step_of_a_write_leaves_the_old_or_the_new_baseline(tmp_path):
    for number in itertools.count():
        path = held(path_in(tmp_path / str(number)), FIRST, SECOND)
        killed = killed_before_change(number, lambda path=path: write_baseline(path, THIRD))
        now, before = read_baseline(path), previous(path, tmp_path / str(number))
        assert (now, before) in [(SECOND, FIRST), (SECOND, SECOND), (THIRD, SECOND)]
        write_baseline(path, FIRST)
        assert (read_baseline(path), previous(path, tmp_path / str(number))) == (FIRST, now)
        if not killed:
            break
    assert now == THIRD
    assert number >= 7


def test_a_kill_at_any_step_of_going_back_loses_neither_and_the_next_call_ends_it(tmp_path):
    for number in itertools.count():
        path = held(path_in(tmp_path / str(number)), FIRST, SECOND)
        killed = killed_before_change(number, lambda path=path: revert_baseline(path))
        assert read_baseline(path) in (FIRST, SECOND)
        if not killed:
            break
        revert_baseline(path)
        assert (read_baseline(path), previous(path, tmp_path / str(number))) == (FIRST, SECOND)
    assert (read_baseline(path), previous(path, tmp_path / str(number))) == (FIRST, SECOND)
    assert number >= 7


def test_a_baseline_accepted_after_a_killed_way_back_can_be_gone_back_from(tmp_path):
    for number in itertools.count():
        path = held(path_in(tmp_path / str(number)), FIRST, SECOND)
        killed = killed_before_change(number, lambda path=path: revert_baseline(path))
        before = read_baseline(path)
        write_baseline(path, THIRD)
        revert_baseline(path)
        assert (read_baseline(path), previous(path, tmp_path / str(number))) == (before, THIRD)
        if not killed:
            break


def test_a_hundred_kills_leave_a_whole_baseline_each_time(path, tmp_path):
    moments = random.Random(1)
    seen = []

    def work():
        while True:
            for each in (FIRST, SECOND):
                write_baseline(path, each)
                revert_baseline(path)

    for _ in range(100):
        child = start(work)
        time.sleep(moments.uniform(0, 0.03))
        child.kill()
        child.join()
        seen.append(read_baseline(path))
        assert seen[-1] in (FIRST, SECOND)
        assert previous(path, tmp_path) in (FIRST, SECOND)
    assert seen.count(FIRST) < 100
    assert seen.count(SECOND) < 100


def test_a_reader_sees_the_old_or_the_new_baseline_and_never_none(path):
    def work():
        while True:
            write_baseline(path, FIRST)
            write_baseline(path, SECOND)

    child = start(work)
    try:
        assert all(read_baseline(path) in (FIRST, SECOND) for _ in range(300))
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("do", [revert_baseline, lambda path: write_baseline(path, THIRD)])
def test_a_full_disk_is_one_sentence_and_leaves_everything_as_it_was(path, do, share):
    files = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    size = int(share * min(map(len, files.values())))
    with full_disk(size), pytest.raises(BaselineError, match=r"cannot be written: .*int8\.trt\.json\); free space"):
        do(path)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == files


def test_a_disk_that_takes_the_old_but_not_the_new_keeps_both_of_before(path):
    files = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with full_disk(len(files["int8.trt.json"])), pytest.raises(BaselineError, match="cannot be written"):
        write_baseline(path, THIRD)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == files


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "baselines").write_text("")
    path = tmp_path.joinpath("baselines", "orin", "eyes", "int8.trt.json")
    with pytest.raises(BaselineError, match="the baseline cannot be written: Not a directory"):
        write_baseline(path, FIRST)
