"""What became of every test, whole after a crash: the case journal, and the JUnit file out of it."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.journal import read_lines
from harness.report.casejournal import NAME, read_cases
from harness.report.rebuild import write_junit
from tests.nightly.journals import journal_with, phase
from tests.nightly.junitfiles import counts, junit_cases, outcomes, properties

SUITE = """
import pytest

def test_passes(check):
    check("frame_p99_ms")

def test_fails(case, measurement, request):
    request.node.user_properties.append(("odd", "<&>\\x00"))
    print("some words")
    assert case.variant == "int8", "only one of them"

def test_is_an_error(case, measurement, request):
    request.getfixturevalue("no_such_fixture")

def test_is_skipped(case):
    pytest.skip("not today")

@pytest.mark.xfail(reason="known", strict=True)
def test_is_known(case):
    assert False

@pytest.fixture
def breaks(case):
    yield
    raise OSError("torn down badly")

def test_ends_badly(breaks):
    pass

def test_fails_and_ends_badly(breaks):
    assert 0
"""


def test_the_rebuilt_file_says_what_pytests_own_says(workspace):
    workspace.add_simulated()
    workspace.add_suite("test_own.py", SUITE)
    done = workspace.pytest(
        "--device=simulated", "--junitxml=own.xml", "-k", "(own or labelled or alive) and fp32",
        "-o", "junit_family=xunit1", "-o", "junit_logging=all",
    )  # fmt: skip
    assert done.status == 1, done.output
    own, rebuilt = workspace.folder / "own.xml", workspace.folder / "rebuilt.xml"
    write_junit(read_cases(done.report), rebuilt)
    assert junit_cases(rebuilt) == junit_cases(own)
    assert counts(rebuilt) == counts(own)
    assert len(junit_cases(own)) >= 9


def test_every_test_carries_whose_fault_it_is(workspace):
    folder = workspace.add_simulated(infer_ms=70.0)
    (folder / "int8.sim").unlink()
    workspace.add_suite("test_own.py", "def test_broken(measurement):\n    raise KeyError('mine')\n")
    done = workspace.pytest("--device=simulated", "--junitxml=own.xml", "-k", "p99 or peak or broken")
    said = {name: dict(own).get("dms_failure_class") for _, name, _, own in junit_cases(workspace.folder / "own.xml")}
    fp32 = "[simulated/eyes/fp32/simulated]"
    assert {name.removesuffix(fp32): said[name] for name in said if name.endswith(fp32)} == {
        "test_frame_p99_is_within_budget": "FAIL", "test_peak_memory_is_within_budget": "PASS", "test_broken": "BUG",
    }  # fmt: skip
    assert {said[name] for name in said if "int8" in name} == {"CONFIG"}, done.output
    classes = {one.planned.test.partition("::")[2]: one.classes for one in read_cases(done.report).told}
    assert classes == {name: (found,) for name, found in said.items()}


def test_a_test_in_flight_is_an_error_and_one_not_begun_is_skipped(tmp_path):
    journal = journal_with(tmp_path, phase("setup"))
    path = write_junit(journal, tmp_path / "junit.xml")
    assert list(outcomes(path).values()) == ["error", "skipped"]
    assert counts(path) == {"tests": 2, "errors": 1, "failures": 0, "skipped": 1}
    for name in outcomes(path):
        assert properties(path, name) == {"case": "host/eyes/fp32/ort", "dms_failure_class": "INFRA"}
    (_, _, ((_, said, _),), _), (_, _, ((_, left, _),), _) = junit_cases(path)
    assert "aborted" in said
    assert "not run" in left
    assert [one.classes for one in journal.told] == [("INFRA",), ("INFRA",)]


def test_what_a_test_in_flight_had_said_is_kept(tmp_path):
    path = write_junit(
        journal_with(tmp_path, phase("setup"), phase("call", "failed", longrepr="P99 70 ms")), tmp_path / "x.xml"
    )
    assert "P99 70 ms" in path.read_text()
    assert counts(path)["tests"] == 2


def test_a_journal_cut_at_any_byte_is_a_valid_file_or_says_that_there_is_none(tmp_path):
    journal = journal_with(tmp_path, phase("setup"), phase("call"), phase("teardown"), begun=2)
    whole = journal.path.read_bytes()
    first = whole.index(b"\n") + 1
    passed_before = 0
    for length in (*range(0, len(whole), 5), len(whole)):
        journal.path.write_bytes(whole[:length])
        if length < first:
            with pytest.raises(ConfigError, match="not a case journal"):
                read_cases(tmp_path)
            continue
        path = write_junit(read_cases(tmp_path), tmp_path / "junit.xml")
        passed = sum(one == "passed" for one in outcomes(path).values())
        assert counts(path)["tests"] == 2
        assert passed_before <= passed <= 1
        passed_before = passed
    assert passed_before == 1


def test_damage_is_counted_and_never_guessed(tmp_path):
    path = journal_with(tmp_path, phase("setup"), phase("call"), phase("teardown")).path
    path.write_bytes(path.read_bytes().replace(b'"when":"call"', b'"when":"cell"'))
    journal = read_cases(tmp_path)
    assert journal.damaged == 1
    assert [one.when for one in journal.told[0].phases] == ["setup", "teardown"]


def test_a_new_session_in_the_same_folder_lays_the_old_journal_aside(tmp_path):
    journal_with(tmp_path, phase("setup"))
    assert not journal_with(tmp_path, begun=0).told[0].begun
    assert len(read_lines((tmp_path / "cases.before.journal").read_bytes()).records) == 3


@pytest.mark.parametrize("content", [b"", b"no journal\n", b'00000000 {"kind":"run"}\n'])
def test_what_is_no_journal_is_refused(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(ConfigError, match="not a case journal"):
        read_cases(tmp_path)
    with pytest.raises(ConfigError, match="no case journal"):
        read_cases(tmp_path / "nowhere")


def test_a_session_that_measures_nothing_leaves_no_journal(workspace):
    workspace.add_suite("test_plain.py", "def test_plain():\n    pass\n")
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "plain")
    assert not (done.report / NAME).exists()
