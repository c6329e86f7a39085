"""What every transport promises, on this machine: local, over a real ssh server, through a stand-in for adb."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.transports import open_transport

PYTHON = [sys.executable, "-S", "-E", "-c"]
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def mark(tmp_path):
    """A word that stands on the command line of all that a test starts."""
    return f"mark-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def folder(tmp_path):
    """A run's folder on the device."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def bytes_of(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 4097, 5_000_000])
def test_a_file_arrives_there_and_back_unchanged(transport, tmp_path, size):
    (tmp_path / "source").write_bytes(bytes_of(size))
    there = tmp_path / "a folder" / "that's new" / "$(file)\n"
    transport.put(tmp_path / "source", str(there), deadline_s=30)
    assert there.read_bytes() == bytes_of(size)
    transport.get(str(there), tmp_path / "back" / "file", deadline_s=30)
    assert (tmp_path / "back" / "file").read_bytes() == bytes_of(size)


def test_a_file_there_is_for_its_user_alone_and_leaves_nothing_beside_it(transport, tmp_path):
    (tmp_path / "source").write_bytes(b"new")
    target = tmp_path / "there" / "file"
    for _ in range(2):
        transport.put(tmp_path / "source", str(target), deadline_s=30)
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_a_file_is_replaced_whole(transport, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(bytes_of(100_000))
    (tmp_path / "source").write_bytes(b"short")
    transport.put(tmp_path / "source", str(target), deadline_s=30)
    assert target.read_bytes() == b"short"


@pytest.mark.parametrize(
    "call",
    [
        lambda transport, folder: transport.get(str(folder / "none"), folder / "back", deadline_s=10),
        lambda transport, folder: transport.get(str(folder), folder / "back", deadline_s=10),
        lambda transport, folder: transport.put(folder / "none", str(folder / "there"), deadline_s=10),
        lambda transport, folder: transport.put(Path(__file__), str(folder), deadline_s=10),
        lambda transport, folder: transport.put(Path(__file__), "/proc/none/there", deadline_s=10),
        lambda transport, folder: transport.put(Path(__file__), "relative/there", deadline_s=10),
        lambda transport, folder: transport.get("-rf", folder / "back", deadline_s=10),
        lambda transport, folder: transport.spawn(["true"], str(folder / "none"), environment={}, deadline_s=5),
        lambda transport, folder: transport.spawn(["true"], str(folder), environment={"a;b": ""}, deadline_s=5),
        lambda transport, folder: transport.spawn(["tr\0ue"], str(folder), environment={}, deadline_s=5),
        lambda transport, folder: transport.run(["echo", "\0"], deadline_s=5),
        lambda transport, folder: transport.poll("relative", 0, wait_s=0),
    ],
)
def test_what_cannot_be_right_is_a_configuration_error_and_leaves_nothing(transport, folder, call):
    with pytest.raises(ConfigError):
        call(transport, folder)
    assert not (folder / "back").exists()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(255)", 255),
        ("import os; os.abort()", 128 + signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 9)", 128 + signal.SIGKILL),
    ],
)
def test_a_command_ends_with_its_own_status(transport, script, status):
    answer = transport.run([*PYTHON, script], deadline_s=20)
    assert (answer.status, answer.timed_out) == (status, False)


def test_a_program_that_is_not_there_says_so(transport):
    answer = transport.run(["no-such-program"], deadline_s=20)
    assert answer.status in (126, 127)
    assert b"no-such-program" in answer.err


ECHO = "import os, sys; os.write(1, sys.stdin.buffer.read()); os.write(2, b'words \\xff')"


@pytest.mark.parametrize("text", [b"", b"\0\r\n\x1a\x04\xff", bytes(range(256)) * 5000], ids=["none", "odd", "long"])
def test_every_byte_goes_in_and_comes_out(transport, text):
    answer = transport.run([*PYTHON, ECHO], deadline_s=20, text=text)
    assert answer.out == text
    assert answer.err == b"words \xff"


def test_arguments_arrive_as_they_are(transport):
    words = [
        "-n",
        "--",
        "",
        " ",
        "a'b",
        '"',
        "$HOME",
        "`id`",
        "$(id)",
        "\\",
        "\\n",
        "\n\n",
        "*",
        "~",
        "!x",
        "é€\x01",
        "%s",
    ]
    answer = transport.run([*PYTHON, "import sys; print(ascii(sys.argv[1:]))", *words], deadline_s=20)
    assert answer.out.decode() == ascii(words) + "\n"


SLEEPS = "import time; time.sleep(600)"
TREE = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}, {{mark!r}}]{{more}})"
APART = ", preexec_fn=lambda: __import__('os').setpgid(0, 0)"


@pytest.mark.parametrize("more", ["", APART], ids=["in its group", "in a group of its own"])
def test_at_the_deadline_a_command_and_its_children_are_gone_there(transport, processes, until, mark, more):
    script = TREE.format(mark=mark, more=more) + f"; {SLEEPS}"
    start = time.monotonic()
    answer = transport.run([*PYTHON, script, mark], deadline_s=1)
    assert answer.timed_out
    assert answer.status == 128 + signal.SIGKILL
    assert time.monotonic() - start < 6
    assert until(lambda: not processes(mark))


def test_children_that_outlive_a_command_neither_delay_it_nor_stay(transport, processes, until, mark):
    start = time.monotonic()
    answer = transport.run([*PYTHON, TREE.format(mark=mark, more="") + "; print('done')", mark], deadline_s=30)
    assert answer.out == b"done\n"
    assert time.monotonic() - start < 10
    assert until(lambda: not processes(mark))


def spawn(transport, folder, script, mark="", deadline_s=20, **environment):
    transport.spawn([*PYTHON, script, mark], str(folder), environment=environment, deadline_s=deadline_s)


def ended(transport, folder):
    return transport.poll(str(folder), 0, wait_s=10)


@pytest.mark.parametrize(
    ("script", "status"), [("pass", 0), ("raise SystemExit(75)", 75), ("import os; os.kill(os.getpid(), 11)", 139)]
)
def test_a_spawned_command_leaves_its_status(transport, folder, script, status):
    spawn(transport, folder, script)
    assert ended(transport, folder).status == status
    assert ended(transport, folder).boot_id == BOOT_ID


def test_a_spawned_command_runs_in_its_folder_with_its_environment_and_its_log(transport, folder):
    word = "it's $HOME\n\\"
    spawn(
        transport,
        folder,
        "import os, sys; print(os.getcwd(), ascii(os.environ['DMS_WORD']), flush=True); sys.exit('no')",
        DMS_WORD=word,
    )
    assert ended(transport, folder).status == 1
    assert (folder / "worker.log").read_text() == f"{folder} {word!a}\nno\n"


FLOOD = (
    "import os; os.write(1, b'first'); [os.write(1, b'x' * 99 + b'\\n') for _ in range(90_000)]; os.write(2, b'last')"
)
AWAY = f"""
import os, subprocess, sys
subprocess.Popen([sys.executable, '-c', {SLEEPS!r}, sys.argv[1]], start_new_session=True)
print('done', flush=True)
"""


def test_a_flood_of_words_keeps_its_first_and_its_last_and_does_not_fill_the_disk(transport, folder):
    spawn(transport, folder, FLOOD)
    assert ended(transport, folder).status == 0
    said = (folder / "worker.log").read_text()
    assert said.startswith("firstx")
    assert said.endswith("\nlast\n")
    assert "\n... the middle is cut out ...\n" in said
    assert len(said) < 4_000_000


def test_who_leaves_the_session_of_a_command_does_not_hold_its_status(transport, folder, processes, mark):
    spawn(transport, folder, AWAY, mark)
    try:
        assert ended(transport, folder).status == 0  # which waits for 10 s
        assert (folder / "worker.log").read_text() == "done\n"
    finally:
        for pid in processes(mark):
            os.kill(pid, signal.SIGKILL)


STEPS = """
import os, time
journal = os.open('journal', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while not os.path.exists('go'): time.sleep(0.01)
os.write(journal, b'first')
while not os.path.exists('on'): time.sleep(0.01)
os.write(journal, b' second')
"""


def test_a_poll_sees_the_journal_grow_and_the_end_come(transport, folder):
    spawn(transport, folder, STEPS)
    before = transport.poll(str(folder), 0, wait_s=0)
    assert (before.status, before.journal) == (None, b"")
    (folder / "go").touch()
    seen = b""
    while not seen:
        seen = transport.poll(str(folder), 0, wait_s=0).journal
    assert seen == b"first"
    (folder / "on").touch()
    after = transport.poll(str(folder), len(seen), wait_s=10)
    assert (after.status, after.journal) == (0, b" second")
    assert transport.poll(str(folder), 12, wait_s=0).journal == b""
    assert transport.poll(str(folder), 9999, wait_s=0).journal == b""


def test_a_long_wait_returns_when_the_command_ends(transport, folder):
    spawn(transport, folder, STEPS)
    (folder / "go").touch()
    threading.Timer(0.6, (folder / "on").touch).start()
    start = time.monotonic()
    assert transport.poll(str(folder), 0, wait_s=20).status == 0
    assert time.monotonic() - start < 8


def test_a_wait_ends_when_it_is_over(transport, folder, mark):
    spawn(transport, folder, STEPS)
    start = time.monotonic()
    assert transport.poll(str(folder), 0, wait_s=1).status is None
    assert 0.9 < time.monotonic() - start < 6
    (folder / "go").touch()
    (folder / "on").touch()
    assert ended(transport, folder).status == 0


def test_a_poll_brings_a_long_journal_in_parts(transport, folder):
    content = bytes_of(2_500_000)
    (folder / "journal").write_bytes(content)
    seen = b""
    while part := transport.poll(str(folder), len(seen), wait_s=0).journal:
        assert len(part) <= 2**20
        seen += part
    assert seen == content


@pytest.mark.parametrize("name", ["run", "none"])
def test_a_poll_of_nothing_says_what_device_it_is_and_no_more(transport, tmp_path, folder, name):
    poll = transport.poll(str(tmp_path / name), 0, wait_s=0)
    assert (poll.boot_id, poll.status, poll.journal) == (BOOT_ID, None, b"")


def test_a_spawned_command_outlives_its_transport(reach, folder, processes, mark):
    with open_transport(reach) as first:
        spawn(first, folder, STEPS, mark)
    assert processes(mark)
    (folder / "go").touch()
    (folder / "on").touch()
    with open_transport(reach) as second:
        poll = ended(second, folder)
    assert (poll.status, poll.journal) == (0, b"first second")


def test_a_spawned_command_is_killed_with_its_children_at_its_deadline(transport, folder, processes, until, mark):
    spawn(transport, folder, TREE.format(mark=mark, more=APART) + f"; {SLEEPS}", mark, deadline_s=1)
    assert ended(transport, folder).status == 128 + signal.SIGKILL
    assert until(lambda: not processes(mark))


def test_a_command_whose_watch_was_killed_is_killed_even_so(transport, folder, processes, until, mark):
    (folder / "go").touch()
    spawn(transport, folder, STEPS, mark, deadline_s=2)
    assert until((folder / "journal").exists)
    os.kill(int((folder / "status").read_text().split()[1]), signal.SIGKILL)
    assert until(lambda: transport.poll(str(folder), 0, wait_s=0).status == 128 + signal.SIGKILL, 10)
    assert until(lambda: not processes(mark))


LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.fixture
def process_numbered():
    """Start a process of a given number, which must be free."""
    started = []

    def start(pid):
        for _ in range(100):  # others start processes, too
            LAST_PID.write_text(str(pid - 1))
            started.append(subprocess.Popen(["sleep", "600"]))
            if started[-1].pid == pid:
                return started[-1]
        raise AssertionError(f"{pid} is never given out")

    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="the number of a process can only be chosen by root")
def test_whoever_has_the_number_of_a_killed_watch_is_left_alone(
    transport, folder, processes, process_numbered, until, mark
):
    (folder / "go").touch()
    spawn(transport, folder, STEPS, mark, deadline_s=3)
    assert until((folder / "journal").exists)
    watch = int((folder / "status").read_text().split()[1])
    os.kill(watch, signal.SIGKILL)
    assert until(lambda: not Path(f"/proc/{watch}").exists())
    bystander = process_numbered(watch)
    assert until(lambda: not processes(mark), 10), "the command is ended at its deadline, and who did it too"
    assert bystander.poll() is None


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="the number of a process can only be chosen by root")
def test_the_number_of_a_command_is_nobodys_before_its_watchdog_has_ended(
    transport, folder, processes, process_numbered, until, mark
):
    spawn(
        transport,
        folder,
        "import os; open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'it')" + f"; {SLEEPS}",
        mark,
    )
    assert until((folder / "it").exists)
    command = int((folder / "it").read_text())
    for one in (int((folder / "status").read_text().split()[1]), command):
        os.kill(one, signal.SIGKILL)
    assert until(lambda: not Path(f"/proc/{command}").exists())
    with pytest.raises(AssertionError, match="is never given out"):
        process_numbered(command)
    os.killpg(command, signal.SIGKILL)
    assert until(lambda: not processes(mark))


def test_a_full_disk_costs_no_status(transport, folder):
    """The answer stands in a file that was there before: it needs no more room."""
    spawn(transport, folder, STEPS)
    before = (folder / "status").stat()
    (folder / "go").touch()
    (folder / "on").touch()
    assert ended(transport, folder).status == 0
    after = (folder / "status").stat()
    assert (after.st_ino, after.st_size, after.st_blocks) == (before.st_ino, before.st_size, before.st_blocks)


def test_a_folder_that_is_used_again_forgets_the_old_status(transport, folder):
    spawn(transport, folder, "raise SystemExit(7)")
    assert ended(transport, folder).status == 7
    spawn(transport, folder, STEPS)
    assert transport.poll(str(folder), 0, wait_s=0).status is None
    (folder / "go").touch()
    (folder / "on").touch()
    assert ended(transport, folder).status == 0
