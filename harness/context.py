"""The surroundings of a session: what else ran, and how fast a known piece of work was. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from harness.case import Run

DISTURBED_SHARE = 0.05


def context_of(runs: Sequence[Run]) -> dict[str, float | str]:
    """Flat scalars of one session's surroundings: share of the cores that others used, speed of known work, kernel."""
    found: dict[str, float | str] = {}
    background = background_share(runs)
    if background is not None:
        found["background_percent"] = round(100 * background, 2)
    known = [run.marks[name] for run in runs for name in ("known_work_before_ns", "known_work_after_ns")
             if name in run.marks]  # fmt: skip
    if known:
        found["known_work_ns"] = round(mean(known))
    if runs and "kernel" in runs[0].facts:
        found["kernel"] = str(runs[0].facts["kernel"])
    return found


def background_share(runs: Sequence[Run]) -> float | None:
    """CPU time of others over what the cores had to give, while frames were timed; None where nobody tells."""
    if not runs or not all({"background_ns", "capacity_ns"} <= run.marks.keys() for run in runs):
        return None
    capacity = sum(run.marks["capacity_ns"] for run in runs)
    return sum(run.marks["background_ns"] for run in runs) / capacity if capacity else None


def idle_disturbed(runs: Sequence[Run]) -> bool:
    """True where others used more than 5 % of the cores in an idle time that net power is told against."""
    shares = (run.marks["idle_background_ns"] / run.marks["idle_capacity_ns"] for run in runs
              if run.marks.get("idle_capacity_ns"))  # fmt: skip
    return any(share > DISTURBED_SHARE for share in shares)


def disturbed(runs: Sequence[Run]) -> bool:
    """True where others used more than 5 % of the cores meanwhile."""
    share = background_share(runs)
    return share is not None and share > DISTURBED_SHARE
