"""[USER@]HOST[:PORT]: the address of a device, checked before any program sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.transports import Reach

SSH_PORT = 22
# The interface belongs to a link-local address: fe80::1%eth0.
ADDRESS = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.+$-]*)@)?"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]+)?)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]+))?"
)
REMEDY = "write [USER@]HOST[:PORT], an IPv6 address in brackets: root@[fe80::1%eth0]:22"


@dataclass(frozen=True, kw_only=True)
class Address:
    """user: empty for ssh's own choice."""

    user: str
    host: str
    port: int = SSH_PORT

    @property
    def known_as(self) -> str:
        """Its name in files of known hosts (man 8 sshd)."""
        host = self.host.lower()
        return host if self.port == SSH_PORT else f"[{host}]:{self.port}"


def address_of(reach: Reach) -> Address:
    """The address of a device that is reached by ssh; ConfigError for one that cannot be right."""
    where = f"address of {reach.device}"
    found = ADDRESS.fullmatch(reach.address)
    if not found:
        raise ConfigError(f"{reach.address!r} is no address", where=where, remedy=REMEDY)
    port = _port(found["port"], reach.options.get("port"), where)
    return Address(user=found["user"] or "", host=found["ipv6"] or found["host"], port=port)


def _port(written: str | None, option: object, where: str) -> int:
    """The port of the address, or of the profile's option, which must not contradict each other."""
    found = {str(one) for one in (written, option) if one is not None} or {str(SSH_PORT)}
    if len(found) > 1:
        raise ConfigError(f"two ports: {', '.join(sorted(found))}", where=where, remedy="name one of them")
    (port,) = found
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ConfigError(f"{port!r} is no port", where=where, remedy="ports go from 1 to 65535")
    return int(port)
