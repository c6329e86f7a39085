"""The process of an external runner: a line out, a line back within its deadline, and the last words of its log."""

from __future__ import annotations

import os
import select
import signal
import time
import weakref
from typing import List, Mapping, Sequence

from harness.errors import EngineError, printable
from harness.processes import group_members, has_ended
from harness.runtimes.command import last_words
from harness.runtimes.runner_child import end_runner, start_runner
from harness.runtimes.runner_lines import LONGEST_LINE_BYTES, shown

CHUNK_BYTES = 65536
KEPT_LOG_BYTES = 16384
EXIT_S = 0.5
POLL_S = 0.005
ONE_ANSWER = "write exactly one line for each request, and nothing else, to standard output"


class RunnerProcess:
    """A running program; EngineError where it cannot be started. Nothing of it outlives this process.

    Its log (standard error) is read while an answer is awaited, and only its end is kept.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = start_runner(command, environment)
        self.name, self.pid = printable(os.path.basename(command[0])), self._process.pid
        # Also where nobody calls `end`: with this object, or with the interpreter.
        self.end = weakref.finalize(self, end_runner, self._process)
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._stdin, self._stdout, self._stderr = (one.fileno() for one in streams if one is not None)
        os.set_blocking(self._stdin, False)
        self._poll = select.poll()
        for descriptor in (self._stdout, self._stderr):
            self._poll.register(descriptor, select.POLLIN)
        self._rest, self._log, self._closed = b"", b"", False
        self.log_bytes = 0

    def ask(self, request: bytes, deadline_s: float) -> bytes:
        """The line that answers `request`, without its end; EngineError where none comes in time or can come."""
        if self._rest:
            raise self.fault(f"wrote {shown(self._rest)} that answers nothing", ONE_ANSWER)
        until = time.monotonic() + deadline_s
        try:
            self._send(request, until)
            return self._line(until)
        except TimeoutError:
            half = f"; it wrote {shown(self._rest)} and no end of the line" if self._rest else ""
            raise self.fault(
                f"gave no answer to {shown(request)} within {deadline_s:g} s and was ended{half}",
                "flush standard output after each answer, or raise the deadline in the device profile",
            ) from None

    def write(self, data: bytes) -> None:
        """Send bytes that need not be whole lines."""
        self._send(data, time.monotonic() + EXIT_S)

    def close_input(self) -> None:
        """Nothing more will be asked."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, deadline_s: float) -> int:
        """The exit status, -N where signal N killed it; EngineError where it does not end, or writes more lines."""
        until = time.monotonic() + deadline_s
        while not has_ended(self.pid):
            if time.monotonic() > until:
                raise self.fault(
                    f"did not exit within {deadline_s:g} s and was killed",
                    "leave the loop at bye and at the end of standard input, and free the device first",
                )
            self._take(POLL_S)
        self._take(0)
        if self._rest:
            raise self.fault(f"wrote {shown(self._rest)} after its last answer", ONE_ANSWER)
        return self._status()

    def process_ids(self) -> List[int]:
        """The runner and all that it started and that has not ended."""
        return group_members(self.pid)

    def fault(self, what: str, remedy: str = "") -> EngineError:
        """The error that the runner did `what`, with the last of its log; the runner is ended."""
        log = self._log.decode("utf-8", "replace")
        said = f"; its log ends with: {last_words(log)}" if log.strip() else ""
        self.end()
        return EngineError(f"the runner {self.name} {what}{said}", where="runtime external", remedy=remedy)

    def _send(self, data: bytes, until: float) -> None:
        while data:
            try:
                data = data[os.write(self._stdin, data) :]
            except BlockingIOError:
                self._take(min(_left(until), POLL_S))
            except BrokenPipeError:
                raise self._gone() from None

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST_LINE_BYTES:
                break
            if self._closed:
                raise self._gone()
            self._take(_left(until))
        line, _, self._rest = self._rest.partition(b"\n")
        if len(line) >= LONGEST_LINE_BYTES:
            raise self.fault(
                f"wrote a line of more than {LONGEST_LINE_BYTES} bytes that begins with {shown(line)}",
                "write protocol messages only to standard output, and the log to standard error",
            )
        return line

    def _take(self, wait_s: float) -> None:
        """Wait for what the runner writes, and read it."""
        for descriptor, _ in self._poll.poll(wait_s * 1000):
            data = os.read(descriptor, CHUNK_BYTES)
            if not data:
                self._poll.unregister(descriptor)
            if descriptor == self._stdout:
                self._rest += data
                self._closed = not data
            else:
                self.log_bytes += len(data)
                self._log = (self._log + data)[-KEPT_LOG_BYTES:]

    def _gone(self) -> EngineError:
        until = time.monotonic() + EXIT_S
        while not has_ended(self.pid) and time.monotonic() < until:
            self._take(POLL_S)
        self._take(0)
        how = _ending(self._status()) if has_ended(self.pid) else "closed its standard output"
        half = f" in the middle of the line {shown(self._rest)}" if self._rest else ""
        return self.fault(f"{how}{half}", "run harness check-runner with the same command: it tells more")

    def _status(self) -> int:
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _left(until: float) -> float:
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    names = {one.value: one.name for one in signal.Signals}
    return f"was killed by signal {-status} ({names.get(-status, 'unnamed')})"
