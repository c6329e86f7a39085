"""The name under which a job holds a place: unique to the job, and enough to tell later whether the job still lives.

labgrid knows a holder as the text HOST/USER and takes equal texts for the same person, so that two runs of one user
would both be let in. Ours is HOST/dms-LOGIN.PID.STARTED.NAMESPACE.BOOT.NUMBER: a process is the same one only with the
same start time, PID namespace (a container has its own numbers) and boot of the machine (man 5 proc_pid_stat,
man 7 pid_namespaces).
"""

from __future__ import annotations

import getpass
import itertools
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

UNKNOWN = "0"
# The first PID namespace of every Linux (PROC_PID_INIT_INO): that of the machine itself.
MACHINE_NAMESPACE = "4026531836"
BOOT_DIGITS = 12
_NAME = re.compile(
    r"(?P<host>[\w.-]+)/dms-(?P<login>[\w-]+)\.(?P<pid>\d+)\.(?P<started>\d+)"
    r"\.(?P<namespace>\d+)\.(?P<boot>[0-9a-f]+)\.(?P<number>\d+)", re.ASCII
)  # fmt: skip
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """One job: a process and the how-manieth place it asks for. started: clock ticks after boot."""

    host: str
    login: str
    pid: int
    started: int
    namespace: str
    boot: str
    number: int

    @property
    def name(self) -> str:
        """What labgrid is told."""
        process = f"{self.pid}.{self.started}.{self.namespace}.{self.boot}"
        return f"{self.host}/dms-{self.login}.{process}.{self.number}"

    def __str__(self) -> str:
        return f"{self.login} on {self.host} (process {self.pid})"


def new_holder() -> Holder:
    """This process, asking for one more place."""
    return Holder(
        host=re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname()) or "host",
        login=re.sub(r"[^A-Za-z0-9_-]", "_", _login()) or "user",
        pid=os.getpid(),
        started=_started(os.getpid()) or 0,
        namespace=_namespace(),
        boot=_boot(),
        number=next(_numbers),
    )


def read_holder(name: str) -> Holder | None:
    """The job behind a name that labgrid tells; None where it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Holder(
        host=found["host"], login=found["login"], pid=int(found["pid"]), started=int(found["started"]),
        namespace=found["namespace"], boot=found["boot"], number=int(found["number"]),
    )  # fmt: skip


def told(name: str) -> str:
    """A holder for people, whoever it is."""
    return str(read_holder(name) or name)


def lives(holder: Holder) -> bool | None:
    """Whether the job still runs; None where this process cannot know: another machine, another container."""
    here = new_holder()
    if holder.host != here.host or UNKNOWN in (holder.boot, here.boot, holder.namespace, here.namespace):
        return None
    if holder.boot != here.boot:
        # A restarted machine; a container of the same name may be one on another machine.
        return False if holder.namespace == here.namespace == MACHINE_NAMESPACE else None
    if holder.namespace != here.namespace:
        return None
    return _started(holder.pid) == holder.started


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _started(pid: int) -> int | None:
    """Ticks after boot; None for a process that is not there, or has ended and was not reaped."""
    try:
        # The name, which may hold anything, is in brackets; what follows it begins with field 3.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _namespace() -> str:
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid"))) or UNKNOWN
    except OSError:
        return UNKNOWN


def _boot() -> str:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except (OSError, ValueError):
        return UNKNOWN
    return text.strip().replace("-", "")[:BOOT_DIGITS] or UNKNOWN
