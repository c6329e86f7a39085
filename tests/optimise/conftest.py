"""A model, the simulated device and candidates for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.case import Plan
from harness.model import ModelCard, read_card
from harness.optimise import candidates
from harness.optimise.candidates import Candidate, Choice, EngineOption
from harness.optimise.wanted import Wanted
from harness.profiletables import Conditions
from harness.variants import TECHNIQUES
from tests.optimise.techniques import FUNCTION, NAME
from tests.simulated import CHECKOUT, simulated_device

# As few frames as prove a P99, and labelled ones as prove a loss under one point.
BRIEF = Plan(
    name="brief", frames=700, warmup_window=5, warmup_cap_frames=40, distinct_frames=4, accuracy_frames=600,
    deadline_s=30,
)  # fmt: skip


@dataclass(frozen=True)
class Asker:
    """Asks for a run with some candidates on the simulated device, whose power nobody measures."""

    folder: Path
    patch: pytest.MonkeyPatch

    def __call__(self, *tried: Candidate, options: tuple[EngineOption, ...] = (), **changes: Any) -> Wanted:
        self.patch.setitem(TECHNIQUES, NAME, FUNCTION)
        self.patch.setattr(candidates, "CANDIDATES", tried)
        device = simulated_device()
        budgets = {name: limit for name, limit in device.budgets.items() if name != "net_power_w"}
        quiet = {"power": None, "probes": {}, "conditions": Conditions(), "budgets": budgets}
        values: dict[str, Any] = {
            "profile": device.model_copy(update=quiet), "choice": Choice(candidates=tried, options=options),
            "loss_points": 1.0, "latency_ms": None, "plan": BRIEF,
            "out": self.folder / "out", "cache": self.folder / "cache", "root": CHECKOUT,
        }  # fmt: skip
        return Wanted(**{**values, **changes}).limited()


@pytest.fixture
def card(make_model: Callable[..., Path]) -> ModelCard:
    """The simulated model; each load of it has a luck of its own, so that no two builds are exactly alike."""
    return read_card(make_model(process_sigma=0.004))


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asker:
    """What is asked of a run with some candidates: see Asker."""
    return Asker(tmp_path, monkeypatch)
