"""The local transport: lines as they come, a bounded log, and nothing left alive at the deadline."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from harness.following import CHUNK_BYTES, LOG_LIMIT_BYTES, Exit, follow

GRANDCHILD = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}])"
)


@pytest.fixture
def mark(tmp_path):
    """A word that stands on the command line of all that a test starts."""
    return f"mark-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def run(tmp_path, mark):
    """Run a Python script; how it ended, its lines, its log, and how long it took. Lines of `progress` are that."""

    def run_it(script: str, deadline_s: float = 20, **environment):
        lines, start = [], time.monotonic()
        ended = follow(
            [sys.executable, "-c", script, mark], environment=environment, log=tmp_path / "log",
            deadline_s=deadline_s, on_line=lambda line: lines.append(line) or line.startswith("progress"),
        )  # fmt: skip
        return ended, lines, (tmp_path / "log").read_bytes(), time.monotonic() - start

    return run_it


def gone(processes, mark, within_s: float = 5) -> bool:
    """True once no process carries the mark any more."""
    until = time.monotonic() + within_s
    while processes(mark):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 35)", -35),
    ],
)
def test_a_command_ends_with_its_status_or_its_signal(run, script, status):
    assert run(script)[0] == Exit(status=status, timed_out=False)


def test_lines_of_both_streams_are_handed_on_and_logged(run):
    _, lines, log, _ = run("import sys; print('one', flush=True); sys.stderr.write('two\\n'); print('rest', end='')")
    assert lines == ["one", "two"]
    assert log == b"one\ntwo\nrest"


def test_a_line_is_handed_on_while_the_command_still_runs(tmp_path, mark):
    heard = []
    start = time.monotonic()
    follow(
        [sys.executable, "-c", "import time; print('now', flush=True); time.sleep(0.8)", mark], environment={},
        log=tmp_path / "log", deadline_s=20, on_line=lambda line: heard.append(time.monotonic() - start),
    )  # fmt: skip
    assert heard[0] < time.monotonic() - start - 0.6


def test_bytes_that_are_no_text_are_handed_on_as_marks(run):
    _, lines, log, _ = run("import os; os.write(1, b'\\xff\\xfe ok\\n')")
    assert lines == ["\ufffd\ufffd ok"]
    assert log == b"\xff\xfe ok\n"


def test_the_environment_is_the_own_one_and_what_is_given(run, monkeypatch):
    monkeypatch.setenv("DMS_OUTER", "outer")
    _, lines, _, _ = run("import os; print(os.environ['DMS_OUTER'], os.environ['DMS_INNER'])", DMS_INNER="inner")
    assert lines == ["outer inner"]


def test_the_command_gets_no_input(run):
    assert run("import sys; print(repr(sys.stdin.read()))")[1] == ["''"]


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(600)",
        "import os, time; os.close(1); os.close(2); time.sleep(600)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
        GRANDCHILD + "; import time; time.sleep(600)",
        "while True: print('still busy', flush=True)",
    ],
    ids=["sleeps", "closes its output", "ignores SIGTERM", "has a child", "keeps talking"],
)
def test_at_the_deadline_a_command_and_all_its_children_are_gone(run, processes, mark, script):
    ended, _, _, took_s = run(script.replace("{mark!r}", repr(mark)), deadline_s=1)
    assert ended.timed_out
    assert 0.9 < took_s < 4
    assert gone(processes, mark)


STEPS = "import time\nfor step in range(8): print({word!r}, step, flush=True); time.sleep({pause_s})\n"


def test_every_line_of_progress_starts_the_deadline_anew(run):
    ended, lines, _, took_s = run(STEPS.format(word="progress", pause_s=0.3), deadline_s=1.2)
    assert ended == Exit(status=0, timed_out=False)
    assert len(lines) == 8
    assert took_s > 2


def test_other_lines_do_not(run):
    ended, lines, _, took_s = run(STEPS.format(word="talk", pause_s=0.3), deadline_s=1.2)
    assert ended.timed_out
    assert 0 < len(lines) < 8
    assert took_s < 2.2


def test_a_command_that_stops_to_progress_is_ended_one_deadline_later(run, processes, mark):
    script = STEPS.format(word="progress", pause_s=0.2) + "while True: print('talk', flush=True); time.sleep(0.1)"
    ended, _, _, took_s = run(script, deadline_s=1)
    assert ended.timed_out
    assert 2.2 < took_s < 6
    assert gone(processes, mark)


def test_children_that_outlive_a_command_neither_delay_it_nor_stay(run, processes, mark):
    ended, _, _, took_s = run(GRANDCHILD.format(mark=mark) + "; print('done')", deadline_s=15)
    assert ended == Exit(status=0, timed_out=False)
    assert took_s < 10
    assert gone(processes, mark)


OTHER_GROUP = GRANDCHILD.replace("{mark!r}])", "{mark!r}], preexec_fn=lambda: __import__('os').setpgid(0, 0))")


@pytest.mark.parametrize("then", ["print('done')", "import os; os.kill(os.getpid(), 9)", "import time; time.sleep(60)"])
def test_children_in_a_group_of_their_own_do_not_stay_either(run, processes, mark, then):
    run(OTHER_GROUP.replace("{mark!r}", repr(mark)) + "; " + then, deadline_s=3)
    assert not processes(mark)


def test_all_that_was_written_before_the_end_is_read(run):
    _, lines, _, _ = run("for number in range(20000): print(number)")
    assert lines == [str(number) for number in range(20000)]


CUT = b"\n... the middle is cut out ...\n"


def test_a_flood_fills_a_bounded_log_and_ends_at_the_deadline(run):
    flood = "import sys\nwhile True: sys.stderr.write('x' * 65535 + '\\n')"
    ended, _, log, took_s = run(flood, deadline_s=1.5)
    assert ended.timed_out
    assert took_s < 5
    assert LOG_LIMIT_BYTES <= len(log) <= LOG_LIMIT_BYTES + 2 * CHUNK_BYTES + len(CUT)


def test_the_log_of_a_flood_keeps_the_first_and_the_last_words(run):
    _, lines, log, _ = run("print('first words')\nfor number in range(1000000): print(number)\nprint('last words')")
    assert len(lines) == 1_000_002
    head, _, tail = log.partition(CUT)
    assert head.startswith(b"first words\n0\n1\n")
    assert LOG_LIMIT_BYTES <= len(head) <= LOG_LIMIT_BYTES + CHUNK_BYTES
    assert tail.endswith(b"999998\n999999\nlast words\n")
    assert len(tail) == CHUNK_BYTES


def test_a_log_that_is_short_enough_is_whole(run):
    _, _, log, _ = run("for number in range(100000): print(number)")
    assert log == b"".join(b"%d\n" % number for number in range(100000))


def test_a_line_without_end_does_not_fill_the_memory(run):
    ended, lines, _, _ = run("import os\nfor _ in range(200): os.write(1, b'x' * 65536)\nos.write(1, b'\\nend\\n')")
    assert ended.status == 0
    assert len(lines[0]) <= 2 * CHUNK_BYTES
    assert lines[-1] == "end"


def test_a_listener_that_fails_ends_the_command(tmp_path, processes, mark):
    def fail(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(
            [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)", mark], environment={},
            log=tmp_path / "log", deadline_s=20, on_line=fail,
        )  # fmt: skip
    assert gone(processes, mark)


def test_a_command_that_does_not_exist_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="no-such-python"):
        follow(["no-such-python"], environment={}, log=tmp_path / "log", deadline_s=5, on_line=print)
