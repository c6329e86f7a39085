"""Devices behind an ssh server, by the OpenSSH client: one short connection per call, no shared one that could hang."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from harness.errors import ConfigError, HarnessError
from harness.transports import Reach
from harness.transports.address import address_of
from harness.transports.knownhosts import changed, files
from harness.transports.shell import CONNECT_S, Shell
from harness.transports.talking import Said, talk

# A silent link is noticed after 4 to 6 s, a silent board after 4 s. Nothing is read from this machine's own
# configuration, and no connection is shared: a shared one falls back to waiting for ever when its board freezes.
OPTIONS = (
    "BatchMode=yes", f"ConnectTimeout={CONNECT_S}", "ServerAliveInterval=2", "ServerAliveCountMax=2",
    "ControlPath=none", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no",
    "HashKnownHosts=no", "CheckHostIP=no", "LogLevel=ERROR",
)  # fmt: skip
CHANGED = re.compile(r"HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed|REVOKED HOST KEY")
UNKNOWN = re.compile(r"host key is known for|Host key verification failed")
DENIED = re.compile(r"Permission denied|Too many authentication failures")
MISUSED = re.compile(r"command-line: line|Bad configuration option|unknown option|illegal option")
LOST = 255


class Ssh(Shell):
    """options of the profile: identity_file, the private key that is shown; port, unless the address has one."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(reach)
        self._identity = _identity(reach)
        self._client = _client(reach, self._identity)

    def tell(self, line: str, *, deadline_s: float, source: IO[bytes] | int = subprocess.DEVNULL) -> Said:
        return talk([*self._client, line], deadline_s=deadline_s, source=source)

    def failure(self, said: Said) -> HarnessError:
        words, device = said.words, self.reach.device
        if CHANGED.search(words):
            return changed(self.reach)
        if UNKNOWN.search(words):
            remedy = f"look at it and take it up: harness board trust {device}"
            return ConfigError(f"the host key of {device} is not known", where=self.reach.address, remedy=remedy)
        if DENIED.search(words):
            return self._denied(words)
        if MISUSED.search(words):
            return ConfigError(f"ssh on this machine refuses: {words}", remedy="OpenSSH 7.6 or newer is needed")
        if said.status not in (None, LOST):
            return self._no_shell(said)
        return self.unreachable(said)

    def _denied(self, words: str) -> ConfigError:
        shown = str(self._identity) if self._identity else "the keys of this user (agent and ~/.ssh)"
        remedy = "add its public half to ~/.ssh/authorized_keys there, or name another with [board] identity_file"
        return ConfigError(
            f"{self.reach.device} does not let us in with {shown}: {words}", where=self.reach.address, remedy=remedy
        )

    def _no_shell(self, said: Said) -> HarnessError:
        """The connection stood and was closed in order, without our answer."""
        words = said.words or said.out[-200:].decode("utf-8", "replace").strip() or f"exit status {said.status}"
        return ConfigError(
            f"{self.reach.device} runs no commands of ours: {words}", where=self.reach.address,
            remedy="the user there needs a login shell, and sh, setsid and printf on its PATH",
        )  # fmt: skip


def _client(reach: Reach, identity: Path | None) -> Sequence[str]:
    """The whole command, up to what is to be run there."""
    address = address_of(reach)
    names = " ".join(_word(file.absolute()) for file in files(reach)) or "/dev/null"
    settings = [*OPTIONS, f"UserKnownHostsFile={names}"]
    if identity:
        settings += ["IdentitiesOnly=yes", f"IdentityFile={_word(identity.absolute())}"]
    options = [word for setting in settings for word in ("-o", setting)]
    user = ["-l", address.user] if address.user else []
    return ["ssh", "-F", "none", "-T", "-a", "-x", *options, "-p", str(address.port), *user, "--", address.host]


def _identity(reach: Reach) -> Path | None:
    """The private key of the profile; ConfigError where it is not there: ssh would go on without it."""
    named = str(reach.options.get("identity_file") or "")
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_file():
        raise ConfigError(f"no private key {named}", where=f"{reach.device}, [board] identity_file")
    return path


def _word(path: Path) -> str:
    """A path as ssh's settings take it: they have quotes, escapes, and signs that stand for something else."""
    text = str(path)
    if "${" in text or not text.isprintable():
        raise ConfigError("ssh takes no such path", where=text, remedy="move the file to a plainer one")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
