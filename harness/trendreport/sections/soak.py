"""The section of soaks: minute by minute with heat, clocks and memory on one axis, and the ranking. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from harness.record import SessionRecord
from harness.soak.minutes import Minute
from harness.summaries.soak import LIMITS, SoakSummary, ranks, soak_summary
from harness.summaries.tables import minutes_table, ranking_table
from harness.trendreport.cells import number
from harness.trendreport.model import Section, Table
from harness.trendreport.sections.chosen import named, said_left_out, shown_table
from harness.trendreport.timecharts import TimeChart, TimeLine, TimePanel, told

MOST_CLOCKS = 4


@dataclass(frozen=True, kw_only=True)
class SoakCase:
    """The first process of a session that is a soak. together: device and run, which decide who is ranked with whom."""

    name: str
    together: tuple[str, str]
    summary: SoakSummary


def soak_case(session: SessionRecord) -> list[SoakCase]:
    """None or one."""
    found = next(filter(None, map(soak_summary, session.runs)), None)
    together = session.case.device, str(session.provenance.get("run") or session.id)
    return [SoakCase(name=named(session), together=together, summary=found)] if found else []


def soak_section(cases: Sequence[SoakCase], left_out: int) -> Section | None:
    """None without a case."""
    if not cases:
        return None
    minutes = (shown_table(minutes_table(one.summary, number), f"Soak of {one.name}") for one in cases)
    return Section(
        name="soak", heading="Soaks", tables=(*_rankings(cases), *minutes), charts=tuple(map(_chart, cases)),
        notes=said_left_out(left_out, "with a soak"),
    )  # fmt: skip


def _rankings(cases: Sequence[SoakCase]) -> Iterator[Table]:
    """One for each run that soaked several cases of a device."""
    for together in dict.fromkeys(one.together for one in cases):
        found = ranks({one.name: one.summary for one in cases if one.together == together})
        if found:
            made = ranking_table(found, number)
            yield shown_table(made, f"{made.title} on {together[0]}")


def _chart(case: SoakCase) -> TimeChart:
    rows = case.summary.minutes
    panels = (
        _panel("latency", "ms", _line("P99", [one.p99_ms for one in rows]), _line("P50", [one.p50_ms for one in rows])),
        _panel("temperature", "C", _line("hottest", [one.temperature_c for one in rows]), from_zero=False),
        _panel("clocks", "MHz", *_clocks(rows)),
        _panel("memory", "MB", _line("worker", case.summary.memory_mb), from_zero=False),
    )
    return TimeChart(
        title=f"Soak of {case.name}",
        x_name="time, minutes",
        end=float(len(rows)),
        panels=tuple(one for one in panels if one.lines),
    )


def _clocks(rows: Sequence[Minute]) -> list[TimeLine]:
    """At most four; clocks that go alike, such as those of one cluster's cores, as one."""
    names = dict.fromkeys(name for one in rows for name in one.clocks_mhz if not name.endswith(LIMITS))
    alike: dict[tuple[float | None, ...], list[str]] = {}
    for name in names:
        alike.setdefault(tuple(row.clocks_mhz.get(name) for row in rows), []).append(name)
    named = ((f"{first} (+{len(rest)} alike)" if rest else first, values) for values, (first, *rest) in alike.items())
    return [_line(*one) for one in islice(named, MOST_CLOCKS)]


def _panel(quantity: str, unit: str, *lines: TimeLine, from_zero: bool = True) -> TimePanel:
    return TimePanel(quantity=quantity, unit=unit, lines=told(lines), from_zero=from_zero)


def _line(name: str, values: Sequence[float | None]) -> TimeLine:
    """A value in the middle of each minute."""
    return TimeLine(name=name, at=tuple(place + 0.5 for place in range(len(values))), value=tuple(values))
