"""How the process of an external runner is started and ended, with all that it started (man 2 prctl, man 5 proc)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from typing import Mapping, Sequence

from harness.errors import EngineError

REAP_S = 5.0
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_WHERE = "option command of the runtime in the device profile"


def check_program(command: Sequence[str]) -> None:
    """EngineError where there is no program to start."""
    if not command:
        raise EngineError("no runner is named", where=_WHERE, remedy='write command = ["/opt/vendor/runner"]')
    if shutil.which(command[0]) is None:
        raise EngineError(
            f"the runner {command[0]} is not there, or may not be executed", where=_WHERE,
            remedy="copy it to the device, chmod +x, and write its full path there",
        )  # fmt: skip


def start_runner(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The process in a group of its own, its streams as pipes; EngineError where it cannot be started."""
    check_program(command)
    parent = os.getpid()
    try:
        return subprocess.Popen(
            list(command), bufsize=0, env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: _end_with(parent),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"the runner {command[0]} cannot be started: {error}", where=_WHERE,
            remedy="it must be built for this machine, and the interpreter in a script's first line must exist",
        ) from error  # fmt: skip


def end_runner(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, then reap: in the other order its number could be another's by now."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        # A driver can hold a process where not even SIGKILL reaches it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(REAP_S)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _end_with(parent: int) -> None:
    """In the new process: a group of its own; die with the thread that started it, as kill -9 of the worker does.

    The session stays the worker's: what a wrapper started is ended with that, however the worker ends.
    """
    os.setpgid(0, 0)
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
