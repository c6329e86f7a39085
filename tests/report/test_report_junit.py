"""JUnit properties: metrics and facts as strings that any XML reader takes."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest

from harness.report.junit import properties, score_properties
from tests.report.builders import case, measurement, run, score


def test_metrics_and_facts_are_named_with_their_units():
    known = properties(measurement(case("int8"), score=score(96.0), device_memory_mb=220.0))
    found = dict(known)
    wanted = {
        "case": "bench/eyes/int8/ort", "plan": "standard", "simulated": "false", "engine": "onnxruntime",
        "engine_version": "1.2.3", "precision": "fp32", "threads": "1", "placement": "CPU 1", "model_sha256": "ab" * 32,
        "steady": "true", "infer_p50_ms": "5", "load_ms": "120", "peak_memory_mb": "110", "fps_mean": "188.611",
        "memory_share_percent": "50",
    }  # fmt: skip
    assert wanted.items() <= found.items()
    assert len(found) == len(known)
    assert not [name for name in found if name.startswith(("score_", "accuracy_"))]


def test_scores_are_named_with_their_units_and_how_many_frames_they_rest_on():
    known = score_properties(measurement(case("int8"), score=score(96.0), parent_score=score(97.5)))
    assert dict(known) == {
        "accuracy_min_percent": "96", "accuracy_loss_points": "1.5", "score_name": "accuracy", "score_percent": "96",
        "score_trivial_percent": "52", "score_frames": "2000 of 2600", "score_recall_open_percent": "96",
    }  # fmt: skip
    assert len(known) == len(dict(known))


def test_what_no_score_tells_is_no_property():
    assert score_properties(measurement()) == []
    assert "accuracy_loss_points" not in dict(score_properties(measurement(score=score())))
    assert "score_percent" not in dict(score_properties(measurement(score=score(float("nan")))))


@pytest.mark.parametrize("absent", ["frame_p99_ms", "load_ms", "memory_share_percent"])
def test_what_was_not_measured_is_no_property(absent):
    assert absent not in dict(properties(measurement(case(), run(40, marks={}))))


@pytest.mark.parametrize("made", [{"simulated": True}, {"runs": (run(simulated=True),)}])
def test_simulated_numbers_say_so(made):
    runs = made.pop("runs", ())
    assert dict(properties(measurement(case(), *runs, **made)))["simulated"] == "true"


def test_a_measurement_without_runs_has_no_metrics():
    empty = type(measurement())(case=case(), plan=measurement().plan, runs=())
    assert [name for name, _ in properties(empty)] == ["case", "plan", "simulated"]


def test_hostile_facts_are_well_formed_xml():
    hostile = "\x00\x1b[31m]]><script>\u202e\ud800\ufffe\n&\"'"
    found = properties(measurement(case(model=hostile), run(version=hostile, placement={hostile: 1.0})))
    xml = "".join(f"<property name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in found)
    assert len(ElementTree.fromstring(f"<properties>{xml}</properties>")) == len(found)
    assert all(name.isprintable() and value.isprintable() for name, value in found)
