"""How the process of an external runner is started and ended, with all that it started."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Mapping, Sequence

from harness.errors import EngineError
from harness.processes import end_group, group_leader

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
    try:
        return subprocess.Popen(
            list(command), bufsize=0, env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=group_leader(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"the runner {command[0]} cannot be started: {error}", where=_WHERE,
            remedy="it must be built for this machine, and the interpreter in a script's first line must exist",
        ) from error  # fmt: skip


def end_runner(process: subprocess.Popen[bytes]) -> None:
    """With all that it started; its streams are closed."""
    end_group(process)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
