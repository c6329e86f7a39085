"""Budgets: which limits hold, where they are written, and which are gates."""

from __future__ import annotations

import pytest

from harness.budgets import DERIVED, EMBEDDED, Budget, at_the_cameras_pace, budgets_for, budgets_of, check_metric
from harness.case import Arrivals, Plan
from harness.errors import ConfigError
from harness.metrics import METRICS
from harness.model import read_card


@pytest.fixture
def limits(make_model, simulated):
    """(gate, limit, source) of one metric, for a profile and a card with these limits."""

    def ask(metric, *, embedded=False, budgets=(), advice=(), card=()):
        profile = simulated.model_copy(
            update={"embedded": embedded, "budgets": dict(budgets), "advice": dict(advice), "name": "board"}
        )
        model = read_card(make_model()).model_copy(update={"budgets": dict(card)})
        return [(one.gate, one.limit, one.source) for one in budgets_for(budgets_of(profile, model), metric)]

    return ask


BOARD, CLASS, CARD = "devices/board.toml", "the embedded class of devices", "eyes/model.toml"
P99 = "frame_p99_ms"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(False, 30, CLASS)]),
        ({"embedded": True}, [(True, 30, CLASS)]),
        ({"budgets": {P99: 50}}, [(True, 50, BOARD), (False, 30, CLASS)]),
        ({"budgets": {P99: 50}, "embedded": True}, [(True, 30, CLASS), (True, 50, BOARD)]),
        ({"advice": {P99: 40}}, [(False, 30, CLASS), (False, 40, BOARD)]),
        ({"card": {P99: 20}}, [(False, 20, CARD)]),
        ({"card": {P99: 20}, "embedded": True}, [(True, 20, CARD)]),
        ({"card": {P99: 20}, "budgets": {P99: 50}}, [(True, 50, BOARD), (False, 20, CARD)]),
        ({"card": {P99: 90}, "budgets": {P99: 50}}, [(True, 50, BOARD), (False, 90, CARD)]),
        ({"card": {P99: 20}, "budgets": {P99: 50}, "embedded": True}, [(True, 20, CARD), (True, 50, BOARD)]),
        ({"card": {P99: 90}, "budgets": {P99: 50}, "embedded": True}, [(True, 50, BOARD), (True, 90, CARD)]),
        ({"card": {P99: 20}, "advice": {P99: 40}}, [(False, 20, CARD)]),
        ({"card": {P99: 20}, "advice": {P99: 40}, "embedded": True}, [(True, 20, CARD), (False, 20, CARD)]),
    ],
)
def test_a_limit_comes_from_the_class_the_device_and_the_card(limits, given, expected):
    assert limits(P99, **given) == expected


@pytest.mark.parametrize(("embedded", "gate"), [(False, False), (True, True)])
def test_a_slow_models_own_rate_is_a_gate_only_where_the_general_one_is(limits, embedded, gate):
    assert limits("fps_mean", embedded=embedded, card={"fps_mean": 25}) == [(gate, 25, CARD)]


def test_what_only_the_card_limits_is_a_gate(limits):
    assert limits("accuracy_min_percent", card={"accuracy_min_percent": 80}) == [(True, 80, CARD)]
    assert limits("load_ms", card={"load_ms": 80}) == [(True, 80, CARD)]


def test_a_card_cannot_soften_what_the_device_demands_of_every_model(limits):
    found = limits("load_ms", budgets={"load_ms": 50}, card={"load_ms": 900})
    assert found == [(True, 50, BOARD), (True, 900, CARD)]


def test_what_nothing_limits_has_no_budget(limits):
    assert limits("load_ms") == []


@pytest.mark.parametrize("where", ["budgets", "advice", "card"])
def test_a_limit_of_an_unknown_metric_is_refused_with_the_nearest_and_the_file(limits, where):
    with pytest.raises(ConfigError, match="no metric called 'frame_p99', did you mean 'frame_p99_ms'") as caught:
        limits(P99, **{where: {"frame_p99": 50}})
    assert caught.value.where == (f"{CARD}, budgets" if where == "card" else f"{BOARD}, {where}")


@pytest.mark.parametrize(("metric", "near"), [("frame_p9_ms", "frame_p99_ms"), ("acuracy_min_percent", "accuracy_min")])
def test_a_metric_is_checked_by_its_name_alone(metric, near):
    with pytest.raises(ConfigError, match=f"no metric called '{metric}', did you mean '{near}"):
        check_metric(metric)
    for known in (*METRICS, *DERIVED):
        check_metric(known)


@pytest.mark.parametrize("metric", [*METRICS, *DERIVED])
def test_every_metric_can_be_limited_and_knows_unit_and_direction(metric):
    budget = Budget(metric=metric, limit=1, gate=True, source="x")
    assert budget.unit
    assert budget.better in ("less", "more")


def test_the_embedded_class_promises_thirty():
    assert EMBEDDED == {"frame_p99_ms": 30, "fps_mean": 30}


def paced(metric, limit, fps=30.0, overlapped=False):
    """(metric, limit) of all budgets at a camera's pace, where there was this one."""
    plan = Plan("camera", frames=3000, arrivals=Arrivals(fps))
    own = Budget(metric=metric, limit=limit, gate=True, source=BOARD)
    return [(one.metric, one.limit) for one in at_the_cameras_pace([own], plan, overlapped)]


BUSY = ("camera_utilisation_percent", 100)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((P99, 50), [BUSY, (P99, 50), ("response_p99_ms", 50)]),
        (("frame_cpu_p99_ms", 50), [BUSY, ("frame_cpu_p99_ms", 50)]),
        (("fps_mean", 30), [BUSY, ("fps_mean", 29.7)]),
        (("fps_mean", 30, 60.0), [BUSY, ("fps_mean", 30)]),
        (("fps_mean", 25), [BUSY, ("fps_mean", 25)]),
        ((P99, 50, 30.0, True), [(P99, 50), ("response_p99_ms", 50)]),
    ],
)
def test_a_camera_limits_the_response_and_how_busy_the_machine_is_where_that_can_be_told(given, expected):
    assert paced(*given) == expected


def test_without_a_camera_limits_stay_as_they_are():
    own = Budget(metric=P99, limit=50, gate=True, source=BOARD)
    assert at_the_cameras_pace([own], Plan("standard", frames=660)) == (own,)
