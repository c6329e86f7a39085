"""Signals that end a program, as an exception: what it holds (a board, a lock) is given back on the way out."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
GRACE_S = 10.0
SIGNAL_STATUS = 128


class EndedError(KeyboardInterrupt):
    """Somebody ended the program; pytest and the commands wind up as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"ended by {signal.Signals(number).name}")

    @property
    def status(self) -> int:
        """The exit status that a shell expects of it."""
        return SIGNAL_STATUS + self.number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and SIGINT raise EndedError in the block; nothing changes outside the main thread.

    More of them within GRACE_S are passed over, so that an impatient second one does not stop the giving back. A
    signal that is ignored already (nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Ending()
    before = {number: signal.getsignal(number) for number in ENDING}
    taken = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in taken:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in taken.items():
            signal.signal(number, old)


class _Ending:
    def __init__(self) -> None:
        self._first_s: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._first_s is None or now_s - self._first_s > GRACE_S:
            self._first_s = now_s
            raise EndedError(number)
