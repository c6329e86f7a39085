"""`harness compare A B`: two recorded sessions beside each other, and what the sessions of both builds prove."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case
from harness.cli import main
from harness.compare import Side, comparison
from harness.history import open_history
from harness.record import SessionRecord
from tests.history.records import CASE, IDENTITY, OTHER, record

TYPICAL_MS = 5.0
# What the sessions of one build differ by; processes of a session by half of it.
LUCK = (1.001, 0.999, 1.0, 1.002, 0.998, 1.0)
GOOD, SLOW, OTHER_BUILD = "a" * 64, "b" * 64, "c" * 64


def session(day: int, ms: float = TYPICAL_MS, build: str = GOOD, **changes) -> SessionRecord:
    """A session of three processes whose id begins with the first character of its build and its day."""
    values = {"frame_p25_ms": (0.9995 * ms, ms, 1.0005 * ms), "frame_p50_ms": (1.1 * ms,) * 3, "load_ms": (150.0,) * 3}
    plain = {"id": f"{build[0]}{day:x}".ljust(32, "0"), "provenance": {"model_sha256": build, "commit": "1234567"}}
    return record(day, **{**plain, "values": values, "runs": (), "verdicts": (), **changes})


def sessions(ms: float = TYPICAL_MS, build: str = GOOD, count: int = 6, **changes) -> list[SessionRecord]:
    return [session(day, ms * luck, build, **changes) for day, luck in enumerate(LUCK[:count], start=1)]


def side(alike: list[SessionRecord]) -> Side:
    return Side(session=alike[-1], alike=tuple(alike))


def row(text: str, metric: str) -> str:
    (found,) = (line for line in text.splitlines() if line.split()[:1] == [metric])
    return found


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def keep(path):
    """Put sessions into the history at `path`."""

    def put(*kept: SessionRecord) -> None:
        with open_history(path) as history:
            for one in kept:
                history.record(one)

    return put


@pytest.fixture
def compare(path, capsys):
    """Exit status, standard output and standard error of `harness compare ... --history path`."""

    def run(first: str, second: str) -> tuple[int, str, str]:
        status = main(["compare", first, second, "--history", str(path)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_real_slowdown_fails_with_change_interval_and_tolerance(keep, compare):
    keep(*sessions(), *sessions(5.5, SLOW))
    status, text, _ = compare("a3", "b3")
    assert status == 0
    shown = row(text, "frame_p25_ms")
    assert shown.split()[:6] == ["frame_p25_ms", "5", "5.5", "ms", "+10.00", "%"]
    assert "FAIL: +10.00 % [" in shown
    assert "over 6 and 6 sessions, tolerated 5 %" in shown
    assert "PASS: +0.00 %" in row(text, "load_ms")


@pytest.mark.parametrize("ms", [TYPICAL_MS, 5.01, 4.0])
def test_the_same_speed_and_a_better_one_pass(keep, compare, ms):
    keep(*sessions(), *sessions(ms, SLOW))
    _, text, _ = compare("a3", "b3")
    assert "PASS: " in row(text, "frame_p25_ms")
    assert "NOT_COMPARABLE" not in text


def test_two_sessions_of_the_same_build_are_shown_and_not_judged(keep, compare):
    keep(*sessions())
    _, text, _ = compare("a1", "a6")
    assert "PASS" not in text
    assert text.rstrip().endswith("same build: what differs is the spread between sessions")


def test_both_sessions_are_named_with_time_case_build_and_how_often_it_was_measured(keep, compare):
    keep(*sessions(), *sessions(build=SLOW, count=2))
    _, text, _ = compare("a3", "b2")
    assert text.splitlines()[:2] == [
        f"A a3000000 2026-01-03T03:00:00Z {CASE.key} (model_sha256 {GOOD[:12]}, commit 1234567; 6 valid sessions of "
        "this build)",
        f"B b2000000 2026-01-02T03:00:00Z {CASE.key} (model_sha256 {SLOW[:12]}, commit 1234567; 2 valid sessions of "
        "this build)",
    ]


def test_what_no_tolerance_is_set_for_is_shown_without_an_outcome(keep, compare):
    keep(*sessions(), *sessions(5.5, SLOW))
    _, text, _ = compare("a3", "b3")
    assert row(text, "frame_p50_ms").split() == ["frame_p50_ms", "5.5", "6.05", "ms", "+10.00", "%"]
    assert text.index("load_ms") < text.index("frame_p50_ms")


def test_a_metric_that_only_one_side_tells_is_left_out():
    first = session(1, values={"frame_p25_ms": (5.0,), "load_ms": (150.0,)})
    second = session(2, values={"load_ms": (150.0,), "peak_memory_mb": (100.0,)})
    text = comparison(side([first]), side([second]))
    assert row(text, "load_ms")
    assert "frame_p25_ms" not in text
    assert "peak_memory_mb" not in text


@pytest.mark.parametrize("count", [1, 4])
def test_fewer_than_five_sessions_of_the_first_build_are_no_verdict(keep, compare, count):
    keep(*sessions(count=count), *sessions(50.0, SLOW))
    _, text, _ = compare("a1", "b1")
    assert f"INCONCLUSIVE: {count} sessions of A and 6 of B, 5 and 1 are needed" in row(text, "frame_p25_ms")
    assert "FAIL" not in text


def test_one_session_of_the_second_build_proves_nothing_bad(keep, compare):
    keep(*sessions(), session(1, 50.0, SLOW))
    _, text, _ = compare("a1", "b1")
    assert "INCONCLUSIVE: +900." in row(text, "frame_p25_ms")


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=4), st.lists(st.floats(0.01, 1000), min_size=1, max_size=8))
def test_no_numbers_make_a_verdict_of_four_sessions(before, now):
    first = side([session(day, ms) for day, ms in enumerate(before, start=1)])
    second = side([session(day, ms, SLOW) for day, ms in enumerate(now, start=1)])
    shown = row(comparison(first, second), "frame_p25_ms")
    assert f"INCONCLUSIVE: {len(before)} sessions of A" in shown


@pytest.mark.parametrize(
    "other",
    [
        {"valid": False},
        {"identity": {**IDENTITY, "cores": 2}},
        {"case": OTHER},
        {"provenance": {"model_sha256": OTHER_BUILD}},
    ],
)
def test_disturbed_sessions_and_those_of_other_conditions_cases_and_builds_do_not_count(keep, compare, other):
    strangers = [session(day, 5.0, id=f"d{day}".ljust(32, "0"), **other) for day in (5, 6)]
    keep(*sessions(count=4), *strangers, *sessions(5.5, SLOW))
    _, text, _ = compare("a1", "b1")
    assert "INCONCLUSIVE: 4 sessions of A" in row(text, "frame_p25_ms")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"identity": {**IDENTITY, "cores": 2}}, ["cores: 4 and now 2"]),
        (
            {"identity": {"soc": "Orin", "engine": "onnxruntime 1.2.3"}},
            ["cores: 4 and now -", "soc: i.MX8MP and now Orin"],
        ),
        ({"case": OTHER}, [f"case: {CASE.key} and now {OTHER.key}"]),
    ],
)
def test_other_conditions_are_not_comparable_and_the_numbers_are_shown_all_the_same(keep, compare, other, said):
    keep(*sessions(), *sessions(50.0, SLOW, **other))
    status, text, _ = compare("a3", "b3")
    assert status == 0
    assert text.splitlines()[-1] == f"NOT_COMPARABLE: {'; '.join(said)}"
    shown = row(text, "frame_p25_ms").split()
    assert shown == ["frame_p25_ms", "5", "50", "ms", "+900.00", "%", "NOT_COMPARABLE"]
    assert "FAIL" not in text


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("f", "a1", "no session begins with 'f'"),
        ("a1", "e%", "no session begins with 'e%'"),
        ("a", "a1", "several sessions begin with 'a'"),
        ("a1", "", "several sessions begin with ''"),
    ],
)
def test_an_id_that_names_no_session_or_several_ends_with_status_4_and_the_candidates(
    keep, compare, first, second, said
):
    keep(*sessions())
    status, text, errors = compare(first, second)
    assert (status, text) == (4, "")
    assert said in errors
    assert session(1).id in errors
    assert len(errors.splitlines()) == 1


def test_an_id_may_be_typed_in_capitals_and_in_full(keep, compare):
    keep(*sessions())
    assert compare("A1", session(2).id)[0] == 0


def test_an_empty_history_says_so(keep, compare):
    keep()
    status, _, errors = compare("a", "b")
    assert status == 4
    assert "the history is empty" in errors


def test_a_history_that_is_not_there_is_an_error_and_is_not_made(path, compare):
    status, _, errors = compare("a", "b")
    assert status == 4
    assert path.name in errors
    assert not path.exists()


def test_a_file_that_is_no_history_is_an_error(path, compare):
    path.write_text("these are notes\n" * 100, encoding="utf-8")
    status, _, errors = compare("a", "b")
    assert status == 4
    assert "not a history" in errors
    assert path.name in errors


def test_a_case_is_shown_without_control_characters(keep, compare):
    strange = Case("bench", "ey\x1b[31mes", "int8", "ort")
    keep(*sessions(case=strange))
    _, text, _ = compare("a1", "a2")
    assert "\x1b" not in text


@pytest.mark.parametrize("valid", [True, False])
def test_a_metric_that_other_sessions_of_the_second_build_lack_breaks_nothing(keep, compare, valid):
    lacking = sessions(5.5, SLOW, count=3)
    told = session(9, 5.5, SLOW, values={**lacking[0].values, "peak_memory_mb": (100.0,)}, valid=valid)
    rich = sessions(values={**lacking[0].values, "peak_memory_mb": (100.0,)})
    keep(*rich, *lacking, told)
    status, text, _ = compare("a1", "b9")
    assert status == 0
    assert "FAIL" not in row(text, "peak_memory_mb")


def test_a_value_of_zero_breaks_nothing():
    zeros = [session(day, values={"load_ms": (0.0, 0.0, 0.0)}) for day in range(1, 7)]
    shown = row(comparison(side(zeros), side(zeros)), "load_ms")
    assert "FAIL" not in shown


def test_a_disturbed_session_alone_proves_nothing(keep, compare):
    keep(*sessions(), session(1, build=SLOW, valid=False))
    _, text, _ = compare("a1", "b1")
    assert "PASS" not in row(text, "frame_p25_ms")
