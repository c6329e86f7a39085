"""DeviceProfile: what a device is, which engines it has and what it promises; read from devices/NAME.toml."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, create_model, model_validator

from harness.config import Schema, check, merged, read_toml
from harness.errors import ConfigError, unknown
from harness.probes import probe_class
from harness.profiletables import Board as Board
from harness.profiletables import Conditions as Conditions
from harness.profiletables import Facts as Facts
from harness.profiletables import Identity, Needs, Positive
from harness.profiletables import Limit as Limit
from harness.profiletables import Power as Power
from harness.runtimes import runtime_class

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
AT = "@"  # between device and power mode; ":" would end a path on some systems
ADDRESS = r"^([A-Za-z0-9_\[][A-Za-z0-9_.@:%\[\]-]*)?$"
LOCAL = "local"
REMOTE_PYTHON = "python3"
RateHz = Annotated[float, Field(gt=0, le=1000)]


class DeviceProfile(Schema):
    """One device. `runtimes` maps an entry's name to `engine` and that engine's options.

    budgets: metric -> limit, each a gate; advice: the same, printed but never red. `embedded`
    promises the embedded budgets (P99 < 30 ms, 30 fps) as gates. tolerances: metric -> per cent that it may be
    worse than the accepted baseline, over the general ones. Without `judges_speed` no time is ever judged, as a
    simulator's must not be. `deadline_s` of one worker replaces the plan's, for a device that is slower than most.
    probes: entry -> `kind`, `rate_hz` and options of a sensor that is sampled meanwhile.
    modes: power mode -> tables that are laid over the profile where NAME:MODE is asked for.
    transport, address, board: how a device that is not this machine is reached, and worked with.
    """

    name: str = ""
    description: str = ""
    soc: str = ""
    simulated: bool = False
    embedded: bool = False
    judges_speed: bool = True
    transport: Literal["local", "ssh", "adb", "labgrid"] = "local"
    address: Annotated[str, Field(pattern=ADDRESS)] = ""
    python: str = ""
    cpu_cores: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()
    memory_limit_mib: Annotated[int, Field(ge=0, le=2**30)] = 0
    deadline_s: Positive | None = None
    facts: Facts = Facts()
    identity: Identity = Identity()
    needs: Needs = Needs()
    modes: Mapping[str, Mapping[str, Any]] = {}
    runtimes: Mapping[str, Mapping[str, Any]]
    probes: Mapping[str, Mapping[str, Any]] = {}
    power: Power | None = None
    conditions: Conditions = Conditions()
    board: Board = Board()
    budgets: Mapping[str, Limit] = {}
    advice: Mapping[str, Limit] = {}
    tolerances: Mapping[str, Positive] = {}

    @model_validator(mode="after")
    def _names_are_plain(self) -> DeviceProfile:
        for table, names in (("runtimes", self.runtimes), ("modes", self.modes)):
            strange = [one for one in names if not NAME.fullmatch(one)]
            if strange:
                raise ValueError(
                    f"{table} has names that cannot stand in a path: {strange}; use letters, digits, . _ -"
                )
        strange = [one for one in self.needs.runtimes if one not in self.runtimes]
        if strange:
            raise ValueError(f"needs.runtimes has names that are no entries of runtimes: {strange}")
        if not self.runtimes:
            raise ValueError("runtimes is empty: a device without an engine measures nothing")
        return self

    @property
    def file(self) -> str:
        """Where its values stand, for errors: a power mode has no file of its own."""
        return f"devices/{self.name.partition(AT)[0]}.toml"

    @property
    def remote(self) -> bool:
        """Whether it is another machine than this one."""
        return self.transport != LOCAL

    @property
    def board_python(self) -> str:
        """The interpreter of a worker on another machine."""
        return self.python or REMOTE_PYTHON

    def require_here(self, what: str) -> None:
        """ConfigError where the device is another machine: `what` measures on this one alone."""
        if self.remote:
            raise ConfigError(
                f"{what} works on this machine only, and {self.name} is reached over {self.transport}", where=self.file,
                remedy='run it on the board itself, with transport = "local" in a profile of its own',
            )  # fmt: skip

    def engine(self, runtime: str) -> str:
        """The engine of a runtime entry; the entry's own name where it names none."""
        return str(self.runtimes[runtime].get("engine", runtime))

    def engine_options(self, runtime: str) -> dict[str, Any]:
        """The engine's options of a runtime entry."""
        return {key: value for key, value in self.runtimes[runtime].items() if key != "engine"}


def read_profile(name: str, folder: Path, address: str = "", *, options: bool = True) -> DeviceProfile:
    """The profile devices/NAME.toml with NAME.local.toml merged over it and `address` over both.

    options: engines and sensors are asked whether they know theirs; False, for who reads facts only, takes a fifth.

    NAME:MODE, also written NAME@MODE, lays that power mode's tables over them; the profile is then called NAME@MODE.
    ConfigError for an unknown device, mode, key, type, value or engine.
    """
    base, mark, mode = name.replace(":", AT, 1).partition(AT)
    if not NAME.fullmatch(base) or base.endswith(".local") or not (folder / f"{base}.toml").is_file():
        remedy = "" if profile_names(folder) else "run it in the repository, where devices/ lies"
        raise ConfigError(unknown("device", name, profile_names(folder)), where=str(folder), remedy=remedy)
    tables, path = _tables(base, folder)
    if tables.get("name", base) != base:
        raise ConfigError(
            f"name = {tables['name']!r}: the file name is the device's name", where=str(path), remedy="leave `name` out"
        )
    if address:
        tables["address"] = address
    if mark:
        _in_mode(tables, mode, path)
    whole = _checked({**tables, "name": base}, path, options)
    # All modes: a typing error in one is not first seen on the day that it is asked for.
    modes = {one: _mode_checked(tables, base, one, path, options) for one in whole.modes}
    return modes[mode] if mark else whole


def read_identities(folder: Path) -> dict[str, Identity]:
    """Name -> [identity] of every profile in `folder`, and nothing else of them read; wrong ones are left out."""
    found = {}
    for name in profile_names(folder):
        with contextlib.suppress(ConfigError):
            tables, path = _tables(name, folder)
            found[name] = check(Identity, tables.get("identity", {}), path)
    return found


def profile_names(folder: Path) -> list[str]:
    """The names of the profiles in `folder`."""
    return sorted(one.stem for one in folder.glob("*.toml") if not one.name.endswith(".local.toml"))


def _tables(name: str, folder: Path) -> tuple[dict[str, Any], Path]:
    path, local = folder / f"{name}.toml", folder / f"{name}.local.toml"
    if not local.is_file():
        return read_toml(path), path
    return merged(read_toml(path), read_toml(local)), Path(f"{path} + {local.name}")


def _in_mode(tables: dict[str, Any], mode: str, path: Path) -> dict[str, Any]:
    modes = tables.get("modes", {})
    if not isinstance(modes, Mapping) or not isinstance(modes.get(mode), Mapping):
        known = modes if isinstance(modes, Mapping) else ()
        raise ConfigError(unknown("power mode", mode, known), where=f"{path}, modes")
    return merged(tables, modes[mode])


def _mode_checked(tables: dict[str, Any], base: str, mode: str, path: Path, options: bool) -> DeviceProfile:
    own = tables["modes"][mode].get("conditions", {})
    if not isinstance(own, Mapping) or not own.get("power_mode"):
        raise ConfigError(
            f"the power mode {mode!r} does not say what the device calls it", where=f"{path}, modes.{mode}",
            remedy=f'write [modes.{mode}.conditions] with power_mode = "...", nvpmodel\'s name of it',
        )  # fmt: skip
    return _checked({**_in_mode(tables, mode, path), "name": base + AT + mode}, Path(f"{path}, modes.{mode}"), options)


def _checked(tables: dict[str, Any], path: Path, options: bool) -> DeviceProfile:
    profile = check(DeviceProfile, tables, path)
    _check_reach(profile, str(path))
    for entry in profile.runtimes if options else ():
        _check_engine(profile, entry, f"{path}, runtimes.{entry}")
    for entry in profile.probes if options else ():
        _check_probe(profile, entry, f"{path}, probes.{entry}")
    if profile.power and profile.power.probe not in profile.probes:
        raise ConfigError(unknown("probe", profile.power.probe, profile.probes), where=f"{path}, power.probe")
    for one in profile.power.beside if profile.power else ():
        entry, slash, channel = one.partition("/")
        if entry not in profile.probes or not slash or not channel:
            raise ConfigError(
                f"{one!r} is no channel of a probe", where=f"{path}, power.beside",
                remedy=f"write probe/channel, with a probe of {sorted(profile.probes)}",
            )  # fmt: skip
    return profile


def _check_reach(profile: DeviceProfile, where: str) -> None:
    """That the address, or labgrid's place or tags, are there for the transports that need them, and only there."""
    asked = profile.board
    if profile.address and not profile.remote:
        raise ConfigError(
            f"address = {profile.address!r}, but the transport is local: this machine would be measured instead",
            where=where, remedy='leave the address out, or write transport = "ssh" or "adb"',
        )  # fmt: skip
    if profile.transport in ("ssh", "adb") and not profile.address:
        how = "[USER@]HOST" if profile.transport == "ssh" else "the serial number that `adb devices` tells"
        raise ConfigError(
            f"transport = {profile.transport!r} needs an address", where=where,
            remedy=f'write address = "...", {how}, in the profile or in NAME.local.toml, or give --address',
        )  # fmt: skip
    if (profile.transport == "labgrid") != bool(asked.place or asked.tags) or (asked.place and asked.tags):
        raise ConfigError(
            f"transport = {profile.transport!r} with place = {asked.place!r} and tags = {dict(asked.tags)}",
            where=f"{where}, board", remedy="labgrid, and nothing else, needs a place or tags: one of both",
        )  # fmt: skip
    if asked.place_power and profile.transport != "labgrid":
        raise ConfigError(
            f"place_power = true with transport = {profile.transport!r}: only a place of labgrid has a power driver",
            where=f"{where}, board", remedy="name the switch's own command as power_cycle, or power_off and power_on",
        )  # fmt: skip


def _check_engine(profile: DeviceProfile, entry: str, where: str) -> None:
    try:
        maker = runtime_class(profile.engine(entry))
    except ConfigError as error:
        raise error.placed(where) from None
    options = profile.engine_options(entry)
    _check_options(maker, options, where, skipped=1)
    threads = options.get("threads", 1)
    if threads < 1:
        raise ConfigError(f"threads = {threads}: at least 1", where=where)


def _check_probe(profile: DeviceProfile, entry: str, where: str) -> None:
    options = profile.probes[entry]
    try:
        maker = probe_class(str(options.get("kind", entry)))
    except ConfigError as error:
        raise error.placed(where) from None
    own = {key: value for key, value in options.items() if key != "kind"}
    _check_options(maker, own, where, rate_hz=(RateHz, maker.rate_hz))


def _check_options(maker: Any, options: Mapping[str, Any], where: str, skipped: int = 0, **general: Any) -> None:
    """The keyword arguments of a rib's member are the schema of its options; `general` are those of all members."""
    hints = get_type_hints(maker.__init__)
    parameters = list(inspect.signature(maker).parameters.values())[skipped:]
    fields: Any = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    schema = create_model(f"{maker.__name__}_options", __base__=Schema, **fields, **general)
    check(schema, options, Path(where))
