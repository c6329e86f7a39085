"""The question of the scenario times, asked of measured cases: which times, how sure, by which filter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.camera import Arrivals, due_ns
from harness.camera.policies import simulate
from harness.cascadecard import models_of, read_cascade
from harness.case import STAGES, Case, Plan, Run
from harness.errors import ConfigError
from harness.events import CLOSED, OFF_ROAD, PHONE
from harness.events.filtering import Filtering, filtering_of, filtering_of_cascade
from harness.events.filters import StateFilter
from harness.events.scenarios import FRAME_BUDGET_WORDING, NOT_A_RATING, SCENARIOS
from harness.measurement import Measurement
from harness.model import read_card
from harness.questions import QUESTIONS
from harness.questions.scenarios import scenario_margins
from harness.report.budget_tables import advice_table, gate_table
from harness.rules import decide
from harness.verdict import Verdict
from tests.simulated import CHECKOUT, QUICK, copied_model, session_over

MODELS, PIPELINES = CHECKOUT / "suites" / "models", CHECKOUT / "suites" / "pipelines"
EYES = Filtering(evidence=(CLOSED,), filter=StateFilter(), hmi_s=0.3)
PLAN = Plan(name="camera", frames=300, arrivals=Arrivals())
FRAMES, SERVICE_NS, STALL_NS = 300, 5_200_000, 1_000_000_000


def paced_run(*stalls: int, frames: int = FRAMES) -> Run:
    """A run of a 30 fps camera in which each frame takes 5.2 ms, and those at `stalls` a second."""
    service = np.full(frames, SERVICE_NS)
    service[list(stalls)] = STALL_NS
    found = simulate(due_ns(Arrivals(), frames), service, "drop-stale")
    taken = len(found.index)
    return Run(
        stages={name: np.zeros(taken, np.int64) for name in STAGES}, frame_ns=found.end_ns - found.start_ns,
        start_ns=found.start_ns, cpu_ns=np.zeros(0, np.int64), warmup_ns=np.zeros(0, np.int64), marks={},
        facts={"steady": True},
        camera={"index": found.index, "due_ns": found.due_ns, "lateness_ns": np.zeros(taken, np.int64)},
    )  # fmt: skip


def measured(*runs: Run, filtering: Filtering | None = EYES, plan: Plan = PLAN) -> Measurement:
    runs = tuple(replace(one, stages={**one.stages, "infer": one.frame_ns}) for one in runs)
    return Measurement(case=Case("host", "eyes", "int8", "x"), plan=plan, runs=runs, filtering=filtering)


def named(found: list[Verdict]) -> dict[str, Verdict]:
    return {one.metric.removeprefix("scenario_").removesuffix("_s"): one for one in found}


def test_closed_eyes_are_asked_for_the_times_of_closed_eyes_and_others_for_theirs() -> None:
    assert set(named(scenario_margins(measured(paced_run())))) == {"microsleep", "sleep", "unresponsive"}
    away = replace(EYES, evidence=(OFF_ROAD,))
    assert "addw_above_50" in named(scenario_margins(measured(paced_run(), filtering=away)))
    all_states = replace(EYES, evidence=(CLOSED, OFF_ROAD, PHONE))
    found = scenario_margins(measured(paced_run(), filtering=all_states))
    assert list(named(found)) == [one.name for one in SCENARIOS]


def test_a_steady_camera_keeps_the_time_of_a_microsleep_and_says_how_sure_that_time_is() -> None:
    found = named(scenario_margins(measured(paced_run())))["microsleep"]
    # 11 of 15 frames for the filter, the warning, and the computing of one frame.
    assert found.value == pytest.approx(11 / 30 + 0.3 + 0.0052, abs=1e-6)
    assert (found.limit, found.unit, found.outcome, found.gate) == (1.0, "s", "PASS", False)
    assert found.margin_percent == pytest.approx(100 * (1 - found.value))
    for said in ("not verified, no rating", "0.37 s filter", "0.33 s are left", "1 s more if 2 s apply"):
        assert said in found.sentence


def test_a_stall_of_a_second_takes_the_microsleep_and_leaves_the_sleep() -> None:
    found = named(scenario_margins(measured(paced_run(), paced_run(100))))
    assert (found["microsleep"].outcome, found["sleep"].outcome) == ("FAIL", "PASS")
    assert "too late" in found["microsleep"].sentence
    assert not found["microsleep"].red
    assert decide(found["sleep"].rule, found["sleep"].inputs).outcome is found["sleep"].outcome


def test_a_time_that_other_load_may_have_spoilt_says_that_and_nothing_else() -> None:
    run = replace(paced_run(100), marks={"background_ns": 3e9, "capacity_ns": 10e9})
    found = named(scenario_margins(measured(run)))
    assert (found["microsleep"].outcome, found["sleep"].outcome) == ("INVALID", "PASS")
    assert found["microsleep"].sentence.startswith("other load took 30 % of the cores meanwhile")
    assert "own delay" not in found["microsleep"].sentence


def test_a_card_can_make_the_times_a_gate() -> None:
    found = named(scenario_margins(measured(paced_run(100), filtering=replace(EYES, gate=True))))
    assert found["microsleep"].red
    assert not found["sleep"].red


def test_runs_back_to_back_and_models_that_tell_no_state_are_not_asked() -> None:
    assert scenario_margins(measured(paced_run(), filtering=None)) == []
    assert scenario_margins(measured(paced_run(), plan=replace(PLAN, arrivals=None))) == []
    assert QUESTIONS["scenario_margins"] is scenario_margins


def test_a_filter_that_never_decides_never_warns() -> None:
    whole = paced_run(frames=300)
    kept = whole.camera["index"] % 3 != 0
    lossy = replace(
        whole, camera={name: one[kept] for name, one in whole.camera.items()}, frame_ns=whole.frame_ns[kept],
        start_ns=whole.start_ns[kept], stages={name: one[kept] for name, one in whole.stages.items()},
    )  # fmt: skip
    found = scenario_margins(measured(lossy))
    assert len(found) == 3
    for one in found:
        assert (one.outcome, one.value) == ("FAIL", None)
        assert "the filter never decides" in one.sentence


@pytest.mark.parametrize(
    ("run", "plan", "outcome", "sentence"),
    [
        (paced_run(frames=10), PLAN, "INCONCLUSIVE", "the run has 10 frames, and the filter's window alone takes 15"),
        (paced_run(100), replace(PLAN, judges_speed=False), "INCONCLUSIVE", "never judges speed"),
        (
            replace(paced_run(), camera={**paced_run().camera, "lateness_ns": np.full(FRAMES, 900_000)}), PLAN,
            "INVALID", "the frames did not come at the camera's pace",
        ),
    ],
)  # fmt: skip
def test_runs_that_tell_nothing_are_never_green(run: Run, plan: Plan, outcome: str, sentence: str) -> None:
    found = scenario_margins(measured(run, plan=plan))
    assert len(found) == 3
    for one in found:
        assert one.outcome == outcome
        assert sentence in one.sentence
        assert "no rating" not in one.sentence


@pytest.mark.parametrize(
    ("model", "evidence"),
    [("eye_state", (CLOSED,)), ("gaze", (OFF_ROAD,)), ("distraction", (PHONE,)), ("head_counting", None)],
)
def test_the_truth_of_a_card_says_what_its_model_tells(model: str, evidence: tuple[str, ...] | None) -> None:
    found = filtering_of(read_card(MODELS / model))
    assert (found and found.evidence) == evidence


def test_a_cascade_tells_what_its_models_tell_together() -> None:
    card = read_cascade(PIPELINES / "cabin")
    found = filtering_of_cascade(card, models_of(card, MODELS).values())
    assert found is not None
    assert set(found.evidence) == {CLOSED, OFF_ROAD, PHONE}
    assert found.card == "cabin/pipeline.toml"


def with_filter(folder: Path, text: str) -> Path:
    model = copied_model(folder)
    path = model / "model.toml"
    path.write_text(f"{path.read_text()}\n[filter]\n{text}\n", encoding="utf-8")
    return model


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("window_s = 0.0", "filter.window_s = 0.0"),
        ("on_share = 0.2", "a state cannot begin at a share of 0.2 and end at 0.3"),
        ('missing = "dropped"', "filter.missing = 'dropped'"),
        ('tells = ["asleep"]', "filter.tells.0 = 'asleep'"),
        ("windows = 1.0", "filter.windows"),
    ],
)
def test_a_wrong_filter_table_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence.replace(".", r"\.")):
        read_card(with_filter(tmp_path, text))


def test_a_simulated_case_at_the_cameras_pace_is_asked_by_its_session(tmp_path: Path) -> None:
    model = with_filter(tmp_path, 'window_s = 1.0\non_share = 1.0\nhmi_s = 0.2\ntells = ["eyes_closed"]')
    session = session_over(tmp_path, model, plan=replace(QUICK, arrivals=Arrivals(), frames=90))
    found = session.check(next(iter(session.cases)), "scenario_margins")
    assert [one.metric for one in found] == ["scenario_microsleep_s", "scenario_sleep_s", "scenario_unresponsive_s"]
    assert found[0].value is not None
    assert 1.2 < found[0].value < 1.3
    assert found[0].outcome == "FAIL"
    # What holds for all of them stands once below the limits.
    notes = advice_table(session).notes
    (stated,) = (one for one in notes if "stated in eyes/model.toml" in one)
    assert stated.startswith("eyes/fp32/simulated: filter: a state begins where 100 % of 1 s show it")
    assert notes[-1] == f"{NOT_A_RATING}; {FRAME_BUDGET_WORDING}"
    assert sum("not verified: the 1 to 2 s were not found" in one for one in notes) == 1
    assert gate_table(session).notes[1:] == ()
