"""Cases that may fail for now: who answers for them, until when, and what is never forgiven."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.unattended.quarantine import Entry, Quarantine, find_quarantine, read_quarantine
from tests.nightly.junitfiles import junit_cases, outcomes, properties

TODAY = datetime.date(2026, 11, 21)
CASE = "orin/eyes/int8/trt"
ENTRY = '[[quarantine]]\ncase = "{case}"\nowner = "ann"\nreason = "flaky fan"\nexpires = {expires}\n{more}\n'


def in_days(days: int) -> str:
    return (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)).isoformat()


def written(folder: Path, case: str = "*/eyes/*/*", expires: str = '"2026-12-01"', more: str = "") -> Path:
    path = folder / "quarantine.toml"
    path.write_text(ENTRY.format(case=case, expires=expires, more=more), encoding="utf-8")
    return path


def holding(**changes: str) -> Quarantine:
    fields = {"case": CASE, "owner": "ann", "reason": "why", "expires": "2026-12-01", **changes}
    return Quarantine(entries=(Entry(**fields),), today=TODAY)


@pytest.mark.parametrize("expires", ['"2026-12-01"', "2026-12-01", '"2026-11-21"', '"2027-02-19"', '"2026-01-01"'])
def test_a_day_within_90_days_is_read_in_either_form(tmp_path, expires):
    (entry,) = read_quarantine(written(tmp_path, expires=expires), TODAY).entries
    assert entry.expires == expires.strip('"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"expires": '"2027-02-20"'}, "91 days ahead, 90 are the most"),
        ({"expires": '"2026-02-30"'}, "day is out of range"),
        ({"expires": '"soon"'}, "expires = 'soon'"),
        ({"expires": "12"}, "expires = 12"),
        ({"case": "eyes"}, "is no pattern of a case"),
        ({"case": "a/b/c/d/e"}, "is no pattern of a case"),
        ({"case": "a//c/d"}, "is no pattern of a case"),
        ({"more": 'onwer = "x"'}, "did you mean 'quarantine.0.owner'"),
        ({"more": 'metric = "frame_p99_ns"'}, "did you mean 'frame_p99_ms'?"),
        ({"more": "metric = 1"}, "metric = 1"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")) as raised:
        read_quarantine(written(tmp_path, **text), TODAY)
    assert "quarantine.toml" in raised.value.sentence


@pytest.mark.parametrize("missing", ["case", "owner", "reason", "expires"])
def test_an_entry_without_owner_reason_or_end_is_refused(tmp_path, missing):
    path = written(tmp_path)
    path.write_text("\n".join(one for one in path.read_text().splitlines() if not one.startswith(missing)))
    with pytest.raises(ConfigError, match=f"{missing} is missing"):
        read_quarantine(path, TODAY)


@pytest.mark.parametrize("content", ["[[quarantine]", "quarantine = 3", "[[quarantin]]\n", "quarantine = [1]"])
def test_what_is_no_quarantine_file_is_refused(tmp_path, content):
    path = tmp_path / "quarantine.toml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        read_quarantine(path, TODAY)


def test_a_file_that_is_asked_for_must_be_there_and_the_usual_one_need_not(tmp_path):
    assert find_quarantine("", tmp_path, TODAY).entries == ()
    with pytest.raises(ConfigError, match="cannot be read"):
        find_quarantine(str(tmp_path / "other.toml"), tmp_path, TODAY)


@pytest.mark.parametrize(
    ("entry", "failure_class", "metrics", "forgiven"),
    [
        ({}, "FAIL", ["frame_p99_ms"], True),
        ({}, "FAIL", [], True),
        ({}, "DUT", [], True),
        ({}, "INFRA", [], False),
        ({}, "CONFIG", [], False),
        ({}, "BUG", [], False),
        ({"metric": "frame_p99_ms"}, "FAIL", ["frame_p99_ms"], True),
        ({"metric": "frame_p99_ms"}, "FAIL", ["frame_p99_ms", "fps_mean"], False),
        ({"metric": "frame_p99_ms"}, "FAIL", ["fps_mean"], False),
        ({"metric": "frame_p99_ms"}, "FAIL", [], False),
        ({"metric": "frame_p99_ms"}, "DUT", [], False),
        ({"case": "orin/*/int?/t*"}, "FAIL", [], True),
        ({"case": "orin/*/int8"}, "FAIL", [], False),
        ({"case": "*/gaze/*/*"}, "FAIL", [], False),
        ({"expires": "2026-11-21"}, "FAIL", [], True),
        ({"expires": "2026-11-20"}, "FAIL", [], False),
    ],
)
def test_only_what_says_something_of_the_model_is_forgiven(entry, failure_class, metrics, forgiven):
    assert (holding(**entry).forgives(CASE, failure_class, metrics) is not None) == forgiven


@given(st.text("abc/*?", min_size=1, max_size=12), st.text("abc/", min_size=1, max_size=12))
def test_a_pattern_never_reaches_over_a_part(pattern, case):
    entry = Entry(case=pattern, owner="a", reason="b", expires="2026-12-01")
    assert not entry.names(case) or pattern.count("/") == case.count("/")


def failure_classes(workspace) -> list[str]:
    return [dict(own)["dms_failure_class"] for *_, own in junit_cases(workspace.folder / "own.xml")]


def test_a_quarantined_failure_is_run_reported_and_not_red(workspace):
    workspace.add_simulated(infer_ms=70.0)
    written(workspace.folder, case="simulated/eyes/fp32/*", expires=f'"{in_days(30)}"', more='ticket = "DMS-1"')
    asked = ("--device=simulated", "--junitxml=own.xml", "-rA", "-k")
    done = workspace.pytest(*asked, "(p99 or peak) and fp32")
    assert done.status == 0, done.output
    name = "test_frame_p99_is_within_budget[simulated/eyes/fp32/simulated]"
    own = workspace.folder / "own.xml"
    assert outcomes(own)[name] == "skipped"
    assert outcomes(own)["test_peak_memory_is_within_budget[simulated/eyes/fp32/simulated]"] == "passed"
    said = f"quarantined until {in_days(30)} (ann, DMS-1): flaky fan"
    assert properties(own, name)["dms_quarantine"] == said
    assert properties(own, name)["dms_failure_class"] == "FAIL"
    assert f"QUARANTINED: suites/test_latency.py::{name}: {said}: FAIL: simulated/eyes/fp32" in done.output
    assert "passes: suites/test_memory.py::test_peak" in done.output
    assert "1 quarantined" in done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"FAIL"}
    assert any(said in note for note in done.results()["notes"])
    assert workspace.pytest(*asked, "p99").status == 1


def test_a_quarantine_that_is_over_is_red_again_and_says_so(workspace):
    workspace.add_simulated(infer_ms=70.0)
    written(workspace.folder, case="simulated/eyes/fp32/*", expires=f'"{in_days(-1)}"')
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32")
    assert done.status == 1
    assert f"its quarantine ended on {in_days(-1)} (ann): it is red again" in done.output


def test_a_spoiled_measurement_stays_the_labs_fault_in_quarantine(workspace):
    workspace.add_simulated(sensor_fault="throttled")
    written(workspace.folder, expires=f'"{in_days(9)}"')
    asked = ("--device=simulated", "--policy=nightly", "--junitxml=own.xml", "-k", "p99 and fp32")
    done = workspace.pytest(*asked)
    assert done.status == 1
    assert "does not cover this failure (INFRA)" in done.output
    assert failure_classes(workspace) == ["INFRA"]


def test_a_crash_in_quarantine_is_forgiven_too(workspace):
    workspace.add_simulated(fault="crash", fault_at=5)
    written(workspace.folder, expires=f'"{in_days(9)}"')
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32", "--policy=nightly", "--junitxml=own.xml")
    assert list(outcomes(workspace.folder / "own.xml").values()) == ["skipped"], done.output
    assert failure_classes(workspace) == ["DUT"]


@pytest.mark.parametrize("options", [[], ["--quarantine=mine.toml"]])
def test_a_wrong_quarantine_file_ends_the_session_before_anything_is_measured(workspace, options):
    workspace.add_simulated()
    name = "mine.toml" if options else "quarantine.toml"
    written(workspace.folder, more='oops = "x"').rename(workspace.folder / name)
    done = workspace.pytest("--device=simulated", *options)
    assert done.status == 4, done.output
    assert "no key called" in done.output
    assert not done.report.exists()


def test_an_entry_that_names_no_case_of_the_device_is_a_warning(workspace):
    workspace.add_simulated()
    written(workspace.folder, case="simulated/eys/*/*", expires=f'"{in_days(9)}"')
    done = workspace.pytest("--device=simulated", "-k", "peak and fp32")
    assert done.status == 0
    assert "warning: quarantine.toml: simulated/eys/*/* names no case" in done.output


def test_the_command_adds_lists_and_checks(workspace):
    workspace.add_simulated()
    add = ("quarantine", "add", "simulated/eyes/int8/*", "--owner=ann", '--reason=a "fan"\x1b', "--days=20")
    assert workspace.harness("quarantine", "list").output.strip() == "nobody is in quarantine"
    done = workspace.harness(*add, "--metric=frame_p99_ms")
    assert done.status == 0, done.output
    assert f"until {in_days(20)}" in done.output
    assert workspace.harness(*add, "--ticket=T-2").status == 0
    listed = workspace.harness("quarantine", "list").output
    assert f'{in_days(20)} (20 days left) simulated/eyes/int8/* frame_p99_ms: ann: a "fan"\\x1b' in listed
    assert "[T-2]" in listed
    assert workspace.harness("quarantine", "check").status == 0
    workspace.harness("quarantine", "add", "simulated/eys/*/*", "--owner=ann", "--reason=x")
    checked = workspace.harness("quarantine", "check")
    assert checked.status == 1
    assert "simulated/eys/*/*: names no case" in checked.output


@pytest.mark.parametrize(
    ("changes", "said"),
    [(["--days=91"], "from 0 to 90"), (["--owner= "], "owner"), (["--metric=nope"], "no metric called")],
)
def test_the_command_refuses_what_the_file_may_not_hold(workspace, changes, said):
    done = workspace.harness("quarantine", "add", "a/b/c/d", "--owner=ann", "--reason=x", *changes)
    assert done.status == 4, done.output
    assert said in done.output
    assert not (workspace.folder / "quarantine.toml").exists()
