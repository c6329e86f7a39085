"""results.json: every field, strict JSON, and nanoseconds that come back as they were."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import EngineError
from harness.history.traces import traces_of
from harness.metrics import METRICS
from harness.profile import Conditions, Power
from harness.report.environment import Environment, read_environment
from harness.report.nanoseconds import decode_ns, encode_ns
from harness.report.plain import plain
from harness.report.results import SCHEMA_VERSION, results
from harness.telemetry import Channel, empty_trace
from tests.report.builders import MARKS, card, case, measurement, run, score, session, verdict
from tests.traces import RULE, milliwatt, run_of, trace, working

HERE = Environment(
    started="2025-01-02T03:04:05Z", command="pytest suites", host="pc", system="Linux 6", machine="x86_64",
    python="3.11.7", harness="0.1.0",
)  # fmt: skip


def strict(found):
    """As a strict reader sees it."""
    return json.loads(json.dumps(found, allow_nan=False), parse_constant=pytest.fail)


@given(arrays(np.int64, st.integers(0, 50)))
def test_any_nanoseconds_come_back_as_they_were(values):
    assert np.array_equal(decode_ns(encode_ns(values)), values)
    assert decode_ns(encode_ns(values)).dtype == np.int64


@pytest.mark.parametrize("damaged", ["", "AAAA", "not base64!", encode_ns(np.arange(9))[:-8]])
def test_damaged_nanoseconds_are_a_value_error(damaged):
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's own words differ between versions
        decode_ns(damaged)


def test_the_whole_session_is_there_and_is_strict_json():
    known = session(measurement(case("int8"), run(infer_ms=2.0), score=score(96.0), parent_score=score(97.5)))
    known.verdicts += [verdict("FAIL", case("int8"), value=60.0, margin_percent=-20.0)]
    known.errors[case()] = EngineError("no engine", where="here", remedy="install it")
    known.notes.append("a note")
    found = strict(results(known, HERE))
    assert found["schema_version"] == SCHEMA_VERSION
    assert found["environment"]["started"] == "2025-01-02T03:04:05Z"
    assert "commit" not in found["environment"]
    assert found["device"]["runtimes"] == {"ort": {"engine": "onnxruntime"}}
    assert found["plan"]["frames"] == 660
    assert found["summary"]["state"] == "FAIL"
    assert found["notes"] == ["a note"]
    assert found["errors"] == [
        {
            "case": "bench/eyes/fp32/ort",
            "type": "EngineError",
            "what": "no engine",
            "where": "here",
            "remedy": "install it",
        }
    ]
    assert [one["status"] for one in found["cases"]] == ["error", "measured"]
    int8 = found["cases"][1]
    assert int8["parent"] == "bench/eyes/fp32/ort"
    assert int8["score"] == {
        "name": "accuracy", "value": 96.0, "trivial": 52.0, "frames": 2000, "of_frames": 2600,
        "extras": {"recall_open_percent": 96.0},
    }  # fmt: skip
    assert int8["derived"]["accuracy_loss_points"]["value"] == pytest.approx(1.5)
    assert int8["verdicts"] == [
        {"metric": "frame_p99_ms", "value": 60.0, "unit": "ms", "limit": 50.0, "gate": True, "outcome": "FAIL",
         "sentence": "so it is", "margin_percent": -20.0, "rule": "given/1", "inputs": {}, "error_class": ""}
    ]  # fmt: skip
    assert (int8["energy"], int8["condition_faults"], int8["discarded_runs"]) == ([], [], 0)
    assert (int8["runs"][0]["traces"], int8["runs"][0]["trace_columns"]) == ([], {})


def test_the_raw_nanoseconds_of_each_stage_are_those_that_were_measured():
    measured = run(660)
    stored = strict(results(session(measurement(case(), measured)), HERE))["cases"][0]["runs"][0]
    assert set(stored["nanoseconds"]) == {"pre", "infer", "post", "frame", "start", "warmup"}
    for name, column in stored["nanoseconds"].items():
        wanted = {
            **measured.stages,
            "frame": measured.frame_ns,
            "start": measured.start_ns,
            "warmup": measured.warmup_ns,
        }
        assert np.array_equal(decode_ns(column["data"]), wanted[name])
        assert column["count"] == len(wanted[name])
    assert stored["nanoseconds"]["infer"] | {"data": ""} == {
        "count": 660, "min": 5_000_000, "median": 5_000_000.0, "max": 6_000_000, "data": ""
    }  # fmt: skip
    assert np.array_equal(decode_ns(stored["cpu_nanoseconds"]["data"]), measured.cpu_ns)
    assert stored["marks"] == MARKS


def test_the_samples_of_every_sensor_come_back_from_the_file():
    told = trace(
        {milliwatt(resolution=40.0): working(3000, 8000), Channel("temp", "C"): lambda at_s: 40.125 + at_s / 8},
        facts={"power_mode": "15W"}, facts_after={"power_mode": "MAXN"}, reasons={"EAGAIN": 3},
    )  # fmt: skip
    silent = trace(
        {Channel("oc1", "events"): lambda at_s: np.where(at_s < 9, np.nan, 2)}, probe="throttle", ended="died"
    )
    wanted = (told, silent, empty_trace("jtop", "no such service"))
    stored = strict(results(session(measurement(case(), run_of(*wanted))), HERE))["cases"][0]["runs"][0]
    columns = {name: decode_ns(text) for name, text in stored["trace_columns"].items()}
    found = traces_of(stored["traces"], columns)
    assert [one.to_wire() for one in found] == [one.to_wire() for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one.time_ns, other.time_ns)
        np.testing.assert_allclose(one.values, other.values, atol=0.0005)


def test_energy_is_told_per_process_with_its_rule_its_uncertainty_and_its_samples():
    told = run_of(trace({milliwatt(resolution=40.0): working(3000, 8000)}))
    missing = run_of(empty_trace("board", "permission denied"))
    found = strict(results(session(measurement(case(), told, missing, run_of(rule=None))), HERE))["cases"][0]
    energy, reason = found["energy"]
    assert reason == {"reason": "power: permission denied"}
    assert (energy["idle_w"], energy["mean_w"], energy["peak_w"]) == pytest.approx((3, 8, 8))
    assert (energy["gross_mj"], energy["net_mj"]) == pytest.approx((160, 100))
    assert energy["resolved"] is True
    assert 0 < energy["net_u_mj"] < 1
    assert energy["rule"] == {
        "name": "one rail", "probe": "board", "rails": ["VDD_IN"], "scope": "module", "gain_percent": 0.0, "beside": [],
    }  # fmt: skip
    assert energy["received"] >= energy["expected"] > 390
    assert energy["longest_gap_s"] == pytest.approx(0.05)
    assert energy["terms_w"]["quantisation"] == pytest.approx(0.04 / 12**0.5 * 2**0.5)
    assert energy["rail_w"] == pytest.approx({"VDD_IN": 8})


def test_a_peak_that_no_counter_tells_is_absent():
    counter = trace({Channel("package-0", "mJ", 1.0): lambda at_s: 8000 * at_s})
    told = run_of(counter, rule=replace(RULE, rails=("package-0",)))
    (energy,) = strict(results(session(measurement(case(), told)), HERE))["cases"][0]["energy"]
    assert "peak_w" not in energy
    assert energy["mean_w"] == pytest.approx(8)


def test_what_the_profile_asked_and_what_was_not_so_stand_beside_the_numbers():
    hot = run_of(trace({Channel("tj", "C"): 71.0, Channel("oc1", "events"): lambda at_s: at_s > 15}), rule=None)
    wanted = Conditions(power_mode="15W", max_start_c=50)
    known = session(
        measurement(case(), hot, wanted=wanted, discarded=(hot, hot, hot)), conditions=wanted,
        probes={"board": {"kind": "ina3221"}},
        power=Power(rule="one rail", probe="board", rails=("VDD_IN",), scope="module"),
    )  # fmt: skip
    found = strict(results(known, HERE))
    assert found["device"]["conditions"] == {"power_mode": "15W", "max_start_c": 50}
    assert found["device"]["probes"] == {"board": {"kind": "ina3221"}}
    assert found["device"]["power"] == {
        "rule": "one rail", "probe": "board", "rails": ["VDD_IN"], "scope": "module", "gain_percent": 0.0, "beside": [],
        "window_s": 10.0, "idle_s": 5.0,
    }  # fmt: skip
    faults = found["cases"][0]["condition_faults"]
    assert [one.split()[0] for one in faults] == ["power_mode", "power_mode", "temperature", "throttled:"]
    assert found["cases"][0]["discarded_runs"] == 3


def test_every_metric_has_its_unit_and_a_value_or_the_reason_why_not():
    metrics = strict(results(session(measurement(case(), run(40, marks={}))), HERE))["cases"][0]["metrics"]
    assert set(metrics) == set(METRICS)
    assert all(("value" in one) != ("reason" in one) and one["unit"] and one["better"] for one in metrics.values())
    assert metrics["frame_p99_ms"]["reason"] == "needs 299 frames, has 40"
    assert metrics["fps_fluctuation_percent"]["reason"] == "needs 600 frames (20 windows of 30), has 40"
    assert metrics["load_ms"]["reason"] == "this device does not tell"
    assert metrics["frame_p50_ms"]["value"] == pytest.approx(5.3004)


def test_a_metric_of_several_runs_gives_the_median_and_each_run():
    runs = [run(infer_ms=value) for value in (4.0, 6.0, 5.0)]
    metric = results(session(measurement(case(), *runs)), HERE)["cases"][0]["metrics"]["infer_p50_ms"]
    assert metric["value"] == 5.0
    assert metric["per_run"] == [4.0, 6.0, 5.0]


def test_a_case_that_nobody_asked_for_is_named_and_has_no_numbers():
    found = results(session(measurement()), HERE)
    assert [one["key"] for one in found["cases"]] == ["bench/eyes/fp32/ort"]
    assert found["not_asked"] == ["bench/eyes/int8/ort"]


def test_an_untimed_measurement_and_an_empty_session_are_no_error():
    empty = strict(results(session(measurement(case(), run(0)), measurement(case("int8"))), HERE))
    assert "frame" not in empty["cases"][0]["runs"][0]["nanoseconds"]
    assert strict(results(session(), HERE))["cases"] == []


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"a": float("nan"), "b": np.float32("inf"), "c": None, "d": 1.5}, {"d": 1.5}),
        ([float("nan"), np.int64(3), np.bool_(True)], [None, 3, True]),
        (np.array([[1, 2]]), [[1, 2]]),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        ("lone \udc80 surrogate", "lone \\udc80 surrogate"),
        (b"bytes", "b'bytes'"),
    ],
)
def test_any_fact_becomes_strict_json(value, wanted):
    assert strict(plain(value)) == wanted


def test_nan_and_infinity_are_absent_and_never_zero():
    known = session(measurement(case(), run(thermal_c=float("nan")), score=score(float("nan"))))
    known.verdicts.append(verdict("INCONCLUSIVE", value=float("nan"), margin_percent=float("inf")))
    found = strict(results(known, HERE))["cases"][0]
    assert "thermal_c" not in found["runs"][0]["facts"]
    assert "value" not in found["score"]
    assert not {"value", "margin_percent"} & set(found["verdicts"][0])


def test_thirty_cases_of_660_noisy_frames_stay_below_a_megabyte_and_a_half():
    noise = np.random.default_rng(0)
    many = [measurement(case(model=f"m{number}"), _noisy(noise)) for number in range(30)]
    text = json.dumps(results(session(*many, cards=[card(f"m{number}") for number in range(30)]), HERE), indent=1)
    assert len(text) < 1_500_000


def _noisy(noise):
    plain_run = run(660)
    jitter = (noise.lognormal(0, 0.02, 660) * 5e6).astype(np.int64)
    frame = plain_run.frame_ns + jitter
    stages = {**plain_run.stages, "infer": plain_run.stages["infer"] + jitter}
    return type(plain_run)(**{**vars(plain_run), "stages": stages, "frame_ns": frame, "start_ns": np.cumsum(frame)})


def test_the_environment_says_when_in_utc_and_which_harness():
    here = read_environment(0.0, "pytest suites")
    assert here.started == "1970-01-01T00:00:00Z"
    assert here.command == "pytest suites"
    assert here.harness


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    here = read_environment(0.0, "")
    assert here.commit is None
    assert here.dirty is None


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert read_environment(0.0, "").commit is None
