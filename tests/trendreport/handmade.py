"""Trends put together by hand: a few sessions of a few cases, with known values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.budgets import DERIVED
from harness.case import Case
from harness.metrics import METRICS
from harness.trendreport.model import Limit, Overview, Series, Track, Trends
from tests.trendreport.histories import time_of

PLAIN = {"soc": "i.MX8MP", "task": "t1", "frames": "f1", "protocol": 2, "plan_name": "standard", "plan_frames": 660}
BUILD = "ab" * 32
NOTHING = Overview(state="PASS", sentence="", next_step="", compared="", run="")
HOSTILE = '<script>alert(1)</script>"onmouseover=x \x1b[31m\x00\u202e{{7*7}} | `'


@dataclass(kw_only=True)
class Made:
    """A case of `values`: metric -> one value per session, None where it was not measured."""

    case: Case
    values: Mapping[str, Sequence[float | None]]
    identity: Mapping[str, Any] = field(default_factory=dict)
    sessions: int = 1
    valid: Sequence[bool] = ()
    purpose: Sequence[str] = ()
    build: Sequence[str] = ()
    engine: str = ""
    simulated: bool = False
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    first_day: int = 0


def trends(*cases: Made, **changes: Any) -> Trends:
    """The Trends of these cases; each has the identity PLAIN, changed as it says."""
    identities = [{**PLAIN, "device": one.case.device, **one.identity} for one in cases]
    series = [made for index, one in enumerate(cases) for made in _series(index, one)]
    tracks = tuple(_track(index, one) for index, one in enumerate(cases))
    newest = max((track.at[-1] for track in tracks), default="")
    made: dict[str, Any] = {
        "newest": newest, "identities": tuple(identities), "tracks": tracks, "series": tuple(series), "rows": (),
        "overview": NOTHING,
    }  # fmt: skip
    return Trends(**{**made, **changes})


def _track(index: int, one: Made) -> Track:
    count = one.sessions
    return Track(
        case=one.case, engine=one.engine, simulated=one.simulated,
        ids=tuple(f"{index:04x}{day:028x}" for day in range(count)),
        at=tuple(time_of(one.first_day + day) for day in range(count)),
        purpose=tuple(one.purpose or ["check"] * count), valid=np.array(one.valid or [True] * count, bool),
        identity=np.full(count, index), commit=("abc",) * count, subject=("",) * count,
        build=tuple(one.build or [BUILD] * count), command=("pytest suites/",) * count,
        run=tuple(f"run{day:09}" for day in range(count)),
    )  # fmt: skip


def _series(index: int, one: Made) -> list[Series]:
    return [_one_series(index, one, metric, values) for metric, values in one.values.items()]


def _one_series(index: int, one: Made, metric: str, values: Sequence[float | None]) -> Series:
    known = [place for place, value in enumerate(values) if value is not None]
    unit = METRICS[metric] if metric in METRICS else DERIVED[metric]
    return Series(
        track=index, metric=metric, unit=unit.unit, better=unit.better, index=np.array(known, np.int64),
        value=np.array([values[place] for place in known], np.float64), outcome=np.zeros(len(known), np.int8),
        limits=one.limits.get(metric, ()),
    )  # fmt: skip
