"""results.json: every field, strict JSON, and nanoseconds that come back as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import EngineError
from harness.metrics import METRICS
from harness.report.environment import Environment, read_environment
from harness.report.nanoseconds import decode_ns, encode_ns
from harness.report.plain import plain
from harness.report.results import SCHEMA_VERSION, results
from tests.report.builders import MARKS, card, case, measurement, run, score, session, verdict

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
         "sentence": "so it is", "margin_percent": -20.0, "rule": "given/1", "inputs": {}}
    ]  # fmt: skip


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
