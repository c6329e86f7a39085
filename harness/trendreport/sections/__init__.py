"""The camera's pace, soaks and cascades of the newest sessions that have them, as sections of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.trendreport.model import Section, Trends
from harness.trendreport.sections.camera import CameraCase, camera_case, camera_section
from harness.trendreport.sections.cascade import CascadeCase, cascade_case, cascade_section
from harness.trendreport.sections.chosen import MOST_CASES, MOST_LOOKS, anything, at_the_cameras_pace, newest, soaked
from harness.trendreport.sections.soak import SoakCase, soak_case, soak_section

if TYPE_CHECKING:
    from harness.history.store import History

__all__ = ["sections_of"]


def sections_of(history: History, trends: Trends) -> tuple[Section, ...]:
    """Those that have something to show, of at most 24 cases each, the worst first."""
    raw = history.raw_ids()
    cameras, soaks, others = (newest(trends, raw, fits) for fits in (at_the_cameras_pace, soaked, anything))
    at_pace, long = cameras[:MOST_CASES], soaks[:MOST_CASES]
    paced, soaking, staged = list[CameraCase](), list[SoakCase](), list[CascadeCase]()
    # One at a time: the raw times of all may not fit into memory.
    for id_ in dict.fromkeys((*at_pace, *long, *others[:MOST_LOOKS])):
        for session in history.records([id_], with_runs=True):
            paced += camera_case(session) if id_ in at_pace else ()
            soaking += soak_case(session) if id_ in long else ()
            staged += cascade_case(session)
    made = (
        camera_section(paced, len(cameras) - len(at_pace)), soak_section(soaking, len(soaks) - len(long)),
        cascade_section(staged),
    )  # fmt: skip
    return tuple(one for one in made if one)
