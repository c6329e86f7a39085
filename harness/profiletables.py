"""The tables of a device profile: facts, identity, needs, power and conditions, as schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.config import Schema

Positive = Annotated[float, Field(gt=0)]
Limit = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
HexId = Annotated[str, Field(pattern="^[0-9a-f]{4}(:[0-9a-f]{4})?$")]
Absolute = Annotated[str, Field(pattern="^/")]
Plain = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
OrPlain = Annotated[str, Field(pattern="^([A-Za-z0-9][A-Za-z0-9._-]*)?$")]
Below = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$")]
OrBelow = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")]
Command = Annotated[tuple[Text, ...], Field(min_length=1)]


class Facts(Schema):
    """What the data sheet says, each with its source in a comment of the profile: the peaks of a roofline.

    All dense: a sparse figure counts operations with zeros that are never done. int8_tops, fp16_tflops, fp32_tflops:
    of the GPU or NPU that the profile's engines use; dla_int8_tops: of all its DLAs together.
    """

    memory_mib: Positive | None = None
    memory_bandwidth_gb_s: Positive | None = None
    int8_tops: Positive | None = None
    fp16_tflops: Positive | None = None
    fp32_tflops: Positive | None = None
    dla_int8_tops: Positive | None = None


class Identity(Schema):
    """What the machine itself must say; any of a list. All that is asked must hold, but of pci and usb only one.

    device_tree_compatible: whole entries of /proc/device-tree/compatible, or what stands in one between "," and "+".
    device_tree_model: a part of that text. soc_id: machine, family or soc_id of /sys/devices/soc0. cpu_vendor and
    machine: of /proc/cpuinfo and uname. pci, usb: vendor:device of an accelerator, or its vendor alone.
    memory_mib: for boards that differ in nothing else; 75 to 110 % of it, as firmware keeps a part for itself.
    not_compatible: beginnings of such words of /proc/device-tree/compatible that are other boards'.
    """

    device_tree_compatible: tuple[Text, ...] = ()
    device_tree_model: tuple[Text, ...] = ()
    soc_id: tuple[Text, ...] = ()
    cpu_vendor: tuple[Text, ...] = ()
    machine: tuple[Text, ...] = ()
    pci: tuple[HexId, ...] = ()
    usb: tuple[HexId, ...] = ()
    memory_mib: Positive | None = None
    not_compatible: tuple[Text, ...] = ()


class Things(Schema):
    """Name -> how to get it. " or " between alternatives.

    files: device nodes, as patterns. libraries: as the loader finds them. commands: on PATH. modules: of `python`.
    """

    files: Mapping[Absolute, Text] = {}
    libraries: Mapping[Text, Text] = {}
    commands: Mapping[Text, Text] = {}
    modules: Mapping[Text, Text] = {}


class Needs(Things):
    """What must be there before anything is measured. runtimes: entry -> what is needed only where that one is used."""

    runtimes: Mapping[Text, Things] = {}


class Board(Schema):
    """How a device that is not this machine is worked with; what is empty is the transport's own.

    folder: where code, files and runs lie there; lock: who measures there, and the lease that keeps it for `lease_s`
    between two jobs. min_free_mib: room there before anything begins. lost_s: how long it may be out of reach while it
    measures; boot_s: how long it takes to start. identity_file, port: of ssh. power_cycle, or power_off and power_on:
    commands that run on this machine; place_power: labgrid's own driver does it. place, or tags: what labgrid reserves,
    asked at `coordinator`, for `wait_s` at most; environment: its file with the power driver.
    """

    folder: OrBelow = ""
    lock: Below = "/tmp/dms-harness.lock"
    min_free_mib: Limit = 64.0
    lease_s: Positive = 60.0
    lost_s: Positive = 120.0
    boot_s: Positive = 180.0
    identity_file: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    power_cycle: Command | None = None
    power_off: Command | None = None
    power_on: Command | None = None
    place_power: bool = False
    place: OrPlain = ""
    tags: Mapping[Plain, Plain] = {}
    coordinator: Annotated[str, Field(pattern=r"^([A-Za-z0-9\[][A-Za-z0-9_.:%\[\]-]*)?$")] = ""
    wait_s: Positive | None = None
    environment: str = ""
    state: Literal["active", "maintenance", "bad"] = "active"

    @model_validator(mode="after")
    def _switches_are_whole(self) -> Board:
        if (self.power_off is None) != (self.power_on is None):
            raise ValueError("power_off and power_on belong together: what is switched off must come back")
        if sum(map(bool, (self.power_cycle, self.power_off, self.place_power))) > 1:
            raise ValueError("power_cycle, or power_off and power_on, or place_power: one of them")
        return self


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
