"""What a run was asked and what of it failed, in the history: also where nothing could be measured at all."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness import accept
from harness.accept import Acceptance
from harness.baseline.files import previous_path
from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.fingerprint import Checkout, checkout_of
from harness.history import open_history
from harness.record import Failure
from harness.remember import remember
from harness.session import Session

FP32, INT8 = (Case("simulated", "eyes", variant, "simulated") for variant in ("fp32", "int8"))


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "history.sqlite")


@pytest.fixture
def shop(make_model, make_session, place) -> Callable[..., Session]:
    """A session over the simulated model with a history; `sim` goes into its files."""

    def make(history: bool = True, only: str = "*", **sim):
        return make_session(make_model(only=only, **sim), setup={"history": place if history else ""})

    return make


def test_a_run_is_kept_with_the_sessions_that_it_measured(shop, place):
    session = shop()
    session.asked.add(INT8)
    session.check(INT8, "outputs_alive")
    (kept,) = remember(session, "pytest suites/", policy="nightly")
    with open_history(place) as history:
        (run,) = history.runs()
        (found,) = history.sessions()
    assert (run.device, run.command, run.purpose, run.policy) == ("simulated", "pytest suites/", "check", "nightly")
    assert (run.asked, run.failures, run.interrupted) == ((INT8.key,), (), False)
    assert found.id == kept.id
    assert (found.provenance["run"], found.at) == (run.run, run.at)


def test_a_run_that_measured_nothing_is_kept_with_its_reason(shop, place):
    session = shop(fault="crash")
    session.asked.update([FP32, INT8])
    with pytest.raises(HarnessError) as caught:
        session.check(FP32, "outputs_alive")
    assert remember(session, "pytest") == []
    with open_history(place) as history:
        (run,) = history.runs()
    assert run.asked == (FP32.key, INT8.key)
    assert run.failures == (
        Failure(FP32, "", "WorkerError", caught.value.sentence),
        Failure(INT8, "", "not reached", "asked for, and no test came to it"),
    )


def test_what_an_interrupted_run_did_not_reach_is_said_so(shop, place):
    session = shop()
    session.asked.add(INT8)
    session.interrupted = True
    remember(session, "pytest")
    with open_history(place) as history:
        (run,) = history.runs()
    assert run.interrupted
    assert run.failures == (Failure(INT8, "", "not reached", "the run was interrupted before it"),)


def test_a_question_without_an_answer_names_its_metric(shop, place):
    session = shop()
    session.asked.add(INT8)
    session.measurement(INT8)
    with pytest.raises(HarnessError):
        session.check(INT8, "no_such_metric")
    remember(session, "pytest")
    with open_history(place) as history:
        ((failure,),) = (run.failures for run in history.runs())
    assert (failure.case, failure.metric, failure.kind) == (INT8, "no_such_metric", "ConfigError")


def test_a_measured_case_whose_accuracy_is_not_known_lost_that_alone(make_model, make_session, place):
    folder = make_model()
    card = folder / "model.toml"
    card.write_text(card.read_text().replace('truth = "', 'truth = "no_'))
    session = make_session(folder, setup={"history": place})
    session.measurement(INT8)
    with pytest.raises(HarnessError):
        session.with_accuracy(INT8)
    assert len(remember(session, "pytest")) == 1
    with open_history(place) as history:
        ((failure,),) = (run.failures for run in history.runs())
    assert (failure.case, failure.metric) == (INT8, "accuracy_min_percent")


def test_a_run_that_was_asked_nothing_leaves_no_trace(shop, place):
    remember(shop(), "pytest")
    assert not Path(place).exists()


def test_without_a_history_nothing_is_kept(shop, place):
    session = shop(history=False)
    session.asked.add(INT8)
    assert remember(session, "pytest") == []
    assert not Path(place).exists()


@pytest.fixture
def accepted(make_model, make_session, tmp_path) -> Callable[..., Session]:
    """A session whose baselines may be accepted, of the one model file that is not refused."""

    def make(place: str, **sim) -> Session:
        folder = make_model(process_sigma=0.004, **sim)
        setup = {"baselines": tmp_path / "baselines", "history": place}
        return make_session(folder, setup=setup)

    return make


def test_accepting_leaves_a_remark_on_each_accepted_case_and_reverting_one_too(accepted, place, make_model):
    make_model(only="fp32", fault="crash")
    wanted = Acceptance(reason="new calibration", by="ann", sessions=5)
    done = {one.case: one for one in accept.accept(accepted(place), wanted, "harness accept")}
    assert done[INT8].path
    assert done[FP32].refusal
    with open_history(place) as history:
        (run,), (remark,) = history.runs(), history.annotations()
    told = (remark.case_key, remark.kind, remark.text, remark.author)
    assert told == (INT8.key, "accepted", "new calibration", "ann")
    assert (run.purpose, set(run.asked)) == ("accept", {FP32.key, INT8.key})
    assert [(one.case, one.kind) for one in run.failures] == [(FP32, "WorkerError")]

    (refused,) = accept.revert(accepted(place), by="bob")
    assert "no previous baseline" in refused.refusal
    assert done[INT8].path is not None
    shutil.copy(done[INT8].path, previous_path(done[INT8].path))
    accept.revert(accepted(place), by="bob")
    with open_history(place) as history:
        _, remark = history.annotations()
    assert (remark.case_key, remark.kind, remark.author) == (INT8.key, "reverted", "bob")
    assert remark.text == "back to the baseline before"


WANTED = Acceptance(reason="new calibration", by="ann", sessions=5)


def test_a_refused_acceptance_is_in_the_history_with_its_sentence(accepted, place):
    session = accepted(place, answer="constant")
    refused = {one.case: one.refusal for one in accept.accept(session, WANTED, "harness accept")}
    assert all(refused.values())
    with open_history(place) as history:
        ((run,), remarks) = history.runs(), history.annotations()
    assert {(one.case, one.metric, one.kind, one.sentence) for one in run.failures} == {
        (case, "", "refused", sentence) for case, sentence in refused.items()
    }
    assert not remarks
    assert not run.interrupted


def test_a_case_that_errs_at_a_further_session_of_an_acceptance_is_refused_and_not_lost_as_a_whole(accepted, place):
    session = accepted(place)
    session.measurement(INT8)
    session.errors[INT8] = HarnessError("the board is gone")
    accept.accept(session, WANTED, "harness accept")
    with open_history(place) as history:
        ((run,), sessions) = history.runs(), history.sessions(INT8)
    assert sessions
    assert [(one.metric, one.kind, one.sentence) for one in run.failures if one.case == INT8] == [
        ("baseline", "HarnessError", "the board is gone"),
        ("", "refused", "the board is gone"),
    ]


def test_an_acceptance_that_somebody_ended_says_so(accepted, place, monkeypatch):
    session = accepted(place)

    def end(case: Case) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "measure_more", end)
    with pytest.raises(KeyboardInterrupt):
        accept.accept(session, WANTED, "harness accept")
    with open_history(place) as history:
        assert [one.interrupted for one in history.runs()] == [True]
        assert len(history.sessions()) == 2


def refused_history(place: str) -> None:
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("UPDATE history_version SET version_num = '99'")


def test_a_history_that_fails_once_the_baseline_is_written_does_not_hide_it(accepted, place, monkeypatch):
    session, check = accepted(place), accept.write_baseline

    def write(*arguments) -> None:
        check(*arguments)
        refused_history(place)

    monkeypatch.setattr(accept, "write_baseline", write)
    done = accept.accept(session, WANTED, "harness accept")
    assert all(one.path and one.path.exists() and not one.refusal for one in done)
    assert accept.summary(done).count("NOT IN THE HISTORY: ") == 1
    assert "version 99" in accept.summary(done)


def test_going_back_changes_no_baseline_where_the_history_cannot_be_opened(accepted, place):
    (done, *_) = accept.accept(accepted(place), WANTED, "harness accept")
    assert done.path
    before = done.path.read_bytes()
    shutil.copy(done.path, previous_path(done.path))
    previous_path(done.path).write_bytes(before)
    refused_history(place)
    with pytest.raises(ConfigError, match="version 99"):
        accept.revert(accepted(place), by="bob")
    assert done.path.read_bytes() == before


@pytest.mark.parametrize("named", [True, False])
def test_a_run_of_models_by_name_is_known_as_such(make_model, make_session, place, named):
    session = make_session(make_model(), setup={"history": place, "named": named})
    session.asked.add(INT8)
    remember(session, "pytest")
    with open_history(place) as history:
        assert [(one.selected, one.named) for one in history.runs()] == [(False, named)]


def test_a_session_names_the_variant_that_its_own_was_made_from(make_model, make_session, place):
    session = make_session(make_model(), setup={"history": place})
    for case in (FP32, INT8):
        session.measurement(case)
    found = {one.case: one.provenance.get("parent") for one in remember(session, "pytest")}
    assert found == {FP32: None, INT8: "fp32"}


def git(folder: Path, *arguments: str) -> None:
    own = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("Faster gaze\n\nBecause of this.", "Faster gaze"),
        ("x" * 200, "x" * 120),
        ('</script><script>alert(1)</script> "\u202e', '</script><script>alert(1)</script> "\u202e'),
        ("ünïcödé", "ünïcödé"),
        ("", ""),
    ],
)
def test_the_commit_and_the_first_line_of_its_message_are_known(tmp_path, message, subject):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "--allow-empty-message", "-m", message)
    found = checkout_of(tmp_path)
    assert found.subject == subject
    assert len(found.commit) == 12
    checkout_of.cache_clear()
    (tmp_path / "file").write_text("two")
    assert checkout_of(tmp_path) == Checkout(commit=f"{found.commit}+", subject=subject)


def test_a_checkout_of_which_git_cannot_tell_whether_it_changed_counts_as_changed(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "Faster gaze")
    (tmp_path / ".git" / "index").write_bytes(b"damaged")
    assert checkout_of(tmp_path).commit.endswith("+")


def test_outside_a_repository_nothing_is_known(tmp_path):
    assert checkout_of(tmp_path) == checkout_of(None) == Checkout(commit="", subject="")


def test_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "-q")
    assert checkout_of(tmp_path) == Checkout()


def test_the_subject_is_in_the_provenance_and_not_in_the_identity(make_model, make_session, tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "Faster gaze")
    session = make_session(make_model(), setup={"root": tmp_path})
    session.measurement(INT8)
    assert session.provenance(INT8)["subject"] == "Faster gaze"
    assert "subject" not in session.identity(INT8)
