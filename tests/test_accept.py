"""From `harness accept` to the verdict on the next build, and all the ways in which a baseline is refused."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from harness import accept
from harness.accept import Acceptance, check_acceptance
from harness.baseline import BaselineError, baseline_path, read_baseline
from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.lookback import Lookback
from harness.remember import remember
from harness.rules import Outcome, decide
from harness.session import Session
from tests.simulated import copied_model, session_over

INT8 = Case("simulated", "eyes", "int8", "simulated")
WANTED = Acceptance(reason="a first one", by="me", sessions=5)
NOISE = {"process_sigma": 0.004}
RUNS = 6


def shop_in(folder: Path, history: bool = True, device: dict | None = None, **sim) -> Session:
    """A session over one int8 model with its baselines and history in `folder`; `sim` goes into its file."""
    model = copied_model(folder / "models", **{**NOISE, **sim})
    card = model / "model.toml"
    card.write_text(re.sub(r"(?s)\[variants.fp32\].*?\n\n", "", card.read_text()).replace('parent = "fp32"\n', ""))
    setup = {"baselines": folder / "baselines", "history": str(folder / "h.sqlite") if history else ""}
    return session_over(folder, model, setup=setup, **(device or {}))


@pytest.fixture
def shop(tmp_path):
    """Sessions whose files lie in tmp_path: see shop_in."""
    return partial(shop_in, tmp_path)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder in which a baseline was accepted; nobody changes it."""
    folder = tmp_path_factory.mktemp("accepted")
    assert not accepted(shop_in(folder)).refusal
    return folder


@pytest.fixture
def old_shop(shop, original, tmp_path):
    """The same with a copy of that baseline and of its history."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return shop


@pytest.fixture
def file(tmp_path) -> Path:
    return baseline_path(tmp_path / "baselines", INT8)


def check(session) -> dict:
    """The verdicts of what is compared by statistics; what must not change at all has its own tests."""
    found = [one for one in session.check(INT8, "baseline") if one.rule != "exact/1"]
    remember(session, "pytest")
    return {(one.metric, one.change.against if one.change else ""): one for one in found}


def accepted(session, wanted: Acceptance = WANTED):
    (one,) = accept.accept(session, wanted, "harness accept")
    return one


def test_the_accepted_build_passes_and_a_slower_one_fails(shop, file):
    done = accepted(shop())
    assert done.path == file
    assert "| frame_p25_ms | - | 3.4" in done.table
    assert {one.outcome for one in check(shop()).values()} == {Outcome.PASS}
    slower = check(shop(infer_ms=3.9))[("frame_p25_ms", "accepted baseline")]
    assert slower.outcome is Outcome.FAIL
    assert slower.red
    assert slower.change.percent == pytest.approx(11, abs=2)


def test_every_verdict_on_a_baseline_is_kept_and_can_be_replayed(old_shop, tmp_path):
    check(old_shop(infer_ms=5.0))
    with open_history(tmp_path / "h.sqlite") as history:
        *_, last = history.sessions(INT8)
    assert last.verdicts
    for one in last.verdicts:
        assert decide(one.rule, one.inputs).outcome.value == one.outcome


def test_measuring_never_writes_a_baseline(shop, file):
    found = check(shop())
    assert not file.exists()
    ((_, verdict),) = found.items()
    assert verdict.outcome is Outcome.NO_BASELINE
    assert "harness accept --device=simulated" in verdict.sentence


def test_a_build_that_uses_more_memory_fails(old_shop):
    found = check(old_shop(model_bytes=30_000_000))
    assert found[("peak_memory_mb", "accepted baseline")].outcome is Outcome.FAIL


def test_an_open_question_takes_more_sessions(shop):
    accepted(shop(process_sigma=0.02))
    session = shop(process_sigma=0.02, infer_ms=3.6)
    check(session)
    assert len(session.measurements[INT8].sessions) in (2, 3, 5, 8)


def test_a_large_improvement_is_said_until_it_is_accepted(old_shop):
    session = old_shop(infer_ms=2.0)
    assert {one.outcome for one in check(session).values()} == {Outcome.PASS}
    assert any("improved by" in note and "harness accept" in note for note in session.notes)
    accepted(old_shop(infer_ms=2.0))
    session = old_shop(infer_ms=2.0)
    check(session)
    assert not any("improved" in note for note in session.notes)


ELSEWHERE = {"placed_share": 0.25}


@pytest.mark.parametrize(
    ("changed", "outcomes"),
    [
        ({}, {"FAIL"}),
        ({"version": "2", "os": "another"}, {"FAIL", "NOT_COMPARABLE"}),
        ({"engine_options": "others"}, {"NOT_COMPARABLE"}),
    ],
)
def test_a_fall_in_placement_is_found_where_times_are_not_comparable_but_not_where_another_thing_was_asked(
    old_shop, file, changed, outcomes
):
    session = old_shop(**ELSEWHERE)
    identity = {**session.identity(INT8), **changed}
    lookback = Lookback(folder=file.parents[2], history="", tolerances={})
    found = lookback.verdicts(session.measurement(INT8), identity, lambda: session.measurement(INT8))
    assert {one.outcome.value for one in found if one.outcome is not Outcome.PASS and one.rule != "sessions-t/1"} == (
        outcomes | ({"NO_BASELINE"} if not changed else set())
    )


def test_a_baseline_from_before_the_engine_told_its_placement_is_said_to_gate_none(shop, file, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(accept, "EXACT", ())
        accepted(shop())
    session = shop(**ELSEWHERE)
    check(session)
    assert any("does not tell placed_share_percent, partitions: accept it anew" in one for one in session.notes)


def test_other_settings_of_the_engine_are_not_comparable(old_shop):
    found = check(old_shop(device={"runtimes": {"simulated": {"seed": 2}}}))
    ((_, verdict),) = found.items()
    assert verdict.outcome is Outcome.NOT_COMPARABLE
    assert "engine_options: " in verdict.sentence


@pytest.mark.parametrize(
    ("spoil", "line", "said"),
    [
        (lambda text: text.replace("a first one", "another one"), 6, "edited by hand"),
        (lambda text: text[: len(text) // 2], None, "not JSON"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 99'), None, "update the harness"),
        (lambda text: re.sub(r'("frame_p25_ns": \[)\d', r"\g<1>1", text, count=1), None, "edited by hand"),
    ],
)
def test_a_baseline_that_cannot_be_trusted_is_an_error_with_its_line_never_a_pass(old_shop, file, spoil, line, said):
    file.write_text(spoil(file.read_text()))
    with pytest.raises(BaselineError, match=said) as caught:
        old_shop().check(INT8, "baseline")
    assert re.search(rf"int8.simulated.json, line {line or '[0-9]+'}", caught.value.sentence)


def test_a_step_back_from_a_better_build_fails_by_the_rolling_baseline(old_shop):
    for _ in range(RUNS):
        check(old_shop(infer_ms=3.25))
    found = check(old_shop(infer_ms=3.55))
    against = {name for metric, name in found if metric == "frame_p25_ms"}
    assert against == {"accepted baseline", f"last {RUNS} runs"}
    assert found[("frame_p25_ms", f"last {RUNS} runs")].outcome is Outcome.FAIL
    assert found[("frame_p25_ms", "accepted baseline")].outcome is Outcome.PASS


def test_sessions_that_failed_do_not_become_the_rolling_baseline(old_shop):
    for _ in range(6):
        check(old_shop(infer_ms=5.0))
    assert {name for _, name in check(old_shop(infer_ms=5.0))} == {"accepted baseline"}


@pytest.mark.parametrize(
    ("sim", "said"),
    [
        ({"background_share": 0.4}, "other load took more than 5 % of the cores in "),
        ({"answer": "constant"}, "are the same for every frame"),
        ({"fault": "crash"}, "SIGABRT"),
    ],
)
def test_what_must_not_become_a_baseline_is_refused(shop, file, sim, said):
    done = accepted(shop(**sim))
    assert said in done.refusal
    assert not file.exists()
    assert done.refusal in accept.summary([done])


def test_going_back_brings_the_baseline_before_and_again_the_later_one(old_shop, file):
    accepted(old_shop(infer_ms=4.0), Acceptance(reason="slower on purpose", by="me", sessions=5))
    later = file.read_bytes()
    (done,) = accept.revert(old_shop())
    assert read_baseline(file).reason == "a first one"
    assert "| frame_p25_ms | 3.9" in done.table
    accept.revert(old_shop())
    assert file.read_bytes() == later


def test_going_back_without_a_baseline_before_is_an_error(shop):
    with pytest.raises(HarnessError, match="no accepted baseline to go back from"):
        accept.revert(shop())
    accepted(shop())
    (done,) = accept.revert(shop())
    assert "no previous baseline" in done.refusal


def test_sessions_of_a_third_unit_make_a_pool(old_shop, file):
    first = len(read_baseline(file).sessions)
    accepted(old_shop(), Acceptance(reason="one more unit", by="me", sessions=5, add=True))
    assert len(read_baseline(file).sessions) == 2 * first


@pytest.mark.parametrize(
    ("wanted", "environment", "said"),
    [
        (WANTED, {"CI": "true"}, "never accepted by CI"),
        (Acceptance(reason=" ", by="me"), {}, "needs a reason"),
        (Acceptance(reason="x", by="me", sessions=4), {}, "at least 5"),
    ],
)
def test_accepting_needs_a_person_a_reason_and_five_sessions(wanted, environment, said):
    with pytest.raises(ConfigError, match=said):
        check_acceptance(wanted, environment)


def test_the_file_says_who_accepted_what_and_holds_one_line_per_session(old_shop, file):
    lines = file.read_text().splitlines()
    assert sum(line.startswith('  {"at"') for line in lines) == 5
    assert json.loads(file.read_text())["accepted"]["reason"] == "a first one"
