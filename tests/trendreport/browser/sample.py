"""Trends made by hand for the page in a browser: every kind of point, line, remark, row and detail once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.case import Array, Case
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
from harness.trendreport.timecharts import TimeChart, TimeLine, TimePanel
from harness.verdict import Change
from tests.trendreport.histories import time_of

FAIL, PASS = OUTCOMES.index("FAIL"), OUTCOMES.index("PASS")
METRICS = (("frame_p99_ms", "ms", "less"), ("frame_p25_ms", "ms", "less"), ("accuracy_min_percent", "%", "more"))
STAGES = (("load", 150.0), ("pre", 0.5), ("infer", 4.0), ("post", 0.4))
HOSTILE = (
    "<script>alert(1)</script>", '"onmouseover=alert(1) x="', "</script><img src=x onerror=alert(1)>", "<!--", "]]>",
    "\x1b[31mred\x00", "\u202egnp.exe", "{{7*7}}", "' onfocus='alert(1)", "javascript:alert(1)",
)  # fmt: skip


def case(number: int) -> Case:
    """A case of one of two devices, three variants and two engines."""
    variant = ("fp32", "int8", "pruned")[number % 3]
    return Case(("orin", "imx8")[number % 2], f"eyes{number // 6}", variant, ("ort", "tensorrt")[number // 3 % 2])


def track(of: Case, sessions: int, **changes: Any) -> Track:
    """A session a day from 2026-01-01 at 03:00; the last third under another identity, every 17th invalid."""
    days = range(sessions)
    turn = sessions * 2 // 3
    made = Track(
        case=of, engine="onnxruntime 1.2.3", simulated=False,
        ids=tuple(hashlib.sha256(f"{of.key} {day}".encode()).hexdigest()[:32] for day in days),
        at=tuple(time_of(day) for day in days),
        purpose=tuple("accept" if day < 12 else "check" for day in days),
        valid=np.array([day % 17 != 16 for day in days], bool), identity=np.array([int(day >= turn) for day in days]),
        commit=tuple(f"{day // 3:012x}" for day in days), subject=tuple(f"change {day // 3}" for day in days),
        build=("ab" * 32,) * sessions, command=(f"pytest suites/ --device={of.device}",) * sessions,
        run=tuple(f"run{day:09}" for day in days),
        boundaries=((turn, "version: '1.2.3' before, '1.3.0' now"),) if turn else (),
    )  # fmt: skip
    return replace(made, **changes)


def series(number: int, sessions: int, metric: str, unit: str, better: Any, seed: int) -> Series:
    """Values around a level that rises by a tenth for the last fifth, where they FAIL; one spike."""
    rng = np.random.default_rng(seed)
    level = 90.0 if unit == "%" else 30.0 + seed % 7
    value = level * np.exp(0.01 * rng.standard_normal(sessions))
    late = np.arange(sessions) >= sessions * 4 // 5
    outcome = np.where(late, FAIL, PASS).astype(np.int8)
    outcome[:12] = NOT_JUDGED
    value[late] *= 1.1
    if sessions > 40:
        value[sessions // 2] = 1.6 * level
        outcome[20:24] = range(1, 5)
    return Series(
        track=number, metric=metric, unit=unit, better=better, index=np.arange(sessions), value=value, outcome=outcome,
        limits=(Limit(limit=50.0, gate=True),) if metric == "frame_p99_ms" else (),
        band=Band(low=0.975 * level, high=1.025 * level, first=12, sessions=12) if sessions > 12 else None,
        steps=(Step(index=sessions * 4 // 5, percent=10.0, p_value=0.001),) if sessions > 40 else (),
    )  # fmt: skip


def row(of: Series, place: int, on: Track, **changes: Any) -> Row:
    """The newest session of a series; every third row stands out, the others are inside the noise."""
    if not len(of.value):
        last, value = "", None
    else:
        last, value = on.at[int(of.index[-1])], float(of.value[-1])
    outcome = ("FAIL", "PASS", "PASS")[place % 3]
    change = Change(
        against="12 accepted sessions", percent=10.0, low_percent=8.0, high_percent=12.0, tolerance_percent=5.0,
        detectable_percent=1.2, count=12, improved=False,
    )  # fmt: skip
    claim = Claim(
        kind="change", rule="sessions-t/1", outcome=outcome, gate=True, sentence=f"{of.metric} rose by 10 %",
        change=change,
    )  # fmt: skip
    made = Row(
        case=on.case, metric=of.metric, unit=of.unit, value=value, at=last, outcome=outcome, advice=False,
        weight=-place, in_noise=outcome == "PASS", track=of.track, series=place, claims=(claim,),
    )  # fmt: skip
    return replace(made, **changes)


def detail(on: Track, position: int, **changes: Any) -> dict[str, Any]:
    """What a click on a point shows, as docs/trend-report.md says it."""
    rng = np.random.default_rng(position)
    frames = np.sort(5.0 * np.exp(0.03 * rng.standard_normal(300)))
    seconds = np.round(np.linspace(0, 3, 60), 3).tolist()
    low = np.round(5 + 0.1 * rng.random(60), 3)
    trace = {"seconds": [0.0, 1.5, 3.0]}
    at = list(range(5, 100, 5))
    made = {
        "id": on.ids[position], "at": on.at[position], "case": on.case.key,
        "environment": [["version", "1.2.3", "1.3.0"], ["cores", "4", "6"]],
        "baseline": {"what": "the 12 accepted sessions", "quantiles_ms": quantiles(0.95 * frames)},
        "context": {"background_percent": 0.5}, "provenance": {"commit": on.commit[position]},
        "verdicts": [{"metric": "frame_p99_ms", "outcome": "FAIL", "gate": True, "sentence": "39.2 ms, 12 % slower"}],
        "quantiles_ms": quantiles(frames),
        "shift": {
            "at_percent": at, "ratio_percent": [5.0] * 19, "low": [4.0] * 19, "high": [6.0] * 19,
            "basis": "95 %, spread of 12 baseline sessions",
        },
        "frames": [{"count": 300, "seconds": seconds, "low_ms": low.tolist(), "high_ms": (low + 0.5).tolist()}] * 2,
        "traces": [
            {**trace, "process": process, "name": name, "unit": unit, "value": [start, 1.1 * start, start]}
            for process in (0, 1)
            for name, unit, start in (("CPU", "C", 40.0), ("GPU", "C", 45.0), ("cpu0", "MHz", 1800.0))
        ],
        "stages": [{"name": name, "ms": ms} for name, ms in STAGES],
        "command": f"git checkout {on.commit[position]} && pytest suites/ --device={on.case.device}",
        "commit": on.commit[position], "subject": on.subject[position],
        "notes": ["process 0: 3 more channels are left out"],
    }  # fmt: skip
    return {**made, **changes}


def quantiles(frames: Array) -> list[float]:
    """p0 to p100."""
    return [round(float(one), 4) for one in np.quantile(frames, np.linspace(0, 1, 101))]


def sample(cases: int = 4, sessions: int = 120, **changes: Any) -> Trends:
    """Three series per case; the newest session of the first case has its detail."""
    tracks = tuple(track(case(number), sessions) for number in range(cases))
    made = [
        series(number, sessions, metric, unit, better, seed=3 * number + place)
        for number in range(cases)
        for place, (metric, unit, better) in enumerate(METRICS)
    ]
    rows = tuple(row(one, place, tracks[one.track]) for place, one in enumerate(made))
    trends = trends_of(tracks, made, rows)
    if cases and sessions:
        trends = replace(trends, details={tracks[0].ids[-1]: detail(tracks[0], sessions - 1)})
    return replace(trends, **changes)


def trends_of(tracks: Sequence[Track], made: Sequence[Series], rows: Sequence[Row]) -> Trends:
    """All of it under one banner, with two remarks."""
    missing = Row(
        case=Case("orin", "gone", "fp32", "ort"), metric="frame_p99_ms", unit="ms", value=None, at="", outcome="",
        advice=False, weight=100.0, in_noise=False, track=None, series=None, flags=("missing",), missing="not reached",
    )  # fmt: skip
    first = tracks[0].case.key if tracks else "none"
    remarks = (
        Annotation(at="2026-02-01T00:00:00Z", kind="firmware", text="JetPack 6.2 was installed", author="ada"),
        Annotation(at="2026-03-01T00:00:00Z", kind="expected", text="larger input", author="ada", case_key=first),
    )
    return Trends(
        newest=max((one.at[-1] for one in tracks if one.at), default=""), tracks=tuple(tracks), series=tuple(made),
        rows=(missing, *rows) if rows else (), annotations=remarks, identities=identities(),
        overview=Overview(
            state="FAIL", sentence="4 gates: 4 FAIL", next_step="look at the FAIL rows", compared="with 12 sessions",
            run="run000000119", failed=("frame_p99_ms rose by 10 %",), missing=("orin/gone was not reached",),
        ),
        views=Views(tables=(Table(title="Variants", columns=("variant", "P99"), rows=(("fp32", "30 ms"),)),)),
        health=(Table(title="False alarms", columns=("what", "share"), rows=(("sessions", "1 of 40"),)),),
        provenance=(Table(title="Approvals", columns=("case", "by"), rows=(("orin", "ada"),)),),
        sections=(soak(),) if tracks else (),
    )  # fmt: skip


def soak(word: str = "soak of orin") -> Section:
    """Two panels of a soak, one with two lines, and its minutes; `word` stands wherever text may come from outside."""
    at = tuple(minute + 0.5 for minute in range(10))
    tail, middle, heat = (TimeLine(name=name, at=at, value=tuple(start + 0.1 * one for one in range(10)))
                          for name, start in (("P99", 5.6), (word, 5.0), ("hottest", 45.0)))  # fmt: skip
    panels = (TimePanel(quantity="latency", unit="ms", lines=(tail, middle)),
              TimePanel(quantity="temperature", unit="C", lines=(heat,), from_zero=False))  # fmt: skip
    chart = TimeChart(title=word, x_name="time, minutes", end=10.0, panels=panels)
    table = Table(title=word, columns=("minute", "P99 ms"), rows=(("1", "5.6"), ("10", word)))
    return Section(name="soak", heading="Soaks", tables=(table,), charts=(chart,), notes=(word,))


def identities() -> tuple[Mapping[str, Any], ...]:
    """Two: the engine's version and the cores changed."""
    before = {"device": "orin", "soc": "T234", "cores": 4, "version": "1.2.3"}
    return before, {**before, "cores": 6, "version": "1.3.0"}


def hostile() -> Trends:
    """The sample with hostile text wherever a text may come from outside."""
    trends = sample(cases=len(HOSTILE), sessions=60)
    tracks = [
        replace(one, case=Case(word, f"m{word}", word, word), engine=word, commit=(word,) * 60, subject=(word,) * 60,
                command=(word,) * 60, purpose=(word,) * 60, boundaries=((30, word),))
        for one, word in zip(trends.tracks, HOSTILE, strict=True)
    ]  # fmt: skip
    named = [
        replace(one, metric=f"{HOSTILE[one.track]} {place}", unit=HOSTILE[one.track])
        for place, one in enumerate(trends.series)
    ]
    claim = replace(trends.rows[1].claims[0], sentence=" ".join(HOSTILE), rule=HOSTILE[0], evidence=HOSTILE[1])
    rows = [
        row(one, place, tracks[one.track], outcome="FAIL", in_noise=False, claims=(claim,), flags=())
        for place, one in enumerate(named)
    ]
    details = {tracks[one].ids[-1]: hostile_detail(tracks[one], HOSTILE[one]) for one in range(len(HOSTILE))}
    everything = " ".join(HOSTILE)
    return replace(
        trends, tracks=tuple(tracks), series=tuple(named), rows=tuple(rows), details=details,
        identities=tuple(dict(zip(HOSTILE, HOSTILE[shift:] + HOSTILE[:shift], strict=True)) for shift in (1, 2)),
        annotations=tuple(Annotation(at="2026-02-01T00:00:00Z", kind=one, text=one, author=one) for one in HOSTILE),
        overview=replace(trends.overview, sentence=everything, failed=HOSTILE, new=HOSTILE, missing=HOSTILE),
        sections=(soak(everything),), notes=HOSTILE,
    )  # fmt: skip


def hostile_detail(on: Track, word: str) -> dict[str, Any]:
    """A detail whose every text is hostile."""
    sensor = {"process": 0, "name": word, "unit": word, "seconds": [0.0, 1.0], "value": [1.0, 2.0]}
    return detail(
        on, 59, environment=[[word, word, word]], command=word, subject=word, traces=[sensor],
        verdicts=[{"metric": word, "outcome": "FAIL", "gate": True, "sentence": word}],
        stages=[{"name": word, "ms": 1.0}], notes=[word], baseline={"what": word, "quantiles_ms": None},
        context={word: word}, provenance={word: word},
    )  # fmt: skip
