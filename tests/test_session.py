"""A session: each case measured once, each failure remembered, each question judged on the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.case import Case, read_arrays
from harness.errors import ConfigError, DatasetError, EngineError, ModelFileError, WorkerError
from harness.prepare import cases_of
from harness.provision import ProvisionedRuntime

FP32, INT8 = (Case("simulated", "eyes", variant, "simulated") for variant in ("fp32", "int8"))


def jobs(said) -> list[str]:
    """The cases whose workers loaded a model, in order."""
    return [case.variant for case, phase, *_ in said if phase.endswith("loading")]


def rewrite(folder, old: str, new: str) -> None:
    card = folder / "model.toml"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))


def test_the_cases_are_the_files_times_the_runtimes_that_take_them(make_session, make_model):
    runtimes = {"fast": {"engine": "simulated", "speed": 2}, "simulated": {}, "litert": {}, "null": {}}
    session = make_session(make_model("a"), make_model("b"), runtimes=runtimes)
    assert [(case.model, case.variant, case.runtime) for case in session.cases] == [
        (model, variant, runtime)
        for model in ("a", "b") for variant in ("fp32", "int8") for runtime in ("fast", "simulated", "null")
    ]  # fmt: skip
    assert cases_of(session.setup) == session.cases


@pytest.mark.parametrize("runtimes", [{"litert": {}}, {"onnxruntime": {}, "openvino": {}}])
def test_a_session_without_a_case_is_refused_with_both_sides(make_session, make_model, runtimes):
    with pytest.raises(ConfigError, match="no case to measure") as caught:
        make_session(make_model(), runtimes=runtimes)
    assert str(list(runtimes)) in caught.value.sentence
    assert "take none of the files of eyes (devices/simulated.toml, runtimes)" in caught.value.sentence


@pytest.mark.parametrize("where", ["budgets", "advice"])
def test_a_limit_of_an_unknown_metric_is_refused_before_anything_is_measured(make_session, make_model, where):
    with pytest.raises(ConfigError, match="no metric called 'frame_p9_ms', did you mean"):
        make_session(make_model(), **{where: {"frame_p9_ms": 50.0}})


def test_a_limit_of_an_unknown_metric_in_a_card_is_refused_too(make_session, make_model):
    folder = make_model()
    rewrite(folder, "accuracy_min_percent", "acuracy_min_percent")
    with pytest.raises(ConfigError, match=r"did you mean 'accuracy_min_percent'.*eyes/model.toml"):
        make_session(folder)


def test_a_case_is_measured_once_however_often_it_is_asked_for(make_session, make_model):
    said = []
    session = make_session(make_model(), said=said)
    session.accuracy_wanted.add(FP32)
    first = session.measurement(FP32)
    for metric in ("frame_p99_ms", "fps_mean", "peak_memory_mb", "outputs_alive", "accuracy_min_percent"):
        assert [one.outcome for one in session.check(FP32, metric)][:1]
    assert session.with_accuracy(FP32).runs is first.runs
    assert jobs(said) == ["fp32"]
    assert set(session.measurements) == {FP32}


def test_a_failure_is_remembered_and_not_tried_again(make_session, make_model):
    said = []
    session = make_session(make_model(only="fp32", fault="crash", fault_at=2), said=said)
    for ask in (session.measurement, session.with_accuracy, lambda case: session.check(case, "fps_mean")):
        with pytest.raises(WorkerError, match="crashed with SIGABRT"):
            ask(FP32)
    assert jobs(said) == ["fp32"]
    assert set(session.errors) == {FP32}
    assert session.verdicts == []
    assert session.measurement(INT8).runs
    assert set(session.measurements) == {INT8}


def test_a_failure_in_the_accuracy_alone_leaves_the_measurement_and_is_remembered(make_session, make_model):
    said = []
    folder = make_model()
    rewrite(folder, 'truth = "label"', 'truth = "lable"')
    session = make_session(folder, said=said)
    session.accuracy_wanted.add(FP32)
    measured = session.measurement(FP32)
    for _ in range(2):
        with pytest.raises(DatasetError, match="no truth called 'lable', did you mean 'label'"):
            session.with_accuracy(FP32)
    assert session.measurement(FP32) is measured
    assert session.check(FP32, "fps_mean")[0].outcome == "PASS"
    assert jobs(said) == ["fp32"]


def test_a_crash_while_predicting_leaves_what_was_timed_and_is_not_tried_again(make_session, make_model, quick):
    # The timed worker runs 1 first frame, 10 to warm up, 60 timed, 9 to see whether the outputs live, 98 around pairs.
    said = []
    model = make_model(sigma=0, fault="crash", fault_at=178)
    session = make_session(model, plan=replace(quick, accuracy_frames=200), said=said, power=None)
    measured = session.measurement(FP32)
    for _ in range(2):
        with pytest.raises(WorkerError, match="crashed with SIGABRT"):
            session.with_accuracy(FP32)
    assert session.measurements == {FP32: measured}
    assert session.check(FP32, "fps_mean")[0].outcome == "PASS"
    assert jobs(said) == ["fp32", "fp32"]


def test_an_engine_that_fails_while_it_predicts_leaves_what_the_same_worker_timed(make_session, make_model, quick):
    said = []
    model = make_model(sigma=0, fault="fail_at_run", fault_at=178)
    session = make_session(model, plan=replace(quick, accuracy_frames=200), said=said, power=None)
    session.accuracy_wanted.add(FP32)
    measured = session.measurement(FP32)
    assert len(measured.runs[0].frame_ns) == 60
    assert session.check(FP32, "outputs_alive")[0].outcome == "PASS"
    assert jobs(said) == ["fp32"]
    for _ in range(2):
        with pytest.raises(WorkerError, match="the simulated engine fails at this frame"):
            session.check(FP32, "accuracy_min_percent")
    assert session.check(FP32, "fps_mean")[0].outcome == "PASS"
    assert jobs(said) == ["fp32", "fp32"]
    assert session.measurement(FP32) is measured


def test_accuracy_wanted_later_is_measured_without_timing_again(make_session, make_model):
    said = []
    session = make_session(make_model(), said=said)
    runs = session.measurement(FP32).runs
    assert session.measurement(FP32).score is None
    scored = session.with_accuracy(FP32)
    assert scored.score.value == pytest.approx(95, abs=10)
    assert scored.runs is runs
    assert [phase for case, phase, *_ in said][-2:] == ["predict, loading", "predict, accuracy"]
    assert (scored.score.frames, scored.score.of_frames) == (20, 2000)
    timed = session.setup.work / "eyes" / "fp32.simulated" / "run-1-of-1" / "run.npz"
    assert len(runs[0].frame_ns) >= 60
    assert np.array_equal(read_arrays(timed)["frame_ns"], runs[0].frame_ns)


@pytest.mark.parametrize(("wrong", "outcome"), [(1.0, "FAIL"), (0.0, "PASS")])
def test_a_variant_is_compared_with_its_parent_on_the_same_frames(make_session, make_model, quick, wrong, outcome):
    make_model(only="fp32", error_share=0.0)
    session = make_session(make_model(only="int8", error_share=wrong), plan=replace(quick, accuracy_frames=2000))
    assert session.check(INT8, "accuracy_loss_points")[0].outcome == outcome
    assert session.check(INT8, "accuracy_min_percent")[0].outcome == outcome
    measured = session.measurement(INT8)
    assert (measured.parent_score.value, measured.score.value) == (100.0, 100.0 - 100 * wrong)
    assert measured.parent_score.frames == measured.score.frames == 2000
    assert session.with_parent(FP32).parent_score is None
    assert session.check(FP32, "accuracy_loss_points")[0].outcome == "INCONCLUSIVE"


def test_the_own_score_asks_nothing_of_the_parent(make_session, make_model):
    said = []
    session = make_session(make_model(only="fp32", fault="crash"), said=said)
    scored = session.with_accuracy(INT8)
    assert scored.score is not None
    assert scored.parent_score is None
    assert jobs(said) == ["int8"]


def test_the_parent_is_predicted_for_the_loss_and_not_timed(make_session, make_model):
    said = []
    session = make_session(make_model(), said=said)
    measured = session.with_parent(INT8)
    assert session.with_parent(INT8) is measured
    assert jobs(said) == ["int8", "fp32"]
    assert {phase for case, phase, *_ in said if case == FP32} == {"predict, loading", "predict, accuracy"}
    assert set(session.measurements) == {INT8}
    assert session.parent(INT8) == FP32
    assert session.parent(FP32) is None


def test_a_parent_that_was_measured_before_is_not_predicted_again(make_session, make_model):
    said = []
    session = make_session(make_model(), said=said)
    parent = session.with_accuracy(FP32)
    assert session.with_parent(INT8).parent_score is parent.score
    assert jobs(said) == ["fp32", "int8"]


def test_a_parent_that_cannot_run_fails_the_loss_alone_and_with_its_own_sentence(make_session, make_model):
    said = []
    session = make_session(make_model(only="fp32", fault="refuse"), said=said)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"refuses the model .*fp32.sim"):
            session.check(INT8, "accuracy_loss_points")
    assert session.with_accuracy(INT8).score is not None
    assert [session.check(INT8, metric)[0].metric for metric in ("fps_mean", "accuracy_min_percent")]
    assert set(session.errors) == {INT8}
    assert jobs(said) == ["int8", "fp32"]


def test_a_variant_whose_own_parent_cannot_run_is_still_a_parent(make_session, make_model):
    folder = make_model(only="fp32", fault="refuse")
    card = folder / "model.toml"
    card.write_text(f'{card.read_text()}\n[variants.int4]\nparent = "int8"\nfiles = {{ sim = "int8.sim" }}\n')
    session = make_session(folder)
    with pytest.raises(EngineError, match=r"refuses the model .*fp32.sim"):
        session.check(INT8, "accuracy_loss_points")
    int4 = replace(INT8, variant="int4")
    assert session.with_parent(int4).parent_score is session.measurement(INT8).score


def test_the_error_of_a_parent_that_was_tried_before_is_told_and_not_tried_again(make_session, make_model):
    said = []
    session = make_session(make_model(only="fp32", fault="crash"), said=said)
    for ask in (lambda: session.measurement(FP32), lambda: session.check(INT8, "accuracy_loss_points")):
        with pytest.raises(WorkerError, match="crashed with SIGABRT"):
            ask()
    assert jobs(said) == ["fp32", "int8"]
    assert session.measurement(INT8).score is not None


def test_a_parent_without_a_file_for_the_runtime_is_no_comparison(make_session, make_model):
    folder = make_model()
    rewrite(folder, 'files = { sim = "fp32.sim" }', 'files = { onnx = "fp32.onnx" }')
    session = make_session(folder)
    assert list(session.cases) == [INT8]
    assert session.with_parent(INT8).parent_score is None
    verdict = session.check(INT8, "accuracy_loss_points")[0]
    assert (verdict.outcome, verdict.sentence) == ("INCONCLUSIVE", "there is no parent variant to compare with")


@pytest.mark.parametrize("metric", ["frame_p9_ms", "outputs_live", ""])
def test_a_question_about_a_metric_that_does_not_exist_is_an_error(make_session, make_model, metric):
    said = []
    session = make_session(make_model(), said=said)
    with pytest.raises(ConfigError, match=f"no metric called '{metric}'"):
        session.check(FP32, metric)
    assert jobs(said) == []


def test_what_was_asked_and_could_not_be_judged_is_not_asked_again(make_session, make_model):
    session = make_session(make_model(only="fp32", fault="refuse"))
    with pytest.raises(EngineError):
        session.check(FP32, "frame_p99_ms")
    assert "frame_p99_ms" not in session.unjudged(FP32)
    assert "frame_p99_ms" in session.unjudged(INT8)


def test_what_nobody_asked_for_yet_is_known(make_session, make_model):
    session = make_session(make_model())
    before = session.unjudged(INT8)
    assert {"frame_p99_ms", "accuracy_min_percent", "accuracy_loss_points", "peak_memory_mb"} <= set(before)
    session.check(INT8, "frame_p99_ms")
    session.check(FP32, "peak_memory_mb")
    assert session.unjudged(INT8) == [one for one in before if one != "frame_p99_ms"]
    assert "accuracy_loss_points" not in session.unjudged(FP32)


# what is replaced in the card -> what the message says
WRONG_CARDS = [
    ('classes = ["dark", "bright"]\n\n[dataset]', 'clases = ["dark", "bright"]\n\n[dataset]',
     "no option of task 'classification' called 'clases', did you mean 'classes'?"),
    ('classes = ["dark", "bright"]\n\n[dataset]', "\n[dataset]", "task 'classification' needs the option 'classes'"),
    ('classes = ["dark", "bright"]\n\n[dataset]', 'classes = "dark"\n\n[dataset]', "option classes = 'dark'"),
    ('kind = "raw"', 'kind = "rwa"', "no data set kind called 'rwa', did you mean 'raw'?"),
    ('format = "Y8"', 'fromat = "Y8"', "no option called 'fromat', did you mean 'format'?"),
    ('path = "frames.y8"', "", "data set kind 'raw' needs the option 'path'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG_CARDS)
def test_a_wrong_task_or_data_set_is_refused_with_its_card_before_anything_is_read(
    make_session, make_model, old, new, said
):
    folder = make_model()
    rewrite(folder, old, new)
    (folder / "frames.y8").unlink()
    with pytest.raises(ConfigError) as caught:
        make_session(folder)
    assert said in caught.value.sentence
    assert caught.value.where.startswith(str(folder / "model.toml"))


def test_labels_by_another_order_of_classes_than_the_outputs_are_refused(make_session, make_model):
    folder = make_model()
    card = folder / "model.toml"
    head, _, tail = card.read_text().partition("[dataset]")
    tail = "\n".join(line for line in tail.splitlines() if not line.startswith("classes"))
    card.write_text(f"{head}[dataset]{tail}\n")
    assert make_session(folder).with_accuracy(FP32).score.value > 50
    card.write_text(f'{head}[dataset]\nclasses = ["bright", "dark"]{tail}\n')
    with pytest.raises(ConfigError, match=r"\['dark', 'bright'\] and .*\['bright', 'dark'\] differ .*model.toml"):
        make_session(folder)


def test_labels_without_a_truth_are_never_predicted(make_session, make_model):
    said = []
    folder = make_model()
    rewrite(folder, 'truth = "label"', "")
    session = make_session(folder, said=said)
    assert session.with_accuracy(FP32).score is None
    assert session.check(FP32, "accuracy_min_percent")[0].sentence == "no labels: accuracy was not measured"
    assert jobs(said) == ["fp32"]


def test_a_card_without_a_data_set_is_never_predicted(make_session, make_model):
    pytest.importorskip("cv2")
    folder = make_model()
    card = folder / "model.toml"
    text = card.read_text()
    start, end = text.index("[dataset]"), text.index("[variants.fp32]")
    card.write_text(text[:start] + text[end:])
    said = []
    session = make_session(folder, said=said)
    assert session.with_accuracy(FP32).score is None
    assert session.with_accuracy(FP32).score is None
    assert session.check(FP32, "accuracy_min_percent")[0].sentence == "no labels: accuracy was not measured"
    assert jobs(said) == ["fp32"]


def test_a_model_file_that_changes_during_the_session_is_refused(make_session, make_model):
    session = make_session(make_model())
    session.measurement(FP32)
    path = session.setup.cards[0].folder / "fp32.sim"
    path.write_text(path.read_text().replace("8.0", "8.1"))
    with pytest.raises(ModelFileError, match=r"changed during the session .*fp32.sim.*run again"):
        session.with_accuracy(FP32)


def test_a_file_that_is_not_there_fails_its_case_alone(make_session, make_model):
    folder = make_model()
    (folder / "int8.sim").unlink()
    session = make_session(folder)
    with pytest.raises(ModelFileError, match=r"there is no such file .*int8.sim"):
        session.measurement(INT8)
    assert session.measurement(FP32).runs


def test_as_many_processes_run_as_the_plan_says_and_only_the_first_predicts(make_session, make_model, quick):
    said = []
    session = make_session(make_model(), plan=replace(quick, runs=3), said=said)
    session.accuracy_wanted.add(FP32)
    measured = session.measurement(FP32)
    assert jobs(said) == ["fp32"] * 3
    assert [len(run.predictions) for run in measured.runs] == [20, 0, 0]
    assert len({run.frame_ns.tobytes() for run in measured.runs}) == 3  # each process has a noise of its own


def test_the_deadline_of_the_device_is_above_the_plans(make_session, make_model):
    session = make_session(make_model(fault="hang"), deadline_s=1.0)
    with pytest.raises(WorkerError, match="deadline of 1 s"):
        session.measurement(FP32)


def test_the_memory_of_the_device_is_what_its_profile_says(make_session, make_model):
    session = make_session(make_model())
    assert session.measurement(FP32).device_memory_mb == pytest.approx(4294.967296)
    assert session.measurement(FP32).simulated
    verdict = session.check(FP32, "memory_share_percent")[0]
    assert verdict.value == pytest.approx(100 * 134 / 4294.967296)


def test_what_nothing_limits_is_not_even_measured(make_session, make_model):
    said = []
    session = make_session(make_model(), said=said)
    assert session.check(FP32, "load_ms") == []
    assert jobs(said) == []


def predictions(session):
    return list((session.setup.cache / "predictions").glob("*.npz"))


def test_kept_predictions_are_used_again_by_the_next_session(make_session, make_model):
    folder, said = make_model(), []
    first = make_session(folder).with_accuracy(FP32)
    second = make_session(folder, said=said)
    assert second.with_accuracy(FP32).score == replace(first.score, per_frame=second.measurement(FP32).score.per_frame)
    assert np.array_equal(second.measurement(FP32).score.per_frame, first.score.per_frame)
    assert not any("accuracy" in phase for case, phase, *_ in said)
    assert jobs(said) == ["fp32"]
    assert any("accuracy taken from the cache" in note for note in second.notes)


def test_predictions_are_made_again_where_something_that_decides_them_changed(make_session, make_model):
    folder = make_model()
    make_session(folder).with_accuracy(FP32)
    make_session(folder, runtimes={"simulated": {"seed": 2}}).with_accuracy(FP32)
    path = folder / "fp32.sim"
    path.write_text(path.read_text().replace("0.05", "0.06"))
    session = make_session(folder)
    session.with_accuracy(FP32)
    assert len(predictions(session)) == 3
    assert session.notes == []


@pytest.mark.parametrize("keep", [0, 3, 200])
def test_a_damaged_cache_file_is_ignored_and_written_anew(make_session, make_model, keep):
    folder = make_model()
    session = make_session(folder)
    before = session.with_accuracy(FP32)
    (path,) = predictions(session)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    session = make_session(folder)
    assert session.with_accuracy(FP32).score.value == before.score.value
    assert session.notes == []
    assert len(path.read_bytes()) == len(whole)


def test_predictions_that_cannot_be_kept_are_scored_and_the_reason_is_noted(make_session, make_model):
    session = make_session(make_model())
    session.setup.cache.mkdir()
    (session.setup.cache / "predictions").write_text("a file where the folder should be")
    assert session.with_accuracy(FP32).score is not None
    assert any("predictions were not kept in" in note for note in session.notes)


def test_a_provisioned_runtime_predicts_frames_of_ones_own(make_session, make_model):
    session = make_session(make_model(error_share=0))
    runtime = ProvisionedRuntime(session, FP32)
    dark, bright = (np.full((200, 320), grey, np.uint8) for grey in (5, 250))
    assert [int(one.argmax()) for one in runtime.predict([dark, bright, dark])] == [0, 1, 0]
    assert (runtime.engine, dict(runtime.options)) == ("simulated", {"seed": 1})
    assert runtime.facts["simulated"] is True
    assert runtime.predict([]) == ()


REGION = (80.0, 50.0, 240.0, 150.0)


def test_a_model_that_looks_at_a_region_is_given_one_for_each_frame(make_session, make_model):
    folder = make_model(error_share=0)
    rewrite(folder, "height = 10\n\n[options]", 'height = 10\nroi = "eyes"\n\n[options]')
    labels = folder / "frames.csv"
    head, *rows = labels.read_text().splitlines()
    regions = [f"{head},roi_eyes_x1,roi_eyes_y1,roi_eyes_x2,roi_eyes_y2", *(f"{row},0,0,16,10" for row in rows)]
    labels.write_text("\n".join(regions))
    runtime = ProvisionedRuntime(make_session(folder), FP32)
    frame = np.full((200, 320), 250, np.uint8)
    frame[50:150, 80:240] = 5
    (answer,) = runtime.predict([frame], [REGION])
    assert answer.argmax() == 0
    for regions in ([], [REGION, REGION]):
        with pytest.raises(ConfigError, match=f"{len(regions)} regions for 1 frames: eyes looks at the region 'eyes'"):
            runtime.predict([frame], regions)


@pytest.mark.parametrize("count", [1, 2])
def test_regions_for_a_model_that_looks_at_whole_frames_fit_them_or_are_refused(make_session, make_model, count):
    runtime = ProvisionedRuntime(make_session(make_model()), FP32)
    frames = [np.zeros((200, 320), np.uint8)]
    if count == 1:
        assert len(runtime.predict(frames, [REGION])) == 1
    else:
        with pytest.raises(ConfigError, match="2 regions for 1 frames: eyes looks at whole frames"):
            runtime.predict(frames, [REGION] * count)


def test_wrong_labels_do_not_keep_a_provisioned_runtime_from_predicting(make_session, make_model):
    folder = make_model()
    rewrite(folder, 'truth = "label"', 'truth = "lable"')
    session = make_session(folder)
    with pytest.raises(DatasetError, match="no truth called 'lable'"):
        session.with_accuracy(FP32)
    assert len(ProvisionedRuntime(session, FP32).predict([np.zeros((200, 320), np.uint8)])) == 1


@pytest.mark.parametrize(
    "frame", [np.zeros((20, 32), np.float32), np.zeros((20, 32, 4), np.uint8), np.zeros(9, np.uint8)]
)
def test_a_provisioned_runtime_refuses_what_is_no_frame(make_session, make_model, frame):
    with pytest.raises(DatasetError, match=f"{frame.dtype}.*wanted uint8"):
        ProvisionedRuntime(make_session(make_model()), FP32).predict([frame])


def test_a_provisioned_runtime_that_crashes_fails_the_call_only(make_session, make_model):
    session = make_session(make_model(fault="crash"))
    with pytest.raises(WorkerError, match="crashed with SIGABRT"):
        ProvisionedRuntime(session, FP32).predict([np.zeros((20, 32), np.uint8)])
