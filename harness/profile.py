"""DeviceProfile: what a device is, which engines it has and what it promises; read from devices/NAME.toml."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, create_model, model_validator

from harness.config import Schema, check, merged, read_toml
from harness.errors import ConfigError, unknown
from harness.runtimes import runtime_class

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ADDRESS = r"^([A-Za-z0-9_\[][A-Za-z0-9_.@:%\[\]-]*)?$"
Positive = Annotated[float, Field(gt=0)]
Limit = Annotated[float, Field(ge=0)]


class Facts(Schema):
    """What the data sheet says; each with its source in a comment of the profile."""

    memory_mib: Positive | None = None
    memory_bandwidth_gb_s: Positive | None = None
    int8_tops: Positive | None = None


class DeviceProfile(Schema):
    """One device. `runtimes` maps an entry's name to `engine` and that engine's options.

    budgets: metric -> limit, each a gate; advice: the same, printed but never red. `embedded`
    promises the embedded budgets (P99 < 30 ms, 30 fps) as gates. tolerances: metric -> per cent that it may be
    worse than the accepted baseline, over the general ones. `deadline_s` of one worker replaces
    the plan's, for a device that is slower than most.
    """

    name: str = ""
    description: str = ""
    soc: str = ""
    simulated: bool = False
    embedded: bool = False
    transport: Literal["local"] = "local"
    address: Annotated[str, Field(pattern=ADDRESS)] = ""
    python: str = ""
    cpu_cores: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()
    memory_limit_mib: Annotated[int, Field(ge=0, le=2**30)] = 0
    deadline_s: Positive | None = None
    facts: Facts = Facts()
    runtimes: Mapping[str, Mapping[str, Any]]
    budgets: Mapping[str, Limit] = {}
    advice: Mapping[str, Limit] = {}
    tolerances: Mapping[str, Positive] = {}

    @model_validator(mode="after")
    def _names_are_plain(self) -> DeviceProfile:
        strange = [one for one in self.runtimes if not NAME.fullmatch(one)]
        if strange:
            raise ValueError(f"runtimes has names that cannot stand in a path: {strange}; use letters, digits, . _ -")
        if not self.runtimes:
            raise ValueError("runtimes is empty: a device without an engine measures nothing")
        return self

    def engine(self, runtime: str) -> str:
        """The engine of a runtime entry; the entry's own name where it names none."""
        return str(self.runtimes[runtime].get("engine", runtime))

    def engine_options(self, runtime: str) -> dict[str, Any]:
        """The engine's options of a runtime entry."""
        return {key: value for key, value in self.runtimes[runtime].items() if key != "engine"}


def read_profile(name: str, folder: Path, address: str = "") -> DeviceProfile:
    """The profile devices/NAME.toml with NAME.local.toml merged over it and `address` over both.

    ConfigError for an unknown device, key, type, value or engine.
    """
    path = folder / f"{name}.toml"
    if not NAME.fullmatch(name) or name.endswith(".local") or not path.is_file():
        known = sorted(one.stem for one in folder.glob("*.toml") if not one.name.endswith(".local.toml"))
        remedy = "" if known else "run it in the repository, where devices/ lies"
        raise ConfigError(unknown("device", name, known), where=str(folder), remedy=remedy)
    tables = read_toml(path)
    local = folder / f"{name}.local.toml"
    if local.is_file():
        tables = merged(tables, read_toml(local))
        path = Path(f"{path} + {local.name}")
    if address:
        tables["address"] = address
    return _checked(name, tables, path)


def _checked(name: str, tables: dict[str, Any], path: Path) -> DeviceProfile:
    if tables.get("name", name) != name:
        raise ConfigError(
            f"name = {tables['name']!r}: the file name is the device's name", where=str(path), remedy="leave `name` out"
        )
    profile = check(DeviceProfile, {**tables, "name": name}, path)
    if profile.address and profile.transport == "local":
        raise ConfigError(
            f"address = {profile.address!r}, but the transport is local: this machine would be measured instead",
            where=str(path),
            remedy="leave the address out; transports to other machines do not exist yet",
        )
    for entry in profile.runtimes:
        _check_engine(profile, entry, f"{path}, runtimes.{entry}")
    return profile


def _check_engine(profile: DeviceProfile, entry: str, where: str) -> None:
    """The engine's own keyword arguments are the schema of its options."""
    try:
        maker = runtime_class(profile.engine(entry))
    except ConfigError as error:
        raise error.placed(where) from None
    hints = get_type_hints(maker.__init__)
    parameters = list(inspect.signature(maker).parameters.values())[1:]
    fields: Any = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    schema = create_model(f"{entry}_options", __base__=Schema, **fields)
    check(schema, profile.engine_options(entry), Path(where))
    threads = profile.engine_options(entry).get("threads", 1)
    if threads < 1:
        raise ConfigError(f"threads = {threads}: at least 1", where=where)
