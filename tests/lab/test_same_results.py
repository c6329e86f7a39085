"""The same suite on this machine, through ssh and through labgrid: the same outcomes and the same numbers.

The simulated device's times are exact, so nothing may differ but the way there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.measuring import nothing_left, toml
from tests.workspace import Finished, Workspace

LOCAL = 'transport = "local"\n'


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "repository")
    made.add_simulated()
    return made


def add_device(workspace: Workspace, name: str, board, transport: str, **properties: Any) -> None:
    """The simulated device, on the fake board."""
    table = {"identity_file": str(board.lab.key), "min_free_mib": 1, **properties}
    asked = [f'transport = "{transport}"', f"python = {toml(sys.executable)}"]
    if transport == "ssh":
        asked.append(f'address = "root@{board.address}"')
    text = (workspace.folder / "devices" / "simulated.toml").read_text(encoding="utf-8")
    head, there, rest = text.partition(LOCAL)
    assert there
    lines = [*asked, "", "[board]", *(f"{key} = {toml(value)}" for key, value in table.items())]
    tables = "\n".join(lines)
    (workspace.folder / "devices" / f"{name}.toml").write_text(head + tables + "\n" + rest, encoding="utf-8")
    (workspace.folder / "devices" / "known_hosts").write_text(board.known_hosts)


def told(done: Finished) -> list[tuple[str, ...]]:
    """Everything that was judged, but the name of the device."""
    device = done.results()["cases"][0]["key"].partition("/")[0]
    return [
        (case["key"].partition("/")[2], case["status"], *(
            str(sorted(verdict.items())).replace(device, "DEVICE") for verdict in case["verdicts"]
        ))
        for case in done.results()["cases"]
    ]  # fmt: skip


def measured(workspace: Workspace, device: str) -> Finished:
    return workspace.pytest(f"--device={device}", timeout_s=400)


def test_a_suite_gives_the_same_on_this_machine_through_ssh_and_through_labgrid(workspace, board, labgrid):
    here = measured(workspace, "simulated")
    assert here.status == 0, here.output
    assert sum(len(one) - 2 for one in told(here)) > 10, "numbers were judged"
    expected = told(here)

    add_device(workspace, "over-ssh", board, "ssh")
    there = measured(workspace, "over-ssh")
    assert there.status == 0, there.output
    assert told(there) == expected
    nothing_left(board)
    assert not board.workers()

    add_device(workspace, "over-labgrid", board, "labgrid", place="bench", coordinator=labgrid.address)
    by_place = measured(workspace, "over-labgrid")
    assert by_place.status == 0, by_place.output
    assert told(by_place) == expected
    assert not labgrid.place("bench").holder
    nothing_left(board)


def test_a_busy_board_is_an_error_of_the_case_that_says_who(workspace, board, tmp_path):
    add_device(workspace, "over-ssh", board, "ssh", lock="/tmp/lock")
    held = board.path("/tmp/lock")
    held.touch(mode=0o666)
    take = f"import fcntl, sys, time; f = open({str(held)!r}, 'r+'); fcntl.flock(f, fcntl.LOCK_EX); "
    holder = Path(tmp_path / "holder.py")
    holder.write_text(take + "print('held', flush=True); time.sleep(600)\n")
    process = board.lab.start([sys.executable, str(holder)], stdout=-1)
    try:
        assert process.stdout.readline() == b"held\n"
        done = workspace.pytest(
            "--device=over-ssh", "--plan=smoke", "-k", "p99 and fp32", f"--junitxml={tmp_path}/x.xml"
        )
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert done.status == 1, done.output
    assert "busy: somebody who did not say who" in done.output
    assert "INFRA" in (tmp_path / "x.xml").read_text()
