"""Trends for the page: everything that it can show, any text in every place, and as large as wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
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
    ParetoChart,
    ParetoPoint,
    Row,
    Section,
    Series,
    Step,
    Table,
    Track,
    Trends,
    Views,
)
from harness.trendreport.timecharts import TimeChart, TimeLine, TimePanel
from harness.verdict import Change

METRICS = (("frame_p99_ms", "ms", 40.0), ("frame_p25_ms", "ms", 21.0), ("load_ms", "ms", 151.0),
           ("peak_memory_mb", "MB", 93.2), ("energy_per_frame_mj", "mJ", 3.1))  # fmt: skip
PASS = OUTCOMES.index("PASS")
EMPTY = Trends(
    newest="", identities=(), tracks=(), series=(), rows=(),
    overview=Overview(
        state="NOTHING MEASURED", sentence="the history holds no session",
        next_step="run pytest suites/ --device=host, then harness report", compared="", run="",
    ),
)  # fmt: skip


def change(percent: float = 1.2, low: float | None = -0.4, high: float | None = 2.8, **changes: Any) -> Change:
    """Against the accepted baseline, within the tolerance of 5 %."""
    made = {"against": "accepted baseline", "percent": percent, "low_percent": low, "high_percent": high,
            "tolerance_percent": 5.0, "detectable_percent": 2.1, "count": 3, "improved": False, **changes}  # fmt: skip
    return Change(**made)


def claims(outcome: str = "PASS", sentence: str = "proven within the tolerance", **changes: Any) -> tuple[Claim, ...]:
    """One against a budget, one against the baseline."""
    return (
        Claim(kind="budget", rule="tail-stream/1", outcome=outcome, gate=True, sentence=f"budget: {sentence}",
              limit=50.0, margin_percent=20.0, evidence="660 frames"),
        Claim(kind="change", rule="sessions-t/1", outcome=outcome, gate=True, sentence=sentence,
              change=change(**changes), evidence="3 of 12 sessions"),
    )  # fmt: skip


def track(case: Case, sessions: int = 40, name: str = "", **changes: Any) -> Track:
    """One session a night, each of a commit of its own; invalid every 37th."""
    nights = [datetime(2020, 1, 1, 3) + timedelta(days=day, seconds=day % 13) for day in range(sessions)]
    rng = np.random.default_rng(len(case.key))
    ids = rng.bytes(16 * sessions).hex()
    made: dict[str, Any] = {
        "case": case, "engine": name or "onnxruntime 1.31.1", "simulated": False,
        "ids": tuple(ids[32 * place : 32 * place + 32] for place in range(sessions)),
        "at": tuple(night.strftime("%Y-%m-%dT%H:%M:%SZ") for night in nights),
        "purpose": tuple("accept" if day < 12 else "check" for day in range(sessions)),
        "valid": np.arange(sessions) % 37 != 20, "identity": np.arange(sessions) * 2 // max(sessions, 1),
        "commit": tuple(name or f"{day:012x}" for day in range(sessions)),
        "subject": tuple(name or f"nightly change number {day} of the model" for day in range(sessions)),
        "build": ("ab" * 32,) * sessions, "command": (name or f"pytest suites/ --device={case.device}",) * sessions,
        "run": tuple(f"run{day}" for day in range(sessions)),
        "boundaries": ((sessions // 2, name or "engine: 1.30 to 1.31"),) if sessions > 1 else (),
    }  # fmt: skip
    return Track(**{**made, **changes})


def series(number: int, sessions: int, metric: str, unit: str, typical: float, **changes: Any) -> Series:
    """Two per cent of noise around `typical`, a value in every session, all outcomes in it."""
    rng = np.random.default_rng(number)
    outcome = np.full(sessions, PASS, np.int8)
    outcome[: min(12, sessions)] = NOT_JUDGED
    outcome[12::29] = np.arange(len(outcome[12::29])) % NOT_JUDGED
    made: dict[str, Any] = {
        "track": 0, "metric": metric, "unit": unit, "better": "less", "index": np.arange(sessions),
        "value": typical * np.exp(0.02 * rng.standard_normal(sessions)), "outcome": outcome,
        "limits": (Limit(limit=1.2 * typical, gate=True),),
        "band": Band(low=0.95 * typical, high=1.05 * typical, first=min(12, sessions), sessions=12),
        "steps": (Step(index=sessions // 3, percent=3.1, p_value=0.002),),
    }  # fmt: skip
    return Series(**{**made, **changes})


def row(case: Case, metric: str, unit: str, track: Track, number: int, place: int, **changes: Any) -> Row:
    """A PASS inside the noise."""
    made: dict[str, Any] = {
        "case": case, "metric": metric, "unit": unit, "value": 40.123456, "at": track.at[-1], "outcome": "PASS",
        "advice": False, "weight": 1.0, "in_noise": True, "track": place, "series": number, "claims": claims(),
    }  # fmt: skip
    return Row(**{**made, **changes})


def trends(cases: int = 3, sessions: int = 40, metrics: int = 5, name: str = "") -> Trends:
    """So many cases with every kind of row; `name` stands in every text that comes from outside."""
    found = [Case(name or f"orin-{one % 3}", name or f"eyes{one}", name or "int8", f"{name}{one}" if name else "ort")
             for one in range(cases)]  # fmt: skip
    tracks = [track(case, sessions, name, simulated=not place) for place, case in enumerate(found)]
    made, rows = [], []
    for place, case in enumerate(found):
        for metric, unit, typical in METRICS[:metrics]:
            metric = f"{name}{metric}" if name else metric
            made.append(series(len(made), sessions, metric, name or unit, typical, track=place))
            rows.append(row(case, metric, name or unit, tracks[place], len(made) - 1, place, **_kind(len(rows), name)))
    gone = Row(
        case=found[0], metric=name or "accuracy_min_percent", unit="%", value=None, at="", outcome="", advice=False,
        weight=9.0, in_noise=False, track=None, series=None, flags=("missing",), missing=name or "the board is silent",
    )  # fmt: skip
    return Trends(
        newest=tracks[-1].at[-1],
        identities=({"device": name or "orin", name or "cores": 4}, {"device": "b", "fan": 1.5}),
        tracks=tuple(tracks), series=tuple(made), rows=(gone, *rows), overview=_overview(name),
        annotations=tuple(_annotations(found[0], name)), views=_views(found, name), health=(_table("Health", name),),
        provenance=(_table("Annotations", name),), details={tracks[0].ids[-1]: _detail(tracks[0], name)},
        sections=_sections(name), notes=(name or "3 metrics are left out",),
    )  # fmt: skip


def _kind(number: int, name: str) -> dict[str, Any]:
    """The first rows are of every outcome, then one that nobody judged, one of an older run, and noise."""
    said = name or "proven worse: 42 ms"
    wild = {
        "percent": 9.0,
        "low": 3.0,
        "high": None,
        "detectable_percent": None,
        "against": name or "accepted baseline",
    }
    kinds: list[dict[str, Any]] = [
        {"outcome": one, "claims": claims(one, said, **wild), "in_noise": False, "flags": ("new",)}
        for one in OUTCOMES[:-1]
    ]
    kinds.append({"outcome": "", "claims": (), "value": None})
    kinds.append({"current": False, "claims": claims(sentence=said)})
    return kinds[number] if number < len(kinds) else {"claims": claims(sentence=name or "proven within the tolerance")}


def _overview(name: str) -> Overview:
    said = tuple(f"{name or 'orin/eyes/int8/ort'} frame_p99_ms: 52 ms, {number}" for number in range(11))
    return Overview(
        state="FAIL", sentence=name or "2 gates failed", next_step=name or "measure the last good build", failed=said,
        compared=name or "against 12 accepted sessions; 9 rows are inside the noise", run=name or "run of 2026-01-31",
        new=said[:1], missing=said[:1], simulated=said[:1], not_asked=said[:1],
    )  # fmt: skip


def _annotations(case: Case, name: str) -> list[Annotation]:
    known = {"kind": name or "firmware", "text": name or "new firmware", "author": name or "Kim"}
    return [Annotation(at="2020-01-05T00:00:00Z", case_key=key, **known) for key in (None, case.key, "gone/a/b/c")]


def _views(cases: list[Case], name: str) -> Views:
    points = tuple(
        ParetoPoint(case=case, x=5.0 + place, y=90.0 + place, front=place != 1) for place, case in enumerate(cases)
    )
    chart = ParetoChart(title=name or "eyes on orin", x_name=name or "frame p50, ms", y_name=name or "accuracy, %",
                        y_better="more", points=points)  # fmt: skip
    return Views(tables=(_table("Engines", name),), charts=(chart,))


def _sections(name: str) -> tuple[Section, ...]:
    """One with a chart of two panels, whose second has a gap, and one with a table alone."""
    panels = tuple(
        TimePanel(quantity=name or quantity, unit=name or unit, lines=(
            TimeLine(name=name or "P99", at=(0.5, 1.5, 2.5), value=(5.0, None, 6.0)),
            TimeLine(name=name or "P50", at=(0.5, 1.5, 2.5), value=(4.0, 4.1, 4.2)),
        ))
        for quantity, unit in (("latency", "ms"), ("temperature", "C"))
    )  # fmt: skip
    chart = TimeChart(title=name or "soak of eyes", x_name=name or "time, minutes", end=3.0, panels=panels)
    soak = Section(name="soak", heading="Soaks", tables=(_table("Soak of eyes", name),), charts=(chart,),
                   notes=(name or "2 further cases",))  # fmt: skip
    return soak, Section(name="cascade", heading="Cascades", tables=(_table("Stages", name),))


def _table(title: str, name: str) -> Table:
    return Table(title=name or title, columns=(name or "case", "ms"), rows=((name or "eyes", name or "1.2"),),
                 notes=(name or "two left out",))  # fmt: skip


def _detail(of: Track, name: str) -> dict[str, Any]:
    said = name or "text"
    return {
        "id": of.ids[-1], "at": of.at[-1], "case": of.case.key, "environment": [[said, said, said]], "baseline": None,
        "context": {said: said}, "provenance": {said: 0.5}, "command": said, "commit": said, "subject": said,
        "verdicts": [{"metric": said, "outcome": said, "gate": True, "sentence": said}],
        "quantiles_ms": [float("nan"), *np.linspace(4, 9, 100)], "shift": None, "frames": [], "traces": [],
        "stages": [],
    }  # fmt: skip
