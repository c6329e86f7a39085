"""A run that was killed goes on: what is finished counts again, each case once, and only where all is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.case import Case
from harness.errors import WorkerError
from harness.history import open_history
from harness.model import read_card
from harness.report.casejournal import CaseJournal, Header, Phase, Planned, Told, read_cases
from harness.report.rebuild import write_junit
from harness.unattended.keptcase import keep_case, kept_path, take_case
from harness.unattended.resume import made_of, resumption
from tests.nightly.junitfiles import counts, junit_cases, outcomes, properties
from tests.nightly.killing import finished, killed_when, start
from tests.workspace import Workspace

CASES = ("host/eyes/fp32/ort", "host/eyes/int8/ort", "host/gaze/fp32/ort")
KEPT = Phase(when="teardown", outcome="passed", failure_class="PASS", error="", quarantined=False, report={})
HEADER = Header(
    at="2026-11-20T03:00:00+00:00", command="pytest", device="host", plan="standard", policy="nightly", harness="1",
    commit="abc", settings="s", made_of={CASES[0]: "e", CASES[1]: "e", CASES[2]: "g"},
    tests=tuple(Planned(test=f"{test}[{case}]", case=case) for case in CASES for test in ("one", "two")),
)  # fmt: skip


def journal(header: Header = HEADER, **last: object) -> CaseJournal:
    """All tests of the first two cases are over, and one of the third; `last`: of the second case's last phase."""
    told = [Told(planned=one, begun=True, phases=(KEPT,)) for one in header.tests[:5]]
    told[3] = replace(told[3], phases=(replace(KEPT, **last),))
    return CaseJournal(
        path=Path("x"), header=header, told=(*told, Told(planned=header.tests[5], begun=True)), uncollected=(),
        status=None, damaged=0, length=0,
    )  # fmt: skip


def test_a_case_is_finished_when_all_its_tests_are():
    found = resumption(journal(), HEADER)
    assert sorted(found.finished) == list(CASES[:2])
    assert [one.planned.test for one in found.finished[CASES[0]]] == [f"{test}[{CASES[0]}]" for test in ("one", "two")]
    assert (found.goes_on, found.reasons) == (True, ())


@pytest.mark.parametrize(
    ("failure_class", "error", "counts_again"),
    [
        ("FAIL", "", True),
        ("DUT", "WorkerError", True),
        ("INFRA", "RebootedError", False),
        ("INFRA", "BusyError", False),
        ("CONFIG", "ConfigError", False),
        ("BUG", "KeyError", False),
    ],
)
def test_what_says_nothing_of_the_model_is_measured_again(failure_class, error, counts_again):
    found = resumption(journal(failure_class=failure_class, error=error), HEADER)
    assert (CASES[1] in found.finished) == counts_again
    assert CASES[0] in found.finished


@pytest.mark.parametrize("change", [{"commit": "abd"}, {"harness": "2"}, {"plan": "soak"}, {"policy": "pr"},
                                    {"device": "other"}, {"settings": "t"}])  # fmt: skip
def test_another_run_goes_on_with_nothing_and_says_what_differs(change):
    found = resumption(journal(), replace(HEADER, **change))
    ((name, value),) = change.items()
    assert (dict(found.finished), found.goes_on) == ({}, False)
    assert f"{name} was {getattr(HEADER, name)} and is {value} now" in found.reasons[0]


@pytest.mark.parametrize("change", [{"commit": "abc+"}, {"against": "v1"}])
def test_what_nobody_can_name_again_is_not_gone_on_with(change):
    same = replace(HEADER, **change)
    assert not resumption(journal(same), same).goes_on


def test_a_changed_model_is_measured_again_and_the_others_are_not():
    now = replace(HEADER, made_of={**HEADER.made_of, CASES[0]: "new", CASES[1]: "new"})
    found = resumption(journal(), now)
    assert dict(found.finished) == {}
    assert found.goes_on
    assert [one.partition(":")[0] for one in found.reasons] == list(CASES[:2])


def test_a_further_test_of_a_case_makes_it_unfinished():
    more = replace(HEADER, tests=(*HEADER.tests, Planned(test=f"three[{CASES[0]}]", case=CASES[0])))
    assert sorted(resumption(journal(), more).finished) == [CASES[1]]


def test_a_model_is_the_same_as_long_as_each_of_its_files_is(make_model):
    folder = make_model()
    before = made_of([read_card(folder)])
    assert made_of([read_card(folder)]) == before
    (folder / "weights.bin").write_bytes(b"beside")
    beside = made_of([read_card(folder)])
    assert beside != before
    (folder / "int8.sim").unlink()
    assert made_of([read_card(folder)]) != beside


def test_a_kept_case_comes_back_as_it_was(make_session, make_model, tmp_path):
    model = make_model()
    first, second = make_session(model), make_session(model)
    case, other = first.cases
    for metric in ("frame_p99_ms", "accuracy_min_percent", "label_flips_percent", "outputs_alive"):
        first.check(other, metric)
    keep_case(first, other, tmp_path)
    assert take_case(second, other, tmp_path)
    assert second.verdicts == first.verdicts
    was, is_now = first.measurements[other], second.measurements[other]
    assert (is_now.score.value, is_now.parity, is_now.wanted) == (was.score.value, was.parity, was.wanted)
    for one, again in zip(was.runs, is_now.runs, strict=True):
        assert np.array_equal(one.frame_ns, again.frame_ns)
        assert (one.facts, one.marks) == (again.facts, again.marks)
        assert [trace.to_wire() for trace in one.traces] == [trace.to_wire() for trace in again.traces]
    assert case not in second.measurements


def test_a_kept_error_comes_back_with_its_class(make_session, make_model, tmp_path):
    model = make_model()
    first, second = make_session(model), make_session(model)
    case = next(iter(first.cases))
    first.errors[case] = WorkerError("it died", where="run 1", remedy="look")
    keep_case(first, case, tmp_path)
    assert take_case(second, case, tmp_path)
    assert isinstance(second.errors[case], WorkerError)
    assert second.errors[case].sentence == "it died (run 1); look"


def test_a_kept_case_that_is_damaged_anywhere_is_measured_again(make_session, make_model, tmp_path):
    session = make_session(make_model())
    case = next(iter(session.cases))
    session.check(case, "frame_p99_ms")
    keep_case(session, case, tmp_path)
    path = kept_path(tmp_path, case)
    content = path.read_bytes()
    fresh = make_session(make_model())
    for length in range(0, len(content) - 1, len(content) // 40):
        path.write_bytes(content[:length])
        assert not take_case(fresh, case, tmp_path)
    path.write_bytes(content)
    assert not take_case(fresh, replace(case, variant="none"), tmp_path)
    other = Case("simulated", "other", case.variant, case.runtime)
    kept_path(tmp_path, other).write_bytes(content)
    assert not take_case(fresh, other, tmp_path)
    assert not fresh.measurements


ASKED = ("--device=simulated", "-k", "p99 or peak", "--history=h.sqlite")


def test_a_killed_run_goes_on_and_every_case_is_there_once(workspace: Workspace):
    workspace.add_simulated("good")
    workspace.add_simulated("slow", infer_ms=70.0)
    report = workspace.folder / "report"
    command = ("pytest", "suites/", *ASKED, "--report=report")
    killed_when(start(workspace, *command), lambda: finished(report))
    before = finished(report)
    cut = write_junit(read_cases(report), workspace.folder / "cut.xml")
    assert counts(cut)["tests"] == 8
    assert counts(cut)["skipped"] >= 2
    assert sum(one == "passed" for one in outcomes(cut).values()) >= 2
    resumed = workspace.pytest_in_place(*ASKED, "--resume=report", "--junitxml=own.xml")
    assert resumed.status == 1, resumed.output
    assert f"resumed: {len(before)} of 4 cases were finished before" in resumed.output
    assert len([line for line in resumed.errors.splitlines() if ": run 1 of 3" in line]) == 4 - len(before)
    own, rebuilt = workspace.folder / "own.xml", workspace.folder / "rebuilt.xml"
    assert counts(own) == {"tests": 8, "errors": 0, "failures": 2, "skipped": 0}
    write_junit(read_cases(report), rebuilt)
    assert sorted(junit_cases(rebuilt)) == sorted(junit_cases(own))
    assert properties(own, "test_frame_p99_is_within_budget[simulated/good/fp32/simulated]")["verdict_frame_p99_ms"]
    with open_history(workspace.folder / "h.sqlite") as history:
        sessions = history.sessions()
    every = [f"simulated/{name}/{variant}/simulated" for name in ("good", "slow") for variant in ("fp32", "int8")]
    assert sorted({one.case.key for one in sessions}) == every
    assert len({one.provenance["run"] for one in sessions}) == 1
    assert [one["key"] for one in resumed.measured()] == every
    # P99 has the device's own limit and that of embedded ones.
    assert [len(one["verdicts"]) for one in resumed.measured()] == [3] * 4


def test_a_run_that_is_over_measures_nothing_again_and_is_as_red_as_it_was(workspace: Workspace):
    workspace.add_simulated(infer_ms=70.0)
    assert workspace.pytest(*ASKED).status == 1
    again = workspace.pytest_in_place(*ASKED, "--resume=report")
    with open_history(workspace.folder / "h.sqlite") as history:
        assert len(history.sessions()) == 2
        ((run,), sessions) = history.runs(), history.sessions()
    assert {one.provenance["run"] for one in sessions} == {run.run}
    assert again.status == 1, again.output
    assert "2 of 2 cases were finished before" in again.output
    assert "run 1 of 3" not in again.errors
    assert "frame P99" in again.output


def test_a_changed_model_is_measured_again_and_under_another_budget_every_one(workspace: Workspace):
    workspace.add_simulated("a")
    workspace.add_simulated("b")
    assert workspace.pytest(*ASKED).status == 0
    (workspace.models / "a" / "more.txt").write_text("changed")
    again = workspace.pytest_in_place(*ASKED, "--resume=report")
    assert again.status == 0, again.output
    assert "2 of 4 cases were finished before" in again.output
    assert "simulated/a/int8/simulated: a file of its model has changed: measured again" in again.output
    workspace.rewrite("devices/simulated.toml", "peak_memory_mb = 1000", "peak_memory_mb = 1001")
    other = workspace.pytest_in_place(*ASKED, "--resume=report")
    assert other.status == 0, other.output
    assert "resumed: not resumed: settings was" in other.output
    assert (workspace.folder / "report" / "cases.before.journal").is_file()
    with open_history(workspace.folder / "h.sqlite") as history:
        runs, sessions = history.runs(), history.sessions()
    assert len(runs) == 2
    assert len(sessions) == 4 + 2 + 4
    assert len({one.id for one in sessions}) == len(sessions)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--resume=nowhere"], "no case journal"), (["--resume=nowhere", "--report=there"], "name two folders")],
)
def test_a_resume_of_nothing_is_a_wrong_configuration(workspace: Workspace, arguments, said):
    workspace.add_simulated()
    done = workspace.pytest_in_place(*ASKED, *arguments)
    assert done.status == 4, done.output
    assert said in done.output
