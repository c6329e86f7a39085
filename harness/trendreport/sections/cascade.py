"""The section of cascades: a table of stages for each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.record import SessionRecord
from harness.summaries.cascade import CascadeSummary, cascade_summary
from harness.summaries.tables import stages_table
from harness.trendreport.cells import number
from harness.trendreport.model import Section
from harness.trendreport.sections.chosen import named, shown_table


@dataclass(frozen=True, kw_only=True)
class CascadeCase:
    """The stages of one session."""

    name: str
    summary: CascadeSummary


def cascade_case(session: SessionRecord) -> list[CascadeCase]:
    """None or one."""
    found = cascade_summary(session.runs)
    return [CascadeCase(name=named(session), summary=found)] if found else []


def cascade_section(cases: Sequence[CascadeCase]) -> Section | None:
    """None without a case."""
    titles = ((one, f"Stages of {one.name}, {one.summary.execution}, ms") for one in cases)
    tables = tuple(shown_table(stages_table(one.summary, number), title) for one, title in titles)
    return Section(name="cascade", heading="Cascades", tables=tables) if tables else None
