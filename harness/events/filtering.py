"""What a card says of the driver's states: which of them its model tells, through which filter. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.cascadecard import FILE, CascadeCard
from harness.events import CLOSED, EVIDENCE, OFF_ROAD, PHONE
from harness.events.filters import StateFilter
from harness.eventtables import FilterTable
from harness.model import ModelCard

# The truth that a model is judged by -> the evidence that its answers are.
EVIDENCE_OF: Mapping[str, str] = {"eye_state": CLOSED, "gaze": OFF_ROAD, "distraction": PHONE}
LOST = {"absent": "a lost frame shows nothing", "skipped": "lost frames are skipped"}


@dataclass(frozen=True, kw_only=True)
class Filtering:
    """evidence: what is told of the driver. hmi_s: from the state to the warning. card: that states the filter, empty
    for the defaults. gate: a scenario time that is not kept is red.
    """

    evidence: tuple[str, ...]
    filter: StateFilter
    hmi_s: float
    gate: bool = False
    card: str = ""

    @property
    def words(self) -> str:
        """The filter, and who states it."""
        one = self.filter
        stated = f"stated in {self.card}" if self.card else "defaults of this project, no card states a [filter]"
        return (
            f"filter: a state begins where {100 * one.on_share:g} % of {one.window_s:g} s show it and ends at "
            f"{100 * one.off_share:g} %, {LOST[one.missing]}; {self.hmi_s:g} s to the warning ({stated})"
        )


def filtering_of(card: ModelCard) -> Filtering | None:
    """Of one model; None where it tells no state of the driver."""
    return _filtering(_told(card), card.filter, f"{card.name}/model.toml")


def filtering_of_cascade(card: CascadeCard, models: Iterable[ModelCard]) -> Filtering | None:
    """Of all models of a cascade together; the cascade's own [filter] alone counts."""
    told = [evidence for model in models for evidence in _told(model)]
    return _filtering(tuple(one for one in EVIDENCE if one in told), card.filter, f"{card.name}/{FILE}")


def _told(card: ModelCard) -> tuple[str, ...]:
    if card.filter is not None and card.filter.tells:
        return card.filter.tells
    truth = str(card.dataset.get("truth", ""))
    return (EVIDENCE_OF[truth],) if truth in EVIDENCE_OF else ()


def _filtering(evidence: tuple[str, ...], table: FilterTable | None, card: str) -> Filtering | None:
    stated = table or FilterTable()
    told = stated.tells or evidence
    if not told:
        return None
    filter = StateFilter(
        window_s=stated.window_s, on_share=stated.on_share, off_share=stated.off_share, missing=stated.missing
    )
    return Filtering(evidence=told, filter=filter, hmi_s=stated.hmi_s, gate=stated.gate, card=card if table else "")
