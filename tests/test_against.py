"""`--against`: a file, a folder or a git revision, measured in turn with the candidate."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.case import Case
from harness.errors import ConfigError
from harness.history import open_history
from harness.plans import PLANS
from harness.remember import remember
from harness.rules import Outcome, decide

INT8 = Case("simulated", "eyes", "int8", "simulated")
FP32 = Case("simulated", "eyes", "fp32", "simulated")
# The same noise for both builds would cancel; each load has a luck of its own.
NOISE = {"process_sigma": 0.004}


@pytest.fixture
def git(tmp_path):
    """git in tmp_path/models, a repository of its own."""

    def run(*arguments: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path / "models"), *own, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return run


@pytest.fixture
def builds(make_model, make_session, tmp_path):
    """A session whose candidate has these .sim values, against `text`."""

    def make(text: str, **sim):
        return make_session(make_model(**{**NOISE, **sim}), setup={"against": text})

    return make


@pytest.fixture
def copy(make_model, tmp_path) -> Path:
    """Another folder with the model as it was."""
    make_model(**NOISE)
    shutil.copytree(tmp_path / "models", tmp_path / "old" / "models")
    return tmp_path / "old" / "models"


def outcomes(session, case: Case = INT8) -> dict:
    return {one.metric: one.outcome for one in session.check(case, "reference")}


def test_the_same_build_passes_against_a_folder_of_models(builds, copy):
    found = outcomes(builds(str(copy)))
    assert found["frame_p25_ms"] is found["frame_cpu_p25_ms"] is Outcome.PASS


@pytest.mark.parametrize("part", ["", "eyes"])
def test_a_slower_build_fails_against_a_folder(builds, copy, part):
    session = builds(str(copy / part), infer_ms=3.7)
    (typical, *_) = session.check(INT8, "reference")
    assert typical.outcome is Outcome.FAIL
    assert typical.change.percent == pytest.approx(5.6, abs=0.6)
    assert str(copy) in typical.sentence


def test_one_file_stands_for_the_variant_of_its_name_and_for_no_other(builds, copy):
    session = builds(str(copy / "eyes" / "int8.sim"), infer_ms=3.7)
    assert outcomes(session)["frame_p25_ms"] is Outcome.FAIL
    assert outcomes(session, FP32) == {}


def test_a_git_revision_is_laid_out_and_measured(builds, make_model, git):
    make_model(**NOISE)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    first = git("rev-parse", "HEAD")
    session = builds("HEAD", infer_ms=3.7)
    assert outcomes(session)["frame_p25_ms"] is Outcome.FAIL
    git("commit", "-qam", "slower")
    assert outcomes(builds("HEAD", infer_ms=3.7))["frame_p25_ms"] is Outcome.PASS
    assert outcomes(builds(first[:10], infer_ms=3.7))["frame_p25_ms"] is Outcome.FAIL


def test_a_variant_that_the_reference_lacks_has_nothing_to_be_compared_with(builds, copy):
    card = copy / "eyes" / "model.toml"
    card.write_text(card.read_text().replace("[variants.int8]", "[variants.other]"))
    (verdict,) = builds(str(copy)).check(INT8, "reference")
    assert verdict.outcome is Outcome.NO_BASELINE
    assert "has no eyes/int8" in verdict.sentence


@pytest.mark.parametrize("text", ["no-such-revision", "HEAD~99", "--output=/tmp/x", "-h"])
def test_what_names_no_build_is_a_wrong_configuration(builds, make_model, git, text):
    make_model()
    git("init", "-q")
    with pytest.raises(ConfigError, match="neither a file, nor a directory, nor a revision"):
        builds(text)


def test_one_file_for_two_models_is_a_wrong_configuration(make_model, make_session, tmp_path):
    path = tmp_path / "other.sim"
    path.write_text(json.dumps({}))
    with pytest.raises(ConfigError, match="one file and 2 models"):
        make_session(make_model("one"), make_model("two"), setup={"against": str(path)})


def test_a_file_that_could_be_any_variant_is_a_wrong_configuration(builds, tmp_path):
    path = tmp_path / "other.sim"
    path.write_text(json.dumps({}))
    with pytest.raises(ConfigError, match="could stand for any of"):
        builds(str(path))


def test_the_rounds_are_kept_with_their_raw_times_and_verdicts(make_model, make_session, copy, tmp_path):
    place = str(tmp_path / "h.sqlite")
    session = make_session(make_model(infer_ms=3.7), setup={"against": str(copy), "history": place})
    session.check(INT8, "reference")
    session.identity(INT8)
    remember(session, "pytest")
    with open_history(place) as history:
        (kept,) = history.sessions(INT8, purpose="paired", with_runs=True)
    rounds = int(kept.runs[0].marks["rounds"])
    assert len(kept.values["frame_p25_ms"]) == rounds >= 12
    reference, candidate = (np.median(run.frame_ns) for run in kept.runs)
    assert candidate / reference == pytest.approx(1.057, abs=0.01)
    for one in kept.verdicts:
        assert decide(one.rule, one.inputs).outcome.value == one.outcome


def test_the_smoke_plan_judges_no_speed_in_turn_either(make_model, make_session, copy):
    session = make_session(make_model(), plan=PLANS["smoke"], setup={"against": str(copy)})
    (verdict,) = session.check(INT8, "reference")
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_without_another_build_nothing_is_compared(make_model, make_session):
    assert make_session(make_model()).check(INT8, "reference") == []
