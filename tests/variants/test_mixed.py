"""Mixed precision: a search from all layers in INT8, judged by what is lost and by the time it takes."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnxruntime")

from harness.errors import ConfigError, HarnessError
from harness.variants import technique
from harness.variants.quantise.mixed import mixed
from harness.variants.quantise.search import NOT_SLOWER, Budget, Trial, search
from harness.variants.study.effects import Beside, Effect
from harness.variants.study.timing import latency_ratio, timing_engine
from tests.variants import brightness, eyes_tflite

ONE_POINT = Budget(points=1.0)


def costing(points: float, arm: float = 0.5) -> Effect:
    return Effect(frames=100, loss_points=points, low_points=points - arm, high_points=points + arm, flips=0,
                  sqnr_db=30.0, cosine=1.0)  # fmt: skip


def trials(costs: dict[str, float], *, together: tuple[str, str] | None = None, slow: tuple[str, ...] = ()):
    """Layers that cost points in INT8. together: both must be in float to save any. slow: in INT8 they take time."""

    def try_out(floats: tuple[str, ...]) -> Trial:
        lost = sum(points for name, points in costs.items() if name not in floats)
        if together and not set(together) <= set(floats):
            lost += 10.0
        ratio = 0.3 + 0.1 * len(floats) + sum(0.3 for name in slow if name not in floats)
        return Trial(floats=floats, effect=costing(lost), latency_ratio=ratio)

    return try_out


def test_int8_alone_is_taken_where_it_meets_the_budget():
    found = search(("a", "b"), trials({"a": 0.1, "b": 0.0}), ONE_POINT)
    assert found.chosen.floats == ()
    assert [(one.action, one.accepted) for one in found.steps] == [("all layers in INT8", True)]


def test_the_most_sensitive_layers_stay_in_float_until_the_budget_is_met():
    found = search(("a", "b", "c"), trials({"a": 4.0, "b": 2.0, "c": 0.2}), ONE_POINT)
    assert found.chosen.floats == ("a", "b")
    assert [one.action for one in found.steps] == [
        "all layers in INT8", "keep a in float", "keep b in float", "take a back into INT8",
    ]  # fmt: skip
    assert [one.inside for one in found.steps] == [False, False, True, False]


def test_a_layer_that_is_not_needed_is_taken_back():
    found = search(("a", "b", "c", "d"), trials({"a": 0.1, "b": 0.0}, together=("a", "c")), ONE_POINT)
    assert found.chosen.floats == ("a", "c")
    assert found.steps[-2].action == "take b back into INT8"
    assert found.steps[-2].accepted


def test_a_layer_that_would_make_it_slower_is_not_taken_back():
    found = search(("a", "b", "c", "d"), trials({}, together=("a", "c"), slow=("b",)), ONE_POINT)
    (step,) = [one for one in found.steps if one.action == "take b back into INT8"]
    assert step.inside
    assert not step.accepted
    assert step.why.endswith("but slower (0.80 of the parent's time instead of 0.60)")
    assert found.chosen.floats == ("a", "b", "c")


def test_without_a_timing_the_fewest_layers_in_float_are_taken():
    timed = trials({}, together=("a", "c"), slow=("b",))
    found = search(("a", "b", "c", "d"), lambda floats: replace(timed(floats), latency_ratio=None), ONE_POINT)
    assert found.chosen.floats == ("a", "c")


def test_a_doubted_layer_stays_in_float_where_that_is_quicker():
    found = search(("b", "a"), trials({"b": 4.0, "a": 0.1}, slow=("a",)), ONE_POINT, doubted=("b",))
    assert [one.action for one in found.steps] == ["all layers in INT8", "keep b in float"]
    found = search((), trials({"a": 0.1, "b": 0.1}, slow=("a",)), ONE_POINT, doubted=("a", "b"))
    assert found.chosen.floats == ("a",)
    assert [(one.action, one.accepted) for one in found.steps] == [
        ("all layers in INT8", True), ("leave a in float for speed", True), ("leave b in float for speed", False),
    ]  # fmt: skip
    assert found.steps[-1].why.endswith(", but no quicker")


@pytest.mark.parametrize(
    ("ranking", "lost", "ratio"),
    [(("b", "a"), 4.0, 0.3), ((), 0.0, None)],
    ids=["it would be the last one in INT8", "nothing is timed"],
)
def test_a_doubted_layer_is_not_tried_where(ranking, lost, ratio):
    timed = trials({"b": lost, "a": 0.0})
    found = search(ranking, lambda floats: replace(timed(floats), latency_ratio=ratio), ONE_POINT, doubted=("a",))
    assert not [one for one in found.steps if one.action == "leave a in float for speed"]


def test_a_quicker_file_outside_the_budget_is_not_taken():
    def try_out(floats: tuple[str, ...]) -> Trial:
        return Trial(floats=floats, effect=costing(4.0 if floats else 0.1), latency_ratio=0.2 if floats else 0.5)

    found = search((), try_out, ONE_POINT, doubted=("a",))
    assert found.chosen.floats == ()
    assert not found.steps[-1].accepted


def test_the_upper_end_of_the_interval_decides_where_the_frames_are_enough():
    wide, narrow = (Trial(floats=(), effect=costing(0.7, arm)) for arm in (1.5, 0.6))
    assert ONE_POINT.holds(wide)
    assert ONE_POINT.sentence(wide) == (
        "inside the budget of 1 point: loses 0.70 [-0.80, 2.20], judged by the loss as found: "
        "100 frames are too few for a proof"
    )
    assert not ONE_POINT.holds(narrow)
    assert ONE_POINT.sentence(narrow) == (
        "outside the budget of 1 point: loses 0.70 [0.10, 1.30], judged by the upper end of the interval"
    )


def test_frames_that_bound_nothing_leave_the_loss_as_it_was_found():
    unbounded = replace(costing(0.5), low_points=None, high_points=None)
    assert ONE_POINT.holds(Trial(floats=(), effect=unbounded))
    assert "loses 0.50 [?, ?], judged by the loss as found" in ONE_POINT.sentence(Trial(floats=(), effect=unbounded))


def test_a_file_that_could_not_be_made_is_a_step_and_the_search_goes_on():
    sound = trials({"a": 4.0, "b": 3.0})
    failed = Trial(floats=("a",), effect=None, failure="the quantiser fails")
    found = search(("a", "b", "c"), lambda floats: failed if floats == ("a",) else sound(floats), ONE_POINT)
    assert found.chosen.floats == ("a", "b")
    assert found.steps[1].why == "no file: the quantiser fails"
    assert found.steps[1].facts()["loss_points"] is None


def test_where_nothing_meets_the_budget_the_nearest_is_told():
    found = search(("a", "b"), trials({"a": 3.0, "b": 5.0}), ONE_POINT)
    assert found.chosen is None
    assert found.nearest.floats == ("a",)
    assert len(found.steps) == 2, "the last layer is not tried: all in float is the parent"


COSTS = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 3), min_size=1, max_size=8)


@given(COSTS, st.floats(0.01, 5), st.randoms())
def test_what_is_chosen_meets_the_budget_and_is_as_quick_as_any(costs, points, random):
    ranking = sorted(costs)
    random.shuffle(ranking)
    budget = Budget(points=points)
    found = search(ranking, trials(costs, slow=("b", "d")), budget)
    inside = [one.trial for one in found.steps if one.inside]
    assert len(found.steps) <= 2 * len(ranking)
    assert all(set(one.trial.floats) < set(ranking) for one in found.steps)
    if found.chosen is None:
        assert not inside
    else:
        assert budget.holds(found.chosen)
        assert found.chosen.latency_ratio <= NOT_SLOWER * min(one.latency_ratio for one in inside)


@pytest.mark.parametrize("points", [0, -1, 100, math.nan, math.inf])
def test_a_budget_that_is_none_is_refused(points):
    with pytest.raises(ConfigError, match="an accuracy budget of"):
        Budget(points=points)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A bench whose second layer has an outlier, and what was made of it."""
    bench = brightness.bench(tmp_path_factory.mktemp("planted") / "model", outlier="second")
    return bench, mixed(brightness.recipe("mixed"), bench)


def test_the_layers_around_an_outlier_stay_in_float_and_the_loss_is_gone(planted):
    bench, made = planted
    facts = made.facts["onnx"]
    assert set(facts["float_layers"]) == {"second", "third"}
    assert facts["sentence"].startswith(
        "2 layers stay in float (second, third): inside the budget of 1 point: loses 0.00"
    )
    assert facts["timed_on"] == "onnxruntime"
    assert facts["trace"][0]["loss_points"] > 5
    assert [one["accepted"] for one in facts["trace"]].count(True) == 1
    assert Beside(bench, "onnx").effect(made.files["onnx"]).loss_points == 0


def test_the_file_has_these_layers_in_float_and_all_others_in_int8(planted):
    _, made = planted
    graph = onnx.load(str(made.files["onnx"])).graph
    rounded = {name for one in graph.node if one.op_type == "DequantizeLinear" for name in one.output}
    kinds = {one.name: one.input[1] in rounded for one in graph.node if one.op_type in ("Conv", "Gemm")}
    assert kinds == {"first": True, "second": False, "third": False, "head": True}
    assert made.facts["onnx"]["float_convolutions"] == 2, "so ONNX Runtime runs them, too"


def test_the_search_is_not_made_twice_and_comes_to_the_same(planted):
    bench, made = planted
    said: list[str] = []
    again = mixed(brightness.recipe("again"), replace(bench, say=said.append))
    assert said == []
    assert again.facts["onnx"]["trace"] == made.facts["onnx"]["trace"]
    assert again.files["onnx"].read_bytes() == made.files["onnx"].read_bytes()


def test_a_net_that_int8_does_not_hurt_is_all_int8_and_the_ranking_is_spared(tmp_path):
    said: list[str] = []
    bench = replace(brightness.bench(tmp_path / "model"), say=said.append)
    made = technique("mixed")(brightness.recipe("mixed"), bench)
    facts = made.facts["onnx"]
    assert facts["float_layers"] == []
    assert facts["sentence"].startswith("all layers are INT8: inside the budget of 1 point")
    assert len(facts["trace"]) == 1
    assert not (bench.cache / "sensitivity").exists()
    assert said == ["model: onnx with 0 layers in float"]


def test_the_first_layer_is_tried_in_float_on_request(tmp_path):
    bench = brightness.bench(tmp_path / "model")
    facts = mixed(brightness.recipe("mixed", first_in_float_if_quicker=True), bench).facts["onnx"]
    plain, tried = facts["trace"]
    assert (tried["action"], tried["float_layers"]) == ("leave first in float for speed", ["first"])
    assert tried["accepted"] == (plain["latency_ratio"] > tried["latency_ratio"] * NOT_SLOWER)
    assert facts["float_layers"] == (["first"] if tried["accepted"] else [])
    assert facts["float_convolutions"] == len(facts["float_layers"])


def test_where_no_choice_of_layers_is_enough_the_nearest_is_told(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=60)
    dark = brightness.frames(40, seed=3)
    ranges_of_the_dark = SimpleNamespace(
        calibration=replace(dark, pictures=dark.pictures // 32), tuning=bench.frames.tuning
    )
    with pytest.raises(HarnessError, match="no choice of layers in float meets the accuracy budget; the nearest: "):
        mixed(brightness.recipe("mixed"), replace(bench, frames=ranges_of_the_dark))
    assert not list(bench.folder.glob("*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"accuracy_loss_points": 0}, "an accuracy budget of 0 points is none"),
        ({"accuracy_los_points": 1}, "did you mean 'accuracy_loss_points'"),
        ({"exclude": ["fifth"]}, "no layer called 'fifth'"),
    ],
)
def test_wrong_options_are_refused(options, words, tmp_path):
    with pytest.raises(HarnessError, match=words):
        mixed(brightness.recipe("mixed", **options), brightness.bench(tmp_path / "model", tuning=20))


def test_formats_without_such_layers_are_told_beside_those_that_work(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=20)
    both = replace(bench, formats=("onnx", "pte"), files={**bench.files, "pte": tmp_path / "fp32.pte"})
    made = mixed(brightness.recipe("mixed", accuracy_loss_points=50), both)
    assert list(made.files) == ["onnx"]
    assert "mixed makes onnx, tflite files" in made.failures["pte"]


def test_a_tflite_file_is_searched_too(tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    frames = eyes_tflite.drawn(12, 96, 96)
    card = eyes_tflite.bench(tmp_path).card
    bench = replace(
        eyes_tflite.bench(tmp_path, source=card.file("fp32", "tflite")),
        frames=SimpleNamespace(calibration=frames, tuning=judged(frames, card)),
    )
    made = mixed(brightness.recipe("mixed", accuracy_loss_points=50), bench)
    facts = made.facts["tflite"]
    assert facts["float_layers"] == []
    assert facts["timed_on"] == "litert"
    assert facts["trace"][0]["why"].startswith("inside the budget of 50 points")
    assert made.files["tflite"].stat().st_size < card.file("fp32", "tflite").stat().st_size / 3


def judged(frames, card):
    """Labelled with the parent's own answers."""
    import numpy as np

    from harness.variants.scoring import predict

    answers = predict(card.file("fp32", "tflite"), "litert", card, frames)
    return replace(frames, truths=tuple(np.array([[one.argmax()]], np.float32) for one in answers))


@pytest.mark.parametrize(
    ("engines", "engine"),
    [(("tensorrt", "openvino"), "openvino"), (("litert",), "onnxruntime"), ((), "onnxruntime")],
)
def test_the_first_engine_of_the_target_that_runs_here_is_timed(engines, engine, tmp_path):
    pytest.importorskip("openvino")
    assert timing_engine(replace(brightness.bench(tmp_path / "model", tuning=5), engines=engines), "onnx") == engine


def test_a_file_takes_about_as_long_as_itself_and_a_larger_one_longer(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=5)
    parent = bench.parent("onnx")
    onnx.save(brightness.net(channels=64), str(tmp_path / "larger.onnx"))
    assert 0.5 < latency_ratio(bench, parent, parent, "onnxruntime") < 2
    assert latency_ratio(bench, tmp_path / "larger.onnx", parent, "onnxruntime") > 2
