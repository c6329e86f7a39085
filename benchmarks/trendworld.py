"""What happened in the laboratory of `trendhistory`: which cases, when, and every value. Pure, and seeded."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from harness.case import Array, Case
from harness.history.rows import TIME, identity_sha256
from harness.metrics import METRICS
from harness.trendreport.metricwords import better_of

# Name: the typical value of a device of speed 1 with fp32, how much int8 has of it, and the spread between sessions.
MEASURED = {
    "frame_p25_ms": (22.0, 0.55, 0.010), "frame_p99_ms": (33.0, 0.55, 0.020), "frame_p50_ms": (24.0, 0.55, 0.010),
    "accuracy_min_percent": (96.4, 0.992, 0.0), "file_size_mb": (8.0, 0.27, 0.0), "peak_memory_mb": (180.0, 0.8, 0.002),
    "load_ms": (400.0, 0.7, 0.040), "fps_mean": (40.0, 1.8, 0.010), "infer_p50_ms": (18.0, 0.5, 0.010),
    "pre_p50_ms": (3.0, 1.0, 0.015),
    "post_p50_ms": (1.0, 1.0, 0.015), "frame_p95_ms": (29.0, 0.55, 0.015), "energy_per_frame_mj": (90.0, 0.6, 0.012),
    "power_mean_w": (6.0, 0.9, 0.010), "frame_cpu_p25_ms": (20.0, 0.6, 0.008), "frame_p90_ms": (27.0, 0.55, 0.012),
}  # fmt: skip
# How long each takes, beside the others.
DEVICES = {"orin": 0.5, "imx8mp": 1.0, "host": 0.3, "simulated": 0.7}
MODELS = {"eye_state": 0.6, "gaze": 1.0, "distraction": 0.8, "face_detection": 1.2, "head_counting": 1.4}
PARTS = (("trt", "ort", "tflite"), MODELS, DEVICES, ("fp32", "int8"))
NEWEST = datetime(2026, 11, 20, 3, tzinfo=UTC)
BETWEEN, LONGEST = timedelta(hours=12), timedelta(days=3650)
PROCESSES, FRAMES = 2, 660
ACCEPTED, REFUSED_FIRST = 12, 3
# Fewer sessions than this are of one identity.
FEWEST_TO_CHANGE = 90
OVER_BUDGET_MS = 61.0
ACCURACY = "accuracy_min_percent"
# Of points, from build to build: the same file answers the same frames alike.
ACCURACY_SPREAD = 0.2


def chosen_cases(count: int) -> list[Case]:
    """A parent beside each variant; the models get a number where more cases are wanted than the names make."""
    found = (
        Case(device, f"{model}{turn or ''}", variant, runtime)
        for turn in itertools.count()
        for runtime, model, device, variant in itertools.product(*PARTS)
    )
    return list(itertools.islice(found, count))


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What the sessions of all cases have in common at one index. accepted: the index of the first of its acceptance.

    baseline: where the sessions that were accepted before begin, None where those have another identity.
    """

    index: int
    at: str
    generation: int
    accepted: int | None
    baseline: int | None

    @property
    def purpose(self) -> str:
        return "check" if self.accepted is None else "accept"

    @property
    def first(self) -> int:
        """The index of the first session of the same run."""
        return self.index if self.accepted is None else self.accepted


@dataclass(frozen=True, kw_only=True)
class CaseHistory:
    """values: metric -> [sessions, processes]. builds: how many there were. missed: frames over the limit."""

    case: Case
    values: Mapping[str, Array]
    valid: Array
    builds: Array
    missed: Array


@dataclass(frozen=True, kw_only=True)
class World:
    """All that follows from the arguments."""

    cases: tuple[Case, ...]
    metrics: tuple[str, ...]
    sessions: int
    seed: int

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Oldest first; sessions that were accepted together have one time."""
        return tuple(self._slot(index) for index in range(self.sessions))

    @cached_property
    def histories(self) -> tuple[CaseHistory, ...]:
        return tuple(_case_history(self, number) for number in range(len(self.cases)))

    @cached_property
    def changes(self) -> tuple[int, ...]:
        """The first session of each identity."""
        return (0, self.sessions // 3, 2 * self.sessions // 3) if self.sessions >= FEWEST_TO_CHANGE else (0,)

    @cached_property
    def acceptances(self) -> tuple[int, ...]:
        """The first session of each acceptance: at the start, and soon after each change."""
        return tuple(first + REFUSED_FIRST * (first > 0) for first in self.changes)

    def _slot(self, index: int) -> Slot:
        generation = sum(index >= first for first in self.changes) - 1
        start = self.acceptances[generation]
        accepted = start if start <= index < start + ACCEPTED else None
        first = index if accepted is None else accepted
        at = NEWEST - min(BETWEEN, LONGEST / self.sessions) * (self.sessions - 1 - first)
        return Slot(
            index=index, at=at.strftime(TIME), generation=generation, accepted=accepted,
            baseline=start if start <= index else None,
        )  # fmt: skip

    def id(self, case: Case, index: int) -> str:
        """The name of a session."""
        return digits(f"{self.seed} {case.key} session {index}", 32)

    def run(self, device: str, slot: Slot) -> str:
        """The name of the run that measured it."""
        return digits(f"{self.seed} {device} {slot.first}", 12)


def command(device: str, slot: Slot) -> str:
    """What was typed."""
    accept = f"harness accept --device={device} --reason 'new baseline' --by ann"
    return f"pytest suites/ --device={device}" if slot.accepted is None else accept


@lru_cache
def identity(device: str, runtime: str, generation: int) -> tuple[str, str]:
    """As JSON, and its hash: the engine is a newer one in the second generation, the board another in the third."""
    found = {
        "device": device, "soc": f"SoC of {device}", "transport": "local", "engine_options": digits(runtime, 12),
        "cpu_cores": "2 3", "input": "0a1b2c3d4e5f", "task": "5f4e3d2c1b0a", "frames": "frames-16.y8",
        "telemetry": "board@10", "protocol": 2, "machine": "aarch64", "cpu": "Cortex-A78AE", "board": f"{device} rev C",
        "cores": 8, "os": "Linux 5.15", "unit": f"1423{generation // 2:03}", "python": "3.11", "numpy": "2.1",
        "engine": runtime, "version": "1.30.2" if generation == 0 else "1.31.1", "precision": "fp16", "threads": 2,
        "plan_name": "standard", "plan_frames": FRAMES, "plan_runs": PROCESSES, "plan_warmup_window": 25,
    }  # fmt: skip
    return compact(found), identity_sha256(found)


def _case_history(world: World, number: int) -> CaseHistory:
    rng = np.random.default_rng((world.seed, number))
    case, count = world.cases[number], world.sessions
    steps = np.sort(rng.choice(np.arange(count), size=min(3, count), replace=False))
    steps = steps[steps > ACCEPTED]
    builds = np.searchsorted(steps, np.arange(count), side="right")
    heights = np.concatenate([[0.0], rng.normal(0, 0.05, len(steps))]).cumsum()
    slower = heights[builds] + 0.02 * np.array([slot.generation for slot in world.slots])
    missed = np.where(rng.random(count) < 0.02, rng.integers(1, 25, count), 0)
    valid = rng.random(count) > 0.015
    _make_the_end(number, slower, missed, valid)
    values = {metric: _values(metric, case, slower, rng) for metric in world.metrics}
    if ACCURACY in values:
        values[ACCURACY] += rng.normal(0, ACCURACY_SPREAD, builds.max() + 1)[builds][:, None].round(2)
    if number == 2 and "frame_p99_ms" in values:
        values["frame_p99_ms"][-1:] = OVER_BUDGET_MS
    return CaseHistory(case=case, values=values, valid=valid, builds=builds, missed=missed)


def _make_the_end(number: int, slower: Array, missed: Array, valid: Array) -> None:
    """The newest sessions of the first four cases have something to say, those of the others have nothing."""
    slower[-3:] += {0: 0.14, 1: -0.14}.get(number, 0.0)
    missed[-1:] = 40 if number == 2 else 0
    valid[-1:] = number != 3


def _values(metric: str, case: Case, slower: Array, rng: np.random.Generator) -> Array:
    """[sessions, processes]; one session of twenty lies in the tail."""
    typical, of_int8, spread = MEASURED[metric]
    sign, count = 1 if better_of(metric) == "less" else -1, len(slower)
    size = typical * (of_int8 if case.variant == "int8" else 1.0)
    noise = spread * rng.standard_normal(count)
    noise += 3 * spread * rng.standard_exponential(count) * (rng.random(count) < 0.05)
    within = 0.3 * spread * rng.standard_normal((count, PROCESSES))
    if metric in METRICS and METRICS[metric].speed:
        size *= (DEVICES[case.device] * MODELS[case.model.rstrip("0123456789")]) ** sign
        noise += slower
    found: Array = size * np.exp(sign * noise[:, None] + within)
    return found.round(6)


@lru_cache(maxsize=100_000)
def digits(text: str, count: int) -> str:
    """So many hexadecimal digits that belong to the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:count]


def compact(value: Any) -> str:
    """JSON as the history keeps it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
