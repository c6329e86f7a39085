"""A pipeline among the cases of a session: measured, judged, kept and told as a model is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.camera.pacing import paced_of_run
from harness.cameratimes import camera_times
from harness.cascade import CascadeJob
from harness.cascade.records import HELD, RAN
from harness.case import Arrivals, Case
from harness.dispatch import cascade_of, run_job
from harness.errors import ConfigError, EngineError, WorkerError
from harness.measurement import residual_fault
from harness.pipelinecard import PipelineCard, cards_named
from harness.prepare import Setup
from harness.session import Session
from tests.simulated import QUICK, copied_model, simulated_device
from tests.workspace import Workspace

PAIR = Case("simulated", "pair", "cascade", "simulated")
FRAMES = """
[dataset]
kind = "raw"
path = "../../models/eyes/frames.y8"
format = "Y8"
width = 16
height = 10
labels = ""
"""
STAGES = """
[[stages]]
name = "first"
model = "eyes"
variant = "int8"

[[stages]]
name = "second"
model = "eyes"
variant = "fp32"
after = ["first"]
every = 2

[budgets]
frame_p99_ms = 20
"""
CAMERA = replace(QUICK, frames=90, arrivals=Arrivals())


def quiet(*words):
    """Nobody listens."""


@pytest.fixture
def make_pipeline(tmp_path):
    """The card `pair` of two simulated models; behaviour goes into the .sim file of the variant `only`."""

    def make(text: str = FRAMES + STAGES, only: str = "*", **behaviour) -> PipelineCard:
        copied_model(tmp_path / "models", "eyes", only, sigma=0.0, **behaviour)
        folder = tmp_path / "pipelines" / "pair"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pipeline.toml").write_text(text)
        (card,) = cards_named(["pair"], tmp_path / "models")
        return card

    return make


def over(folder, card, plan=QUICK) -> Session:
    """A session over one pipeline."""
    made = Setup(
        profile=simulated_device(), cards=(card,), named=True, plan=plan, work=folder / "work", cache=folder / "cache"
    )
    return Session(setup=made, progress=quiet)


def test_pytest_measures_pipelines_beside_models_and_only_the_named_one_where_one_is_named(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    folder = workspace.folder / "suites" / "pipelines" / "pair"
    folder.mkdir(parents=True)
    (folder / "pipeline.toml").write_text(FRAMES + STAGES)
    done = workspace.pytest("--device=simulated", "--plan=smoke", "-k", "alive")
    assert done.status == 0, done.output
    keys = [one["key"] for one in done.measured()]
    assert keys == ["simulated/eyes/fp32/simulated", "simulated/eyes/int8/simulated", PAIR.key]
    done = workspace.pytest("--device=simulated", "--models=pair", "--camera=30", "-k", "response or every_stage")
    assert done.status == 0, done.output
    assert [one["key"] for one in done.measured()] == [PAIR.key]
    (verdict,) = done.verdicts("stages_ran")
    assert verdict["sentence"] == "all 2 stages ran: first on 100 % of the frames, second on 50 % of the frames"
    responses = done.verdicts("response_p99_ms")
    assert {(one["outcome"], one["limit"]) for one in responses} == {("PASS", 20), ("PASS", 50)}
    wrong = workspace.pytest("--device=simulated", "--models=pear")
    assert wrong.status == 4
    assert "no model called 'pear', did you mean 'pair'" in wrong.output


def test_a_frame_of_a_cascade_is_its_stages_together(tmp_path, make_pipeline):
    session = over(tmp_path, make_pipeline(infer_ms=4.0))
    run = session.measurement(PAIR).runs[0]
    assert residual_fault(run) == ""
    assert run.stages["infer"].reshape(-1, 2).mean(axis=0) / 1e6 == pytest.approx([8.0, 4.0], rel=0.01)
    assert run.facts["cascade"]["execution"] == "serial"
    stages = run.facts["cascade"]["stages"]
    half = len(run.frame_ns) // 2
    assert [stages["second"][key] for key in ("ran", "held", "skipped", "critical_share")] == [half, half, 0, 0.5]
    assert stages["first"]["infer_p50_ms"] == pytest.approx(4.0, rel=0.01)
    assert run.facts["outputs_repeat"]
    assert {one: run.facts["engines"][one]["engine"] for one in stages} == dict.fromkeys(stages, "simulated")
    assert {one.outcome for one in session.check(PAIR, "frame_p99_ms")} == {"PASS"}


def test_the_limits_of_a_pipeline_are_told_with_its_own_file(tmp_path, make_pipeline):
    budgets = {(one.metric, one.limit): one.source for one in over(tmp_path, make_pipeline()).budgets(PAIR)}
    assert budgets["frame_p99_ms", 20] == "pair/pipeline.toml"


def test_at_the_cameras_pace_a_slow_stage_drops_frames_and_the_detail_lies_beside_the_run(tmp_path, make_pipeline):
    session = over(tmp_path, make_pipeline(only="fp32", infer_ms=80.0), plan=CAMERA)
    run = session.measurement(PAIR).runs[0]
    found = camera_times(paced_of_run(run), CAMERA.arrivals)
    assert found.dropped_per_10000 > 0
    assert found.response.max_ms > 80
    cascade = cascade_of(tmp_path / "work" / "pair" / "cascade.simulated" / "run-1-of-1")
    assert cascade.camera["index"].tolist() == run.camera["index"].tolist()
    assert cascade.states[:3].tolist() == [[RAN, RAN], [RAN, HELD], [RAN, RAN]]
    assert (cascade.end_to_end_ns <= run.frame_ns).all()


def test_nobody_asks_how_busy_overlapped_stages_keep_the_machine(tmp_path, make_pipeline):
    card = make_pipeline(FRAMES + '[execution]\nmode = "stages"\n' + STAGES)
    session = over(tmp_path, card, plan=CAMERA)
    metrics = {one.metric for one in session.budgets(next(iter(session.cases)))}
    assert "response_p99_ms" in metrics
    assert "camera_utilisation_percent" not in metrics


def test_a_pipeline_has_no_labels_even_where_its_data_set_has_a_truth(tmp_path, make_pipeline):
    assert not make_pipeline(FRAMES + 'truth = "eye_state"\n' + STAGES).labelled


def test_other_stages_are_another_case_to_compare_with(tmp_path, make_pipeline):
    def identity(text):
        return over(tmp_path, make_pipeline(text)).identity(PAIR)

    same, other = identity(FRAMES + STAGES), identity(FRAMES + STAGES.replace("every = 2", "every = 3"))
    assert same["task"] != other["task"]
    assert {key for key in same if same[key] != other[key]} == {"task"}


@pytest.mark.parametrize("mode", ["serial", "stages"])
def test_a_stage_that_never_returns_is_ended_by_the_deadline_of_its_worker(tmp_path, make_pipeline, mode):
    card = make_pipeline(FRAMES + f'[execution]\nmode = "{mode}"\n' + STAGES, "fp32", fault="hang", fault_at=50)
    plan = replace(QUICK, frames=400, deadline_s=3)
    session = over(tmp_path, card, plan=plan)
    (case,) = session.cases
    with pytest.raises(WorkerError, match="no sign of progress within its deadline of 3 s and was ended"):
        session.measurement(case)


def test_an_engine_that_fails_is_the_cases_error(tmp_path, make_pipeline):
    session = over(tmp_path, make_pipeline(only="fp32", fault="refuse"))
    with pytest.raises(EngineError, match="the simulated engine refuses the model"):
        session.measurement(PAIR)
    assert PAIR in session.errors


def test_a_cascade_does_not_travel_yet_and_is_left_out_where_nobody_named_it(tmp_path, make_pipeline):
    card = make_pipeline()
    job = over(tmp_path, card).job(PAIR)
    assert isinstance(job, CascadeJob)
    far = simulated_device().model_copy(update={"transport": "ssh"})
    with pytest.raises(ConfigError, match="does not travel over a wire yet"):
        run_job(job, far, tmp_path / "out", quiet)


def test_a_cascade_is_not_scored_against_labels(tmp_path, make_pipeline):
    session = over(tmp_path, make_pipeline())
    job = session.job(PAIR)
    with pytest.raises(ConfigError, match="never scored against labels"):
        session.predict(PAIR, tmp_path / "frames-of-nobody")
    assert job.timed


def test_a_name_that_means_a_model_and_a_pipeline_is_refused(tmp_path, make_pipeline):
    make_pipeline()
    copied_model(tmp_path / "models", "pair")
    for names in ([], ["pair"]):
        with pytest.raises(ConfigError, match="both called 'pair'"):
            cards_named(names, tmp_path / "models")
