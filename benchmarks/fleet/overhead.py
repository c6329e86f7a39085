"""What a board over a wire costs: until the first result, in bytes that travel, and of its core while it is polled."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from benchmarks.fleet.world import CHECKOUT, laboratory, profile_text, write_devices
from harness.board.link import Links, links
from harness.board.travel import LARGEST_BYTES, code_archive
from harness.case import Case, InputSpec, Job, Plan, TaskSpec
from harness.dispatch import run_job
from harness.frames import Frame, write_pack
from harness.profile import profile_names, read_profile
from harness.tasks import TASKS
from tests.lab.boards import Board
from tests.lab.processes import wait_until
from tests.workspace import Workspace

FIRST_RESULT_S, CORE_SHARE = 3.0, 0.01
RESULT = re.compile(rb"(PASSED|FAILED|ERROR|SKIPPED)")
SIMULATED = "[runtimes.simulated]\nseed = 1\n"


def measure(repeats: int, polling_s: float) -> None:
    """Print the tables."""
    _print_sizes()
    with laboratory() as lab, TemporaryDirectory() as folder:
        board = lab.board()
        _print_first_results(board, Path(folder, "repository"), repeats)
        _print_polling(board, Path(folder), polling_s)


def _print_sizes() -> None:
    """By engine: the largest archive of any shipped device with it, and of any task."""
    asked: set[tuple[str, tuple[str, ...]]] = set()
    for name in profile_names(CHECKOUT / "devices"):
        profile = read_profile(name, CHECKOUT / "devices", options=False)
        probes = tuple(sorted({str(options.get("kind", entry)) for entry, options in profile.probes.items()}))
        asked |= {(profile.engine(runtime), probes) for runtime in profile.runtimes}
    print(f"\n{'code that travels':<28}{'KiB':>8}{'target':>9}")
    sizes: dict[str, int] = {}
    for engine, probes in sorted(asked):
        size = max(len(code_archive(engine, probes, task).content) for task in TASKS)
        sizes[engine] = max(size, sizes.get(engine, 0))
    for engine, size in sorted(sizes.items(), key=lambda one: one[1]):
        print(f"{engine:<28}{size / 1024:>8.1f}{LARGEST_BYTES / 1024:>9.0f}   met: {size <= LARGEST_BYTES}")


def _print_first_results(board: Board, folder: Path, repeats: int) -> None:
    """From the command to the first word about a case, on a board that has the code and the files."""
    folder.mkdir(parents=True)
    workspace = Workspace(folder)
    workspace.add_simulated()
    texts = {"here": profile_text(SIMULATED), "there": profile_text(SIMULATED, board)}
    write_devices(folder / "devices", texts, [board])
    _first_result_s(folder, "there")
    print(f"\n{'command to first result':<28}{'median s':>10}{'most':>8}{'target':>9}")
    for name, title in (("here", "this machine"), ("there", "warm board through ssh")):
        times = [_first_result_s(folder, name) for _ in range(repeats)]
        print(f"{title:<28}{statistics.median(times):>10.2f}{max(times):>8.2f}{FIRST_RESULT_S:>9.1f}")


def _first_result_s(folder: Path, device: str) -> float:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "suites/",
        f"--device={device}",
        "--plan=smoke",
        "-v",
        "-k",
        "p99 and fp32",
    ]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    start = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        seconds = _until_a_result(process.stdout, start)
        process.stdout.read()
    if seconds is None or process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode} and without a result")
    return seconds


def _until_a_result(said: IO[bytes], start: float) -> float | None:
    """By the word itself: its line ends only when the next test begins, or when all boards are given back."""
    heard = b""
    while chunk := os.read(said.fileno(), 65536):
        heard += chunk
        if RESULT.search(heard):
            return time.monotonic() - start
    return None


def _print_polling(board: Board, folder: Path, seconds: float) -> None:
    """CPU time of the board's sshd with all that it started, while a worker works and is looked at."""
    write_devices(folder / "devices", {"there": profile_text(SIMULATED, board)}, [board])
    profile = read_profile("there", folder / "devices")
    frames = round((seconds + 12) / 0.1)
    job = _idle_job(folder, Plan(name="polling", frames=frames, warmup_window=5, warmup_cap_frames=10))
    share: list[float] = []
    watching = threading.Thread(target=lambda: share.append(_share(board, seconds)))
    watching.start()
    with links(Links(folder / "state", folder / "devices")):
        run_job(job, profile, folder / "polled", lambda *words: None)
    watching.join()
    print(f"\n{'polling':<28}{'% of a core':>12}{'target':>9}")
    print(f"{f'over {seconds:g} s':<28}{100 * share[0]:>12.2f}{100 * CORE_SHARE:>9.0f}   met: {share[0] <= CORE_SHARE}")


def _idle_job(folder: Path, plan: Plan) -> Job:
    """0.1 s a frame, all of it idle."""
    (folder / "model.sim").write_text('{"infer_ms": 100.0}')
    import numpy as np

    write_pack(folder / "frames", (Frame(np.full((20, 32), grey, np.uint8)) for grey in (10, 240)))
    return Job(
        case=Case("there", "idle", "fp32", "simulated"), plan=plan, engine="simulated",
        options={"seed": 1, "real_time": True}, model_path=str(folder / "model.sim"), model_sha256="0" * 64,
        frames_path=str(folder / "frames"), input=InputSpec(32, 20),
        task=TaskSpec("classification", {"classes": ["dark", "bright"]}),
    )  # fmt: skip


def _share(board: Board, seconds: float) -> float:
    """What ended meanwhile below the board's sshd; the worker does not, and counts for nothing."""
    wait_until(lambda: board.workers(), "the worker works", 60)
    time.sleep(6)
    before, start = _ended_cpu_s(board), time.monotonic()
    time.sleep(seconds)
    return (_ended_cpu_s(board) - before) / (time.monotonic() - start)


def _ended_cpu_s(board: Board) -> float:
    words = Path(f"/proc/{board.init()}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
