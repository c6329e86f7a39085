"""A repository of a team's own, and nights in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

QUESTIONS = "p99 or memory"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With the simulated device, without its power sensor: its processes run the plan's frames and no more."""
    made = Workspace(tmp_path)
    made.without_power()
    return made
