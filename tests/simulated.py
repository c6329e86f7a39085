"""Copies of the shipped simulated model, and sessions over them whose files all lie in one folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from harness.case import Plan
from harness.model import read_card
from harness.prepare import Setup
from harness.profile import DeviceProfile, read_profile
from harness.session import Session

CHECKOUT = Path(__file__).resolve().parent.parent
QUICK = Plan(
    name="quick", frames=60, warmup_window=5, warmup_cap_frames=40, distinct_frames=4, accuracy_frames=20, deadline_s=30
)


def simulated_device() -> DeviceProfile:
    return read_profile("simulated", CHECKOUT / "devices")


def copied_model(models: Path, name: str = "eyes", only: str = "*", **behaviour: Any) -> Path:
    """A copy in `models`, made at the first call; `behaviour` goes into its .sim files (`only`: into one)."""
    folder = models / name
    if not folder.exists():
        shutil.copytree(CHECKOUT / "suites" / "models" / "simulated_eyes", folder)
    for path in folder.glob(f"{only}.sim"):
        path.write_text(json.dumps({**json.loads(path.read_text()), **behaviour}), encoding="utf-8")
    return folder


def session_over(
    folder: Path, *models: Path, plan: Plan = QUICK, said: list[Any] | None = None, setup: dict[str, Any] | None = None,
    **profile: Any,
) -> Session:  # fmt: skip
    """A new session over the cards in `models`. setup: further fields of Setup; the rest are changes of the profile."""
    made = Setup(
        profile=simulated_device().model_copy(update=profile), cards=tuple(map(read_card, models)), plan=plan,
        work=folder / "work", cache=folder / "cache", **(setup or {}),
    )  # fmt: skip
    return Session(setup=made, progress=lambda *words: said.append(words) if said is not None else None)
