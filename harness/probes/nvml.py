"""Power, energy, heat, clocks, load and memory of one NVIDIA GPU, by NVML (nvidia-ml-py).

Facts: NVIDIA's NVML API reference. NVML starts on a Jetson Orin too, and then supports nothing there. Never run on
the device.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.telemetry import Channel

# Bits of the clocks event reasons; before driver 535 they were called throttle reasons.
REASONS = {
    0x001: "GPU idle",
    0x002: "applications clocks setting",
    0x004: "software power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "hardware power brake slowdown",
    0x100: "display clock setting",
    0x200: "board limit",
    0x400: "reliability",
}
# Having nothing to do, and clocks that somebody has set, are no throttling.
QUIET = 0x001 | 0x002 | 0x100
# The members of nvmlValue_t in the order of nvmlValueType_t: drivers differ in the type of a field.
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
MOST_MW = 10_000_000
Query = Callable[[Any, Any], Reading]


class Nvml:
    """Channels gpu0.energy, gpu0.power_instant and so on, of the GPU that nvidia-smi lists as number `gpu`.

    gpu0.power_average is a mean over the last second. gpu0.throttle is the mask of clocks event reasons without those
    that are no throttling; `throttle_reasons` names its bits.
    """

    rate_hz = 10.0

    def __init__(self, *, gpu: int = 0) -> None:
        self._gpu = gpu
        self._library = ExitStack()
        self._nvml: Any = None
        self._handle: Any = None
        self._queries: Dict[Channel, Query] = {}
        self._unsupported: Dict[str, str] = {}
        self._millijoules = 0.0

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return tuple(self._queries)

    def __enter__(self) -> Nvml:
        self._nvml, self._handle = self._library.enter_context(_device(self._gpu))
        for channel, query in self._offered().items():
            reading = self._ask(channel, query)
            if isinstance(reading, str):
                self._unsupported[channel.name] = reading
            else:
                self._queries[channel] = query
        if not any(one.unit in ("mJ", "mW") for one in self._queries):
            said = self._unsupported[f"gpu{self._gpu}.power_instant"]
            self.__exit__()
            remedy = "leave the nvml probe out of the profile; on a Jetson take ina3221"
            raise ProbeError(f"NVML starts, but tells neither power nor energy: {said}", where="NVML", remedy=remedy)
        return self

    def __exit__(self, *error: object) -> None:
        self._library.close()

    def read(self) -> Sequence[Sample]:
        return polled([self._ask(channel, query) for channel, query in self._queries.items()])

    def facts(self) -> Dict[str, Any]:
        """unsupported: channel -> why the GPU has none; clocks_event_reasons: all of them, by name."""
        queries: Dict[str, Callable[[Any, Any], Any]] = {
            "name": lambda nvml, gpu: nvml.nvmlDeviceGetName(gpu),
            "driver": lambda nvml, gpu: nvml.nvmlSystemGetDriverVersion(),
            "pci_bus_id": lambda nvml, gpu: nvml.nvmlDeviceGetPciInfo(gpu).busId,
            "power_limit_mw": lambda nvml, gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu),
            "clocks_event_reasons": lambda nvml, gpu: event_reasons(_event_mask(nvml, gpu)),
        }
        found: Dict[str, Any] = {"unsupported": dict(self._unsupported)}
        for name, query in queries.items():
            with suppress(self._nvml.NVMLError, AttributeError):
                found[name] = query(self._nvml, self._handle)
        return found

    def _offered(self) -> Dict[Channel, Query]:
        """Every channel that a GPU may have; power and energy are renewed every 20 to 100 ms."""
        name = f"gpu{self._gpu}"
        return {
            Channel(f"{name}.energy", "mJ", interval_ms=100.0): self._energy,
            Channel(f"{name}.power_instant", "mW", interval_ms=100.0): _field("NVML_FI_DEV_POWER_INSTANT"),
            Channel(f"{name}.power_average", "mW", interval_ms=1000.0): _field("NVML_FI_DEV_POWER_AVERAGE"),
            Channel(f"{name}.temp", "C"): _temperature,
            Channel(f"{name}.sm_clock", "kHz"): _clock("NVML_CLOCK_SM"),
            Channel(f"{name}.mem_clock", "kHz"): _clock("NVML_CLOCK_MEM"),
            Channel(f"{name}.load", "%"): lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
            Channel(f"{name}.memory_controller", "%"): lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).memory,
            Channel(f"{name}.memory_used", "bytes"): lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
            Channel(f"{name}.throttle", "state"): lambda nvml, gpu: _event_mask(nvml, gpu) & ~QUIET,
        }

    def _ask(self, channel: Channel, query: Query) -> Reading:
        try:
            found = query(self._nvml, self._handle)
        except (self._nvml.NVMLError, AttributeError) as error:
            # AttributeError: this nvidia-ml-py does not know the function.
            return f"{channel.name}: {error}"
        return f"{channel.name}: {found}" if isinstance(found, str) else float(found)

    def _energy(self, nvml: Any, gpu: Any) -> Reading:
        """Since the driver was loaded; from a reset on only a reason, since nobody knows what is missing."""
        found = float(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu))
        self._millijoules = found if found >= self._millijoules else math.inf
        return "the counter was reset" if math.isinf(self._millijoules) else found


def event_reasons(mask: int) -> List[str]:
    """The names of the clocks event reasons in a mask; those that are not known as a number."""
    unknown = mask & ~sum(REASONS)
    return [name for bit, name in REASONS.items() if mask & bit] + ([hex(unknown)] if unknown else [])


def throttle_reasons(mask: int) -> List[str]:
    """Those of them for which a GPU that has work is slower than its clocks are set."""
    return event_reasons(mask & ~QUIET)


def process_memory_bytes(pid: int, gpu: int = 0) -> Reading:
    """The memory of the GPU that a process holds, or why that is not known."""
    try:
        with _device(gpu) as (nvml, handle):
            lists = (nvml.nvmlDeviceGetComputeRunningProcesses_v3, nvml.nvmlDeviceGetGraphicsRunningProcesses_v3)
            found = [one.usedGpuMemory for running in lists for one in running(handle) if one.pid == pid]
    except ProbeError as error:
        return error.sentence
    except AttributeError as error:
        return f"this nvidia-ml-py does not tell the memory of a process: {error}; pip install -U nvidia-ml-py"
    if not found:
        return f"the driver lists no process {pid} on GPU {gpu}; in a container it lists the ids of the host"
    # A process that draws and computes is in both lists, with all its memory.
    known = [one for one in found if one is not None]
    return float(max(known)) if known else "the driver does not tell the memory of a process"


@contextmanager
def _device(gpu: int) -> Iterator[Tuple[Any, Any]]:
    """pynvml and the handle of a GPU; what NVML refuses is a ProbeError."""
    try:
        import pynvml
    except ImportError as error:
        remedy = "pip install 'dms-harness[nvidia]'"
        raise ProbeError("nvidia-ml-py is not installed", where="pynvml", remedy=remedy) from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        remedy = "nvidia-smi must work here: install the NVIDIA driver, and reboot after its update"
        raise ProbeError(f"NVML does not start: {error}", where="libnvidia-ml.so.1", remedy=remedy) from error
    try:
        yield pynvml, pynvml.nvmlDeviceGetHandleByIndex(gpu)
    except pynvml.NVMLError as error:
        remedy = "nvidia-smi -L lists the GPUs and their numbers"
        raise ProbeError(f"NVML refuses GPU {gpu}: {error}", where="NVML", remedy=remedy) from error
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _event_mask(nvml: Any, gpu: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    # An old driver does not know the function, an old nvidia-ml-py not even its name.
    except (nvml.NVMLError_FunctionNotFound, AttributeError):
        return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))


def _temperature(nvml: Any, gpu: Any) -> Reading:
    return float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU))


def _clock(kind: str) -> Query:
    return lambda nvml, gpu: 1000 * nvml.nvmlDeviceGetClockInfo(gpu, getattr(nvml, kind))


def _field(field: str) -> Query:
    def query(nvml: Any, gpu: Any) -> Reading:
        (found,) = nvml.nvmlDeviceGetFieldValues(gpu, [getattr(nvml, field)])
        if found.nvmlReturn != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(found.nvmlReturn)
        if found.valueType >= len(MEMBERS):
            return f"a value of the unknown type {found.valueType}"
        milliwatts = float(getattr(found.value, MEMBERS[found.valueType]))
        return milliwatts if 0 < milliwatts < MOST_MW else f"{milliwatts:g} mW is no power of a GPU"

    return query
