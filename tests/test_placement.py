"""Where a model runs and how: numbers of one run, a gate against the baseline, and answers beside another engine's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.budgets import Budget, tolerances_of
from harness.case import Case, Plan
from harness.errors import ConfigError, HarnessError
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.parity import Parity
from harness.rules import Outcome, decide
from harness.unchanged import EXACT, judge_unchanged, untold_before
from harness.verdict import judge

CASE = Case("board", "eyes", "int8", "trt-dla")
PLAN = Plan(name="standard", frames=100, runs=2)
FUSION = {"convolutions": 8, "with_activation": 6, "batch_norms": 1}


@pytest.fixture
def measured(make_run):
    """A measurement of two processes with these facts."""

    def make(**facts) -> Measurement:
        return Measurement(case=CASE, plan=PLAN, runs=tuple(make_run([5_000_000] * 100, facts=facts) for _ in range(2)))

    return make


@pytest.mark.parametrize(
    ("metric", "facts", "value"),
    [
        ("placed_share_percent", {"placement": {"DLA": 0.93, "GPU": 0.07}, "promised": "DLA"}, 93),
        ("placed_share_percent", {"placement": {"GPU": 1.0}, "promised": "DLA"}, 0),
        ("placed_share_percent", {"placement": {"GPU": 1.0}}, None),
        ("placed_share_percent", {"placement": {}, "promised": "DLA"}, None),
        ("placed_share_percent", {"promised": "DLA"}, None),
        ("partitions", {"partitions": 3}, 3),
        ("partitions", {"partitions": 0}, 0),
        ("partitions", {"partitions": None}, None),
        ("partitions", {"partitions": True}, None),
        ("float32_share_percent", {"layer_precisions": {"INT8": 0.75, "FP32": 0.25}}, 25),
        ("float32_share_percent", {"layer_precisions": {"f32": 0.5, "float": 0.25, "f16": 0.25}}, 75),
        ("float32_share_percent", {"layer_precisions": {"i8": 1.0}}, 0),
        ("float32_share_percent", {"layer_precisions": {}}, None),
        ("unfused_share_percent", {"fusion": FUSION}, 25),
        ("unfused_share_percent", {"fusion": {"convolutions": 0, "with_activation": 0}}, None),
        ("unfused_share_percent", {"fusion": {"convolutions": 8}}, None),
        ("batch_norms_left", {"fusion": FUSION}, 1),
        ("batch_norms_left", {}, None),
    ],
)
def test_a_run_tells_where_and_how_it_ran_or_nothing(make_run, metric, facts, value):
    assert METRICS[metric].value(make_run([1_000_000], facts=facts)) == (
        None if value is None else pytest.approx(value)
    )


def test_it_is_known_of_a_run_without_a_single_timed_frame(make_run):
    assert METRICS["partitions"].value(make_run([], facts={"partitions": 2})) == 2


@pytest.mark.parametrize(("share", "outcome"), [(0.96, "PASS"), (0.95, "PASS"), (0.93, "FAIL")])
def test_a_profile_may_demand_a_share_of_the_nodes(measured, share, outcome):
    demand = Budget(metric="placed_share_percent", limit=95, gate=True, source="devices/board.toml")
    verdict = judge(demand, measured(placement={"DLA": share, "GPU": 1 - share}, promised="DLA"))
    assert verdict.outcome == outcome
    assert ("under 95 %" in verdict.sentence) is verdict.red


def test_a_demand_that_the_engine_does_not_answer_is_not_decided(measured):
    demand = Budget(metric="placed_share_percent", limit=95, gate=True, source="devices/board.toml")
    verdict = judge(demand, measured(engine="silent"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.sentence == "this engine does not tell"


def beside(measurement, **before):
    return {one.metric: one for one in judge_unchanged(measurement, before, "accepted baseline")}


@pytest.mark.parametrize(
    ("metric", "before", "facts", "outcome", "said"),
    [
        ("placed_share_percent", 93.0, {"placement": {"N": 0.25, "C": 0.75}, "promised": "N"}, "FAIL", "25 %, 93 % in"),
        ("placed_share_percent", 93.0, {"placement": {"N": 0.93, "C": 0.07}, "promised": "N"}, "PASS", "93 %, 93 % in"),
        ("placed_share_percent", 93.0, {"placement": {"N": 1.0}, "promised": "N"}, "PASS", "100 %, 93 % in"),
        ("partitions", 1.0, {"partitions": 20}, "FAIL", "20 parts, 1 parts in the accepted baseline; worse"),
        ("partitions", 4.0, {"partitions": 4}, "PASS", "4 parts, 4 parts in"),
        ("float32_share_percent", 0.0, {"layer_precisions": {"i8": 0.9, "f32": 0.1}}, "FAIL", "10 %, 0 % in"),
        ("float32_share_percent", 33.33, {"layer_precisions": {"i8": 2 / 3, "f32": 1 / 3}}, "PASS", "33.33 %"),
        ("unfused_share_percent", 0.0, {"fusion": FUSION}, "FAIL", "25 %, 0 %"),
        ("batch_norms_left", 0.0, {"fusion": FUSION}, "FAIL", "1 nodes, 0 nodes in"),
        ("batch_norms_left", 0.0, {}, "FAIL", "does not tell it any more"),
    ],
)
def test_a_fall_against_the_baseline_fails_whatever_the_time_says(measured, metric, before, facts, outcome, said):
    verdict = beside(measured(**facts), **{metric: [before] * 6})[metric]
    assert verdict.outcome == outcome
    assert verdict.gate
    assert said in verdict.sentence
    assert decide(verdict.rule, verdict.inputs).outcome == outcome


def test_the_worst_process_counts_on_both_sides(make_run):
    runs = tuple(make_run([1_000_000], facts={"partitions": count}) for count in (1, 3))
    measurement = Measurement(case=CASE, plan=PLAN, runs=runs)
    assert beside(measurement, partitions=[1.0, 2.0])["partitions"].outcome is Outcome.FAIL
    assert beside(measurement, partitions=[1.0, 3.0])["partitions"].outcome is Outcome.PASS


def test_what_the_baseline_does_not_tell_is_not_judged_but_known_to_be_missing(measured):
    measurement = measured(partitions=3, layer_precisions={"i8": 1.0})
    assert beside(measurement, partitions=[3.0]).keys() == {"partitions"}
    assert untold_before(measurement, {"partitions": [3.0]}) == ["float32_share_percent"]


def test_an_exact_metric_takes_no_tolerance(simulated):
    for metric in EXACT:
        with pytest.raises(ConfigError, match=f"{metric} is compared exactly"):
            tolerances_of(simulated.model_copy(update={"tolerances": {metric: 5.0}}))


@pytest.mark.parametrize(("flips", "outcome"), [(0, "PASS"), (10, "PASS"), (60, "FAIL"), (20, "INCONCLUSIVE")])
def test_answers_that_differ_from_another_engines_are_counted(measured, flips, outcome):
    parity = Parity(frames=2000, loss_points=0.0, flips=flips, rule="tango/1", inputs={}, slices={})
    measurement = replace(measured(), engine_parity=parity, reference_engine="ort-cpu")
    limit = Budget(metric="engine_flips_percent", limit=1, gate=True, source="devices/board.toml")
    verdict = judge(limit, measurement)
    assert verdict.outcome == outcome
    assert f"{flips} of 2000 answers differ from those of ort-cpu" in verdict.sentence


def test_a_case_is_compared_with_the_first_runtime_that_takes_its_variant(make_session, make_model, quick):
    session = make_session(
        make_model(), plan=replace(quick, accuracy_frames=500), budgets={"engine_flips_percent": 5.0},
        runtimes={"first": {"engine": "simulated"}, "second": {"engine": "simulated", "speed": 2.0}},
    )  # fmt: skip
    first, second = (Case("simulated", "eyes", "int8", runtime) for runtime in ("first", "second"))
    assert session.check(first, "engine_flips_percent") == []
    assert "engine_flips_percent" not in session.unjudged(first)
    verdict = session.check(second, "engine_flips_percent")[0]
    assert verdict.outcome is Outcome.PASS
    assert "0 of 500 answers differ from those of first" in verdict.sentence


def test_another_engine_that_cannot_run_leaves_its_own_question_open_and_nothing_else(make_session, make_model, quick):
    engines = {"first": {"engine": "onnxruntime"}, "second": {"engine": "simulated"}}
    folder = make_model()
    card = folder / "model.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('files = { sim = "int8.sim" }', 'files = { sim = "int8.sim", onnx = "no.onnx" }'))
    session = make_session(folder, plan=quick, runtimes=engines, budgets={"engine_flips_percent": 5.0})
    healthy = Case("simulated", "eyes", "int8", "second")
    with pytest.raises(HarnessError):
        session.check(healthy, "engine_flips_percent")
    assert healthy not in session.errors
    assert session.measure_more(healthy).runs


def test_the_worst_process_stands_for_all(make_run):
    runs = tuple(make_run([1_000_000], facts={"placement": {"N": share, "C": 1 - share}, "promised": "N"})
                 for share in (1.0, 0.25, 1.0))  # fmt: skip
    assert Measurement(case=CASE, plan=PLAN, runs=runs).value("placed_share_percent") == 25
