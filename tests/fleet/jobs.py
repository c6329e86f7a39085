"""A job in a process of its own, that holds a place until it is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from harness.processes import end_session, group_leader
from tests.fleet.labgridlab import LabgridLab

PROGRAM = """
import sys, time
from harness.labgridclient.claiming import claimed
from harness.labgridclient.places import Wanted
from harness.signals import EndedError, ended_by_signals
try:
    with ended_by_signals(), claimed(sys.argv[1], Wanted(place=sys.argv[2]), wait_s=float(sys.argv[3])) as claim:
        print(claim.holder, flush=True)
        if sys.argv[4] == "fails":
            raise ValueError("planted")
        time.sleep(60)
except EndedError as error:
    sys.exit(error.status)
"""


@contextlib.contextmanager
def job(lab: LabgridLab, place: str, *, wait_s: float = 20.0, how: str = "waits") -> Iterator[subprocess.Popen[bytes]]:
    """Started; it writes the name of its holder when it has the place."""
    command = [sys.executable, "-c", PROGRAM, lab.address, place, str(wait_s), how]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=group_leader(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        yield process
    finally:
        end_session(process)
        for stream in (process.stdout, process.stderr):
            stream.close()


def holder_of(process: subprocess.Popen[bytes]) -> str:
    """The name under which the job holds its place; it waits until the job has it."""
    line = process.stdout.readline().decode().strip()
    assert line, process.stderr.read().decode()
    return line


@contextlib.contextmanager
def dead_holder(lab: LabgridLab, place: str) -> Iterator[str]:
    """The name of a job that was killed by kill -9 while it held the place."""
    with job(lab, place) as process:
        name = holder_of(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        yield name
