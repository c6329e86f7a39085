"""Fake boards on this machine: each with processes, a network, a hostname, a boot_id and a small disk of its own.

All of a board dies with the process that made it, be that by kill -9: its namespaces have no names, and its first
process has no life of its own. Names and addresses are one lab's alone, so that labs can stand beside each other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab.namespaces import bridge, claim, folder_of, ip, namespaces, new_key, plug_in, remove, sweep
from tests.lab.processes import alive, command_line, is_alive, listens, pid_namespace, signal_all, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = "/var/tmp/dms-harness"
WORKER = "harness.boardworker"
POWER_ON_S = 30.0  # about 0.3 s on a machine that has nothing else to do

SSHD = """Port 22
HostKey /run/board/host_key
AuthorizedKeysFile /run/board/authorized_keys
UsePAM no
PidFile none
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
"""

CLOCK = "SetEnv LD_PRELOAD=/run/board/clockjump.so DMS_CLOCK_JUMP=/run/board/clock_jump_s\n"

# The words on standard input come once the host has moved the network card in. $KEPT: folders that a new /tmp would
# hide; $HIDDEN: the checkout's code, which no real board has.
BOOT = r"""
echo ready; read -r _
mount --make-rprivate /
hostname "$NAME"
mount -t tmpfs -o size=8m,mode=755 tmpfs /run
mkdir -p /run/sshd /run/board /run/kept
mount --bind "$FOLDER" /run/board
number=0
for kept in $KEPT; do number=$((number + 1)); mkdir /run/kept/$number; mount --bind "$kept" /run/kept/$number; done
mount -t tmpfs -o size=64m,mode=1777 tmpfs /tmp
mount -t tmpfs -o size=64m,mode=1777 tmpfs /var/tmp
number=0
for kept in $KEPT; do number=$((number + 1)); mkdir -p "$kept"; mount --bind /run/kept/$number "$kept"; done
for hidden in $HIDDEN; do [ ! -d "$hidden" ] || mount -t tmpfs -o size=4k,mode=555 tmpfs "$hidden"; done
mkdir -m 700 /var/tmp/dms-harness
if [ "$SIZE" = 0 ]; then mount --bind /run/board/disk /var/tmp/dms-harness
else mount -t tmpfs -o size="$SIZE",mode=700 tmpfs /var/tmp/dms-harness; fi
for file in passwd shadow; do mount --bind /run/board/$file /etc/$file; done
mount --bind /run/board/boot_id /proc/sys/kernel/random/boot_id
ip link set lo up
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
exec "$SSHD" -D -e -f /run/board/sshd.conf < /dev/null
"""


class Board:
    """One board, off when it is made. size_bytes: of the file system for results; 0: on disk, so a reboot keeps it.

    clock: the library that lets `jump_clock` move the wall clock of every login's processes.
    """

    def __init__(self, lab: Lab, index: int, size_bytes: int, clock: Path | None) -> None:
        self.name, self.lab = f"board{index}", lab
        self.address = f"10.231.{lab.number}.{10 + index}"
        self.folder = lab.folder / self.name
        self._port, self._size_bytes = f"dms{lab.number}p{index}", size_bytes
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "disk").mkdir(parents=True, mode=0o700)
        shutil.copy(lab.folder / "client_key.pub", self.folder / "authorized_keys")
        (self.folder / "sshd.conf").write_text(SSHD + (CLOCK if clock else ""))
        if clock:
            shutil.copy(clock, self.folder / "clockjump.so")
        _write_users(self.folder)
        self.new_host_key()

    def power_on(self) -> None:
        """Returns when its sshd answers; it has another boot_id than before, and an empty memory."""
        assert self._process is None, f"{self.name} is on"
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        with open(self.folder / "log", "ab") as log:
            self._process = self.lab.start(
                namespaces("bash", "-euc", BOOT), env=self._environment(), start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._process.stdin, self._process.stdout as said:
            assert said.readline() == b"ready\n", self.log()
            plug_in(self._port, self.lab.bridge, self._process.pid)
            self._process.stdin.write(b"go\n")
        self._wait_for_sshd()

    def power_off(self) -> None:
        """Pull the plug: every process there is gone when it returns."""
        if self._process is None:
            return
        left = self.pids()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        ip("link", "delete", self._port, check=False)
        for pid in left:
            wait_until(lambda pid=pid: not is_alive(pid), f"process {pid} of {self.name} is killed")

    def power_cycle(self) -> None:
        """Off and on."""
        self.power_off()
        self.power_on()

    def link_down(self) -> None:
        """Nothing is heard of it any more; nothing says so."""
        ip("link", "set", self._port, "down")

    def link_up(self) -> None:
        """The cable is back."""
        ip("link", "set", self._port, "up")

    def freeze(self) -> list[int]:
        """Stop every process there; its kernel still answers. The processes' ids."""
        stopped: list[int] = []
        while more := [pid for pid in self.pids() if pid not in stopped]:
            signal_all(more, signal.SIGSTOP)  # and those that were started meanwhile
            stopped += more
        return stopped

    def signal_workers(self, number: int) -> list[int]:
        """A signal to the workers there, and not to the shells that watch over them; the workers' ids."""
        found = self.workers()
        signal_all(found, number)
        return found

    def thaw(self) -> None:
        """All goes on."""
        signal_all(self.pids(), signal.SIGCONT)

    def leave_free(self, size_bytes: int) -> None:
        """Fill the file system for results up to so many bytes."""
        filler = self.path(f"{RESULTS}/filler")
        filler.unlink(missing_ok=True)
        room = os.statvfs(filler.parent)
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - size_bytes))

    def jump_clock(self, seconds: int) -> None:
        """The wall clock is so many seconds ahead of this machine's from now on, for who is running, too."""
        assert (self.folder / "clockjump.so").exists(), f"{self.name} was made without a clock that jumps"
        (self.folder / "new").write_text(str(seconds))
        (self.folder / "new").replace(self.folder / "clock_jump_s")

    def new_host_key(self) -> None:
        """Another identity, from the next power-on on."""
        new_key(self.folder / "host_key")

    @property
    def known_hosts(self) -> str:
        """The line that says which key it has."""
        return f"{self.address} {(self.folder / 'host_key.pub').read_text()}"

    @property
    def boot_id(self) -> str:
        """Of this power-on."""
        return (self.folder / "boot_id").read_text().strip()

    def path(self, there: str) -> Path:
        """A path of the board's, from here and without its network."""
        return Path(f"/proc/{self.init()}/root", there.lstrip("/"))

    def pids(self, word: str = "") -> list[int]:
        """The ids here of its processes, zombies left out, whose command line holds `word`."""
        space = pid_namespace(self.init())
        return [pid for pid in alive() if pid_namespace(pid) == space and word in command_line(pid)] if space else []

    def workers(self) -> list[int]:
        """The ids of the workers that run there."""
        return [pid for pid in self.pids(WORKER) if command_line(pid).split()[1:3] == ["-m", WORKER]]

    def log(self) -> str:
        """What its sshd said."""
        return (self.folder / "log").read_text(errors="replace")

    def ssh(self, command: str, *options: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run `command` there by the plain client, with the options of a link that may break."""
        known = self.lab.folder / "known_hosts"
        known.write_text("".join(board.known_hosts for board in self.lab.boards))
        return subprocess.run(
            [
                "ssh", "-F", "none", "-i", str(self.lab.key), *_each("-o", *SSH_OPTIONS, *options),
                "-o", f"UserKnownHostsFile={known}", f"root@{self.address}", command,
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def init(self) -> int:
        """The id here of the board's first process, its sshd, which need not be the least; 0 while it is off."""
        if self._process is None:
            return 0
        parent = self._process.pid
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])
        return 0

    def _environment(self) -> dict[str, str]:
        kept = [one for one in sorted({sys.prefix, sys.base_prefix}) if one.startswith(("/tmp/", "/var/tmp/"))]
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NAME": self.name,
            "FOLDER": str(self.folder), "SIZE": str(self._size_bytes), "ADDRESS": self.address,
            "GATEWAY": self.lab.gateway, "SSHD": shutil.which("sshd", path="/usr/sbin:/usr/bin") or "sshd",
            "KEPT": " ".join(kept), "HIDDEN": f"{CHECKOUT}/harness {CHECKOUT}/tests {CHECKOUT}/suites",
        }  # fmt: skip

    def _wait_for_sshd(self) -> None:
        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} does not start: {self.log()}"
            if not listens(self.init()):
                return False  # to ask a network that is not up yet costs a second
            with contextlib.suppress(OSError), socket.create_connection((self.address, 22), 0.5) as connection:
                return connection.recv(4) == b"SSH-"
            return False

        wait_until(answers, f"the sshd of {self.name} answers", POWER_ON_S)


class Lab:
    """A bridge with boards behind it, from __enter__ to __exit__."""

    def __init__(self) -> None:
        self.boards: list[Board] = []
        self._hands = ThreadPoolExecutor(1)

    def __enter__(self) -> Lab:
        sweep()
        self._claim, self.number = claim()
        self.bridge, self.gateway = bridge(self.number), f"10.231.{self.number}.1"
        self.folder = folder_of(self.number)
        self.folder.mkdir(mode=0o700)
        self.key = self.folder / "client_key"
        new_key(self.key)
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        return self

    def __exit__(self, *exception: object) -> None:
        for board in self.boards:
            board.power_off()
        remove(self.number)
        self._claim.close()
        self._hands.shutdown()

    def start(self, command: Sequence[str], **properties: Any) -> subprocess.Popen[bytes]:
        """A process that ends with this one, and not already with the thread that asks for it."""
        return self._hands.submit(subprocess.Popen, command, **properties).result()

    def board(self, *, size_bytes: int = 16 * 2**20, clock: Path | None = None) -> Board:
        """A new board, switched on."""
        board = Board(self, len(self.boards) + 1, size_bytes, clock)
        self.boards.append(board)
        board.power_on()
        return board


SSH_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=4", "ServerAliveInterval=2", "ServerAliveCountMax=2", "ControlPath=none",
    "StrictHostKeyChecking=yes", "LogLevel=ERROR",
)  # fmt: skip


def leftovers(lab: Lab) -> Iterator[str]:
    """What a lab that is over has left behind: processes, interfaces, files."""
    folder = str(lab.folder)
    yield from (f"process {pid}: {line}" for pid in alive() if folder in (line := command_line(pid)))
    yield from (one.name for one in Path("/sys/class/net").glob(f"{lab.bridge}p*"))
    yield from (one.name for one in Path("/sys/class/net").glob(lab.bridge))
    yield from (line for line in Path("/proc/mounts").read_text().splitlines() if folder in line)
    if lab.folder.exists():
        yield folder


def _write_users(folder: Path) -> None:
    """root may log in, with an empty home, and sshd has its own user, whatever this machine's files say."""
    lines = [one for one in Path("/etc/passwd").read_text().splitlines() if not one.startswith(("root:", "sshd:"))]
    lines.insert(0, "root:x:0:0:root:/run/board/home:/bin/bash")
    lines.append("sshd:x:103:65534::/run/sshd:/usr/sbin/nologin")
    (folder / "home").mkdir()
    (folder / "passwd").write_text("\n".join(lines) + "\n")
    (folder / "shadow").write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")


def _each(option: str, *values: str) -> list[str]:
    return [word for value in values for word in (option, value)]
