"""The roofline floor of every case of the history whose device and card are still in the repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from harness.case import Case
from harness.casefloor import case_floor
from harness.errors import HarnessError
from harness.model import ModelCard, read_card
from harness.profile import NAME, DeviceProfile, read_profile
from harness.roofline import has_facts

UNREADABLE = (HarnessError, OSError, ValueError)


def floors_of(root: Path | None, cases: Iterable[Case]) -> dict[str, float]:
    """Case key -> floor in ms, from root/devices and root/suites/models.

    What is missing, changed or unreadable there has no floor: the history outlives its repository. The precision is the
    one that file and entry allow, since no run is asked.
    """
    return dict(_floors(root, cases)) if root else {}


def _floors(root: Path, cases: Iterable[Case]) -> Iterator[tuple[str, float]]:
    profile_of = cache(lambda name: known_profile(name, root / "devices"))
    card_of = cache(lambda name: _card(name, root / "suites" / "models"))
    for case in cases:
        profile = profile_of(case.device)
        # Few profiles have facts; without them no card and no model file need be opened.
        card = card_of(case.model) if profile and not profile.simulated and has_facts(profile.facts) else None
        floor_ms = _floor_ms(profile, card, case) if profile and card else None
        if floor_ms is not None:
            yield case.key, floor_ms


def known_profile(name: str, folder: Path) -> DeviceProfile | None:
    """The facts of a profile in `folder`; None where it is missing or wrong."""
    with suppress(*UNREADABLE):
        return read_profile(name, folder, options=False)
    return None


def _card(name: str, folder: Path) -> ModelCard | None:
    """Only what lies in the folder: a history may come from anywhere, and a name in it may be a path."""
    with suppress(*UNREADABLE):
        return read_card(folder / name) if NAME.fullmatch(name) else None
    return None


def _floor_ms(profile: DeviceProfile, card: ModelCard, case: Case) -> float | None:
    known = case.variant in card.variants and case.runtime in profile.runtimes
    with suppress(*UNREADABLE):
        floor = case_floor(profile, card, case) if known else None
        return floor.ms if floor else None
    return None
