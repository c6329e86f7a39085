"""A real ssh server on the loopback device, with keys of its own; of whoever runs the tests, root or not."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.transports import Reach
from tests.absent import absent

PRIVILEGE_SEPARATION = Path("/run/sshd")
CONFIG = """
Port {port}
ListenAddress {host}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorised
PidFile none
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 100
{more}
"""
# bash reads .bashrc for what ssh starts, unless it believes to be inside another shell: that of a developer may take
# half a second.
QUIET = "SetEnv SHLVL=1"


class Sshd:
    """A server that lets in whoever has `identity`; `more` are further lines of its configuration."""

    def __init__(self, folder: Path, more: str = QUIET, host: str = "127.0.0.1") -> None:
        self.folder, self.host, self.port = folder, host, _free_port(host)
        self.identity, self.known_hosts = folder / "client_key", folder / "known_hosts"
        make_key(self.identity)
        make_key(folder / "host_key")
        shutil.copy(folder / "client_key.pub", folder / "authorised")
        config = CONFIG.format(port=self.port, host=host, folder=folder, more=more)
        (folder / "sshd.conf").write_text(config)
        self.know(folder / "host_key.pub")

    def know(self, key: Path) -> None:
        """Let the file of known hosts say that the server has `key`."""
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {key.read_text()}")

    def start(self) -> None:
        if os.getuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        command = [_program(), "-D", "-e", "-f", str(self.folder / "sshd.conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                pytest.fail(f"the ssh server does not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def reach(self, **changes: object) -> Reach:
        """How it is reached, as its only client may."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        values = {
            "device": "bench", "transport": "ssh", "address": f"{host}:{self.port}", "known_hosts": self.known_hosts,
            "options": {"identity_file": str(self.identity)},
        }  # fmt: skip
        return Reach(**{**values, **changes})  # type: ignore[arg-type]

    def cpu_s(self) -> float:
        """CPU time of all connections that have ended: key exchange, login, and what their commands waited for."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as asked:
            return asked.connect_ex((self.host, self.port)) == 0


def make_key(path: Path) -> None:
    """A private key, and its public half beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def _program() -> str:
    """sshd starts itself anew for every connection, and wants its whole path for that."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found or not shutil.which("ssh"):
        absent("NO SSH SERVER OR CLIENT: install openssh-server and openssh-client; nothing over ssh is tested")
    shell = pwd.getpwuid(os.getuid()).pw_shell
    if shell.rpartition("/")[2] in ("nologin", "false"):
        absent(f"THIS USER MAY NOT LOG IN: its shell is {shell}; nothing over ssh is tested")
    return found


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as asked:
        asked.bind((host, 0))
        return int(asked.getsockname()[1])


@contextmanager
def serving(more: str = QUIET, host: str = "127.0.0.1") -> Iterator[Sshd]:
    """A server from its start to its end."""
    _program()
    with tempfile.TemporaryDirectory(prefix="sshd-") as folder:
        server = Sshd(Path(folder), more, host)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """The one that all tests share."""
    with serving() as server:
        yield server
