"""PLANS: how long a session measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.camera.policies import POLICIES
from harness.camera.schedule import check_fps, read_timestamps
from harness.case import DROP_STALE, Arrivals, Plan
from harness.errors import ConfigError, unknown

PLANS = {
    "smoke": Plan(
        name="smoke", frames=40, warmup_window=10, warmup_cap_frames=20, distinct_frames=4,
        accuracy_frames=100, judges_speed=False, deadline_s=60.0,
    ),
    "standard": Plan(name="standard", frames=660, runs=3),
    "camera": Plan(name="camera", frames=3000, arrivals=Arrivals()),
    "soak": Plan(name="soak", frames=660, minimum_s=600.0, arrivals=Arrivals()),
    "soak-60": Plan(name="soak-60", frames=660, minimum_s=3600.0, arrivals=Arrivals()),
}  # fmt: skip


def plan_with_camera(plan: Plan, text: str) -> Plan:
    """The plan with the camera of `text`, "FPS[:POLICY]" or "FILE[:POLICY]"; as it is where that is empty.

    ConfigError for a rate, a recording or a policy that cannot be.
    """
    if not text:
        return plan
    source, _, policy = text.rpartition(":") if text.rpartition(":")[2] in POLICIES else (text, "", DROP_STALE)
    try:
        fps = float(source)
    except ValueError:
        timestamps = _recording(source, text)
        return replace(plan, arrivals=Arrivals(fps=0.0, policy=policy, timestamps=timestamps))
    check_fps(fps, f"--camera={text}")
    return replace(plan, arrivals=Arrivals(fps=fps, policy=policy))


def _recording(source: str, text: str) -> tuple[int, ...]:
    path = Path(source)
    if path.is_file():
        return read_timestamps(path)
    raise ConfigError(
        f"{source!r} is neither a rate nor a file with timestamps", where=f"--camera={text}",
        remedy=f"--camera=30, --camera=60:queue or --camera=recording.csv; policies are {', '.join(POLICIES)}",
    )  # fmt: skip


def plan_named(name: str, judges_speed: bool = True) -> Plan:
    """The plan; ConfigError for an unknown name. Without `judges_speed`, of the device, no plan judges it either."""
    if name not in PLANS:
        raise ConfigError(unknown("plan", name, PLANS), where="--plan")
    plan = PLANS[name]
    if judges_speed or not plan.judges_speed:
        return plan
    return replace(plan, name=f"{name}-without-speed", judges_speed=False)
