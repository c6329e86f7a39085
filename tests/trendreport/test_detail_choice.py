"""Which sessions are shown in detail, and what each is compared with, in real histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.case import Case
from harness.errors import ConfigError
from harness.history import open_history
from harness.record import Annotation, SessionRecord
from harness.trendreport.acceptance import acceptances_of
from harness.trendreport.detail import MOST_DETAILS, details_of
from harness.trendreport.detail.baselines import MOST_SESSIONS, Before, baseline_of
from harness.trendreport.gather.trends import trends_of
from harness.trendreport.model import Row, Track
from tests.trendreport.handmade import trends
from tests.trendreport.histories import CASE, IDENTITY, frames_run, session, steady_case, write_history


def track(purposes: str, **changes: Any) -> Track:
    """A case of one session per letter: a accept, c check, p paired; capital letters are invalid."""
    names = {"a": "accept", "c": "check", "p": "paired"}
    count = len(purposes)
    made: dict[str, Any] = {
        "case": CASE, "engine": "", "simulated": False, "ids": tuple(map(str, range(count))), "at": ("",) * count,
        "purpose": tuple(names[one.lower()] for one in purposes),
        "valid": np.array([one.islower() for one in purposes]),
        "identity": np.zeros(count, np.int64), "commit": ("",) * count, "subject": ("",) * count,
        "build": ("b",) * count, "command": ("",) * count, "run": tuple(f"run{one}" for one in range(count)),
    }  # fmt: skip
    return Track(**{**made, **changes})


SECOND = np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("made", "expected", "accepted"),
    [
        (track("c"), "", False),
        (track("aaac"), "012", True),
        (track("aaac", run=("one", "one", "one", "two")), "012", True),
        (track("aaAc", run=("one", "one", "one", "two")), "01", True),
        (track("ccc"), "01", False),
        (track("cCpc"), "0", False),
        (track("aacac", run=("one", "one", "two", "three", "four")), "3", True),
        (track("aacac", build=("old", "old", "old", "new", "new")), "3", True),
        (track("aac", identity=SECOND, run=("one", "one", "two")), "1", True),
        (track("cac", identity=np.array([0, 0, 1])), "1", False),
        (track("aac", run=("one", "one", "one")), "01", True),
        (track("aac", at=("1", "1", "2"), run=("", "", "")), "01", True),
        (track("CCc"), "", False),
    ],
)
def test_a_session_is_compared_with_what_was_accepted_before_it_or_else_with_what_was_valid(made, expected, accepted):
    found = compared(made)
    assert (found.ids, found.accepted) == (tuple(expected), accepted)


def compared(made: Track, *remarks: Annotation, failed: Sequence[int] = ()) -> Before:
    """What the newest session is compared with."""
    return baseline_of(made, len(made.ids) - 1, acceptances_of(remarks).of_track(made), failed)


@pytest.mark.parametrize(
    ("builds", "failed", "expected"),
    [
        ("aaabbbb", [3, 4, 6], "012"),  # a slow build is not mixed with the good one
        ("aaabbbb", [], "345"),
        ("aabbcc", [2, 5], "01"),
        ("aabb", [3], "01"),
        ("aaa", [1, 2], "1"),  # nothing else is there: the newest alone
    ],
)
def test_without_an_accepted_session_it_is_one_build_that_did_not_fail(builds, failed, expected):
    found = compared(track("c" * len(builds), build=tuple(builds)), failed=failed)
    assert (found.ids, found.accepted) == (tuple(expected), False)


def remark(kind: str, at: str) -> Annotation:
    return Annotation(at=at, kind=kind, text="so", author="ann", case_key=CASE.key)


DAYS = ("1", "1", "2", "3", "3", "4", "5")
RUNS = ("one", "one", "two", "three", "three", "four", "five")


@pytest.mark.parametrize(
    ("remarks", "expected"),
    [
        ([remark("accepted", "1"), remark("accepted", "3")], "34"),
        ([remark("accepted", "1")], "01"),  # what was refused is no baseline
        ([remark("accepted", "1"), remark("accepted", "3"), remark("reverted", "4")], "01"),
    ],
)
def test_what_was_refused_or_taken_back_is_no_baseline(remarks, expected):
    found = compared(track("aacaacc", at=DAYS, run=RUNS), *remarks)
    assert (found.ids, found.accepted) == (tuple(expected), True)


def test_a_baseline_is_the_newest_sessions_only():
    runs = (*("one",) * 20, "two")
    expected = tuple(map(str, range(20 - MOST_SESSIONS, 20)))
    assert compared(track(20 * "a" + "c", run=runs)).ids == expected
    assert compared(track(20 * "c" + "c")).ids == expected


def shown(path: Path, sessions: Sequence[SessionRecord], extra: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
    """The details of a history of these sessions."""
    with open_history(write_history(path / "history.sqlite", sessions)) as history:
        return details_of(history, replace(trends_of(history.trend_rows()), **changes), extra)


def row(number: int) -> Row:
    return Row(
        case=CASE, metric="frame_p25_ms", unit="ms", value=5.0, at="", outcome="FAIL", advice=False, weight=1.0,
        in_noise=False, track=number, series=None,
    )  # fmt: skip


def test_the_newest_two_sessions_with_raw_times_are_shown_beside_what_was_accepted(tmp_path):
    sessions = steady_case(days=20)
    found = shown(tmp_path, sessions)
    assert list(found) == [sessions[-1].id, sessions[-2].id]
    assert found[sessions[-1].id]["baseline"]["what"].startswith("12 accepted sessions until 2026-01-12; 1 of them has")
    assert found[sessions[-1].id]["shift"] is not None


def test_an_empty_history_has_no_details(tmp_path):
    assert shown(tmp_path, []) == {}


def test_a_history_without_raw_times_has_details_of_what_is_asked_for_only(tmp_path):
    sessions = [replace(one, runs=()) for one in steady_case(days=14)]
    assert shown(tmp_path, sessions) == {}
    (found,) = shown(tmp_path / "more", sessions, [sessions[13].id[:8]]).values()
    assert found["quantiles_ms"] is None
    assert found["verdicts"]
    assert found["baseline"]["what"].startswith("12 accepted sessions")


def test_a_session_that_was_asked_for_comes_first(tmp_path):
    sessions = steady_case(days=20)
    found = shown(tmp_path, sessions, [sessions[11].id[:10].upper()])
    assert next(iter(found)) == sessions[11].id


def test_an_unknown_id_is_refused_with_candidates(tmp_path):
    sessions = steady_case(days=13)
    with pytest.raises(ConfigError, match="no session begins with 'feed'") as raised:
        shown(tmp_path, sessions, ["feed"])
    assert sessions[-1].id in raised.value.remedy


def test_the_worst_cases_come_first_and_all_of_them_before_any_comes_twice(tmp_path):
    cases = [Case("bench", f"model{one:02}", "int8", "ort") for one in range(MOST_DETAILS - 20)]
    sessions = [session(day, {}, case=case, runs=(frames_run(frames=5),)) for case in cases for day in (1, 2)]
    found = shown(tmp_path, sessions, rows=(row(7), row(3), row(7)))
    assert len(found) == MOST_DETAILS
    keys = [one["case"] for one in found.values()]
    assert keys[:3] == [cases[7].key, cases[3].key, cases[0].key]
    assert len(set(keys[: len(cases)])) == len(cases)
    assert [one["at"][:10] for one in found.values()][len(cases) :] == ["2026-01-02"] * 20


def test_after_a_change_of_the_engine_the_environment_says_what_changed(tmp_path):
    before = session(1, {}, runs=(frames_run(),))
    after = session(2, {}, runs=(frames_run(),), identity={**IDENTITY, "version": "2.0"})
    found = shown(tmp_path, [before, after])[after.id]
    assert ["version", "1.2.3", "2.0"] in found["environment"]
    assert "not comparable" in found["baseline"]["what"]


def test_all_sessions_invalid_have_details_without_a_baseline(tmp_path):
    sessions = [session(day, {}, runs=(frames_run(),), valid=False) for day in range(3)]
    found = shown(tmp_path, sessions)
    assert len(found) == 2
    assert all(one["baseline"] is None and one["quantiles_ms"] for one in found.values())


def test_a_session_that_its_very_long_track_leaves_out_is_still_shown(tmp_path):
    sessions = steady_case(days=14)
    with open_history(write_history(tmp_path / "history.sqlite", sessions)) as history:
        found = details_of(history, trends(), [sessions[0].id])
    assert list(found) == [sessions[0].id]
    assert found[sessions[0].id]["baseline"] is None
