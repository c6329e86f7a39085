"""Which plans are soaks: long enough to see heat, leaks and stalls at a beat."""

from __future__ import annotations

from harness.case import Plan

SHORTEST_S = 600.0
COOLING_SHARE = 0.1


def is_soak(plan: Plan) -> bool:
    """Whether the plan pushes frames for ten minutes at least."""
    return plan.minimum_s >= SHORTEST_S


def too_short(plan: Plan) -> str:
    """Why the plan can say nothing of drift, throttling, leaks and stalls; empty for a soak."""
    if is_soak(plan):
        return ""
    return (
        f"a soak takes {SHORTEST_S:g} s at least, and the plan {plan.name} asks for {plan.minimum_s:g} s: "
        "run --plan=soak, or soak-60"
    )


def cooling_s(plan: Plan) -> float:
    """How long the sensors go on after the frames of a soak, to see the device cool down; 0 for other plans."""
    return COOLING_SHARE * plan.minimum_s if is_soak(plan) else 0.0
