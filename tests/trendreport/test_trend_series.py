"""Tracks and series: what a chart draws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.case import Case
from harness.errors import ConfigError
from harness.record import Annotation
from harness.trendreport.gather.marks import prediction_interval
from harness.trendreport.gather.trends import trends_of
from harness.trendreport.model import NOT_JUDGED, OUTCOMES, Limit
from tests.trendreport.histories import CASE, IDENTITY, PARENT, budget, change, session, state, steady_case, trend_rows

FAIL, PASS = OUTCOMES.index("FAIL"), OUTCOMES.index("PASS")


def trends(sessions, annotations=(), runs=(), **options):
    return trends_of(trend_rows(sessions, runs, annotations), **options)


def series(found, metric, case=CASE):
    return next(one for one in found.series if one.metric == metric and found.tracks[one.track].case == case)


def test_a_track_has_a_column_entry_for_every_session():
    found = trends([session(day, {"load_ms": (150.0,)}) for day in range(3)])
    (track,) = found.tracks
    assert (track.case, track.engine, track.simulated) == (CASE, "onnxruntime 1.2.3", False)
    assert track.at == ("2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z")
    assert track.commit[2] == "000000000002"
    assert track.subject[2] == "change 2"
    assert track.run[2] == "run000000002"
    assert track.build == ("ab" * 32,) * 3
    assert track.valid.tolist() == [True] * 3
    assert found.newest == track.at[2]


def test_provenance_of_old_or_foreign_tools_is_text_or_nothing():
    old = session(1, {"load_ms": (150.0,)}, provenance={"commit": None, "subject": 7, "run": 12})
    (track,) = trends([old]).tracks
    assert (track.commit, track.subject, track.build, track.run) == (("",), ("7",), ("",), ("12",))


def test_a_point_is_the_mean_of_the_processes_with_the_units_of_its_metric():
    found = trends([session(1, {"fps_mean": (30.0, 40.0)})])
    one = series(found, "fps_mean")
    assert (one.value.tolist(), one.unit, one.better) == ([35.0], "1/s", "more")


def test_sessions_are_points_of_the_metrics_that_they_tell():
    found = trends([
        session(1, {"load_ms": (1.0,)}), session(2, {"load_ms": (2.0,), "fps_mean": (30.0,)}),
        session(3, {"fps_mean": (31.0,)}, case=PARENT), session(4, {"fps_mean": (32.0,)}),
    ])  # fmt: skip
    assert series(found, "load_ms").index.tolist() == [0, 1]
    assert series(found, "fps_mean").index.tolist() == [1, 2]
    assert series(found, "fps_mean", PARENT).value.tolist() == [31.0]


GATE_FAIL, GATE_PASS = budget("load_ms", 9.0, 5.0), budget("load_ms", 9.0, 50.0)
ADVICE_FAIL, ADVICE_PASS = replace(GATE_FAIL, gate=False), replace(GATE_PASS, gate=False)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), NOT_JUDGED),
        ((GATE_PASS,), PASS),
        ((GATE_PASS, GATE_FAIL), FAIL),
        ((GATE_FAIL, GATE_PASS), FAIL),
        ((ADVICE_FAIL, GATE_PASS), PASS),
        ((ADVICE_FAIL, ADVICE_PASS), FAIL),
        ((replace(GATE_PASS, metric="fps_mean"),), NOT_JUDGED),
        ((replace(GATE_PASS, outcome="INVALID"),), OUTCOMES.index("INVALID")),
        ((replace(GATE_PASS, outcome="SPLENDID"),), OUTCOMES.index("INCONCLUSIVE")),
    ],
)
def test_a_point_has_the_worst_outcome_of_the_gates_or_of_the_advice(verdicts, code):
    found = trends([session(1, {"load_ms": (9.0,)}, verdicts=verdicts)])
    assert series(found, "load_ms").outcome.tolist() == [code]


def test_what_no_process_tells_is_drawn_from_its_verdicts():
    sessions = [session(day, {}, verdicts=(budget("accuracy_min_percent", 90.0 + day, 80.0, better="more"),))
                for day in range(3)]  # fmt: skip
    one = series(trends(sessions), "accuracy_min_percent")
    assert (one.value.tolist(), one.unit, one.better) == ([90.0, 91.0, 92.0], "%", "more")
    assert one.outcome.tolist() == [PASS] * 3


def test_metrics_that_nobody_judges_are_left_out_and_named():
    found = trends([session(1, {"load_ms": (1.0,), "pss_mb": (90.0,)})])
    assert {one.metric for one in found.series} == {"load_ms"}
    assert any("1 further metric not shown (pss_mb)" in note for note in found.notes)


@pytest.mark.parametrize("asked", [("pss_mb",), ("all",)])
def test_they_are_shown_where_somebody_asks(asked):
    found = trends([session(1, {"load_ms": (1.0,), "pss_mb": (90.0,)})], metrics=asked)
    assert {one.metric for one in found.series} == {"load_ms", "pss_mb"}
    assert not any("not shown" in note for note in found.notes)


def test_a_metric_of_another_version_is_shown_without_a_unit():
    found = trends([session(1, {"warp_factor": (9.0,)})], metrics=["warp_factor"])
    assert (found.series[0].metric, found.series[0].unit, found.series[0].better) == ("warp_factor", "", "less")


def test_a_metric_that_nobody_knows_is_an_error_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'load_ms'"):
        trends([session(1, {"load_ms": (1.0,)})], metrics=["loadms"])


def test_a_metric_of_this_version_that_no_session_tells_is_no_error():
    assert trends([session(1, {"load_ms": (1.0,)})], metrics=["pss_mb"]).series[0].metric == "load_ms"


def test_a_change_of_identity_is_a_boundary_in_words():
    newer = {**IDENTITY, "version": "1.3.0"}
    sessions = [session(day, {"load_ms": (1.0,)}, identity=newer if day > 1 else IDENTITY) for day in range(4)]
    found = trends(sessions)
    assert found.tracks[0].boundaries == ((2, "version: 1.2.3 and now 1.3.0"),)
    assert found.tracks[0].engine == "onnxruntime 1.3.0"
    versions = [found.identities[one]["version"] for one in found.tracks[0].identity]
    assert versions == ["1.2.3", "1.2.3", "1.3.0", "1.3.0"]


def test_of_identities_that_alternate_only_the_newest_boundaries_are_told():
    sessions = [session(day, {}, identity={**IDENTITY, "plan": ("quick", "standard")[day % 2]}) for day in range(100)]
    boundaries = trends(sessions).tracks[0].boundaries
    assert (len(boundaries), boundaries[-1]) == (40, (99, "plan: quick and now standard"))


def test_the_limits_are_those_of_the_newest_verdicts():
    sessions = [
        session(day, {"load_ms": (9.0,)}, verdicts=tuple(budget("load_ms", 9.0, *limit) for limit in limits))
        for day, limits in enumerate([[(40.0, True)], [(20.0, False), (50.0, True)]])
    ]
    assert series(trends(sessions), "load_ms").limits == (Limit(limit=50.0, gate=True), Limit(limit=20.0, gate=False))


def test_the_band_holds_one_new_session_of_the_baseline_in_95_of_100():
    logs = 0.02 * np.random.default_rng(3).standard_normal((2000, 13))
    bands = [prediction_interval(one[:12].tolist(), floor=0.003) for one in logs]
    inside = sum(low <= one <= high for (low, high), one in zip(bands, logs[:, 12]))
    assert inside == pytest.approx(1900, abs=30)  # three standard deviations


def test_the_band_is_that_of_the_verdicts_own_numbers():
    before = [5.0, 5.1, 4.9, 5.05, 5.0, 4.95, 5.1, 5.0, 4.9, 5.0, 5.05, 4.95]
    verdict = change("frame_p25_ms", before, [5.0])
    band = series(trends([session(1, {"frame_p25_ms": (5.0,)}, verdicts=(verdict,))]), "frame_p25_ms").band
    low, high = prediction_interval(np.log(before).tolist(), floor=0.003)
    assert (band.low, band.high, band.sessions) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)), 12)


def test_a_baseline_without_spread_has_the_verdicts_smallest_spread():
    low, high = prediction_interval([1.0] * 12, floor=0.003)
    assert high - low == pytest.approx(2 * 2.201 * 0.003 * math.sqrt(13 / 12), rel=1e-3)


def test_the_band_of_a_metric_of_which_more_is_better_is_in_its_unit():
    verdict = replace(change("fps_mean", [1.0] * 5, [1.0]), inputs={"baseline": [-math.log(30.0), -math.log(31.0)] * 6})
    band = series(trends([session(1, {"fps_mean": (30.0,)}, verdicts=(verdict,))]), "fps_mean").band
    assert 28.0 < band.low < 30.0 < 31.0 < band.high < 33.0


def test_the_accepted_baseline_is_drawn_and_not_the_rolling_one():
    verdicts = (change("frame_p25_ms", [5.0] * 12, [5.0]), change("frame_p25_ms", [6.0] * 7, [5.0]))
    band = series(trends([session(1, {"frame_p25_ms": (5.0,)}, verdicts=verdicts)]), "frame_p25_ms").band
    assert (band.sessions, round((band.low + band.high) / 2, 2)) == (12, 5.0)


@pytest.mark.parametrize("baseline", [None, [], [1.0], "abc", [1e308] * 5, {"a": 1}])
def test_damaged_inputs_draw_no_band(baseline):
    verdict = replace(change("frame_p25_ms", [5.0] * 12, [5.0]), inputs={"baseline": baseline})
    assert series(trends([session(1, {"frame_p25_ms": (5.0,)}, verdicts=(verdict,))]), "frame_p25_ms").band is None


def test_a_percentile_that_a_budget_judged_is_that_of_all_frames_of_the_run():
    told = {"frame_p99_ms": (9.0, 31.0), "frame_p25_ms": (5.0, 7.0), "load_ms": (5.0, 7.0)}
    verdicts = tuple(budget(metric, 8.5, 50.0) for metric in told)
    found = trends([session(1, told), session(2, told, verdicts=verdicts)])
    assert series(found, "frame_p99_ms").value.tolist() == [20.0, 8.5]
    assert series(found, "frame_p25_ms").value.tolist() == [6.0, 6.0]
    assert series(found, "load_ms").value.tolist() == [6.0, 6.0]
    assert any("of all frames of its run where a budget judged it" in note for note in found.notes)


def test_percentiles_of_a_run_and_of_processes_side_by_side_are_no_change_of_level():
    calm = [replace(one, values={"frame_p99_ms": one.values["frame_p25_ms"]}) for one in steps(5.0, 5.0)]
    judged = [replace(one, verdicts=(budget("frame_p99_ms", 4.0, 50.0),)) for one in calm[20:]]
    assert series(trends([*calm[:20], *judged]), "frame_p99_ms").steps == ()


def remark(kind: str, day: int) -> Annotation:
    return Annotation(at=f"2026-01-{day + 1:02}T04:00:00Z", kind=kind, text="so it is", author="ann", case_key=CASE.key)


@pytest.mark.parametrize(
    ("remarks", "first"), [([11], 12), ([11, 20], 21), ([20], 21)], ids=["refused later", "accepted twice", "later"]
)
def test_the_band_begins_with_the_baseline_that_was_accepted_and_not_with_one_that_was_refused(remarks, first):
    again = [replace(one, purpose="accept", verdicts=()) if 16 <= day <= 20 else one
             for day, one in enumerate(steady_case())]  # fmt: skip
    found = trends(again, [remark("accepted", day) for day in remarks])
    assert series(found, "frame_p25_ms").band.first == first


def test_the_band_begins_after_the_accepted_sessions_of_the_identity():
    assert series(trends(steady_case()), "frame_p25_ms").band.first == 12


def test_without_accepted_sessions_it_begins_with_the_identity():
    older = [session(day, {"load_ms": (1.0,)}, identity={**IDENTITY, "version": "1.1"}) for day in range(3)]
    newer = session(3, {"load_ms": (1.0,)}, verdicts=(change("load_ms", [1.0] * 12, [1.0]),))
    assert series(trends([*older, newer]), "load_ms").band.first == 3


def steps(*levels: float, **changes):
    """20 sessions of each level, with little noise."""
    rng = np.random.default_rng(1)
    values = np.repeat(levels, 20) * np.exp(0.004 * rng.standard_normal(20 * len(levels)))
    return [session(day, {"frame_p25_ms": (float(value),)}, **changes) for day, value in enumerate(values)]


def test_a_change_of_level_is_told_with_its_place_and_size():
    (step,) = series(trends(steps(5.0, 5.5)), "frame_p25_ms").steps
    assert step.index == 20
    assert step.percent == pytest.approx(10.0, abs=1.0)
    assert step.p_value < 0.01


def test_more_frames_a_second_are_a_change_for_the_better():
    sessions = [replace(one, values={"fps_mean": one.values["frame_p25_ms"]}) for one in steps(30.0, 33.0)]
    (step,) = series(trends(sessions), "fps_mean").steps
    assert step.percent == pytest.approx(-9.1, abs=1.0)


def test_a_step_that_people_expected_is_no_change():
    expected = Annotation(at="2026-01-21T00:00:00Z", kind="expected", text="new firmware", author="me")
    assert series(trends(steps(5.0, 5.5), [expected]), "frame_p25_ms").steps == ()
    elsewhere = replace(expected, case_key=PARENT.key)
    assert len(series(trends(steps(5.0, 5.5), [elsewhere]), "frame_p25_ms").steps) == 1


def test_invalid_sessions_other_identities_and_rounds_beside_another_build_show_no_change():
    calm = steps(5.0, 5.0, 5.0)
    odd = [
        {"valid": False}, {"identity": {**IDENTITY, "version": "1.1"}}, {"purpose": "paired"},
    ]  # fmt: skip
    for changes in odd:
        moved = [replace(one, values={"frame_p25_ms": (6.0,)}, **changes) for one in calm[10:30]]
        assert series(trends([*calm[:10], *moved, *calm[30:]]), "frame_p25_ms").steps == ()


def test_a_constant_and_values_without_a_logarithm_have_no_steps():
    sessions = [session(day, {"load_ms": (7.0,), "power_mean_w": (float(day > 20),)}) for day in range(40)]
    assert [one.steps for one in trends(sessions).series] == [(), ()]


def test_only_the_newest_500_sessions_are_searched():
    early = steps(*[5.0 + level for level in (0.0, 1.0)], *[6.0] * 25)
    assert series(trends(early), "frame_p25_ms").steps == ()


def test_series_are_ordered_by_case_and_then_as_the_metrics_are_listed():
    other = Case("anvil", "eyes", "int8", "ort")
    values = {"load_ms": (1.0,), "frame_p50_ms": (1.0,), "infer_p50_ms": (1.0,)}
    found = trends([session(1, values), session(1, values, case=other)])
    assert [(found.tracks[one.track].case.device, one.metric) for one in found.series] == [
        (device, metric) for device in ("anvil", "bench") for metric in ("infer_p50_ms", "frame_p50_ms", "load_ms")
    ]


def test_a_state_without_a_value_is_no_series():
    found = trends([session(1, {}, verdicts=(state("outputs_alive", "PASS"),))])
    assert found.series == ()
    assert [row.metric for row in found.rows] == ["outputs_alive"]
