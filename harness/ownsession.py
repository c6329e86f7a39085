"""A measuring session of a console command: over the repository in which it runs, and kept in no history."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.case import Plan
from harness.identity import require_present, runtimes_in_use
from harness.pipelinecard import cards_named
from harness.prepare import Setup
from harness.profile import DeviceProfile
from harness.progress import ProgressLine
from harness.session import Session


def own_session(profile: DeviceProfile, models: str, plan: Plan, work: Path) -> Session:
    """The cases of `models` (names or folders with commas; empty: all) on this machine, measured under `plan`.

    ConfigError for a model that there is not, or where the machine is not what the profile describes.
    """
    root = Path.cwd()
    names = [name.strip() for name in models.split(",") if name.strip()]
    setup = Setup(
        profile=profile, cards=cards_named(names, root / "suites" / "models"), named=bool(names), plan=plan,
        work=work.absolute(), cache=root / ".cache" / "dms-harness", root=root,
    )  # fmt: skip
    require_present(profile, root / "devices", runtimes_in_use(setup))
    return Session(setup=setup, progress=ProgressLine(sys.stderr))
