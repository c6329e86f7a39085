"""What tests share: hand-made runs, simulated models with planted faults, jobs, sessions, a database server."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Case, InputSpec, Job, Plan, Run, TaskSpec
from harness.frames import Frame, write_pack
from harness.measure import measure
from harness.profile import DeviceProfile
from harness.session import Session
from tests.postgresql import server as server
from tests.simulated import CHECKOUT, QUICK, copied_model, session_over, simulated_device

CASE = Case("simulated", "eyes", "fp32", "simulated")


def pytest_configure() -> None:
    """A background job ignores Ctrl-C, one under nohup the end of its terminal: so would all that tests start."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    # There pytest would keep what failed last of every session that tests start, and beside those of other tests.
    os.environ.pop("TOX_ENV_DIR", None)


@pytest.fixture(scope="module", autouse=True)
def long_lived() -> None:
    """What lives by now lives to the end: a measurement's own garbage collection need not walk over 7,000 tests."""
    gc.collect()
    gc.freeze()


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
    return simulated_device()


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
    """A copy of the shipped simulated model: see copied_model."""
    return partial(copied_model, tmp_path / "models")


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
def make_session(tmp_path: Path) -> Callable[..., Session]:
    """A session over the cards in some folders, all of whose files lie under tmp_path: see session_over."""
    return partial(session_over, tmp_path)


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
