"""What a recorded verdict says a second time: the same statistic as when it was judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.budgets import Budget
from harness.case import Plan
from harness.comparison import Earlier, judge_change
from harness.measurement import Measurement
from harness.paired import PairedRun
from harness.pairing import judge_pair
from harness.record import RecordedVerdict
from harness.trendreport.gather.claims import claim_of
from harness.unchanged import judge_unchanged
from harness.verdict import judge
from tests.trendreport.histories import CASE, budget, change, recorded, state

PLAN = Plan(name="standard", frames=400)
LOGS = {"frame_p25_ms": np.log(5.0) + 0.01 * np.linspace(-1.5, 1.5, 12)}


@pytest.fixture
def measured(make_run):
    """Sessions of one process whose frames take so many milliseconds each."""

    def make(*session_ms: float, **facts) -> Measurement:
        runs = tuple(make_run(np.full(PLAN.frames, ms * 1e6), facts=facts) for ms in session_ms)
        return Measurement(case=CASE, plan=PLAN, runs=runs)

    return make


def rounds(slower: float, count: int = 20) -> PairedRun:
    chance = np.random.default_rng(1)
    factor = np.exp(0.003 * chance.standard_normal((count, 3, 1)) + np.array([0.0, 0.0, slower])[None, :, None])
    ns = (1e6 * factor * np.ones((1, 1, 40))).astype(np.int64)
    return PairedRun(frame_ns=ns, cpu_ns=ns, load_ns=np.ones((count, 3), np.int64), facts={})


def exact(metric: str, before: list[float], now: list[float]) -> RecordedVerdict:
    """A verdict on what must not fall at all."""
    inputs = {"before": before, "now": now, "better": "more", "slack": 0.006}
    return replace(change(metric, [5.0] * 12, [5.0]), rule="exact/1", inputs=inputs)


@pytest.mark.parametrize("name", ["accepted baseline", "last 7 runs"])
@pytest.mark.parametrize("session_ms", [(5.0,), (5.5, 5.52, 5.48), (4.0, 4.0, 4.01)])
def test_a_comparison_with_sessions_of_before_is_the_one_that_was_judged(measured, session_ms, name):
    (verdict,) = judge_change(measured(*session_ms), Earlier(name=name, logs=LOGS), {"frame_p25_ms": 5.0})
    claim = claim_of(recorded(verdict))
    assert claim.change == verdict.change
    assert claim.change.before == pytest.approx(5.0)
    assert (claim.kind, claim.outcome, claim.sentence) == ("change", verdict.outcome.value, verdict.sentence)


@pytest.mark.parametrize("slower", [-0.1, 0.0, 0.02])
def test_a_comparison_with_another_build_is_the_one_that_was_judged(slower):
    for verdict in judge_pair(CASE, [rounds(slower)], "HEAD~1 (against, all)"):
        claim = claim_of(recorded(verdict))
        assert claim.change == replace(verdict.change, before=None), "its inputs are ratios"
        assert claim.evidence == "20 rounds"


@pytest.mark.parametrize(("before", "percent"), [(8.0, 25.0), (12.0, -16.667), (10.0, None)])
def test_what_must_not_change_at_all_shows_its_change(measured, before, percent):
    (verdict,) = judge_unchanged(measured(5.0, partitions=10), {"partitions": [before]}, "accepted baseline")
    claim = claim_of(recorded(verdict))
    assert claim.kind == "change"
    if percent is None:
        assert claim.change is verdict.change is None
    else:
        assert claim.change == verdict.change
        assert (claim.change.before, claim.change.against) == (before, "accepted baseline")
        assert claim.change.percent == pytest.approx(percent, abs=0.001)


@pytest.mark.parametrize(("metric", "limit"), [("frame_p99_ms", 50.0), ("fps_mean", 30.0), ("fps_mean", 400.0)])
def test_a_budget_keeps_limit_and_margin(measured, metric, limit):
    verdict = judge(Budget(metric=metric, limit=limit, gate=True, source="card"), measured(5.0))
    claim = claim_of(recorded(verdict))
    assert (claim.kind, claim.limit, claim.gate) == ("budget", limit, True)
    assert claim.margin_percent == pytest.approx(verdict.margin_percent)


def test_a_percentile_says_on_how_many_frames_it_rests(measured):
    verdict = judge(Budget(metric="frame_p99_ms", limit=50.0, gate=True, source="card"), measured(5.0))
    assert claim_of(recorded(verdict)).evidence == "400 frames"


def test_numbers_that_were_disqualified_show_no_change():
    spoiled = change("frame_p25_ms", [5.0] * 12, [5.0])
    spoiled = replace(spoiled, outcome="INVALID", inputs={**spoiled.inputs, "invalid": "other load"})
    assert claim_of(spoiled).change is None
    assert claim_of(spoiled).outcome == "INVALID"


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "sessions-t/9"},
        {"rule": "oracle/1"},
        {"rule": ""},
        {"inputs": {}},
        {"inputs": {"baseline": None, "candidate": [1.0]}},
        {"inputs": {"baseline": ["a", "b"], "candidate": [1.0], "margin": 0.05}},
        {"inputs": {"baseline": [1.0], "candidate": [1.0], "margin": 0.05}},
    ],
)
def test_a_rule_or_inputs_of_another_version_leave_outcome_and_sentence(changes):
    claim = claim_of(replace(change("frame_p25_ms", [5.0] * 12, [5.0, 5.0]), **changes))
    assert (claim.outcome, claim.sentence, claim.change) == ("PASS", "compared", None)


@pytest.mark.parametrize(
    ("verdict", "before", "percent"),
    [
        (change("glow_ms", [5.0, 5.1] * 6, [5.5, 5.5]), None, 8.91),
        (exact("glow_percent", [90.0, 91.0], [45.0]), 90.0, 50.0),
    ],
)
def test_a_metric_that_this_version_does_not_know_keeps_its_change(verdict, before, percent):
    found = claim_of(verdict).change
    assert (found.before, found.percent) == (before, pytest.approx(percent, abs=0.01))


def test_a_change_that_is_no_number_is_left_out():
    told = change("frame_p25_ms", [5.0, 5.1] * 6, [5.0, 5.0])
    assert claim_of(told).change is not None
    assert claim_of(replace(told, inputs={**told.inputs, "margin": float("nan")})).change is None


def test_an_outcome_that_this_version_does_not_know_is_never_a_pass():
    claim = claim_of(replace(budget("frame_p99_ms", 5.0, 50.0), outcome="SPLENDID"))
    assert claim.outcome == "INCONCLUSIVE"
    assert claim.sentence.startswith("SPLENDID, which this version does not know")


def test_a_verdict_that_was_seen_is_a_state():
    claim = claim_of(state("outputs_alive", "FAIL", "the outputs hold NaN"))
    assert (claim.kind, claim.change, claim.margin_percent) == ("state", None, None)
