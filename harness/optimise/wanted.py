"""Wanted: all that was asked of a run, and the limits that it lays over the device's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.case import Plan
from harness.model import ModelCard
from harness.optimise.candidates import PARENT, Choice
from harness.optimise.rows import LATENCY, LOSS
from harness.prepare import file_format
from harness.profile import DeviceProfile


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """profile: the target's, with the limits of this run. loss_points: what may be lost. latency_ms: asked for by name,
    None where the device's own budget holds.

    out: folder of all that is written; cache: what outlives it. root: of the repository. history: location, or empty.
    retry: what failed before, or was disturbed, is tried again. command: that would do it again.
    """

    profile: DeviceProfile
    choice: Choice
    loss_points: float
    latency_ms: float | None
    plan: Plan
    out: Path
    cache: Path
    root: Path
    seed: int = 1
    history: str = ""
    retry: bool = False
    command: str = ""

    def folder(self, card: ModelCard) -> Path:
        """Where everything about one model goes."""
        return self.out / self.profile.name / card.name

    def limited(self) -> Wanted:
        """The same with its limits in the target's budgets."""
        latency = {} if self.latency_ms is None else {LATENCY: self.latency_ms}
        budgets = {**self.profile.budgets, **latency, LOSS: self.loss_points}
        return replace(self, profile=self.profile.model_copy(update={"budgets": budgets}))


def runtimes_for(profile: DeviceProfile, card: ModelCard) -> tuple[str, ...]:
    """The runtimes of the target that take a file of the parent."""
    return tuple(one for one in profile.runtimes if file_format(profile, card, PARENT, one))


def parent_files(card: ModelCard) -> dict[str, Path]:
    """The parent's files by format."""
    return {form: card.file(PARENT, form) for form in card.variants[PARENT].files}
