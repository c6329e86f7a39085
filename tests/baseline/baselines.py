"""Baselines for the tests, and what can happen to the process that writes one."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.baseline import Baseline, BaselineSession, baseline_path
from harness.case import Case

CASE = Case("orin", "eyes", "int8", "trt")
CHANGES = ("open", "os.rename", "os.remove")


def session(number: int = 0, **values: tuple[float, ...]) -> BaselineSession:
    """One session of two processes."""
    known = {
        "frame_p25_ms": (round(3.4 + number / 100, 2), 3.41),
        "peak_memory_mb": (80.5, 80.25),
        "fps_mean": (29.12, 29.5),
    }
    return BaselineSession(
        at=f"2026-11-20T20:46:{number:02d}Z", unit="board-1", values=values or known,
        context={"background_percent": 0.5, "kernel": "6.1", "fan": True, "ambient": None},
        provenance={"model_sha256": "ab12", "commit": "50e52e9"},
    )  # fmt: skip


def baseline(count: int = 3, **changes: Any) -> Baseline:
    """A baseline of `count` sessions."""
    known = Baseline(
        case=CASE, accepted_at="2026-11-20T20:50:00Z", accepted_by="Anna", reason="the first one", commit="",
        identity={"cores": 6, "soc": "Orin", "clocks": True, "jetpack": None, "power_w": 15.5},
        context={"ambient_celsius": (21.5, 24), "kernel": "6.1"}, advice=("load_ms",),
        sessions=tuple(map(session, range(count))),
    )  # fmt: skip
    return replace(known, **changes)


def path_in(folder: Path, case: Case = CASE) -> Path:
    """Where the baseline of the case lies, with its folder made."""
    path = baseline_path(folder / "baselines", case)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def names_beside(path: Path) -> set[str]:
    """All files of the folder."""
    return {one.name for one in path.parent.iterdir()}


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may become larger than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def start(work: Callable[[], object]) -> BaseProcess:
    """Start `work` in a process that is warm already."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def killed_before_change(number: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that is killed just before its change of the disk of this number, if it makes so many."""
    changes = itertools.count()

    def watch(event: str, _: Any) -> None:
        if event in CHANGES and next(changes) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> None:
        sys.addaudithook(watch)
        work()

    child = start(watched)
    child.join()
    return child.exitcode == -signal.SIGKILL
