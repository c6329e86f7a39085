"""Words beside the frames: in order, in a thread, none after one that failed, all of them whatever ends the frames."""

from __future__ import annotations

import threading

import pytest

from harness.telling import told_meanwhile


def test_words_are_passed_on_in_order_by_another_thread():
    said = []
    with told_meanwhile() as tell:
        for number in range(50):
            tell(lambda *word: said.append((*word, threading.get_ident())), number, -number)
    assert [one[:2] for one in said] == [(number, -number) for number in range(50)]
    assert {one[2] for one in said}.isdisjoint({threading.get_ident()})


def test_who_tells_does_not_wait():
    slow, said = threading.Event(), []
    with told_meanwhile() as tell:
        tell(slow.wait, 60)
        tell(said.append, 1)
        assert said == []
        slow.set()
    assert said == [1]


def fails():
    raise OSError("the disk is full")


def tell_behind_each_other(*functions, error=None):
    """All of them wait before the first is called; then the frames end, with `error` where there is one."""
    go_on = threading.Event()
    with told_meanwhile() as tell:
        tell(go_on.wait, 60)
        for one in functions:
            tell(one)
        go_on.set()
        if error:
            raise error


def test_after_a_word_that_failed_none_is_passed_on_and_the_error_comes_out():
    said = []
    with pytest.raises(OSError, match="the disk is full"):
        tell_behind_each_other(fails, lambda: said.append("after a gap"))
    assert said == []


def test_a_word_that_failed_is_raised_by_a_later_one():
    failed = threading.Event()

    def noted():
        failed.set()
        fails()

    def frames():
        with told_meanwhile() as tell:
            tell(noted)
            failed.wait(60)
            while True:
                tell(fails)

    with pytest.raises(OSError, match="the disk is full"):
        frames()


def test_what_waits_is_passed_on_although_the_frames_end_with_an_error():
    said = []
    with pytest.raises(RuntimeError, match="the engine fails"):
        tell_behind_each_other(lambda: said.append("what was measured before"), error=RuntimeError("the engine fails"))
    assert said == ["what was measured before"]
