"""Budgets: which metric may be how large, where that is written, and whether it is a gate. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from harness.camera import NS, period_ns
from harness.case import Plan
from harness.errors import ConfigError, unknown
from harness.metrics import METRICS
from harness.model import ModelCard
from harness.profile import DeviceProfile

EMBEDDED = {"frame_p99_ms": 30.0, "fps_mean": 30.0}
MB_PER_MIB = 2**20 / 1e6
# At a camera's pace: a machine that is busier than the camera lets it be falls behind for ever.
MAY_MISS = 0.01
KEEPS_UP = {"camera_utilisation_percent": 100.0}
FROM_ARRIVAL = {f"frame_{name}_ms": f"response_{name}_ms" for name in ("p50", "p90", "p95", "p99", "p999", "max")}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A metric that is not of one run alone: judged by the measurement (accuracy, memory share)."""

    unit: str
    better: Literal["less", "more"]


DERIVED = {
    "accuracy_min_percent": Limit(unit="%", better="more"),
    "accuracy_loss_points": Limit(unit="points", better="less"),
    "label_flips_percent": Limit(unit="%", better="less"),
    "engine_flips_percent": Limit(unit="%", better="less"),
    "memory_share_percent": Limit(unit="%", better="less"),
    "net_power_w": Limit(unit="W", better="less"),
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One limit. gate: breaking it is red; otherwise it is advice. source: the file that says so."""

    metric: str
    limit: float
    gate: bool
    source: str

    @property
    def better(self) -> Literal["less", "more"]:
        return METRICS[self.metric].better if self.metric in METRICS else DERIVED[self.metric].better

    @property
    def unit(self) -> str:
        return METRICS[self.metric].unit if self.metric in METRICS else DERIVED[self.metric].unit


def budgets_of(profile: DeviceProfile, card: ModelCard) -> tuple[Budget, ...]:
    """All budgets of one model on one device.

    The profile's gates always hold. The card's limit replaces the embedded class's and the advice of
    the same metric and stays as binding as these; what only the card limits is a gate.
    ConfigError for a metric that does not exist.
    """
    device_file = profile.file
    gates = list(_budgets(profile.budgets, True, device_file))
    general = [
        *_budgets(EMBEDDED, profile.embedded, "the embedded class of devices"),
        *_budgets(profile.advice, False, device_file, "advice"),
    ]
    own = {one.metric: one for one in _budgets(card.budgets, True, f"{card.name}/model.toml")}
    replaced = {one.metric for one in general}
    tailored = [_tailored(one, own) for one in general] + [one for one in own.values() if one.metric not in replaced]
    return tuple(sorted({*gates, *tailored}, key=lambda one: (one.metric, not one.gate, one.limit)))


def at_the_cameras_pace(budgets: Iterable[Budget], plan: Plan, overlapped: bool = False) -> tuple[Budget, ...]:
    """The same for a plan with a camera: what limits a frame's time limits its response too, dropped frames included.

    As many frames as P99 lets miss may lack a result: a camera of 30 fps gives no machine more than 30 fps.
    overlapped: the stages of a cascade work at once, so that nobody knows how busy the machine is.
    """
    arrivals = plan.arrivals
    if arrivals is None:
        return tuple(budgets)
    sent = NS / period_ns(arrivals)
    own = [] if overlapped else list(_budgets(KEEPS_UP, True, f"the camera's pace, {sent:.4g} fps"))
    for one in budgets:
        if one.metric == "fps_mean" and one.limit > (1 - MAY_MISS) * sent:
            source = f"{one.source}: of {sent:.4g} fps that the camera sends, 1 % may miss"
            own.append(replace(one, limit=min(one.limit, (1 - MAY_MISS) * sent), source=source))
            continue
        own.append(one)
        if one.metric in FROM_ARRIVAL:
            own.append(replace(one, metric=FROM_ARRIVAL[one.metric]))
    return tuple(sorted(own, key=lambda one: (one.metric, not one.gate, one.limit)))


def budgets_for(budgets: Iterable[Budget], metric: str) -> tuple[Budget, ...]:
    """Those budgets that limit `metric`."""
    return tuple(one for one in budgets if one.metric == metric)


def tolerances_of(profile: DeviceProfile) -> dict[str, float]:
    """How much worse than the baseline each metric may be, in per cent: the profile's own words over the general ones.

    ConfigError for a metric that does not exist.
    """
    for metric in profile.tolerances:
        if metric not in METRICS:
            raise ConfigError(unknown("metric", metric, METRICS), where=f"{profile.file}, tolerances")
        if METRICS[metric].exact:
            raise ConfigError(
                f"{metric} is compared exactly: it takes no tolerance", where=f"{profile.file}, tolerances",
                remedy="accept another baseline where it may be worse from now on",
            )  # fmt: skip
    general = {one.name: one.tolerance_percent for one in METRICS.values() if one.tolerance_percent is not None}
    return {**general, **profile.tolerances}


def _tailored(budget: Budget, own: Mapping[str, Budget]) -> Budget:
    """The card's limit instead, still a gate only where the general one is."""
    mine = own.get(budget.metric)
    return replace(mine, gate=budget.gate) if mine else budget


def _budgets(limits: Mapping[str, float], gate: bool, source: str, table: str = "budgets") -> Iterator[Budget]:
    for metric, limit in limits.items():
        check_metric(metric, f"{source}, {table}")
        yield Budget(metric=metric, limit=limit, gate=gate, source=source)


def check_metric(metric: str, where: str = "") -> None:
    """ConfigError for a metric that does not exist."""
    if metric not in METRICS and metric not in DERIVED:
        raise ConfigError(unknown("metric", metric, [*METRICS, *DERIVED]), where=where)
