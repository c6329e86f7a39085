"""A board's health: three failures of the lab in a row, what marks it, who respects it and what clears it."""

from __future__ import annotations

import sys

import pytest

from harness.board import attempts
from harness.board.attempts import attempt
from harness.board.health import IN_A_ROW, Health, read_health, refuse_unfit, write_health
from harness.boardcommands import check_board
from harness.errors import (
    BusyError,
    ConfigError,
    DiskError,
    EngineError,
    HostKeyError,
    InfraError,
    NoBoardError,
    RebootedError,
    UnreachableError,
    WorkerError,
)
from harness.profile import Board
from tests.board.wired import board, through

AT = "2026-11-21T10:00:00Z"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(attempts, "PAUSE_S", 0.01)


def after(*failures):
    health = Health()
    for one in failures:
        health = health.after(one, AT)
    return health


ROWS = [
    ([], ""), (["a"], ""), (["a", "b"], ""), (["a", "b", "c"], AT), (["a", "b", "", "c", "d"], ""),
    (["a", "b", "c", ""], AT), (["", "a", "b", "c"], AT),
]  # fmt: skip


@pytest.mark.parametrize(("failures", "bad_since"), ROWS, ids=lambda one: str(one))
def test_three_in_a_row_make_a_bad_board(failures, bad_since):
    found = after(*failures)
    assert found.bad_since == bad_since
    assert found.attempts == len(failures)
    assert found.failed == len([one for one in failures if one])


def test_a_passed_health_check_clears_it_and_keeps_the_counts():
    found = after(*["x"] * IN_A_ROW).passed("later")
    assert (found.bad_since, found.failures, found.checked, found.failed) == ("", (), "later", 3)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"failures": 1}', '{"unknown": 1}'])
def test_a_page_that_cannot_be_read_is_a_new_one(tmp_path, text):
    (tmp_path / "orin.json").write_text(text)
    assert read_health(tmp_path, "orin") == Health()


def test_all_power_modes_of_a_board_share_their_page(tmp_path):
    write_health(tmp_path, "orin@15W", after("x"))
    assert read_health(tmp_path, "orin").failures == ("x",)


@pytest.mark.parametrize("state", ["maintenance", "bad"])
def test_a_state_in_the_profile_is_respected(tmp_path, state):
    with pytest.raises(ConfigError, match=f"not in use: state = '{state}'.*write state ="):
        refuse_unfit(board(tmp_path, state=state), tmp_path)


# What happens, attempt for attempt -> what is raised, how often it was tried, how many were counted
STORIES = [
    ([UnreachableError("gone"), None], None, 2, 1),
    ([UnreachableError("gone"), RebootedError("anew"), None], None, 3, 2),
    ([UnreachableError("gone")] * 4, UnreachableError, 3, 3),
    ([DiskError("full")] * 4, DiskError, 3, 3),
    ([BusyError("busy"), None], BusyError, 1, 0),
    ([NoBoardError("none"), None], NoBoardError, 1, 0),
    ([HostKeyError("another"), None], HostKeyError, 1, 1),
    ([ConfigError("wrong"), None], ConfigError, 1, 0),
    ([WorkerError("crashed"), None], WorkerError, 1, 0),
    ([EngineError("refused"), None], EngineError, 1, 0),
]


@pytest.mark.parametrize(("story", "raised", "tries", "counted"), STORIES)
def test_only_the_labs_failures_are_tried_again_and_twice_at_most(tmp_path, story, raised, tries, counted):
    left, done, noted = list(story), [], []

    def once(link):
        done.append(link)
        error = left.pop(0)
        if error is not None:
            raise error
        return "well"

    with through(tmp_path):
        if raised is None:
            assert attempt(board(tmp_path), once, noted.append) == "well"
        else:
            with pytest.raises(raised):
                attempt(board(tmp_path), once, noted.append)
    assert len(done) == tries
    assert len(noted) == tries - 1
    assert read_health(tmp_path / "state", "simulated").failed == counted


def failing(tmp_path, profile):
    def once(link):
        raise UnreachableError("gone")

    with through(tmp_path), pytest.raises(UnreachableError):
        attempt(profile, once, lambda sentence: None)


def test_a_bad_board_is_refused_with_the_reason_and_the_remedy_until_its_health_check_passes(tmp_path):
    profile = board(tmp_path)
    failing(tmp_path, profile)
    with through(tmp_path):
        with pytest.raises(
            InfraError, match=r"simulated is marked bad since 2.*after: gone.*harness board check"
        ) as one:
            attempt(profile, lambda link: "never", lambda sentence: None)
        assert one.value.failure_class == "INFRA"
    with through(tmp_path, checking=True):
        lines = check_board(profile)
    assert lines[-1].endswith("can be measured")
    with through(tmp_path):
        assert attempt(profile, lambda link: "again", lambda sentence: None) == "again"


def switch(folder, text="import sys"):
    path = folder / "switch.py"
    path.write_text(f"open({str(folder / 'switched')!r}, 'a').write('x')\n{text}\n")
    return (sys.executable, str(path))


def test_the_power_is_cycled_between_two_tries_where_the_profile_names_a_switch(tmp_path):
    failing(tmp_path, board(tmp_path, power_cycle=switch(tmp_path)))
    assert (tmp_path / "switched").read_text() == "xx"


def test_a_switch_that_fails_is_one_more_failure_of_the_board(tmp_path):
    failing(tmp_path, board(tmp_path, power_cycle=switch(tmp_path, "raise SystemExit(3)")))
    found = read_health(tmp_path / "state", "simulated")
    assert found.failed == 5
    assert any("the power switch failed with status 3" in one for one in found.failures)


def test_what_a_board_says_while_it_starts_is_waited_for_and_not_believed(tmp_path):
    python, up = tmp_path / "python", tmp_path / "up"
    python.write_text(f'#!/bin/sh\n[ -e {up} ] || {{ touch {up}; exit 127; }}\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    story = [UnreachableError("gone"), None]

    def once(link):
        if error := story.pop(0):
            raise error
        return link.greet().base

    with through(tmp_path):
        profile = board(tmp_path, python=str(python), power_cycle=switch(tmp_path))
        assert attempt(profile, once, lambda sentence: None) == str(tmp_path / "board")


def test_a_page_that_cannot_be_written_costs_the_count_only(tmp_path):
    (tmp_path / "state").write_text("no folder")
    failing(tmp_path, board(tmp_path))


@pytest.mark.parametrize(
    "asked",
    [
        {"power_off": ("a",)}, {"power_on": ("a",)}, {"power_cycle": ("a",), "power_off": ("b",), "power_on": ("c",)},
        {"power_cycle": ()}, {"state": "odd"}, {"folder": "relative"}, {"folder": "/a/../b"}, {"lock": "/x y"},
        {"lease_s": 0}, {"port": 0}, {"place": "-x"}, {"coordinator": "-x"}, {"unknown": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_board_table_is_refused(asked):
    with pytest.raises(ValueError, match=r"validation error"):
        Board(**asked)
