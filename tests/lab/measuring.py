"""Measuring on a fake board as people do it, and what happens to the board meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.board.link import Links, links
from harness.case import Job, Plan, Run
from harness.dispatch import run_job
from harness.journal import Records, read_lines
from harness.profile import DeviceProfile, read_profile
from tests.lab.boards import RESULTS, Board
from tests.lab.processes import alive, command_line, wait_until

LOST_S = 20
DEVICE = """description = "SIMULATED engine on a fake board"
simulated = true
transport = "{transport}"
{address}
python = "{python}"

[board]
{board}

[runtimes.simulated]
seed = 1
"""


class Desk:
    """A folder with devices/ and the known keys, from which one fake board is measured on."""

    def __init__(self, folder: Path, board: Board, transport: str = "ssh", **properties: Any) -> None:
        self.board, self.folder, self.devices = board, folder, folder / "devices"
        self.state, self.results = folder / "state", folder / "results"
        self.notes: list[str] = []
        self.said: list[tuple[str, int, int]] = []
        self.devices.mkdir(parents=True, exist_ok=True)
        self.learn_key()
        asked = {"identity_file": str(board.lab.key), "min_free_mib": 0, "lost_s": LOST_S, "lease_s": 3, **properties}
        address = board.address if transport == "ssh" else ""
        write_device(self.devices / "board1.toml", transport, address, asked)

    @property
    def profile(self) -> DeviceProfile:
        return read_profile("board1", self.devices)

    def learn_key(self) -> None:
        """Take up the key that the board has now."""
        (self.devices / "known_hosts").write_text(self.board.known_hosts)

    def measure(self, job: Job, name: str = "run") -> Run:
        """One run on the board, by a session of its own; raises as dispatch.run_job does."""
        with links(Links(self.state, self.devices)):
            return run_job(
                job, self.profile, self.results / name, lambda *words: self.said.append(words), note=self.notes.append
            )

    def kept(self, name: str = "run") -> Records:
        """What came here of the worker's journal."""
        return read_lines((self.results / name / "journal").read_bytes())


def write_device(path: Path, transport: str, address: str, board: dict[str, Any]) -> None:
    """The profile of a fake board; an empty address where labgrid knows it."""
    table = "\n".join(f"{name} = {toml(value)}" for name, value in board.items())
    asked = f'address = "root@{address}"' if address else ""
    text = DEVICE.format(transport=transport, address=asked, python=sys.executable, board=table)
    path.write_text(text, encoding="utf-8")


def toml(value: Any) -> str:
    """A plain value as TOML has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value) if isinstance(value, (int, float)) else f'"{value}"'


def frames_of(seconds: float, **changes: Any) -> Plan:
    """A plan of 20 ms frames, mostly idle, that takes so long and a second for its warm-up."""
    frames = round(seconds / 0.02)
    return Plan(**{
        "name": "lab", "frames": frames, "warmup_window": 5, "warmup_cap_frames": 40, "distinct_frames": 4,
        "accuracy_frames": 20, "deadline_s": 30.0, **changes,
    })  # fmt: skip


def journals(board: Board) -> list[Path]:
    """Those of all runs that lie on the board, from here."""
    return sorted(board.path(f"{RESULTS}/runs").glob("*/journal"))


def records(board: Board, kind: str) -> int:
    """How many records of a kind the board's journals hold."""
    return sum(one["kind"] == kind for path in journals(board) for one in read_lines(path.read_bytes()).records)


def is_measuring(board: Board) -> bool:
    """Whether timed frames have been recorded, and more are to come."""
    return records(board, "frames") >= 1 and bool(board.workers())


@contextmanager
def meanwhile(board: Board, fault: Callable[[], None], when: Callable[[Board], bool] = is_measuring) -> Iterator[None]:
    """Bring about `fault` once `when` holds, while the block runs; what goes wrong with that is raised at its end."""
    failed: list[BaseException] = []

    def wait_and_act() -> None:
        try:
            wait_until(lambda: when(board), f"{when.__name__} on {board.name}", 60)
            fault()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        thread.join(120)
        if failed:
            raise failed[0]
        assert not thread.is_alive(), "the fault is still being brought about"


def nothing_left(board: Board, within_s: float = 15.0) -> None:
    """No process of a run there, and no client of it here."""
    first = [board.init()]
    wait_until(
        lambda: board.pids() == first,
        lambda: f"nothing but its sshd runs on {board.name}: {[command_line(pid) for pid in board.pids()]}",
        within_s,
    )
    wait_until(
        lambda: not [pid for pid in alive() if f"{board.address} " in command_line(pid)],
        "no ssh is left here",
        within_s,
    )
