"""Which boards a fleet command means: device profiles by name, or as many as wanted by the tag of their places."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, HarnessError, unknown
from harness.profile import DeviceProfile, profile_names, read_profile

MOST = 200
_LABEL = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, kw_only=True)
class Board:
    """One pytest process. label: its name in paths and lines, of its own; device: the profile, with its power mode."""

    label: str
    device: str
    remote: bool = False


def boards_of(text: str, devices: Path) -> list[Board]:
    """The boards of --devices: names with commas, or tag=VALUE and count=N; ConfigError for what cannot be one.

    A tag is one of the [board] tags of a labgrid profile, VALUE or NAME:VALUE. labgrid gives each process a place.
    """
    words = [one.strip() for one in text.split(",") if one.strip()]
    tagged = [one for one in words if "=" in one]
    if not words:
        raise ConfigError(
            "no device is named", where="--devices", remedy="write names with commas, or tag=orin,count=2"
        )
    if not tagged:
        return _labelled([read_profile(one, devices, options=False) for one in words])
    if len(tagged) < len(words):
        raise ConfigError(f"{text!r} mixes names and tags", where="--devices", remedy="write either of them")
    keys = dict(one.split("=", 1) for one in tagged)
    if strange := sorted(keys.keys() - {"tag", "count"}):
        raise ConfigError(unknown("word", strange[0], ("tag", "count")), where="--devices")
    return _labelled([_tagged(keys.get("tag", ""), devices)] * _count(keys.get("count", "1")))


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MOST:
        raise ConfigError(f"count={text}: a number from 1 to {MOST}", where="--devices")
    return int(text)


def _tagged(tag: str, devices: Path) -> DeviceProfile:
    """The one labgrid profile with this tag."""
    found: list[DeviceProfile] = []
    known: set[str] = set()
    for profile in _labgrid_profiles(devices):
        tags = {f"{name}:{value}" for name, value in profile.board.tags.items()}
        known |= tags
        if tag in tags or tag in profile.board.tags.values():
            found.append(profile)
    if len(found) == 1:
        return found[0]
    if not found:
        remedy = 'a profile has them as [board] tags, with transport = "labgrid"'
        raise ConfigError(unknown("tag", tag, known), where="--devices", remedy=remedy)
    names = ", ".join(one.name for one in found)
    raise ConfigError(f"several profiles have the tag {tag!r}: {names}", where="--devices", remedy="name one of them")


def _labgrid_profiles(devices: Path) -> list[DeviceProfile]:
    found = []
    for name in profile_names(devices):
        try:
            profile = read_profile(name, devices, options=False)
        except HarnessError:
            continue  # a wrong profile of another board costs only whoever asks for that
        if profile.transport == "labgrid":
            found.append(profile)
    return found


def _labelled(profiles: list[DeviceProfile]) -> list[Board]:
    """NAME, or NAME-1, NAME-2 where it is wanted several times; a board of its own cannot run twice at once."""
    counts, seen = Counter(one.name for one in profiles), Counter[str]()
    found = []
    for one in profiles:
        seen[one.name] += 1
        if counts[one.name] > 1 and not one.board.tags:
            raise ConfigError(f"{one.name} is named {counts[one.name]} times and is one board", where="--devices")
        label = one.name if counts[one.name] == 1 else f"{one.name}-{seen[one.name]}"
        found.append(Board(label=_LABEL.sub("-", label), device=one.name, remote=one.transport != "local"))
    return found
