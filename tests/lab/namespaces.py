"""What a lab takes of this machine: namespaces, a bridge, keys, a number of its own; and whether it may."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

LABS = 200


@dataclass(frozen=True)
class Missing:
    """Why there can be no fake boards here. installable: a package is missing, nothing is forbidden."""

    reason: str
    installable: bool = False


def missing() -> Missing | None:
    """What this machine lacks for fake boards; None where it has all."""
    programs = ("ip", "unshare", "setpriv", "ssh", "ssh-keygen", "sshd")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = [one for one in programs if not shutil.which(one, path=path)]
    if lacking:
        return Missing(f"no {', '.join(lacking)} on this machine", installable=True)
    if os.geteuid() != 0:
        return Missing("network namespaces need root")
    tried = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && ip link add dms0 type bridge"
    done = subprocess.run(namespaces("bash", "-ec", tried), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return Missing(f"no namespaces here: {done.stderr.decode().strip()}") if done.returncode else None


def namespaces(*command: str) -> list[str]:
    """`command` as the first process of a machine that has just been started, and ends with this one."""
    uptime_s = int(time.clock_gettime(time.CLOCK_BOOTTIME)), int(time.monotonic())
    return [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--time",
        f"--boottime=-{uptime_s[0]}", f"--monotonic=-{uptime_s[1]}", "--fork", "--kill-child=KILL", "--mount-proc",
        *command,
    ]  # fmt: skip


def claim() -> tuple[socket.socket, int]:
    """A number that is this lab's as long as the socket is open, and the process alive."""
    for number in range(1, LABS):
        if held := _claimed(number):
            return held, number
    raise AssertionError(f"{LABS - 1} labs stand here already")


def _claimed(number: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0dms-lab-{number}")
    except OSError:
        claim.close()
        return None
    return claim


def sweep() -> None:
    """Remove what labs have left whose process was killed."""
    for number in range(1, LABS):
        there = folder_of(number).exists() or Path("/sys/class/net", bridge(number)).exists()
        if there and (held := _claimed(number)):
            remove(number)
            held.close()


def remove(number: int) -> None:
    """Its bridge and its folder."""
    ip("link", "delete", bridge(number), check=False)
    shutil.rmtree(folder_of(number), ignore_errors=True)


def bridge(number: int) -> str:
    """The name of a lab's bridge."""
    return f"dms{number}"


def folder_of(number: int) -> Path:
    """Not below pytest's own folders: the name of a socket is short."""
    return Path("/tmp", f"dms-lab-{number}")


def plug_in(port: str, bridge: str, pid: int) -> None:
    """A cable from the bridge to the network of the process."""
    ip("link", "delete", port, check=False)
    ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    ip("link", "set", port, "master", bridge, "up")


def new_key(path: Path) -> None:
    """A key of ssh in `path`, its public half beside it."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def ip(*arguments: str, check: bool = True) -> None:
    """A command of iproute2."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"
