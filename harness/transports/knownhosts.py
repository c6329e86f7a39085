"""Host keys that somebody has looked at: `known_hosts`, reviewed and in git, and `known_hosts.local` beside it.

Lines are never hashed: a reviewer reads which host has which key.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, HostKeyError, UnreachableError, printable
from harness.transports import Reach
from harness.transports.address import address_of
from harness.transports.talking import talk

SCAN_DEADLINE_S = 8.0
# As OpenSSH prefers them; what else a server offers is left alone.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, kw_only=True)
class HostKey:
    """One key of a host. host: as files of known hosts name it. blob: the key, in base64."""

    host: str
    kind: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` on the board prints it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    @property
    def line(self) -> str:
        """As it stands in a file of known hosts."""
        return f"{self.host} {self.kind} {self.blob}"


def local_file(reach: Reach) -> Path:
    """The file that `trust` writes to; ConfigError where the device has none."""
    if reach.known_hosts is None:
        raise ConfigError(f"no file of known hosts for {reach.device}")
    return reach.known_hosts.with_name(f"{reach.known_hosts.name}.local")


def files(reach: Reach) -> tuple[Path, ...]:
    """All files that ssh looks into; they need not exist."""
    return () if reach.known_hosts is None else (reach.known_hosts, local_file(reach))


def known(reach: Reach) -> tuple[HostKey, ...]:
    """The keys that the files give for the device's address."""
    host = address_of(reach).known_as
    lines = [line for file in files(reach) for line in _text(file).splitlines()]
    return tuple(key for key in _keys(lines) if key.host == host)


def scan(reach: Reach) -> tuple[HostKey, ...]:
    """The keys that the device shows right now, best kind first; nothing says yet that they are the right ones."""
    address = address_of(reach)
    # ssh-keyscan knows no `--`; an address begins with no `-`.
    command = ["ssh-keyscan", "-T", "4", "-p", str(address.port), address.host]
    said = talk(command, deadline_s=SCAN_DEADLINE_S)
    shown = _keys(said.out.decode("ascii", "replace").splitlines())
    found = {key.kind: HostKey(host=address.known_as, kind=key.kind, blob=key.blob) for key in shown}
    if not found:
        words = said.words or "it shows no host key"
        raise UnreachableError(f"{reach.device} is out of reach: {words}", where=reach.address)
    return tuple(found[kind] for kind in KINDS if kind in found)


def trust(reach: Reach, key: HostKey) -> bool:
    """Add `key` to the .local file, unless it is known already (False); HostKeyError where another one is.

    In one write, under a lock: two at once add one line, and a kill leaves none or a whole one.
    """
    file = local_file(reach)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(file)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not _is_new(reach, key):
            return False
        apart = "" if _text(file)[-1:] in ("", "\n") else "\n"
        os.write(descriptor, f"{apart}{key.line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def changed(reach: Reach, words: str = "") -> HostKeyError:
    """The error for a host with another key than the known one."""
    places = " or ".join(file.name for file in files(reach) if file.exists())
    return HostKeyError(
        f"{reach.device} shows another host key than the known one{words}",
        where=reach.address,
        remedy=f"if it was installed anew, remove its line from {places or 'the known hosts'} and run "
        f"harness board trust {reach.device}; if not, somebody else answers at its address",
    )


def _is_new(reach: Reach, key: HostKey) -> bool:
    same_kind = [one for one in known(reach) if one.kind == key.kind]
    if any(one.blob != key.blob for one in same_kind):
        raise changed(reach, f": {key.kind} {key.fingerprint}")
    return not same_kind


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(file)) from error


def _keys(lines: list[str]) -> Iterator[HostKey]:
    """One key per name of a line; comments, markers (@revoked), hashed names and what is no key are left out."""
    for line in lines:
        words = line.split()
        if len(words) >= 3 and words[0][0] not in "#@|" and words[1] in KINDS and _is_key(words[2]):
            for host in words[0].split(","):
                yield HostKey(host=printable(host), kind=words[1], blob=words[2])


def _is_key(blob: str) -> bool:
    try:
        return len(base64.b64decode(blob, validate=True)) > 16
    except binascii.Error:
        return False
