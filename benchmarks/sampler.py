"""What the sampler costs of one core, and how even its samples are, on a recreated tree of an AGX Orin's sensors.

The tree lies on a disk: a real INA3221 adds the time of its bus, which no machine without one can tell.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from harness.sampling import Sampling
from harness.telemetry import Telemetry, Trace

SECONDS = 20.0
RATES_HZ = (20.0, 100.0)
RAILS = (("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), ("NC", "VDDQ_VDD2_1V8AO", "NC"))
ZONES = ("cpu-thermal", "gpu-thermal", "soc0-thermal", "tj-thermal")
CORES = 12


def plant(root: Path) -> None:
    """Two power chips, four thermal zones, twelve cores with their clock limits."""
    files: dict[str, object] = {}
    for chip, rails in enumerate(RAILS):
        folder = f"sys/class/hwmon/hwmon{chip + 3}"
        files |= {f"{folder}/name": "ina3221", f"{folder}/update_interval": 1, f"{folder}/samples": 1}
        for channel, rail in enumerate(rails, start=1):
            files |= {f"{folder}/in{channel}_label": rail, f"{folder}/in{channel}_input": 12008 + channel,
                      f"{folder}/curr{channel}_input": 40 * channel}  # fmt: skip
    for zone, kind in enumerate(ZONES):
        files |= {
            f"sys/class/thermal/thermal_zone{zone}/type": kind,
            f"sys/class/thermal/thermal_zone{zone}/temp": 45_000,
        }
    files["sys/devices/system/cpu/online"] = f"0-{CORES - 1}"
    for core in range(CORES):
        for name in ("scaling_cur_freq", "scaling_min_freq", "scaling_max_freq"):
            files[f"sys/devices/system/cpu/cpu{core}/cpufreq/{name}"] = 2_201_600
    for name, value in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n", encoding="utf-8")


def sampled(root: str, rate_hz: float) -> tuple[tuple[Trace, ...], float]:
    """The traces of 20 s, and how long sampling really took in ns."""
    probes = {
        "ina3221": {"kind": "ina3221", "root": root, "rate_hz": rate_hz}, "thermal": {"kind": "thermal", "root": root},
        "clocks": {"kind": "clocks", "root": root}, "utilisation": {"kind": "utilisation"},
    }  # fmt: skip
    sampling = Sampling(Telemetry(probes=probes))
    sampling.start()
    start_ns = time.monotonic_ns()
    time.sleep(SECONDS)
    passed_ns = time.monotonic_ns() - start_ns
    return sampling.stop(), passed_ns


def main() -> None:
    """Print one line per rate."""
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder))
        for rate_hz in RATES_HZ:
            traces, passed_ns = sampled(folder, rate_hz)
            faults = [one.missing or one.ended for one in traces if one.missing or one.ended]
            power = traces[0]
            gaps_ms = np.diff(power.time_ns) / 1e6
            share = 100 * power.facts["sampler_cpu_ns"] / passed_ns
            print(
                f"{rate_hz:g} Hz: {share:.2f} % of one core; {len(power.time_ns)} samples of "
                f"{int(SECONDS * rate_hz)}; interval median {np.median(gaps_ms):.2f} ms, p99 "
                f"{np.percentile(gaps_ms, 99):.2f} ms, longest {gaps_ms.max():.2f} ms {faults or ''}"
            )


if __name__ == "__main__":
    main()
