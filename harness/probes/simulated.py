"""A simulated sensor: SIMULATED power and temperature that any machine can sample, and faults on order.

For the harness's own tests of the sampler, which is a real process on the real clock.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.telemetry import Channel


class Simulated:
    """power_mw and temperature_c stay as they are. missing: cannot be opened. silent_every: each n-th reading is a
    reason; dies_at: the whole process dies at this reading; slow_ms: how long a reading takes.
    """

    rate_hz = 20.0

    def __init__(
        self, power_mw: float = 3000.0, temperature_c: float = 40.0, missing: bool = False, silent_every: int = 0,
        dies_at: int = 0, slow_ms: float = 0.0,
    ) -> None:  # fmt: skip
        self._readings: List[Reading] = [power_mw, temperature_c]
        self._missing, self._silent_every, self._dies_at, self._slow_ms = missing, silent_every, dies_at, slow_ms
        self._count = 0

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return Channel("VDD_SIM", "mW", resolution=1.0), Channel("temp", "C")

    def __enter__(self) -> Simulated:
        if self._missing:
            raise ProbeError("the simulated sensor is missing", remedy="leave `missing` out")
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self) -> Sequence[Sample]:
        self._count += 1
        time.sleep(self._slow_ms / 1e3)
        if self._count == self._dies_at:
            os.abort()
        silent = self._silent_every and self._count % self._silent_every == 0
        return polled(["the simulated sensor is silent"] * 2 if silent else self._readings)

    def facts(self) -> Dict[str, Any]:
        return {"simulated": True, "readings": self._count}
