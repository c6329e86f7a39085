"""One engine on this machine, measured directly and through ssh on a fake board of the same machine, in turn.

The link must not show: the interval of the difference of the medians holds 0, and is at most 2 % to either side.
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.fleet.world import CHECKOUT, MIB, laboratory, profile_text, write_devices
from harness.board.link import Links, links
from harness.case import Job, Plan
from harness.dispatch import run_job
from harness.model import find_cards
from harness.prepare import Preparation, Setup, cases_of
from harness.profile import DeviceProfile, read_profile
from harness.stats.paired import hodges_lehmann, signed_rank_bounds

ALPHA, HALF_WIDTH = 0.05, 0.02
RUNTIMES = "[runtimes.onnxruntime]\nthreads = 1\n"


def measure(pairs: int, frames: int, model: str, variant: str) -> None:
    """Print the table."""
    plan = Plan(name="fleet", frames=frames, deadline_s=120.0)
    with laboratory() as lab, TemporaryDirectory() as folder:
        board, devices = lab.board(size_bytes=512 * MIB), Path(folder, "devices")
        texts = {"here": profile_text(RUNTIMES), "there": profile_text(RUNTIMES, board)}
        write_devices(devices, texts, [board])
        profiles = {name: read_profile(name, devices) for name in texts}
        jobs = {name: _job(one, plan, model, variant, Path(folder)) for name, one in profiles.items()}
        with links(Links(Path(folder, "state"), devices)):
            found = _sessions(pairs, profiles, jobs, Path(folder))
    _print(found, f"{model}/{variant}, onnxruntime, {frames} frames a session")


def _job(profile: DeviceProfile, plan: Plan, model: str, variant: str, folder: Path) -> Job:
    cards = find_cards([model], CHECKOUT / "suites" / "models")
    setup = Setup(profile=profile, cards=tuple(cards), plan=plan, work=folder / "work", cache=folder / "cache")
    cases = cases_of(setup)
    case = next(one for one in cases if one.variant == variant)
    return Preparation(setup, cases, lambda *words: None).job(case)


def _sessions(
    pairs: int, profiles: dict[str, DeviceProfile], jobs: dict[str, Job], folder: Path
) -> dict[str, list[tuple[float, float, float]]]:
    """Medians in ms of the frames and of the inference, and seconds that the whole session took; in random order."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in profiles}
    turns = random.Random(1)
    for pair in range(-1, pairs):  # the first pair puts code and files there
        for name in turns.sample(sorted(profiles), len(profiles)):
            start = time.monotonic()
            run = run_job(jobs[name], profiles[name], folder / name, lambda *words: None)
            seconds = time.monotonic() - start
            if pair >= 0:
                found[name].append((np.median(run.frame_ns) / 1e6, np.median(run.stages["infer"]) / 1e6, seconds))
    return found


def _print(found: dict[str, list[tuple[float, float, float]]], title: str) -> None:
    here, there = np.array(found["here"]), np.array(found["there"])
    print(f"{title}; {len(here)} pairs, in turn")
    print(f"{'median of':<12}{'here ms':>10}{'ssh ms':>10}{'change %':>10}{'from':>8}{'to':>8}   holds 0, within 2 %")
    for column, name in enumerate(("a frame", "inference")):
        logs = np.log(there[:, column] / here[:, column])
        low, high = (100 * math.expm1(one) for one in signed_rank_bounds(logs, ALPHA / 2))
        change, half = 100 * math.expm1(hodges_lehmann(logs)), (high - low) / 2
        met = low <= 0 <= high and half <= 100 * HALF_WIDTH
        medians = np.median(here[:, column]), np.median(there[:, column])
        print(f"{name:<12}{medians[0]:>10.4f}{medians[1]:>10.4f}{change:>10.2f}{low:>8.2f}{high:>8.2f}   {met}")
    print(f"{'session s':<12}{np.median(here[:, 2]):>10.2f}{np.median(there[:, 2]):>10.2f}")
