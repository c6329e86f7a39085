"""Many boards in one lab, one pytest process for each, one history; two boards die and one link flaps.

Each case takes real time, nearly all of it idle, so that one machine can play them all. Told: whether all ends by
itself, whether the history holds every finished case once, and what a case takes beside one of a board alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from benchmarks.fleet.world import CHECKOUT, laboratory, profile_text, write_devices
from tests.lab.boards import Board
from tests.postgresql import Server, _programs
from tests.workspace import Workspace

# Of one model: they take equally long, to some hundredths of a second.
ALONE = 2
DYING, DOWN_S, UP_S = 2, 8.0, 20.0
# Of the smoke plan: to warm up, to time, and to see whether answers live and repeat.
FRAMES_A_CASE = 62
REAL_TIME = "[runtimes.simulated]\nseed = 1\nreal_time = true\n"


@dataclass(frozen=True, kw_only=True)
class Size:
    """cases: of each board. case_s: what the frames of a case take, nearly all of it idle."""

    boards: int
    cases: int
    case_s: float


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One board's pytest process. times_s: by the key of each case that was measured."""

    times_s: dict[str, float]


def measure(size: Size, history: str) -> None:
    """Print the table."""
    with laboratory() as lab, TemporaryDirectory() as folder, _history(history, Path(folder)) as location:
        root = Path(folder, "repository")
        workspace = _repository(root, size)
        boards = [lab.board(size_bytes=8 * 2**20) for _ in range(size.boards)]
        texts = {one.name: profile_text(REAL_TIME, one) for one in boards}
        write_devices(root / "devices", {**texts, "alone": texts[boards[-1].name]}, boards)
        alone = _run(workspace, ["alone"], location, "--models=eyes0")["alone"]
        assert len(alone.times_s) == ALONE
        start = time.monotonic()
        with _faults(boards, size):
            ended = _run(workspace, [one.name for one in boards], location)
        _print(size, alone, ended, _kept(location), time.monotonic() - start)


def _repository(root: Path, size: Size) -> Workspace:
    root.mkdir(parents=True)
    workspace = Workspace(root)
    for number in range(size.cases // 2):  # two variants each
        workspace.add_simulated(f"eyes{number}", infer_ms=1000 * size.case_s / FRAMES_A_CASE, load_ms=1.0)
    return workspace


@contextlib.contextmanager
def _history(asked: str, folder: Path) -> Iterator[str]:
    """The one that was asked for, or a PostgreSQL server for this benchmark alone, or a file."""
    programs = _programs()
    if asked or programs is None:
        yield asked or str(folder / "history.sqlite")
        return
    with TemporaryDirectory(prefix="history-") as place:
        server = Server(programs, Path(place))
        server.start()
        try:
            yield server.url()
        finally:
            server.stop()


def _run(workspace: Workspace, devices: Sequence[str], history: str, *further: str) -> dict[str, Ended]:
    """`harness fleet run` over these devices; what each of their processes came to."""
    folder = workspace.folder / f"report-{len(devices)}"
    command = [
        sys.executable, "-m", "harness.cli", "fleet", "run", f"--devices={','.join(devices)}", f"--history={history}",
        f"--report={folder}", "--", "suites/test_latency.py", "--plan=smoke", "-k", "p99", "-p", "no:cacheprovider",
        *further,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, cwd=workspace.folder, env=environment, stdout=subprocess.DEVNULL, check=False)
    print(f"{len(devices)} boards: `harness fleet run` ended with {done.returncode}", flush=True)
    return {name: _ended(folder / name) for name in devices}


def _ended(report: Path) -> Ended:
    """By the board's own results and the times of its tests."""
    cases = json.loads((report / "results.json").read_text())["cases"]
    times_s = dict.fromkeys((case["key"] for case in cases if case["status"] == "measured"), 0.0)
    for test in ElementTree.parse(report / "junit.xml").getroot().iter("testcase"):
        for case in times_s:
            if case in (test.get("name") or ""):
                times_s[case] += float(test.get("time") or 0)
    return Ended(times_s=times_s)


@contextlib.contextmanager
def _faults(boards: list[Board], size: Size) -> Iterator[None]:
    """The first two die in the middle, one after the other; the link of the third comes and goes."""
    over = threading.Event()

    def die() -> None:
        for number, board in enumerate(boards[:DYING], start=1):
            if not over.wait(size.cases * size.case_s * number / (DYING + 2)):
                board.power_off()

    def flap() -> None:
        while not over.wait(UP_S):
            boards[DYING].link_down()
            over.wait(DOWN_S)
            boards[DYING].link_up()

    threads = [threading.Thread(target=one) for one in (die, flap)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _kept(location: str) -> Counter[str]:
    """How often each case is in the history."""
    from harness.history import open_history

    with open_history(location) as history:
        return Counter(one.case.key for case in history.cases() for one in history.sessions(case))


def _print(size: Size, alone: Ended, ended: dict[str, Ended], kept: Counter[str], wall_s: float) -> None:
    finished = Counter(case for one in ended.values() for case in one.times_s)
    here = Counter({case: count for case, count in kept.items() if not case.startswith("alone/")})
    lone_s = statistics.mean(alone.times_s.values())
    whole = {name: one for name, one in ended.items() if len(one.times_s) == size.cases}
    case_s = statistics.mean(time_s for one in whole.values() for time_s in one.times_s.values())
    rows = [
        ("boards, cases asked for", f"{size.boards}, {size.boards * size.cases}"),
        ("cases finished", f"{sum(finished.values())}"),
        ("boards that finished all", f"{len(whole)} of {size.boards}, {DYING} died"),
        ("finished cases in the history", f"{sum(here.values())}, each once: {here == finished}"),
        ("a case of one board alone", f"{lone_s:.2f} s"),
        ("a case among all", f"{case_s:.2f} s, {100 * (case_s / lone_s - 1):+.1f} % (target 5 %)"),
        ("the whole", f"{wall_s:.0f} s, unattended"),
    ]  # fmt: skip
    print()
    for name, value in rows:
        print(f"{name:<32}{value}")
