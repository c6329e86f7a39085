"""The health of every board before a night: it is asked in a process of its own, and bounded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.errors import CONFIG, INFRA, printable
from harness.fleet.boards import Board
from harness.nights.exitcodes import BUSY

DEADLINE_S = 600.0
AT_ONCE = 16
_CLASSES = {4: CONFIG, 75: BUSY}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """failure_class: empty where the board may be used; sentence: why not."""

    board: Board
    failure_class: str = ""
    sentence: str = ""


def check_boards(boards: Sequence[Board], deadline_s: float = DEADLINE_S) -> list[Checked]:
    """`harness board check` of each board over a wire, `harness doctor` of this machine; several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda one: _checked(one, deadline_s), boards))


def _checked(board: Board, deadline_s: float) -> Checked:
    asked = ["board", "check", board.device] if board.remote else ["doctor", "--device", board.device]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", *asked], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=deadline_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Checked(board=board, failure_class=INFRA, sentence=f"no answer of the board within {deadline_s:g} s")
    if done.returncode == 0:
        return Checked(board=board)
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    sentence = printable(lines[-1]).removeprefix("harness: ") if lines else f"status {done.returncode}"
    return Checked(board=board, failure_class=_CLASSES.get(done.returncode, INFRA), sentence=sentence)
