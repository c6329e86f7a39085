"""The health panel: false alarms, spread, the harness's own cost, sensors and boards, of real histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.case import Case
from harness.history import open_history
from harness.history.trendrows import TrendRows
from harness.record import Annotation, Failure, RecordedVerdict, RunRecord, SessionRecord
from harness.telemetry import Channel, Trace, empty_trace
from harness.trendreport.health import health_of
from harness.trendreport.model import Step, Table
from tests.trendreport.handmade import HOSTILE, Made, trends
from tests.trendreport.histories import CASE, IDENTITY, budget, frames_run, session, time_of, trend_rows, write_history

OTHER = Case("thor", "eyes", "int8", "trt")
SAME = {"model_sha256": "ab" * 32, "harness": "0.1.0", "commit": "abc123def456"}


def table(rows: TrendRows, title: str, recent: Sequence[SessionRecord] = ()) -> Table:
    """The table whose title has these words."""
    return next(one for one in health_of(rows, trends(), recent) if title in one.title)


def cells(found: Table, *first: str) -> dict[str, str]:
    """The row that begins with these cells, by the names of its columns."""
    row = next(one for one in found.rows if one[: len(first)] == first)
    return dict(zip(found.columns, row, strict=True))


def judged(outcome: str, rule: str = "sessions-t/1", gate: bool = True, **changes: Any) -> RecordedVerdict:
    return RecordedVerdict(
        metric="frame_p25_ms", outcome=outcome, gate=gate, rule=rule, inputs={}, sentence="so it is", value=5.0,
        limit=None, **changes,
    )  # fmt: skip


def checked(day: int, outcome: str = "PASS", **changes: Any) -> SessionRecord:
    """A check of the accepted build; `provenance` adds to SAME."""
    told = {**SAME, "run": f"run{day:09}", **changes.pop("provenance", {})}
    verdict = judged(outcome, changes.pop("rule", "sessions-t/1"), changes.pop("gate", True))
    return session(day, {"frame_p25_ms": (5.0,)}, **{"provenance": told, "verdicts": (verdict,), **changes})


def accepted(day: int = 0, **changes: Any) -> SessionRecord:
    return checked(day, purpose="accept", verdicts=(), **changes)


def test_rows_made_by_hand_are_those_of_a_history(tmp_path):
    sessions = [accepted(), checked(2, "FAIL"), checked(1, case=OTHER, identity={"device": "thor"}, valid=False)]
    sessions = [replace(one, values={"load_ms": (2.0, 4.0), "frame_p25_ms": (5.0,)}) for one in sessions]
    runs = [asked("thor", Failure(OTHER, "", "WorkerError", "died"))]
    with open_history(write_history(tmp_path / "history.sqlite", sessions)) as history:
        history.record_run(runs[0])
        found = history.trend_rows()
    made = trend_rows(sessions, runs)
    assert health_of(found, trends(), []) == health_of(made, trends(), [])
    assert [one.id for one in found.heads] == [one.id for one in made.heads]


def test_an_empty_history_has_no_health():
    assert health_of(trend_rows([]), trends(), []) == ()


def test_false_alarms_are_counted_with_their_exact_interval():
    found = table(trend_rows([accepted(), checked(1, "FAIL"), *(checked(day) for day in range(2, 11))]), "False alarms")
    row = cells(found, "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"], row["rate"]) == ("10", "1", "10 %")
    # Clopper and Pearson (1934) for 1 of 10.
    assert row["95 % interval"] == "0.25 to 45 %"


@pytest.mark.parametrize(
    "changed",
    [
        {"provenance": {"model_sha256": "cd" * 32}}, {"provenance": {"commit": "other"}},
        {"provenance": {"harness": "0.2.0"}}, {"provenance": {"commit": "abc123def456+"}},
        {"provenance": {"model_sha256": None}}, {"identity": {**IDENTITY, "version": "2"}}, {"case": OTHER},
        {"gate": False}, {"rule": "limit/1"}, {"purpose": "import"}, {"outcome": "INVALID"},
        {"outcome": "NOT_COMPARABLE"}, {"verdicts": ()},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_the_accepted_build_is_no_comparison(changed):
    sessions = [accepted(), checked(1, **{"outcome": "FAIL", **changed})]
    found = table(trend_rows(sessions), "False alarms")
    row = cells(found, "the accepted build", "all")
    assert (row["comparisons"], row["rate"]) == ("0", "unknown")
    assert any(one.startswith("unknown for the accepted build") for one in found.notes)


def test_a_model_file_that_was_accepted_on_another_commit_is_counted_by_itself():
    sessions = [accepted(), checked(1, "FAIL", provenance={"commit": "later"})]
    found = table(trend_rows(sessions), "False alarms")
    assert cells(found, "the accepted model file, any commit", "all")["rate"] == "100 %"
    assert cells(found, "the accepted build", "all")["rate"] == "unknown"


def remark(kind: str, day: int, case: Case = CASE) -> Annotation:
    return Annotation(at=time_of(day), kind=kind, text="so", author="ann", case_key=case.key)


NEW = {"model_sha256": "cd" * 32}


@pytest.mark.parametrize(
    ("remarks", "expected"),
    [
        ([], ("1", "1")),
        ([remark("accepted", 0)], ("1", "0")),  # the second was refused
        ([remark("accepted", 0), remark("accepted", 2), remark("reverted", 3)], ("1", "0")),
    ],
)
def test_what_was_refused_or_taken_back_is_not_the_accepted_build(remarks, expected):
    sessions = [accepted(0), checked(1), accepted(2, provenance=NEW), checked(4, "FAIL", provenance=NEW)]
    found = table(trend_rows(sessions[:1] + sessions[2:], annotations=remarks), "False alarms")
    row = cells(found, "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"]) == (expected if not remarks else ("0", "-"))
    row = cells(table(trend_rows(sessions, annotations=remarks), "False alarms"), "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"]) == (("2", "1") if not remarks else expected)


def test_a_fail_against_the_last_runs_is_no_false_alarm_of_the_accepted_baseline():
    both = (judged("PASS"), judged("FAIL"))
    sessions = [accepted(), checked(1, verdicts=both), checked(2, verdicts=(*both, judged("FAIL", "limit/1")))]
    row = cells(table(trend_rows(sessions), "False alarms"), "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"]) == ("2", "0")


def test_a_build_is_compared_with_the_one_accepted_last():
    new = {"model_sha256": "cd" * 32}
    sessions = [accepted(0), checked(1), accepted(2, provenance=new), checked(3, "FAIL"), checked(4, provenance=new)]
    row = cells(table(trend_rows(sessions), "False alarms"), "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"]) == ("2", "0")


def test_sessions_and_metrics_of_one_run_are_one_comparison():
    sessions = [accepted(), *(checked(day, "FAIL", provenance={"run": "same"}) for day in (1, 2))]
    row = cells(table(trend_rows(sessions), "False alarms"), "the accepted build", "all")
    assert (row["comparisons"], row["false alarms"]) == ("1", "1")


def test_each_device_has_a_row_where_there_are_several():
    sessions = [one for case in (CASE, OTHER) for one in (accepted(case=case), checked(1, case=case))]
    found = table(trend_rows(sessions), "False alarms")
    assert [row[1] for row in found.rows if row[0] == "the accepted build"] == ["all", "bench", "thor"]


def test_a_null_arm_that_stands_out_is_a_false_alarm_of_the_rounds():
    rounds = [checked(day, outcome, rule="paired-ranks/1", purpose="paired")
              for day, outcome in enumerate(("PASS", "FAIL", "INVALID", "INCONCLUSIVE"))]  # fmt: skip
    spoiled = checked(8, "INVALID", rule="given/1", purpose="paired")
    row = cells(table(trend_rows([*rounds, spoiled]), "False alarms"), "a build against itself (null arm)", "all")
    assert (row["comparisons"], row["false alarms"], row["rate"]) == ("4", "1", "25 %")


def test_the_spread_is_that_of_sessions_around_their_own_build():
    rng = np.random.default_rng(1)
    sessions = []
    for day in range(60):
        level, sigma = (5.0, 0.02) if day < 30 else (9.0, 0.04)
        value = float(level * np.exp(sigma * rng.standard_normal()))
        told = {**SAME, "model_sha256": f"{day // 30:064x}"}
        sessions.append(session(day, {"frame_p25_ms": (value,)}, provenance=told))
    row = cells(table(trend_rows(sessions), "Spread"), "bench", "frame_p25_ms")
    assert (row["sessions"], row["builds"]) == ("60", "2")
    shown = [float(row[name]) for name in ("spread %", "older half %", "newer half %")]
    assert shown == pytest.approx([3.2, 2.0, 4.0], rel=0.3)
    assert shown[1] < shown[0] < shown[2]


@pytest.mark.parametrize(
    "changed",
    [{"valid": False}, {"purpose": "paired"}, {"provenance": {}}, {"values": {"frame_p50_ms": (5.0,)}},
     {"values": {"frame_p25_ms": (0.0,)}}],
    ids=str,
)  # fmt: skip
def test_sessions_that_tell_nothing_of_the_spread_are_left_out(changed):
    sessions = [replace(session(day, {"frame_p25_ms": (5.0,)}, provenance=SAME), **changed) for day in range(10)]
    assert not any("Spread" in one.title for one in health_of(trend_rows(sessions), trends(), []))


def test_equal_values_have_no_spread_at_all():
    sessions = [session(day, {"frame_p25_ms": (5.1,)}, provenance=SAME) for day in range(24)]
    assert cells(table(trend_rows(sessions), "Spread"), "bench", "frame_p25_ms")["spread %"] == "0"


def test_too_few_sessions_of_a_build_have_no_spread():
    sessions = [session(day, {"frame_p25_ms": (5.0 + day,)}, provenance=SAME) for day in range(6)]
    row = cells(table(trend_rows(sessions), "Spread"), "bench", "frame_p25_ms")
    assert (row["sessions"], row["spread %"], row["newer half %"]) == ("6", "-", "-")


def test_the_cost_of_the_harness_is_that_of_the_recent_runs():
    runs = (frames_run(1.0), replace(frames_run(1.0), marks={"timer_resolution_ns": 40.0, **frames_run().marks}))
    recent = [session(1, {"frame_p25_ms": (1.0,)}, runs=runs)]
    row = cells(table(trend_rows(recent), "Cost", recent), "bench")
    assert [row[name] for name in ("processes", "per frame us", "P99 us", "clock step ns")] == ["2", "0.9", "2.1", "40"]
    assert float(row["of a frame %"]) == pytest.approx(0.09, rel=0.01)


def sampled(trace: Trace) -> list[SessionRecord]:
    """A session of one process, frames from 0 to 2 s, with this trace."""
    run = replace(frames_run(phases={"frames": [0, 2 * 10**9]}), traces=(trace,))
    return [session(1, {"frame_p25_ms": (5.0,)}, runs=(run,))]


def heat(times: Sequence[float], **changes: Any) -> Trace:
    """Samples at these seconds, ten a second asked for."""
    time = (np.array(times) * 1e9).astype(np.int64)
    made = Trace("heat", (Channel("CPU", "C"),), time, np.full((len(time), 1), 40.0), 100_000_000)
    return replace(made, **changes)


ALL_TENTHS = [one / 10 for one in range(1, 21)]


@pytest.mark.parametrize(
    ("trace", "shown"),
    [
        (heat(ALL_TENTHS), ("20 of 20 (100 %)", "0", "0.1", "")),
        (heat(ALL_TENTHS[:5] + ALL_TENTHS[14:]), ("11 of 20 (55 %)", "0", "1", "")),
        (heat(ALL_TENTHS, values=np.full((20, 1), np.nan), reasons={"busy": 20}),
         ("20 of 20 (100 %)", "20", "0.1", "busy")),
        (heat(ALL_TENTHS[:10], ended="the sampler died"), ("10 of 20 (50 %)", "0", "1", "the sampler died")),
        (heat([]), ("-", "-", "-", "no samples")),
        (empty_trace("heat", "no such file"), ("-", "-", "-", "no such file")),
    ],
)  # fmt: skip
def test_coverage_says_what_came_and_what_did_not(trace, shown):
    recent = sampled(trace)
    row = cells(table(trend_rows(recent), "Coverage", recent), "bench", "heat")
    assert tuple(row[name] for name in ("samples", "not given", "longest gap s", "faults")) == shown


def test_power_that_cannot_be_told_says_why():
    rule = {"name": "board", "probe": "ina", "rails": ["VIN"], "scope": "module", "gain_percent": 0.0, "beside": []}
    run = frames_run(power=rule)
    recent = [session(1, {"frame_p25_ms": (5.0,)}, runs=(run,))]
    row = cells(table(trend_rows(recent), "Coverage", recent), "bench", "power: board (module)")
    assert (row["samples"], row["faults"]) == ("-", "power: nobody sampled ina")


def test_a_window_that_meets_a_sample_at_both_ends_is_covered_and_no_more():
    recent = sampled(heat(np.arange(0, 21) * 0.1))
    assert cells(table(trend_rows(recent), "Coverage", recent), "bench", "heat")["samples"] == "20 of 20 (100 %)"


@pytest.mark.parametrize(("percents", "p_value"), [((3.0,) * 8, "0.0078"), ((3.0, -3.0) * 4, "1"), ((3.0,) * 5, "")])
def test_steps_that_point_one_way_stand_out_where_there_are_enough_of_them(percents, p_value):
    steps = tuple(Step(index=index, percent=one, p_value=0.001) for index, one in enumerate(percents))
    small = tuple(replace(one, percent=-one.percent / 2) for one in steps)  # of another metric, at the same sessions
    made = trends(Made(case=CASE, values={"frame_p25_ms": [5.0] * 9, "load_ms": [5.0] * 9}, sessions=9))
    series = tuple(replace(one, steps=said) for one, said in zip(made.series, (steps, small), strict=True))
    found = [
        one for one in health_of(trend_rows([accepted()]), replace(made, series=series), []) if "steps" in one.title
    ]
    assert [cells(one, "bench")["p"] for one in found] == ([p_value] if p_value else [])


def asked(device: str, *failures: Failure, run: str = "run000000001") -> RunRecord:
    return RunRecord(
        run=run, at="2026-01-02T03:00:00Z", device=device, command="pytest suites/", purpose="check", policy="",
        interrupted=False, asked=tuple(one.case.key for one in failures), failures=failures,
    )  # fmt: skip


def test_a_board_tells_its_failures_by_kind_and_its_failed_attempts():
    infra = replace(budget("frame_p99_ms", 5.0, 50.0), outcome="INVALID", error_class="INFRA")
    sessions = [
        checked(1), checked(2, valid=False), checked(3, verdicts=(infra,)),
        checked(4, provenance={"run": "again"}), checked(5, valid=False, provenance={"run": "again"}),
    ]  # fmt: skip
    crash, lost = Failure(OTHER, "", "WorkerError", "died"), Failure(CASE, "", "not reached", "stopped")
    dead = Failure(CASE, "", "refused", "dead")
    half = Failure(CASE, "accuracy_min_percent", "DatasetError", "no labels")
    found = table(
        trend_rows(sessions, [asked("bench", lost, dead, half), asked("thor", crash, crash, run="other")]), "Boards"
    )
    bench, thor = cells(found, "bench"), cells(found, "thor")
    assert [bench[name] for name in ("sessions", "not valid", "INFRA")] == ["5", "2", "1"]
    assert bench["cases with a failed attempt"] == "2 of 4"
    assert bench["failures"] == "1 DatasetError, 1 not reached, 1 refused"
    assert [thor[name] for name in ("sessions", "cases with a failed attempt", "failures")] == [
        "0",
        "1 of 1",
        "2 WorkerError",
    ]
    assert (thor["last valid session"], thor["days"]) == ("never", "-")


def test_days_count_back_from_the_newest_session_and_not_from_today():
    sessions = [checked(1), checked(9, valid=False), checked(20, case=OTHER)]
    found = table(trend_rows(sessions), "Boards")
    assert (cells(found, "bench")["last valid session"], cells(found, "bench")["days"]) == ("2026-01-02", "19")
    assert cells(found, "thor")["days"] == "0"


def test_all_sessions_invalid_still_gives_the_panel():
    found = table(trend_rows([checked(day, valid=False) for day in range(3)]), "Boards")
    assert cells(found, "bench")["last valid session"] == "never"


def test_simulated_boards_say_so():
    recent = [session(1, {"frame_p25_ms": (5.0,)}, runs=(frames_run(),), simulated=True)]
    found = health_of(trend_rows(recent), trends(), recent)
    assert [one.rows[0][0] for one in found[-3:]] == ["bench SIMULATED"] * 3


def test_the_panel_is_the_same_twice_and_every_row_as_wide_as_its_head():
    rows, recent = trend_rows([accepted(), checked(1)]), sampled(heat(ALL_TENTHS))
    found = health_of(rows, trends(), recent)
    assert found == health_of(rows, trends(), recent)
    assert all(len(row) == len(one.columns) for one in found for row in one.rows)


def test_hostile_names_stay_text_in_their_cells():
    name = HOSTILE
    case = Case(name, name, name, name)
    recent = [session(1, {"frame_p25_ms": (5.0,)}, case=case, runs=(frames_run(),), provenance={**SAME, "run": name})]
    failure = Failure(case, "", name, name)
    found = health_of(trend_rows(recent, [asked(name, failure)]), trends(), recent)
    assert all(isinstance(cell, str) for one in found for row in one.rows for cell in row)
    assert any(name in cell for one in found for row in one.rows for cell in row)
