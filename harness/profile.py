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
from harness.probes import probe_class
from harness.runtimes import runtime_class

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ADDRESS = r"^([A-Za-z0-9_\[][A-Za-z0-9_.@:%\[\]-]*)?$"
Positive = Annotated[float, Field(gt=0)]
Limit = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
RateHz = Annotated[float, Field(gt=0, le=1000)]


class Facts(Schema):
    """What the data sheet says; each with its source in a comment of the profile."""

    memory_mib: Positive | None = None
    memory_bandwidth_gb_s: Positive | None = None
    int8_tops: Positive | None = None


class Power(Schema):
    """How the power of this device is told. rule: its name in results; rails: channels of `probe` that add up.

    scope: what they cover ("module", "board input", "CPU package"); gain_percent: error of the sensor; beside: more
    sensors as "probe/channel". Frames run for `window_s` at least, between two idle times of `idle_s`.
    """

    rule: Text
    probe: Text
    rails: Annotated[tuple[Text, ...], Field(min_length=1)]
    scope: Text
    gain_percent: Limit = 0.0
    beside: tuple[str, ...] = ()
    window_s: Annotated[float, Field(ge=10)] = 10.0
    idle_s: Annotated[float, Field(ge=1)] = 5.0

    @model_validator(mode="after")
    def _rails_are_different(self) -> Power:
        if len(set(self.rails)) < len(self.rails):
            raise ValueError(f"rails = {list(self.rails)}: each rail once, or its power counts twice")
        return self


class Conditions(Schema):
    """What must hold before, during and after the frames; what was not so makes the numbers INVALID.

    Empty or absent: not asked. power_mode: nvpmodel's name of it. max_start_c, max_c: hottest place before and at any
    time. max_background_percent: of the cores, by others. max_oc3_per_s: this board's own rate of OC3 events. Without
    min_free_disk_mib nothing is even begun.
    """

    power_mode: str = ""
    clocks_pinned: bool = False
    governor: str = ""
    online_cores: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()
    max_start_c: float | None = None
    max_c: float | None = None
    max_background_percent: Limit | None = None
    max_swap_mib: Limit | None = None
    max_oc3_per_s: Positive | None = None
    min_free_disk_mib: Limit = 64.0


class DeviceProfile(Schema):
    """One device. `runtimes` maps an entry's name to `engine` and that engine's options.

    budgets: metric -> limit, each a gate; advice: the same, printed but never red. `embedded`
    promises the embedded budgets (P99 < 30 ms, 30 fps) as gates. tolerances: metric -> per cent that it may be
    worse than the accepted baseline, over the general ones. `deadline_s` of one worker replaces
    the plan's, for a device that is slower than most. probes: entry -> `kind`, `rate_hz` and options of a sensor that
    is sampled meanwhile.
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
    probes: Mapping[str, Mapping[str, Any]] = {}
    power: Power | None = None
    conditions: Conditions = Conditions()
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
    for entry in profile.probes:
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
