"""PLANS: how long a session measures."""

from __future__ import annotations

from dataclasses import replace

from harness.case import Plan
from harness.errors import ConfigError, unknown

PLANS = {
    "smoke": Plan(
        name="smoke", frames=40, warmup_window=10, warmup_cap_frames=20, distinct_frames=4,
        accuracy_frames=100, judges_speed=False, deadline_s=60.0,
    ),
    "standard": Plan(name="standard", frames=660, runs=3),
    "soak": Plan(name="soak", frames=660, minimum_s=600.0, deadline_s=1200.0),
}  # fmt: skip


def plan_named(name: str, judges_speed: bool = True) -> Plan:
    """The plan; ConfigError for an unknown name. Without `judges_speed`, of the device, no plan judges it either."""
    if name not in PLANS:
        raise ConfigError(unknown("plan", name, PLANS), where="--plan")
    plan = PLANS[name]
    if judges_speed or not plan.judges_speed:
        return plan
    return replace(plan, name=f"{name}-without-speed", judges_speed=False)
