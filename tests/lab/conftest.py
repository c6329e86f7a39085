"""A lab of fake boards for every test here, or one line that says how many tests there were none for."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.case import Job
from tests.absent import absent
from tests.fleet.labgridlab import LabgridLab
from tests.lab.boards import Board, Lab
from tests.lab.measuring import Desk, frames_of
from tests.lab.namespaces import missing

NO_BOARDS = "no fake boards: "


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The one lab of this process."""
    why = missing()
    if why:
        (absent if why.installable else pytest.skip)(NO_BOARDS + why.reason)
    with Lab() as made:
        yield made


@pytest.fixture
def make_board(lab: Lab) -> Iterator[Callable[..., Board]]:
    """Boards that are switched off after the test."""
    made: list[Board] = []

    def make(**properties: object) -> Board:
        made.append(lab.board(**properties))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for board in made:
        board.power_off()


@pytest.fixture
def board(make_board: Callable[..., Board]) -> Board:
    """A board that is on, with 16 MiB for results that a reboot loses."""
    return make_board()


@pytest.fixture
def desk(tmp_path: Path, board: Board) -> Desk:
    """From which `board` is measured on, through ssh."""
    return Desk(tmp_path / "desk", board)


@pytest.fixture
def timed(make_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job whose frames take so many seconds, idle for most of them."""

    def make(seconds: float, **plan: object) -> Job:
        real_time = {"seed": 1, "real_time": True}
        return make_job({"infer_ms": 20.0}, options=real_time, plan=frames_of(seconds, **plan))

    return make


@pytest.fixture
def elapsed() -> Callable[[], float]:
    """Seconds since the test began."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


@pytest.fixture
def labgrid(tmp_path: Path, board: Board) -> Iterator[LabgridLab]:
    """A coordinator and an exporter that know the board as the place `bench`."""
    if importlib.util.find_spec("labgrid") is None:
        absent("labgrid is not installed: pip install 'dms-harness[fleet]'")
    folder = tmp_path / "labgrid"
    folder.mkdir()
    lab = LabgridLab(folder)
    try:
        lab.start_coordinator()
        lab.start_exporter("exp", {"one": {"NetworkService": {"address": board.address, "username": "root"}}})
        lab.add_place("bench", "exp/one/NetworkService", board="fake")
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes the wall clock of a process jump: see clockjump.c."""
    compiler = shutil.which("cc")
    if compiler is None:
        absent("no C compiler (cc): the wall clock of a board jumps in a library that it would build")
    library = tmp_path_factory.mktemp("clock") / "clockjump.so"
    source = Path(__file__).with_name("clockjump.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, however many tests had no boards."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(one.longrepr[2]) for one in skipped if isinstance(one.longrepr, tuple)]
    without = [one.partition(NO_BOARDS)[2] for one in reasons if NO_BOARDS in one]
    if without:
        terminalreporter.section("fake boards", red=True, bold=True)
        terminalreporter.line(f"{len(without)} fault cases on fake boards were NOT tested: {without[0]}")
