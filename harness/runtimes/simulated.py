"""The simulated engine: a .sim file (JSON) says how fast and how well it pretends to work.

For the harness's own tests and for trying a suite without any engine. It runs on a clock of its
own, so that the same job gives the same nanoseconds on every machine; with `real_time` it takes that long too.
Keys of the file, all optional: `shape` of the image input; `answer` ("brightness": class 1 where
the mean pixel is above 0.5; "constant"; "nan"); `error_share` of wrong answers; `load_ms`,
`infer_ms`, `sigma` (log-normal), `process_sigma` (the same between processes), `tail_share` and
`tail_ms` (rare slow frames), `drift_per_frame`; `background_share` of the cores that others seem to
use; `model_bytes`, `runtime_bytes`, `leak_bytes` per frame and `spike_bytes` for a moment
(these two are real with the option real_memory); `cached`: a frame like the last one takes a tenth of the time;
`placed_share` of the nodes on the pretended unit, in `partitions` pieces; what simulated_sensors.py and
simulated_wear.py add; `fault` ("refuse", "crash", "hang", "out_of_memory", "fail_at_run", "flood", "vanish") at frame
`fault_at`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import simulated_sensors
from harness.runtimes.simulated_wear import DEFAULTS as NO_WEAR
from harness.runtimes.simulated_wear import Wear
from harness.telemetry import Telemetry

CLOCK_READ_NS = 40
STANDSTILL_NS = 50_000_000
SPIKE_FRAME = 120
DEFAULTS: Dict[str, Any] = {
    "shape": [1, 1, 20, 32], "answer": "brightness", "error_share": 0.0,
    "load_ms": 20.0, "infer_ms": 5.0, "sigma": 0.01, "process_sigma": 0.0, "tail_share": 0.0, "tail_ms": 0.0,
    "drift_per_frame": 0.0, "background_share": 0.0,
    "model_bytes": 2_000_000, "runtime_bytes": 30_000_000, "leak_bytes": 0, "spike_bytes": 0,
    "cached": False, "placed_share": 1.0, "partitions": 1, "fault": "", "fault_at": 0,
    **simulated_sensors.DEFAULTS, **NO_WEAR,
}  # fmt: skip


CHOICES = {
    "answer": ("brightness", "constant", "nan"),
    "fault": ("", "refuse", "crash", "hang", "out_of_memory", "fail_at_run", "flood", "vanish"),
    "sensor_fault": simulated_sensors.FAULTS,
}


class VirtualClock:
    """Nanoseconds that pass only when somebody says so, and a little at each reading."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += CLOCK_READ_NS
        return self.now_ns

    def advance(self, duration_ns: int) -> None:
        self.now_ns += duration_ns


class PacedClock(VirtualClock):
    """The same nanoseconds, and the machine's clock is not let behind: what passes here is slept there.

    What the machine itself takes meanwhile is slept less, so that a thousand frames take their time and no more. What
    it stood still, as a stopped process does, is not made up for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start_ns = time.monotonic_ns()

    def advance(self, duration_ns: int) -> None:
        super().advance(duration_ns)
        ahead_ns = self.now_ns - (time.monotonic_ns() - self._start_ns)
        if ahead_ns > 0:
            time.sleep(ahead_ns / 1e9)
        elif ahead_ns < -STANDSTILL_NS:
            self._start_ns -= ahead_ns


class SimulatedMemory:
    """A memory sensor that grows by what the .sim file says."""

    def __init__(self) -> None:
        self.now_bytes = 100_000_000
        self._peak_bytes = self.now_bytes

    def grow(self, size_bytes: int) -> None:
        self.now_bytes += size_bytes
        self._peak_bytes = max(self._peak_bytes, self.now_bytes)

    def resident_bytes(self) -> int:
        return self.now_bytes

    def peak_bytes(self) -> int:
        return self._peak_bytes

    def reset_peak(self) -> bool:
        self._peak_bytes = self.now_bytes
        return True


class RealMemory:
    """Memory of this very process, so that its own sensors see what a model leaks and what it takes for a moment."""

    def __init__(self) -> None:
        self._kept: List[bytes] = []

    def grow(self, size_bytes: int) -> None:
        if size_bytes:
            self._kept.append(_touched(size_bytes))


def _touched(size_bytes: int) -> bytes:
    return b"\1" * size_bytes


class SimulatedLoad:
    """A load sensor: others seem to use `share` of the time that passes."""

    def __init__(self, clock: Any) -> None:
        self.share = 0.0
        self._clock = clock

    def read(self) -> int:
        return int(self._clock())

    def since(self, before: int) -> Tuple[int, int]:
        passed_ns = self.read() - before
        return round(self.share * passed_ns), passed_ns


class Simulated:
    """speed: every duration is divided by it. seed: of the noise. real_time: sleep as long as it pretends to work.
    real_memory: take what the file says of this process's memory, which is then weighed.
    """

    in_calling_thread = True
    built_in = True

    def __init__(
        self, model_path: str, speed: float = 1.0, seed: int = 0, real_time: bool = False, real_memory: bool = False
    ) -> None:
        self._model_path = model_path
        self._speed = speed
        self._seed = seed
        self._frame = 0
        self._brightness = -1.0
        self.clock: VirtualClock = PacedClock() if real_time else VirtualClock()
        self._growing: Any = RealMemory() if real_memory else SimulatedMemory()
        if not real_memory:
            self.memory = self._growing
        self.load = SimulatedLoad(self.clock)
        self._ended_ns: List[int] = []

    def begin_run(self, number: int) -> None:
        """The noise of each process of a session is another one, and the same every time."""
        self._seed += number

    def sampling(self, telemetry: Telemetry, cores: Sequence[int]) -> simulated_sensors.SimulatedSampling:
        """Its sensors, on its own clock."""
        held_bytes = None if isinstance(self._growing, RealMemory) else self._growing.now_bytes
        return simulated_sensors.SimulatedSampling(
            telemetry, self.clock, self._model, self._ended_ns, held_bytes=held_bytes, wear=self._wear
        )

    def rest(self, seconds: float) -> None:
        """Idle time passes on its own clock too."""
        self.clock.advance(round(seconds * 1e9))

    def prepare(self) -> None:
        """Nothing to import; the pretended engine takes its memory here."""
        self._model = {**DEFAULTS, **_read(self._model_path)}
        self._random = np.random.default_rng(self._seed)
        self._wear = Wear(self._model, lambda: self.clock.now_ns)
        luck = np.random.default_rng([self._seed, 1]).standard_normal()
        self._luck = float(np.exp(self._model["process_sigma"] * luck))
        self.load.share = float(self._model["background_share"])
        self._growing.grow(int(self._model["runtime_bytes"]))

    def __enter__(self) -> Simulated:
        if self._model["fault"] == "refuse":
            raise EngineError("the simulated engine refuses the model", where=self._model_path)
        self._pass(self._model["load_ms"])
        self._growing.grow(int(self._model["model_bytes"]))
        self.inputs: Tuple[TensorSpec, ...] = (TensorSpec("image", tuple(self._model["shape"]), "float32"),)
        self.outputs: Tuple[TensorSpec, ...] = (TensorSpec("scores", (1, 2), "float32"),)
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        if self._model["fault"] and self._frame == self._model["fault_at"]:
            _fail(self._model["fault"])
        brightness = float(feeds["image"].mean())
        known = self._model["cached"] and brightness == self._brightness
        self._pass(self._wear.frame_ms(self._duration_ms()) / (10 if known else 1))
        self._frame, self._brightness = self._frame + 1, brightness
        self._ended_ns.append(self.clock.now_ns)
        self._growing.grow(int(self._model["leak_bytes"]))
        if self._frame == SPIKE_FRAME:
            _touched(int(self._model["spike_bytes"]))
        return {"scores": self._answer(brightness)}

    def facts(self) -> Dict[str, Any]:
        return {
            "engine": "simulated", "version": "1", "precision": "simulated", "threads": 1,
            "providers": ["simulated"], "placement": self._placement(), "promised": "simulated",
            "partitions": int(self._model["partitions"]), "simulated": True,
        }  # fmt: skip

    def _placement(self) -> Dict[str, float]:
        share = float(self._model["placed_share"])
        return {"simulated": share, "CPU": 1.0 - share} if share < 1 else {"simulated": 1.0}

    def _pass(self, duration_ms: float) -> None:
        self.clock.advance(round(duration_ms * 1e6 / self._speed))

    def _duration_ms(self) -> float:
        model = self._model
        if self._random.random() < model["tail_share"]:
            return float(model["tail_ms"])
        drift = 1.0 + model["drift_per_frame"] * self._frame
        return float(model["infer_ms"] * self._luck * drift * np.exp(model["sigma"] * self._random.standard_normal()))

    def _answer(self, brightness: float) -> Array:
        if self._model["answer"] == "nan":
            return np.full((1, 2), np.nan, np.float32)
        if self._model["answer"] == "constant":
            return np.array([[1.0, 0.0]], np.float32)
        # The error depends on the frame alone, so that the same frame always gets the same answer.
        unlucky = np.random.default_rng(int(brightness * 1e9)).random() < self._model["error_share"]
        bright = min(max(brightness, 0.0), 1.0)
        scores = [bright, 1.0 - bright] if unlucky else [1.0 - bright, bright]
        return np.array([scores], np.float32)


def _read(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            model = dict(json.load(file))
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"not a .sim file: {error}", where=path) from error
    strange = sorted(set(model) - set(DEFAULTS))
    if strange:
        raise EngineError(f"unknown keys {strange}", where=path, remedy=f"known: {sorted(DEFAULTS)}")
    for key, value in model.items():
        if not isinstance(value, _kind(key)) or value not in CHOICES.get(key, (value,)):
            raise EngineError(f"{key} = {value!r}", where=path, remedy=f"like {CHOICES.get(key, DEFAULTS[key])!r}")
    return model


def _kind(key: str) -> Any:
    found = type(DEFAULTS[key])
    return (int, float) if found in (int, float) else found


def _fail(fault: str) -> None:
    if fault == "crash":
        os.abort()
    if fault == "vanish":
        os._exit(0)
    if fault == "out_of_memory":
        raise MemoryError("the simulated engine ran out of memory")
    if fault == "fail_at_run":
        raise RuntimeError("the simulated engine fails at this frame")
    while fault in ("hang", "flood"):
        if fault == "flood":
            sys.stderr.write("the simulated engine floods its log\n" * 1000)
        else:
            time.sleep(1.0)
