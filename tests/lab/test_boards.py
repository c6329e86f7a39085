"""The fake boards themselves: what a fault does to a plain OpenSSH client, and that a lab leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lab.boards import CHECKOUT, RESULTS, Lab, leftovers
from tests.lab.processes import alive, command_line, wait_until

BOOT_ID = "/proc/sys/kernel/random/boot_id"
ABANDONED = """
import signal, sys
from tests.lab.boards import Lab
with Lab() as lab:
    board = lab.board()
    print(lab.number, *board.pids(), flush=True)
    signal.pause()
"""


def test_a_board_is_another_machine(board, tmp_path_factory):
    of_this_machine = tmp_path_factory.getbasetemp()
    said = board.ssh(
        f"cat {BOOT_ID}; hostname; cut -d. -f1 /proc/uptime; ls {CHECKOUT}/harness {of_this_machine}"
    ).stdout.split()
    assert said[:2] == [board.boot_id, board.name]
    assert board.boot_id != Path(BOOT_ID).read_text().strip()
    assert int(said[2]) < 60
    harness = f"{CHECKOUT}/harness"
    assert said[3:] in ([], [f"{harness}:"]), "its /tmp is its own, and the code of the checkout is not there"


def test_a_power_cycle_is_a_reboot(board):
    before = board.boot_id
    assert board.ssh(f"touch /tmp/kept {RESULTS}/kept").returncode == 0
    board.power_cycle()
    said = board.ssh(f"cat {BOOT_ID}; ls /tmp {RESULTS} | grep kept").stdout.split()
    assert said == [board.boot_id]
    assert board.boot_id != before


def test_results_on_disk_outlive_a_reboot(make_board):
    board = make_board(size_bytes=0)
    board.ssh(f"echo words > {RESULTS}/kept")
    board.power_cycle()
    assert board.ssh(f"cat {RESULTS}/kept").stdout == "words\n"


def test_without_a_link_the_client_gives_up_within_the_keep_alive(board):
    threading.Timer(1.0, board.link_down).start()
    start = time.monotonic()
    assert board.ssh("sleep 60").returncode == 255
    assert 4 < time.monotonic() - start < 20
    board.link_up()
    assert board.ssh("echo back").stdout == "back\n"


def test_a_frozen_board_accepts_and_says_nothing(board):
    assert board.freeze()
    start = time.monotonic()
    assert board.ssh("true").returncode == 255
    assert 3 < time.monotonic() - start < 15
    board.thaw()
    assert board.ssh("echo back").stdout == "back\n"


def test_only_the_worker_is_frozen_or_killed(board):
    board.path("/tmp/harness").mkdir()
    board.path("/tmp/harness/boardworker.py").write_text("import time; time.sleep(1000)")
    worker = f"cd /tmp && {sys.executable} -m harness.boardworker run"
    board.ssh(f"setsid sh -c '{worker}; echo' > /dev/null 2>&1 < /dev/null &")
    wait_until(board.workers, "it runs")
    stopped = board.signal_workers(signal.SIGSTOP)
    assert len(stopped) == 1
    state = Path(f"/proc/{stopped[0]}/stat")
    wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
    assert board.ssh("echo alive").stdout == "alive\n"
    killed = board.signal_workers(signal.SIGKILL)
    assert killed == stopped
    wait_until(lambda: not set(killed) & set(alive()), "the processes are killed")
    assert board.ssh("echo alive").stdout == "alive\n"


def test_a_disk_is_as_full_as_wanted(board):
    board.leave_free(8192)
    done = board.ssh(f"head -c 100000 /dev/zero > {RESULTS}/file; stat -c %s {RESULTS}/file")
    assert "No space left" in done.stderr
    assert done.stdout == "8192\n"
    assert board.path(f"{RESULTS}/file").stat().st_size == 8192


def test_a_board_with_another_key_is_refused(board):
    known = board.known_hosts
    board.new_host_key()
    assert board.known_hosts != known
    board.lab.boards, boards = [], board.lab.boards  # what is known is the old key
    try:
        board.power_cycle()
        (board.lab.folder / "old").write_text(known)
        done = board.ssh("true", f"UserKnownHostsFile={board.lab.folder / 'old'}", "LogLevel=INFO")
    finally:
        board.lab.boards = boards
    assert done.returncode == 255
    assert "verification failed" in done.stderr


def test_the_wall_clock_of_a_board_jumps_and_no_other(make_board, clock_library):
    board = make_board(clock=clock_library)
    python = f"{sys.executable} -c 'import time; print(int(time.time()), int(time.monotonic()))'"
    board.jump_clock(-30 * 86400)
    there, monotonic = map(int, board.ssh(python).stdout.split())
    assert time.time() - there == pytest.approx(30 * 86400, abs=60)
    assert monotonic < 60
    shown = datetime.fromisoformat(board.ssh("date --utc --iso-8601=seconds").stdout.strip())
    assert (datetime.now(UTC) - shown).days in (29, 30)


def test_a_lab_leaves_nothing_after_a_failed_test(lab):
    failed, pids = Lab(), []

    def fails() -> None:
        with failed:
            made = failed.board()
            made.ssh("setsid sleep 1000 > /dev/null 2>&1 < /dev/null &")
            made.freeze()
            pids.extend(made.pids())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(pids) > 1
    assert not set(pids) & set(alive())
    assert list(leftovers(failed)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_lab_leaves_nothing_after_its_process_ends(lab, number):
    abandoned = subprocess.Popen(
        [sys.executable, "-c", ABANDONED], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with abandoned, abandoned.stdout as said:
        lab_number, *pids = map(int, said.readline().split())
        abandoned.send_signal(number)
    wait_until(lambda: not set(pids) & set(alive()), f"processes {pids} are gone")
    with Lab():  # the next one sweeps what a killed one could not
        pass
    assert not list(Path("/sys/class/net").glob(f"dms{lab_number}*"))
    assert not Path(f"/tmp/dms-lab-{lab_number}").exists()


def test_labs_stand_side_by_side(lab, board):
    with Lab() as other:
        beside = other.board()
        assert beside.address != board.address
        assert beside.ssh("hostname").stdout == board.ssh("hostname").stdout == "board1\n" or board.name != beside.name
        assert os.readlink(f"/proc/{beside.init()}/ns/net") != os.readlink(f"/proc/{board.init()}/ns/net")
    assert board.ssh("echo unharmed").stdout == "unharmed\n"
    assert not any(str(other.folder) in command_line(pid) for pid in alive())
