"""`harness board`: boards that are reached over a wire: their health, their keys, and what is left on them."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.board.asking import ASK_S, Link, understood, whoami
from harness.board.attempts import attempt
from harness.board.health import now, read_health, write_health
from harness.board.link import STATE, Links, current_links, links, reach
from harness.devicelist import whereabouts
from harness.errors import BusyError, ConfigError, printable
from harness.profile import DeviceProfile, profile_names, read_profile
from harness.signals import ended_by_signals
from harness.transports import Reach
from harness.transports.labgrid import Labgrid

DEVICES = Path("devices")
MIB = 2**20
CHECK_SECONDS = 1.0


def add_board_command(commands: Any) -> None:
    """Add `board` with its commands to the parser's sub-commands."""
    board = commands.add_parser("board", help="boards over a wire: check one, trust its key, release it, list them")
    own = board.add_subparsers(required=True, metavar="COMMAND")
    _add(own, "check", _check, "run a health check on the board; one that passes clears the mark of a bad board")
    trust = _add(own, "trust", _trust, "look at the board's ssh host key and take it up in devices/known_hosts.local")
    trust.add_argument("--fingerprint", default="", metavar="SHA256:...", help="the only key to be taken up")
    release = _add(own, "release", _release, "void the lease that a session of yours left on the board")
    release.add_argument("--force", action="store_true", help="also somebody else's; never one who measures right now")
    release.add_argument("--prune", action="store_true", help="remove the files, code and runs of the harness there")
    own.add_parser("list", help="list them: where they are, and how they fared").set_defaults(command=_list)


def _add(commands: Any, name: str, command: Any, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what)
    parser.add_argument("device", help="device profile")
    parser.add_argument("--address", default="", help="where the board is, over the profile's value")
    parser.set_defaults(command=command)
    return parser


def check_board(profile: DeviceProfile, folder: Path = DEVICES) -> list[str]:
    """Look at the board and run a worker on it that asks its engines and sensors; the lines that it tells.

    Raises what is wrong; otherwise the board is no longer marked bad. A bad one needs Links that are `checking`.
    """
    from harness.doctor import diagnose
    from harness.identity import require_board

    with current_links() as own:
        require_board(profile, folder)
        found = diagnose(profile, CHECK_SECONDS)
        if not found.able:
            raise ConfigError(f"no engine of {profile.name} can be used", where=profile.file, remedy=found.lines[-1])
        write_health(own.state, profile.name, read_health(own.state, profile.name).passed(now()))
    return list(found.lines)


def _check(parsed: argparse.Namespace) -> str:
    profile = _profile(parsed)
    before = read_health(STATE, profile.name)
    with links(Links(checking=True)):
        lines = check_board(profile)
    cleared = f", no longer marked bad (since {before.bad_since})" if before.bad_since else ""
    return "\n".join([*lines, f"{profile.name}: the health check passed{cleared}"])


def _trust(parsed: argparse.Namespace) -> str:
    from harness.transports.knownhosts import local_file, scan, trust

    profile = _profile(parsed)
    with _ssh_reach(profile) as way:
        key = scan(way)[0]
    if parsed.fingerprint and parsed.fingerprint != key.fingerprint:
        raise ConfigError(f"{way.address} shows {key.fingerprint}, not {parsed.fingerprint}", where=profile.file)
    added = trust(way, key)
    return f"{key.host}: {key.kind} {key.fingerprint}\n" + (
        f"added to {local_file(way)}; compare it with `ssh-keygen -l` on the board" if added else "known already"
    )


@contextlib.contextmanager
def _ssh_reach(profile: DeviceProfile) -> Iterator[Reach]:
    """How ssh gets to the board; the place of a lab is held meanwhile."""
    way = reach(profile, DEVICES)
    if profile.transport == "labgrid" and not profile.address:
        with ended_by_signals(), Labgrid(way) as held:
            yield held.ssh_reach
    elif profile.transport in ("ssh", "labgrid") and profile.address:
        yield way
    else:
        remedy = "name the address with --address" if profile.transport == "ssh" else ""
        raise ConfigError(f"{profile.name} shows no ssh host key at a known address", where=profile.file, remedy=remedy)


def _release(parsed: argparse.Namespace) -> str:
    profile = _profile(parsed)
    with links(Links(checking=True)):
        return attempt(profile, lambda link: _released(link, parsed.force, parsed.prune), lambda sentence: None)


def _released(link: Link, force: bool, prune: bool) -> str:
    asked = {"base": link.greet().base, "lock": link.profile.board.lock}
    found = link.ask("lock", asked)
    held, lease = bool(found.get("held")), _lease(str(found.get("lease")))
    who, since = str(lease.get("who", "somebody")), str(lease.get("since", "?"))
    if held or (lease and who != whoami() and not force):
        remedy = "wait, or ask them" if held else "wait until it is void, ask them, or give --force"
        raise BusyError(f"board {link.profile.name}: busy: {who}, since {since}", remedy=remedy)
    link.ask("lock", {**asked, "free": True})
    lines = [f"{link.profile.name}: the lease of {printable(who)} is void" if lease else f"{link.profile.name} is free"]
    if prune:
        with understood(link.profile.name):
            free_bytes = int(link.ask("prune", asked, 4 * ASK_S)["free_bytes"])
        lines.append(f"{link.base} is empty; {free_bytes / MIB:.0f} MiB are free there")
    return "\n".join(lines)


def _lease(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):  # everybody may write into that file
        return {}


def _list(parsed: argparse.Namespace) -> str:
    del parsed
    profiles = [read_profile(name, DEVICES, options=False) for name in profile_names(DEVICES)]
    lines = [line for one in profiles if one.remote for line in _lines(one)]
    return "\n".join(lines) or 'no profile names a board over a wire (transport = "ssh", "adb" or "labgrid")'


def _lines(profile: DeviceProfile) -> Iterator[str]:
    with current_links() as own:
        health = read_health(own.state, profile.name)
    state = "bad" if health.bad_since else profile.board.state
    yield f"{profile.name:<14}{state:<12}  {printable(whereabouts(profile))}"
    spoiled = f"{health.failed} of {health.attempts} tries were spoiled by the lab"
    yield f"{'':<14}{spoiled}; last health check: {health.checked or 'never'}"
    if health.failures:
        yield f"{'':<14}since {health.bad_since or 'a while'}: {printable(health.failures[-1])}"


def _profile(parsed: argparse.Namespace) -> DeviceProfile:
    profile = read_profile(parsed.device, DEVICES, parsed.address)
    if not profile.remote:
        raise ConfigError(
            f"{profile.name} is this machine, and no board over a wire", where=profile.file, remedy="harness doctor"
        )
    return profile
