from __future__ import annotations

import os
import signal
import threading

import pytest

from harness import signals
from harness.signals import EndedError, ended_by_signals


def unwound(numbers: list[int], done: list[str]) -> None:
    """The first signal comes in the block, the others while it gives back what it holds."""
    with ended_by_signals():
        try:
            done.append("begun")
            os.kill(os.getpid(), numbers[0])
            done.append("went on")
        finally:
            for number in numbers[1:]:
                os.kill(os.getpid(), number)
            done.append("given back")


@pytest.mark.parametrize("number", signals.ENDING)
def test_a_signal_that_ends_the_program_unwinds_it(number: int) -> None:
    done: list[str] = []
    with pytest.raises(EndedError) as raised:
        unwound([number], done)
    assert done == ["begun", "given back"]
    assert raised.value.status == 128 + number
    assert isinstance(raised.value, KeyboardInterrupt)


def test_an_impatient_second_signal_does_not_stop_the_giving_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    with pytest.raises(EndedError, match="SIGTERM"):
        unwound([signal.SIGTERM, signal.SIGINT], done)
    assert done == ["begun", "given back"]
    monkeypatch.setattr(signals, "GRACE_S", -1.0)
    with pytest.raises(EndedError, match="SIGINT"):
        unwound([signal.SIGTERM, signal.SIGINT], done)


def test_the_handlers_from_before_are_there_again_afterwards() -> None:
    before = [signal.getsignal(number) for number in signals.ENDING]
    with ended_by_signals():
        assert [signal.getsignal(number) for number in signals.ENDING] != before
    assert [signal.getsignal(number) for number in signals.ENDING] == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_nothing_changes() -> None:
    seen = []

    def other() -> None:
        with ended_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]
