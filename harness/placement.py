"""Where a model runs and how, as numbers of one run: share on the promised unit, pieces, precision, fusion. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.case import Run

FLOAT32 = ("f32", "fp32", "float32", "float")


def placed_share_percent(run: Run) -> float | None:
    """Share of the model's nodes on the unit that the profile's entry promises; None where the engine does not tell."""
    units, promised = run.facts.get("placement"), run.facts.get("promised")
    if not isinstance(units, Mapping) or not units or not promised:
        return None
    return 100 * float(units.get(promised, 0.0))


def partitions(run: Run) -> float | None:
    """Into how many pieces the promised unit took the model: each costs a crossing to and fro."""
    return _number(run.facts.get("partitions"))


def float32_share_percent(run: Run) -> float | None:
    """Share of the layers that run in 32-bit float."""
    shares = run.facts.get("layer_precisions")
    if not isinstance(shares, Mapping) or not shares:
        return None
    return 100 * sum(float(share) for name, share in shares.items() if str(name).lower() in FLOAT32)


def unfused_share_percent(run: Run) -> float | None:
    """Share of the convolutions that did not take their activation in."""
    convolutions, fused = _fusion(run, "convolutions"), _fusion(run, "with_activation")
    if not convolutions or fused is None:
        return None
    return 100 * (1 - fused / convolutions)


def batch_norms_left(run: Run) -> float | None:
    """Batch normalisations that were not folded into a convolution."""
    return _fusion(run, "batch_norms")


def _fusion(run: Run, name: str) -> float | None:
    known = run.facts.get("fusion")
    return _number(known.get(name)) if isinstance(known, Mapping) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
