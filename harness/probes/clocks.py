"""Clock rates and their limits: cpufreq of each core, devfreq of the GPU, and the memory clock (EMC) of a Jetson.

Facts: kernel Documentation/admin-guide/pm/cpufreq.rst and ABI/testing/sysfs-class-devfreq; names and units of the EMC
and of `jetson_clocks --show`: NVIDIA's script jetson_clocks of L4T 35. The limits are read with every sample, since a
service that resets pinned clocks in between shows nowhere else. Never run on the device.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.state import isolated_cores, realtime_kernel
from harness.probes.sysfs import ValueFile, below, number_of, text_of
from harness.telemetry import Channel

CPU = "sys/devices/system/cpu"
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
GPU_NAMES = re.compile("gpu|gv11b|ga10b|gp10b|gm20b")
CORES = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")
POWER_MODELS = re.compile(r"^\s*<\s*POWER_MODEL\s+ID=([0-9]+)\s+NAME=([^\s>]+)", re.MULTILINE)
SHOWN = re.compile(
    r"^(cpu[0-9]+|GPU|EMC)\b.*?\bMinFreq=([0-9]+)\s+MaxFreq=([0-9]+)\s+CurrentFreq=([0-9]+)"
    r"(?:[^\S\n]+FreqOverride=([01]))?",
    re.MULTILINE,
)
HZ_PER_KHZ = 1000
NVPMODEL_S, JETSON_CLOCKS_S = 2, 10
Limits = Tuple[Reading, Reading]


class Clocks:
    """Channels cpuN.cur, cpuN.min, cpuN.max, and the same of gpu and emc, in kHz.

    cpuinfo_cur_freq: read the measured rate of a core where root may, instead of the requested one, which shows no dip
    from over-current. On a Jetson that keeps the core itself busy for 0.5 ms (US_DELAY of tegra194-cpufreq.c).
    nvpmodel: the tool that tells the power mode where its status file does not. jetson_clocks: name of the tool to ask
    for limits that are in no readable file; needs root.
    """

    rate_hz = 2.0

    def __init__(
        self, *, root: str = "/", cpuinfo_cur_freq: bool = True, nvpmodel: str = "nvpmodel", jetson_clocks: str = ""
    ) -> None:
        self._root, self._measured = root, cpuinfo_cur_freq
        self._nvpmodel, self._jetson_clocks = nvpmodel, jetson_clocks
        self._files: Dict[str, Tuple[ValueFile, int]] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return tuple(Channel(name, "kHz") for name in self._files)

    def __enter__(self) -> Clocks:
        self._files = {}
        self._open_cpus()
        self._open_gpus()
        self._open_emc()
        readings = self._readings()
        if not any(isinstance(one, float) for one in readings):
            self.__exit__()
            raise ProbeError(
                str(readings[0]) if readings else "this machine shows no clock rate, as most virtual machines",
                where=f"{CPU}/cpu*/cpufreq, sys/class/devfreq",
                remedy="leave the clocks probe out of the profile",
            )
        return self

    def __exit__(self, *error: object) -> None:
        for file, _ in self._files.values():
            file.close()

    def read(self) -> Sequence[Sample]:
        return polled(self._readings())

    def facts(self) -> Dict[str, Any]:
        """What is None is not known. `pinned`: may the rate not move, by kind; `jetson_clocks`: kHz, or a reason."""
        shown = show_clocks(self._jetson_clocks) if self._jetson_clocks else {}
        known: Dict[str, Any] = {"jetson_clocks": shown} if self._jetson_clocks else {}
        return {
            **known,
            "online_cores": online_cores(self._root),
            "governors": self._governors(),
            "pinned": self._pinned(shown if isinstance(shown, dict) else {}),
            "cpu_rate_from": self._rate_source(),
            "no_turbo": _no_turbo(self._root),
            "power_mode": power_mode(self._root, self._nvpmodel),
            "isolated": isolated_cores(self._root),
            "realtime": realtime_kernel(self._root),
        }

    def _open_cpus(self) -> None:
        for number in online_cores(self._root):
            folder = Path(self._root) / CPU / f"cpu{number}" / "cpufreq"
            if folder.is_dir():
                self._add(f"cpu{number}.cur", self._rate_file(folder))
                self._add(f"cpu{number}.min", folder / "scaling_min_freq")
                self._add(f"cpu{number}.max", folder / "scaling_max_freq")

    def _open_gpus(self) -> None:
        folders = gpu_folders(self._root)
        for folder in folders:
            name = "gpu" if len(folders) == 1 else folder.name
            for limit in ("cur", "min", "max"):
                self._add(f"{name}.{limit}", folder / f"{limit}_freq", HZ_PER_KHZ)

    def _open_emc(self) -> None:
        folder = Path(self._root) / EMC
        if number_of(folder / "rate") is None:
            return
        for limit, file in (("cur", "rate"), ("min", "min_rate"), ("max", "max_rate")):
            self._add(f"emc.{limit}", folder / file, HZ_PER_KHZ)

    def _rate_file(self, folder: Path) -> Path:
        measured = folder / "cpuinfo_cur_freq"
        return measured if self._measured and number_of(measured) is not None else folder / "scaling_cur_freq"

    def _add(self, channel: str, path: Path, unit: int = 1) -> None:
        self._files[channel] = (ValueFile(path), unit)

    def _readings(self) -> List[Reading]:
        return [self._reading(name) for name in self._files]

    def _reading(self, channel: str) -> Reading:
        if channel not in self._files:
            return f"no {channel}"
        file, unit = self._files[channel]
        found = file.read()
        return found if isinstance(found, str) else found / unit

    def _rate_source(self) -> Optional[str]:
        return next((file.path.name for name, (file, _) in self._files.items() if name.startswith("cpu")), None)

    def _governors(self) -> Union[str, Dict[str, Optional[str]], None]:
        """One word where all cores have the same."""
        names = [name[: -len(".cur")] for name in self._files if name.startswith("cpu") and name.endswith(".cur")]
        found = {name: text_of(Path(self._root) / CPU / name / "cpufreq/scaling_governor") for name in names}
        return next(iter(found.values())) if len(set(found.values())) == 1 else found or None

    def _pinned(self, shown: Dict[str, Dict[str, float]]) -> Dict[str, Optional[bool]]:
        names = {name.rpartition(".")[0] for name in self._files}
        limits = {name: (self._reading(f"{name}.min"), self._reading(f"{name}.max")) for name in names}
        told = {name: (one["min"], one["max"]) for name, one in shown.items()}
        locked = number_of(Path(self._root) / EMC / "mrq_rate_locked")
        cpu, gpu = ([one for name, one in {**told, **limits}.items() if name[:3] == kind] for kind in ("cpu", "gpu"))
        # Locking the EMC leaves its min_rate as it was, so its limits do not tell.
        emc = shown.get("emc", {}).get("locked") if locked is None else locked
        return {"cpu": _equal(cpu), "gpu": _equal(gpu), "emc": None if emc is None else emc == 1}


def parse_cores(text: Optional[str]) -> Optional[List[int]]:
    """The numbers of a list as the kernel writes it ("0-3,6", or nothing); None for any other text."""
    found = [CORES.fullmatch(piece) for piece in text.strip().split(",")] if text else []
    if text is None or not all(found):
        return None
    ranges = [(int(one.group(1)), int(one.group(2) or one.group(1))) for one in found if one]
    return sorted({number for first, last in ranges for number in range(first, last + 1)})


def online_cores(root: str) -> List[int]:
    """The cores that run now."""
    folder = Path(root) / CPU
    told = parse_cores(text_of(folder / "online"))
    return told or [int(one.name[3:]) for one in below(str(folder), "cpu[0-9]*") if one.name[3:].isdigit()]


def gpu_folders(root: str) -> List[Path]:
    """The devfreq folder of each GPU."""
    return [one for one in below(root, "sys/class/devfreq/*") if GPU_NAMES.search(one.name)]


def parse_show(text: str) -> Dict[str, Dict[str, float]]:
    """What `jetson_clocks --show` printed: cpuN, gpu, emc -> min, max, cur in kHz, and `locked` of the emc if told."""
    found: Dict[str, Dict[str, float]] = {}
    for name, low, high, now, locked in SHOWN.findall(text):
        # The tool prints what the files hold: kHz of cpufreq, Hz of the others.
        unit = 1 if name.startswith("cpu") else HZ_PER_KHZ
        found[name.lower()] = {"min": float(low) / unit, "max": float(high) / unit, "cur": float(now) / unit}
        if locked:
            found[name.lower()]["locked"] = float(locked)
    return found


def show_clocks(tool: str) -> Union[str, Dict[str, Dict[str, float]]]:
    """The clocks that `tool` shows, or why it shows none."""
    _, said = run_tool([tool, "--show"], JETSON_CLOCKS_S)
    if "as a root user" in said:
        return f"{tool} needs root"
    return parse_show(said) or f"{tool} shows no clock: {said[:80]!r}"


def power_mode(root: str, nvpmodel: str) -> Optional[str]:
    """The name of a Jetson's power mode; "ID 7" where only its number is known."""
    kept = re.match("pmode:([0-9]+)", text_of(Path(root) / "var/lib/nvpmodel/status") or "")
    if kept:
        number = int(kept.group(1))
        models = POWER_MODELS.findall(_long_text(Path(root) / "etc/nvpmodel.conf"))
        return next((str(name) for one, name in models if int(one) == number), f"ID {number}")
    _, said = run_tool([nvpmodel, "-q"], NVPMODEL_S)
    told = re.search(r"NV Power Mode:\s*(\S+)", said)
    return told.group(1) if told else None


def run_tool(command: Sequence[str], timeout_s: float) -> Tuple[bool, str]:
    """Did the command end well, and what did it say, or why did it not; never raises."""
    # A file, since a grandchild that outlives the time-out would keep a pipe open.
    try:
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                list(command), stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, timeout=timeout_s,
                start_new_session=True, check=False,
            )  # fmt: skip
            said.seek(0)
            return done.returncode == 0, said.read().decode("utf-8", "replace").strip()
    except subprocess.TimeoutExpired:
        return False, f"{command[0]} did not end within {timeout_s:g} s"
    except OSError as error:
        return False, f"{command[0]}: {error.strerror}"


def _equal(limits: Sequence[Limits]) -> Optional[bool]:
    known = [(low, high) for low, high in limits if isinstance(low, float) and isinstance(high, float)]
    if any(low != high for low, high in known):
        return False
    return True if known and len(known) == len(limits) else None


def _no_turbo(root: str) -> Optional[bool]:
    off, boost = number_of(Path(root) / CPU / "intel_pstate/no_turbo"), number_of(Path(root) / CPU / "cpufreq/boost")
    if off is not None:
        return off == 1
    return None if boost is None else boost == 0


def _long_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
