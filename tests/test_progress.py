"""The progress line: rewritten on a terminal, one line per case elsewhere, no trace at the end."""

from __future__ import annotations

import io

import pytest

from harness import progress
from harness.case import Case
from harness.progress import CLEAR, ProgressLine

FIRST, SECOND, THIRD = (Case("host", "eyes", variant, "litert") for variant in ("fp32", "fp16", "int8"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock of seconds that a test sets."""
    now = {"s": 0.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: now["s"])
    return now


def test_a_terminal_shows_every_step_in_one_line(clock):
    stream = Terminal()
    line = ProgressLine(stream)
    line.expect(2)
    line(FIRST, "warm-up", 10, 400)
    line(FIRST, "measuring", 60, 660)
    assert stream.getvalue() == (
        f"{CLEAR}[1/2] host/eyes/fp32/litert: warm-up 10/400, about 0 s left"
        f"{CLEAR}[1/2] host/eyes/fp32/litert: measuring 60/660, about 0 s left"
    )
    line.clear()
    assert stream.getvalue().endswith(CLEAR)


def test_a_log_file_gets_one_whole_line_per_case(clock):
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.expect(2)
    for case in (FIRST, FIRST, SECOND, FIRST):
        line(case, "measuring", 0, 2)
        assert stream.getvalue().endswith("\n")
    line.clear()
    assert stream.getvalue() == (
        "[1/2] host/eyes/fp32/litert: measuring 0/2\n[2/2] host/eyes/fp16/litert: measuring 0/2, about 0 s left\n"
    )


@pytest.mark.parametrize(
    ("elapsed_s", "left"), [(10, ", about 20 s left"), (44, ", about 88 s left"), (60, ", about 2 min left")]
)
def test_the_time_left_is_told_from_the_cases_that_are_done(clock, elapsed_s, left):
    stream = Terminal()
    line = ProgressLine(stream)
    line.expect(3)
    line(FIRST, "measuring", 0, 1)
    assert "left" not in stream.getvalue()
    clock["s"] = elapsed_s
    line(SECOND, "measuring", 0, 1)
    assert stream.getvalue().endswith(f"[2/3] {SECOND.key}: measuring 0/1{left}")


@pytest.mark.parametrize(
    ("elapsed_s", "done", "total", "left"),
    [
        (10, 100, 400, ", about 50 s left"),  # 30 s of this case and two of 10 s
        (10, 1, 400, ", about 67 min left"),
        (10, 0, 400, ""),
        (10, 400, 400, ""),
        (0, 0, 0, ""),
    ],
)
def test_the_time_left_of_the_first_case_is_told_from_how_far_it_is(clock, elapsed_s, done, total, left):
    stream = Terminal()
    line = ProgressLine(stream)
    line.expect(3)
    line(FIRST, "measuring", 0, total)
    assert "left" not in stream.getvalue()
    clock["s"] = elapsed_s
    line(FIRST, "measuring", done, total)
    assert stream.getvalue().endswith(f": measuring {done}/{total}{left}")


def test_the_time_left_shrinks_while_a_case_is_measured_and_never_below_zero(clock):
    stream = Terminal()
    line = ProgressLine(stream)
    line.expect(2)
    line(FIRST, "measuring", 0, 1)
    said = []
    for second in (40, 60, 80, 500):
        clock["s"] = second
        line(SECOND, "measuring", 0, 1)
        said.append(stream.getvalue().rpartition(", about ")[2])
    assert said == ["40 s left", "20 s left", "0 s left", "0 s left"]


def test_more_cases_than_expected_are_counted_all_the_same(clock):
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.expect(1)
    for case in (FIRST, SECOND, THIRD):
        line(case, "measuring", 0, 1)
    assert [text.split()[0] for text in stream.getvalue().splitlines()] == ["[1/1]", "[2/2]", "[3/3]"]


def test_without_a_stream_nothing_happens():
    line = ProgressLine(None)
    line.expect(1)
    line(FIRST, "measuring", 0, 1)
    line.clear()
