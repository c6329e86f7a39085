"""`harness devices`: the device profiles, their runtimes and power modes, and which of them this machine is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import presence
from harness.errors import ConfigError, printable
from harness.identity import Said, differences
from harness.profile import DeviceProfile, profile_names, read_profile
from harness.profiletables import Identity


def add_devices_command(commands: Any) -> None:
    """Add the command to the parser's sub-commands."""
    devices = commands.add_parser("devices", help="list the device profiles, their runtimes and power modes")
    devices.add_argument("--folder", type=Path, default=Path("devices"), help="(default: %(default)s)")
    devices.set_defaults(command=_devices)


def _devices(parsed: argparse.Namespace) -> str:
    names = profile_names(parsed.folder)
    if not names:
        raise ConfigError("there are no device profiles", where=str(parsed.folder), remedy="write devices/NAME.toml")
    said = presence.identity()
    return "\n".join(line for name in names for line in _lines(read_profile(name, parsed.folder), said))


def _lines(profile: DeviceProfile, said: Said) -> Iterator[str]:
    yield f"{profile.name:<14}{_here(profile, said):<12}  {printable(profile.description)}".rstrip()
    if profile.remote:
        yield f"{'':<14}reached       {printable(whereabouts(profile))}"
    yield f"{'':<14}runtimes      {', '.join(profile.runtimes)}"
    if profile.modes:
        yield f"{'':<14}modes         {', '.join(f'{profile.name}:{mode}' for mode in profile.modes)}"


def _here(profile: DeviceProfile, said: Said) -> str:
    """By [identity] alone; what an engine lacks is told when it is asked for."""
    if profile.remote:
        return profile.board.state if profile.board.state != "active" else "over a wire"
    if profile.simulated:
        return "simulated"
    if profile.identity == Identity():
        return "any machine"
    return "not here" if any(differences(profile.identity, said)) else "this machine"


def whereabouts(profile: DeviceProfile) -> str:
    """The transport, and where it leads."""
    tags = ", ".join(f"{name}={value}" for name, value in profile.board.tags.items())
    return " ".join(filter(None, [profile.transport, profile.address, profile.board.place, tags]))
