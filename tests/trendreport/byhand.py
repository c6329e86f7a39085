"""Small trends made by hand: a row of every kind, and names that mean harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from harness.case import Case
from harness.record import Annotation
from harness.trendreport.model import (
    NOT_JUDGED,
    OUTCOMES,
    Band,
    Claim,
    Limit,
    Overview,
    Row,
    Section,
    Series,
    Step,
    Table,
    Track,
    Trends,
    Views,
)
from harness.verdict import Change
from tests.trendreport.histories import time_of

CASE = Case("bench", "eyes", "int8", "ort")
HOSTILE = '<script>alert(1)</script>\x00\x1b[31m]]>\u202e\ud800=1+1|`@me {{7*7}} "onmouseover=x" \ufffe'
SESSIONS = 40
NEWEST = time_of(SESSIONS - 1)


def track(case: Case = CASE, count: int = SESSIONS, **changes: Any) -> Track:
    """One session a day of one build; one of them, number 7, is invalid."""
    values: dict[str, Any] = {
        "case": case, "engine": "onnxruntime 1.2.3", "simulated": False,
        "ids": tuple(f"{number:032x}" for number in range(count)), "at": tuple(time_of(day) for day in range(count)),
        "purpose": ("check",) * count, "valid": np.arange(count) != 7, "identity": np.zeros(count, np.int64),
        "commit": tuple(f"{number // 5:040x}" for number in range(count)), "subject": ("change",) * count,
        "build": ("ab" * 32,) * count, "command": ("pytest suites/",) * count, "run": ("0" * 12,) * count,
        "boundaries": ((20, "engine: 1.2.2 and now 1.2.3"),),
    }  # fmt: skip
    return Track(**{**values, **changes})


def series(metric: str = "frame_p99_ms", count: int = SESSIONS, newest: str = "PASS", **changes: Any) -> Series:
    """A little noise around 10, judged from the twelfth session on; the newest one as `newest` says."""
    outcomes = np.full(count, NOT_JUDGED, np.int8)
    outcomes[12:] = OUTCOMES.index("PASS")
    if count:
        outcomes[-1] = OUTCOMES.index(newest)
    values: dict[str, Any] = {
        "track": 0, "metric": metric, "unit": "ms", "better": "less", "index": np.arange(count),
        "value": 10 + 0.1 * np.random.default_rng(1).standard_normal(count), "outcome": outcomes,
        "limits": (Limit(limit=50.0, gate=True), Limit(limit=10.3, gate=False)),
        "band": Band(low=9.7, high=10.3, first=12, sessions=12), "steps": (Step(index=25, percent=3.5, p_value=0.001),),
    }  # fmt: skip
    return Series(**{**values, **changes})


def change(percent: float = 1.0, **changes: Any) -> Change:
    """A change with an interval of half a per cent to each side, against 5 %."""
    values: dict[str, Any] = {
        "against": "the accepted baseline", "before": 10.0, "percent": percent, "low_percent": percent - 0.5,
        "high_percent": percent + 0.5, "tolerance_percent": 5.0, "detectable_percent": 2.1, "count": 12,
        "improved": False,
    }  # fmt: skip
    return Change(**{**values, **changes})


def claim(outcome: str = "PASS", **changes: Any) -> Claim:
    """A budget of 50."""
    values: dict[str, Any] = {
        "kind": "budget", "rule": "limit/1", "outcome": outcome, "gate": True, "sentence": f"so it is: {outcome}",
        "limit": 50.0, "margin_percent": -4.0 if outcome == "FAIL" else 80.0, "evidence": "660 frames",
    }  # fmt: skip
    return Claim(**{**values, **changes})


def row(metric: str = "frame_p99_ms", outcome: str = "PASS", **changes: Any) -> Row:
    """A row of the first case and its newest session; open unless it passed."""
    values: dict[str, Any] = {
        "case": CASE, "metric": metric, "unit": "ms", "value": 10.25, "at": NEWEST, "outcome": outcome,
        "advice": False, "weight": 0.0, "in_noise": outcome in ("PASS", ""), "track": 0, "series": 0, "flags": (),
        "claims": (claim(outcome),) if outcome else (), "missing": "",
    }  # fmt: skip
    return Row(**{**values, **changes})


def overview(state: str = "PASS", **changes: Any) -> Overview:
    """The first screen in words."""
    values: dict[str, Any] = {
        "state": state, "sentence": "3 of 4 rows pass", "next_step": "look at the FAIL rows" if state != "PASS" else "",
        "compared": "compared with 12 accepted sessions; 2 rows are inside the noise", "run": "0" * 12,
    }  # fmt: skip
    return Overview(**{**values, **changes})


def trends(*rows: Row, **changes: Any) -> Trends:
    """These rows over one track with one series."""
    values: dict[str, Any] = {
        "newest": NEWEST, "identities": ({"engine": "1.2.2"}, {"engine": "1.2.3"}), "tracks": (track(),),
        "series": (series(),), "rows": rows, "overview": overview(),
        "annotations": (Annotation(at=time_of(30), kind="firmware", text="new BSP", author="ann"),),
        "views": Views(tables=(Table(title="Engines", columns=("engine", "ms"), rows=(("ort", "10"),)),)),
        "health": (Table(title="Boards", columns=("board", "faults"), rows=(("bench", "0"),), notes=("few",)),),
        "notes": ("3 metrics are left out",),
    }  # fmt: skip
    return Trends(**{**values, **changes})


def every_kind() -> Trends:
    """FAIL, missing, INCONCLUSIVE, advice, a change, a plain PASS, and one that nothing limits."""
    gone = row("load_ms", "", missing="the case was not reached", value=None, at="", flags=("missing",), track=None,
               series=None, in_noise=False, case=replace(CASE, variant="fp32"))  # fmt: skip
    compared = claim("PASS", kind="change", rule="sessions-t/1", limit=None, margin_percent=None, change=change(2.0))
    return trends(
        gone,
        row("frame_p99_ms", "FAIL", flags=("newly failing",)),
        row("accuracy_min_percent", "INCONCLUSIVE", unit="%"),
        row("fps_mean", "FAIL", advice=True, claims=(claim("FAIL", gate=False),), unit="1/s"),
        row("frame_p25_ms", claims=(compared,), in_noise=False, flags=("improved", "simulated")),
        row("peak_memory_mb", unit="MB"),
        row("pre_p50_ms", ""),
        overview=overview("FAIL", failed=("bench/eyes/int8/ort frame_p99_ms: 52 ms",), missing=("load_ms",),
                          simulated=("bench/eyes/int8/ort",)),
    )  # fmt: skip


def hostile() -> Trends:
    """Harm in every name and text that comes from outside."""
    case = Case(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    said = claim("FAIL", sentence=HOSTILE, evidence=HOSTILE, rule=HOSTILE)
    table = Table(title=HOSTILE, columns=(HOSTILE, "b"), rows=((HOSTILE, "1"),), notes=(HOSTILE,))
    return trends(
        row(HOSTILE, "FAIL", case=case, unit=HOSTILE, claims=(said,)),
        row(HOSTILE, "", case=case, missing=HOSTILE, flags=("missing",), in_noise=False),
        newest=NEWEST, identities=({HOSTILE: HOSTILE},),
        tracks=(track(case, subject=(HOSTILE,) * SESSIONS, commit=(HOSTILE,) * SESSIONS,
                      command=(HOSTILE,) * SESSIONS, engine=HOSTILE, boundaries=((3, HOSTILE),)),),
        series=(series(HOSTILE, unit=HOSTILE),),
        annotations=(Annotation(at=time_of(3), kind=HOSTILE, text=HOSTILE, author=HOSTILE),),
        sections=(Section(name="pace", heading="Pace", tables=(table,), notes=(HOSTILE,)),),
        views=Views(tables=(table,)), health=(table,), provenance=(table,), notes=(HOSTILE,),
        overview=overview("FAIL", sentence=HOSTILE, next_step=HOSTILE, compared=HOSTILE, failed=(HOSTILE,),
                          new=(HOSTILE,), missing=(HOSTILE,), simulated=(HOSTILE,), not_asked=(HOSTILE,)),
    )  # fmt: skip
