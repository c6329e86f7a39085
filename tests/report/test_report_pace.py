"""The camera's pace, soaks and cascades in every form of a run's report, of runs measured on the simulated engine."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.case import Arrivals
from harness.report.junit import properties
from harness.report.markdown import markdown
from harness.report.nanoseconds import decode_ns
from harness.report.results import results
from harness.report.terminal import terminal_lines
from harness.report.timeline import timeline
from tests.paced import CAMERA, SOAK, STALLING, cascaded, paced_run
from tests.report.builders import case, measurement, run, session
from tests.report.test_report_results import HERE

PACE = (
    "At the camera's pace, ms",
    "At the camera's pace: misses, gaps, age",
    "At the camera's pace: results per second",
)
SOAKS = ("Soak, minute by minute", "Ranking at minute 1 and at minute 10")
CASCADES = ("Stages of each cascade, ms",)


@pytest.fixture(scope="module")
def stalled(tmp_path_factory):
    """100 s at 30 fps with a stall of 1 s: the table of harness.camera's oracle."""
    return paced_run(tmp_path_factory.mktemp("stalled"), **STALLING)


@pytest.fixture(scope="module")
def soaked(tmp_path_factory):
    """Ten minutes of a variant that is quicker at first and slower at last, and of one that stays as it is."""
    folder = tmp_path_factory.mktemp("soaked")
    drifting = paced_run(folder, SOAK, 4.5, drift_per_frame=1e-5)
    return drifting, paced_run(folder, SOAK, 5.0, warming_c_per_s=0.02)


def shown(*measured):
    return "\n".join(terminal_lines(session(*measured)))


def rows_of(text, title):
    """The cells of each row below a title."""
    lines = text[text.index(title) :].splitlines()[3:]
    end = next(number for number, line in enumerate(lines) if line.startswith("---"))
    return [line.split() for line in lines[:end]]


def stored(*measured):
    return json.loads(json.dumps(results(session(*measured), HERE), allow_nan=False))


def test_response_and_service_stand_apart_with_misses_and_gaps(stalled):
    text = shown(measurement(case(), stalled, plan=CAMERA))
    response, service = rows_of(text, PACE[0])
    assert response[:5] == ["eyes/fp32/ort", "30", "fps,", "drop-stale", "response"]
    assert service[:2] == ["eyes/fp32/ort", "service"]
    (misses,) = rows_of(text, PACE[1])
    assert misses[:4] == ["eyes/fp32/ort", "1", "29", "3,000"]
    assert misses[4:9] == ["1", "(0.721..1.35)", "96.67", "1028", "(30.8)"]
    (seconds,) = rows_of(text, PACE[2])
    assert seconds[:7] == ["eyes/fp32/ort", "100", "29.71", "4", "of", "30", "20"]
    assert seconds[-1] == "3"


def test_percentiles_that_hide_a_stall_are_said_to(stalled, tmp_path):
    hint = "percentiles of service times hide stalls"
    text = " ".join(shown(measurement(case(), stalled, plan=CAMERA)).split())
    assert "1 of 2,971 frames over 50 ms" in text
    assert "30 of 3,000 frames had no result in time" in text
    assert hint in text
    assert hint not in " ".join(shown(measurement(case(), paced_run(tmp_path), plan=CAMERA)).split())


def test_a_queue_hides_a_stall_in_the_service_times(tmp_path):
    plan = replace(CAMERA, arrivals=Arrivals(policy="queue"))
    found = stored(measurement(case(), paced_run(tmp_path, plan, **STALLING), plan=plan))["cases"][0]["camera"]
    assert found["arrivals"]["text"] == "30 fps, queue"
    assert found["service"]["p99_ms"] < 6 < 100 < found["response"]["p99_ms"]
    assert (found["back_to_back_late"], found["misses"]["missed"]) == (1, 34)
    assert "P99 15" in found["hint"]


def test_frames_back_to_back_have_no_table_of_a_camera_and_no_field():
    measured = measurement()
    text, found = shown(measured), stored(measured)
    assert not [title for title in (*PACE, *SOAKS, *CASCADES) if title[:12] in text]
    assert "Steadiness" in text
    assert not {"camera", "soak", "cascade"} & set(found["cases"][0])
    assert "soak_ranking" not in found


def test_steadiness_back_to_back_is_not_told_of_a_camera(stalled):
    assert "Steadiness" not in shown(measurement(case(), stalled, plan=CAMERA))
    both = shown(measurement(case(), stalled, plan=CAMERA), measurement(case("int8")))
    assert [row[0] for row in rows_of(both, "Steadiness")] == ["eyes", "int8/ort"]


def test_results_hold_every_figure_and_the_columns_of_the_camera(stalled):
    one = stored(measurement(case(), stalled, plan=CAMERA))["cases"][0]
    camera = one["camera"]
    assert camera["misses"] == {
        "budget_ms": 50.0, "late": 1, "dropped": 29, "missed": 30, "frames": 3000,
        "lower": pytest.approx(0.0072, abs=1e-4), "upper": pytest.approx(0.0135, abs=1e-4),
    }  # fmt: skip
    assert sum(camera["seconds"][0]["completed"]) == 2971
    assert (camera["generator_fault"], camera["backlog"], camera["processes"]) == ("", 0, 1)
    for name, column in stalled.camera.items():
        assert np.array_equal(decode_ns(one["runs"][0]["nanoseconds"][f"camera_{name}"]["data"]), column)


def test_several_processes_are_counted_together_and_the_worst_is_told(stalled, tmp_path):
    clean = paced_run(tmp_path)
    found = stored(measurement(case(), clean, stalled, plan=CAMERA))["cases"][0]["camera"]
    assert (found["processes"], found["response"]["frames"], found["misses"]["frames"]) == (2, 5971, 6000)
    assert found["misses"]["missed"] == 30
    assert found["longest_gap_ms"] > 1000
    assert [one["worst_fps"] for one in found["seconds"]] == [30, 4]


def test_junit_names_the_camera_the_misses_and_their_bounds(stalled):
    told = dict(properties(measurement(case(), stalled, plan=CAMERA)))
    assert told["arrivals"] == "30 fps, drop-stale"
    assert told["deadline_misses"] == "30 of 3000"
    assert float(told["deadline_misses_lower_percent"]) < 1 < float(told["deadline_misses_upper_percent"])
    assert "hide stalls" in told["stalls_hidden"]
    assert not {"arrivals", "soak_minutes", "cascade_execution"} & set(dict(properties(measurement())))


def test_the_figure_of_a_run_has_each_second_and_the_response_beside_the_service(stalled):
    panels = {one.quantity: {line.name: line for line in one.series} for one in timeline(stalled).panels}
    assert list(panels["latency"]) == ["response", "service"]
    assert panels["results"]["results"].values.tolist().count(30) == 98
    assert set(panels["results"]["due"].values) == {30}


def test_a_soak_is_told_minute_by_minute_with_heat_clock_and_memory(soaked):
    text = shown(measurement(case(), soaked[1], plan=SOAK))
    rows = rows_of(text, SOAKS[0])
    assert rows[0] == ["eyes/fp32/ort"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 11)]
    heat, clock = ([float(row[place]) for row in rows[1:]] for place in (6, 7))
    assert heat == sorted(heat)
    assert set(clock) == {2000}
    minutes = stored(measurement(case(), soaked[1], plan=SOAK))["cases"][0]["soak"][0]
    assert [one["number"] for one in minutes] == list(range(1, 11))
    assert SOAKS[1][:7] not in text


def test_a_ranking_that_turns_round_is_told_where_several_cases_ran(soaked):
    measured = measurement(case("int8"), soaked[0], plan=SOAK), measurement(case(), soaked[1], plan=SOAK)
    text = shown(*measured)
    assert [(row[0], row[1], row[4]) for row in rows_of(text, SOAKS[1])] == [
        ("eyes/int8/ort", "1.", "2."), ("eyes/fp32/ort", "2.", "1."),
    ]  # fmt: skip
    assert "the ranking turns round: in minute 1 eyes/int8/ort is quicker" in text
    ranking = stored(*measured)["soak_ranking"]
    assert (ranking["last_minute"], len(ranking["turned"])) == (10, 1)


def test_two_soaks_of_one_build_are_not_said_to_turn_round(soaked):
    measured = [measurement(case(variant), soaked[1], plan=SOAK) for variant in ("fp32", "int8")]
    assert "no pair of cases is proven to have turned round" in shown(*measured)


def test_a_run_shorter_than_ten_minutes_is_no_soak(tmp_path):
    plan = replace(SOAK, minimum_s=580.0)
    assert "Soak, minute" not in shown(measurement(case(), paced_run(tmp_path, plan), plan=plan))


def test_a_cascade_has_a_row_per_stage_in_the_order_of_its_frames():
    text = shown(measurement(case(), cascaded(run(), order=["face", "eyes"])))
    heading, face, eyes = rows_of(text, CASCADES[0])
    assert " ".join(heading) == "eyes/fp32/ort, serial"
    assert face == ["face", "0.400", "12.10", "0.200", "15.00", "1500", "1500", "0", "100"]
    assert eyes == ["eyes", "0.200", "2.100", "-", "3.000", "2900", "0", "100", "25"]
    told = dict(properties(measurement(case(), cascaded(run()))))
    assert (told["cascade_execution"], told["stage_face_p99_ms"], told["stage_eyes_critical_share"]) == (
        "serial", "15", "0.25",
    )  # fmt: skip


@pytest.mark.parametrize("fact", ["damaged", {}, {"stages": {}}, {"execution": "serial"}, None])
def test_a_cascade_that_tells_no_stage_has_no_table(fact):
    known = run()
    odd = replace(known, facts={**known.facts, "cascade": fact})
    assert CASCADES[0] not in shown(measurement(case(), odd))


def test_the_markdown_folds_them_with_their_notes(stalled, soaked):
    measured = measurement(case(), stalled, plan=CAMERA), measurement(case("int8"), cascaded(soaked[0]), plan=SOAK)
    text = markdown(session(*measured))
    for title in (*PACE, SOAKS[0], *CASCADES):
        assert f"<summary>{title} [SIMULATED], " in text
    assert "| eyes/int8/ort/1 |" in text
    assert "hide stalls" in text
