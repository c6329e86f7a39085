"""Which runs left tests out, so that nothing follows from what they have not."""

from __future__ import annotations

import shlex

import pytest

from harness.history import open_history
from tests.workspace import Workspace

SUITE = """import pytest
@pytest.mark.quick
def test_alive(check):
    check("outputs_alive")
"""
OTHER = """def test_p99(check):
    check("frame_p99_ms")
    assert {ok}
def test_of_its_own():
    pass
"""
QUICK = ("--device=simulated", "--plan=smoke", "-p", "no:randomly", "-W", "ignore")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("team"))
    for suite in (made.folder / "suites").glob("test_*.py"):
        suite.unlink()
    made.add_suite("test_alive.py", SUITE)
    made.add_suite("test_p99.py", OTHER.format(ok=True))
    made.add_simulated()
    made.without_power()
    return made


def selected(workspace: Workspace, *arguments: str, status: int = 0) -> bool:
    """Whether the newest run says so."""
    done = workspace._run("pytest", *QUICK, *arguments)
    assert done.status == status, done.output
    with open_history(workspace.folder / "reports" / "history.sqlite") as history:
        *_, newest = sorted(history.runs(), key=lambda one: one.at)
    assert shlex.split(newest.command)[-1] == arguments[-1]
    return newest.selected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["suites", "suites/test_p99.py"], False),
        (["suites/test_p99.py", "suites/test_alive.py"], False),
        (["suites", "-k", "not test_of_its_own"], False),  # measures all the same
        (["suites", "--ff", "--lf"], False),  # nothing failed last
        (["suites", "-k", "fp32"], True),
        (["suites", "-m", "quick"], True),
        (["suites", "--deselect=suites/test_p99.py::test_p99"], True),
        (["suites", "--models=eyes"], False),  # all tests of these models
        (["suites/test_p99.py"], True),
        (["suites/test_p99.py::test_p99"], True),
    ],
)
def test_a_run_that_leaves_measuring_tests_out_is_known_as_such(workspace, arguments, expected):
    assert selected(workspace, *arguments) is expected


def test_what_failed_last_is_a_choice(workspace):
    workspace.add_suite("test_p99.py", OTHER.format(ok=False))
    selected(workspace, "suites", status=1)
    assert selected(workspace, "suites/", "--lf", "--lfnf=all", status=1)
