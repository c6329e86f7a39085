"""The stages of a cascade, of all processes of a case together: what a report says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from harness.case import Run

FACT = "cascade"


@dataclass(frozen=True, kw_only=True)
class StageSummary:
    """One stage; times are medians over the processes, what nobody told is None.

    p99_ms: of pre, infer and post together. ran, held, skipped: frames on which it ran, on which its last answer held,
    and without anything to look at. critical_share: of the frames, those whose longest chain of stages it is part of.
    """

    name: str
    pre_p50_ms: float | None
    infer_p50_ms: float | None
    post_p50_ms: float | None
    p99_ms: float | None
    ran: int
    held: int
    skipped: int
    critical_share: float | None


@dataclass(frozen=True, kw_only=True)
class CascadeSummary:
    """execution: how frames went through the stages, as harness.cascade.Execution names it."""

    execution: str
    stages: tuple[StageSummary, ...]


def cascade_summary(runs: Sequence[Run]) -> CascadeSummary | None:
    """From facts["cascade"] of the runs; None where no run is one of a cascade."""
    told = [one.facts[FACT] for one in runs if isinstance(one.facts.get(FACT), Mapping)]
    tables: list[Mapping[str, Mapping[str, Any]]] = [one.get("stages") or {} for one in told]
    # Whoever keeps facts as JSON may sort them: `order` tells how frames go.
    ordered = [*(name for one in told for name in one.get("order", ())), *(name for one in tables for name in one)]
    stages = tuple(
        _stage(name, found)
        for name in dict.fromkeys(ordered)
        if (found := [one[name] for one in tables if name in one])
    )
    return CascadeSummary(execution=str(told[0].get("execution", "")), stages=stages) if stages else None


def _stage(name: str, told: Sequence[Mapping[str, Any]]) -> StageSummary:
    times = {
        key: _over((one.get(key) for one in told), median)
        for key in ("pre_p50_ms", "infer_p50_ms", "post_p50_ms", "p99_ms")
    }
    ran, held, skipped = (sum(int(one.get(key) or 0) for one in told) for key in ("ran", "held", "skipped"))
    share = _over((one.get("critical_share") for one in told), fmean)
    return StageSummary(name=name, **times, ran=ran, held=held, skipped=skipped, critical_share=share)


def _over(values: Iterable[float | None], of: Any) -> float | None:
    known = [float(one) for one in values if one is not None]
    return of(known) if known else None
