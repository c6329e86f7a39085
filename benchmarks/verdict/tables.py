"""What the tables share."""

from __future__ import annotations

from harness.stats.bounds import rate_bounds


def share_with_interval(hits: int, total: int) -> str:
    """A share with its Clopper-Pearson 95 % interval."""
    if not total:
        return "-"
    low, high = rate_bounds(hits, total, 0.025)
    return f"{hits / total:.3f} [{low:.4f}, {high:.4f}]"
