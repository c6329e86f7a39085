"""What the tests of the spine share: hand-made runs, simulated models with planted faults, jobs, sessions."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Case, InputSpec, Job, Plan, Run, TaskSpec
from harness.frames import Frame, write_pack
from harness.measure import measure
from harness.model import read_card
from harness.prepare import Setup
from harness.profile import DeviceProfile, read_profile
from harness.session import Session

CHECKOUT = Path(__file__).resolve().parent.parent
QUICK = Plan(
    name="quick", frames=60, warmup_window=5, warmup_cap_frames=40, distinct_frames=4, accuracy_frames=20, deadline_s=30
)
CASE = Case("simulated", "eyes", "fp32", "simulated")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real outputs of boards and tools that DMS_CAPTURES names; skipped, and said so, without it."""
    folder = os.environ.get("DMS_CAPTURES", "")
    if not folder:
        pytest.skip("DMS_CAPTURES names no folder of real captures")
    assert Path(folder).is_dir(), f"DMS_CAPTURES = {folder!r} is no folder"
    return Path(folder)


@pytest.fixture
def quick() -> Plan:
    """A plan of a few frames."""
    return QUICK


@pytest.fixture
def simulated() -> DeviceProfile:
    """The shipped simulated device."""
    return read_profile("simulated", CHECKOUT / "devices")


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run with these frame times; its stages are 1 ms, the rest, and 1 ms, less `residual_ns`."""

    def make(frame_ns: Any, *, residual_ns: Any = 0, gap_ns: int = 0, **changes: Any) -> Run:
        frame = np.asarray(frame_ns, np.int64)
        edge = np.full(len(frame), 1_000_000, np.int64)
        starts = np.concatenate([[0], np.cumsum(frame + gap_ns)[:-1]]) if len(frame) else frame
        values: dict[str, Any] = {
            "stages": {"pre": edge, "infer": frame - 2 * edge - np.asarray(residual_ns), "post": edge},
            "frame_ns": frame, "start_ns": starts, "cpu_ns": frame[:0], "warmup_ns": frame[:0],
            "marks": {}, "facts": {"outputs_finite": True, "outputs_vary": True, "outputs_repeat": True},
        }  # fmt: skip
        return Run(**{**values, **changes})

    return make


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the shipped simulated model; `behaviour` goes into its .sim files (`only`: into one)."""

    def make(name: str = "eyes", only: str = "*", **behaviour: Any) -> Path:
        folder = tmp_path / "models" / name
        if not folder.exists():
            shutil.copytree(CHECKOUT / "suites" / "models" / "simulated_eyes", folder)
        for path in folder.glob(f"{only}.sim"):
            path.write_text(json.dumps({**json.loads(path.read_text()), **behaviour}), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """A job for the simulated engine over four flat frames; `sim` is what its .sim file says."""

    def make(sim: dict[str, Any] | None = None, **changes: Any) -> Job:
        (tmp_path / "model.sim").write_text(json.dumps(sim or {}), encoding="utf-8")
        write_pack(tmp_path / "frames", (Frame(np.full((20, 32), grey, np.uint8)) for grey in (10, 240, 60, 200)))
        values: dict[str, Any] = {
            "case": CASE, "plan": QUICK, "engine": "simulated", "options": {"seed": 1},
            "model_path": str(tmp_path / "model.sim"), "model_sha256": "0" * 64,
            "frames_path": str(tmp_path / "frames"), "input": InputSpec(32, 20),
            "task": TaskSpec("classification", {"classes": ["dark", "bright"]}),
        }  # fmt: skip
        return Job(**{**values, **changes})

    return make


@pytest.fixture
def measured() -> Callable[..., Run]:
    """Carry out a job in this process; its run with the predictions."""

    def carry_out(job: Job, say: Callable[[str, int, int], None] = lambda *words: None) -> Run:
        kept: list[Run] = []
        predictions = measure(job, say, kept.append)
        (run,) = kept
        return replace(run, predictions=predictions)

    return carry_out


@pytest.fixture
def make_session(tmp_path: Path, simulated: DeviceProfile) -> Callable[..., Session]:
    """A session over the cards in `folders`, all of whose files lie under tmp_path; each call is a new session.

    setup: further fields of Setup; the rest are changes of the simulated device's profile.
    """

    def make(
        *folders: Path, plan: Plan = QUICK, said: list[Any] | None = None, setup: dict[str, Any] | None = None,
        **profile: Any,
    ) -> Session:  # fmt: skip
        setup = Setup(
            profile=simulated.model_copy(update=profile), cards=tuple(map(read_card, folders)), plan=plan,
            work=tmp_path / "work", cache=tmp_path / "cache", **(setup or {}),
        )  # fmt: skip
        return Session(setup=setup, progress=lambda *words: said.append(words) if said is not None else None)

    return make


@pytest.fixture
def processes() -> Callable[[str], list[int]]:
    """The ids of the processes, zombies too, whose command line holds a word."""

    def find(word: str) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if word in line:
                found.append(int(path.parent.name))
        return found

    return find
