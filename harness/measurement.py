"""One case measured: its runs and scores, and whether the numbers hang together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

import numpy as np

from harness.budgets import DERIVED
from harness.case import STAGES, Case, Plan, Run
from harness.energy import Energy, energy_of, power_rule
from harness.events.filtering import Filtering
from harness.metrics import METRICS, worst
from harness.parity import Parity
from harness.preconditions import faults, passing_faults
from harness.profile import Conditions
from harness.tasks import Score

CAMERA_FPS = 30.0
FLIPS = ("label_flips_percent", "engine_flips_percent")
RESIDUAL_SHARE = 0.001
RESIDUAL_FLOOR_NS = 20_000


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One case measured: its runs, and its accuracy where labels exist.

    parent_score: of the variant that this one was made from, on the same runtime and frames; parity: the two
    beside each other, frame by frame. engine_parity: the same beside the runtime `reference_engine`, which ran the same
    variant.
    device_memory_mb: what the device has, where its profile says so; otherwise the device is asked. wanted: the
    conditions of the profile. discarded: runs of a session that the device disturbed, so that it was measured again.
    filtering: of the driver's states that the card tells, None where it tells none.
    """

    case: Case
    plan: Plan
    runs: tuple[Run, ...]
    score: Score | None = None
    parent_score: Score | None = None
    parity: Parity | None = None
    engine_parity: Parity | None = None
    reference_engine: str = ""
    device_memory_mb: float | None = None
    simulated: bool = False
    wanted: Conditions = field(default_factory=Conditions)
    discarded: tuple[Run, ...] = ()
    filtering: Filtering | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What really ran, as the first run tells."""
        return self.runs[0].facts if self.runs else {}

    @property
    def sessions(self) -> tuple[tuple[Run, ...], ...]:
        """The runs by session: as many fresh processes as the plan asks for."""
        size = max(self.plan.runs, 1)
        return tuple(self.runs[first : first + size] for first in range(0, len(self.runs), size))

    @property
    def energies(self) -> tuple[Energy | str, ...]:
        """The energy of every process that had it measured, or why it tells none."""
        return tuple(energy_of(run) for run in self.runs if power_rule(run) is not None)

    @property
    def power_fault(self) -> str:
        """Why the energy that was asked for is not known; empty where it is, or where nobody asked."""
        return next((one for one in self.energies if isinstance(one, str)), "")

    @property
    def net_power_w(self) -> tuple[float, float] | None:
        """Net power at the camera's 30 frames a second with its uncertainty (k = 2), the largest of all windows."""
        found = [one.net_w_at(CAMERA_FPS) for one in self.energies if isinstance(one, Energy)]
        if not found or self.power_fault:
            return None
        return mean(net for net, _ in found), max(uncertainty for _, uncertainty in found)

    def condition_faults(self, runs: Iterable[Run] | None = None) -> list[str]:
        """What was not as the profile asks while any of these runs was measured, or any at all."""
        asked = self.runs if runs is None else runs
        return list(dict.fromkeys(fault for run in asked for fault in faults(run, self.wanted)))

    @property
    def disturbed_again(self) -> bool:
        """True where a session that was measured again was disturbed again by the device itself."""
        return bool(self.discarded) and any(passing_faults(run, self.wanted) for run in self.runs)

    def value(self, metric: str) -> float | None:
        """The median over the runs of one number per run, or the worst where all should tell the same; derived metrics
        from the whole.
        """
        if metric in DERIVED:
            return self._derived(metric)
        values = [METRICS[metric].value(run) for run in self.runs]
        known = [one for one in values if one is not None]
        if METRICS[metric].exact:
            return worst(METRICS[metric], known) if known and len(known) == len(values) else None
        return median(known) if known and (METRICS[metric].once or len(known) == len(values)) else None

    def flips_parity(self, metric: str) -> Parity | None:
        """What a count of changed answers is taken from: the parent's answers, or another engine's."""
        return self.parity if metric == "label_flips_percent" else self.engine_parity

    def _derived(self, metric: str) -> float | None:
        if metric == "memory_share_percent":
            peak = self.value("peak_memory_mb")
            device = self.device_memory_mb or self.value("device_memory_mb")
            return 100 * peak / device if peak and device else None
        if metric == "net_power_w":
            return self.net_power_w[0] if self.net_power_w else None
        if metric in FLIPS:
            parity = self.flips_parity(metric)
            return None if parity is None or parity.flips is None else 100 * parity.flips / parity.frames
        if self.score is None:
            return None
        if metric == "accuracy_min_percent":
            return self.score.value
        return None if self.parent_score is None else self.parent_score.value - self.score.value


def residual_fault(run: Run) -> str:
    """Why the stages of a run do not add up to its frames within the harness's own cost; empty if they do."""
    if not len(run.frame_ns):
        return ""
    residual = run.frame_ns - np.sum([run.stages[name] for name in STAGES], axis=0)
    slack = max(RESIDUAL_FLOOR_NS, RESIDUAL_SHARE * float(np.median(run.frame_ns)))
    for label, found in (("median", float(np.median(residual))), ("p99", float(np.percentile(residual, 99)))):
        allowed = run.marks.get(f"harness_residual_{label}_ns", 0.0) + slack
        if found > allowed or found < 0:
            return (
                f"the stages do not add up to the frame: {label} of the rest is {found / 1e3:.1f} us, "
                f"the harness itself costs at most {allowed / 1e3:.1f} us"
            )
    return ""


def steady(runs: Iterable[Run]) -> bool:
    """True where every run's warm-up ended by agreement and not by its cap."""
    return all(run.facts.get("steady", True) for run in runs)
