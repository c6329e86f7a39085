"""A case at the camera's pace through the whole of pytest: what it is asked, what it keeps, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.case import Arrivals
from harness.fingerprint import identity_of
from harness.report.nanoseconds import decode_ns
from tests.simulated import simulated_device
from tests.workspace import Workspace

SHORT = ("--device=simulated", "--plan=smoke", "-k", "fp32")


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "repository")
    made.without_power()
    return made


def outcomes(done, metric):
    return [one["outcome"] for one in done.verdicts(metric) if one["gate"]]


def test_a_camera_sends_the_frames_of_a_case(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--plan=camera", "-k", "fp32 and (camera or latency)")
    assert done.status == 0, done.output
    for metric in ("response_p99_ms", "camera_utilisation_percent", "fps_mean", "fps_fluctuation_percent"):
        assert set(outcomes(done, metric)) == {"PASS"}, metric
    (measured,) = done.measured()
    (run,) = measured["runs"]
    columns = {name: decode_ns(run["nanoseconds"][f"camera_{name}"]["data"]) for name in ("index", "due_ns")}
    assert columns["index"].tolist() == list(range(3000))
    assert np.diff(columns["due_ns"]) == pytest.approx(1e9 / 30, abs=1)
    assert run["facts"]["arrivals"] == {"fps": 30.0, "policy": "drop-stale", "timestamps": []}


def test_a_model_slower_than_the_camera_fails_by_its_drops_though_each_frame_takes_less_than_the_budget(workspace):
    workspace.add_simulated(infer_ms=40)
    done = workspace.pytest("--device=simulated", "--plan=camera", "-k", "fp32 and (camera or latency)")
    assert done.status == 1
    (busy,) = done.verdicts("camera_utilisation_percent")
    assert busy["outcome"] == "FAIL"
    assert "is over 100 % (the camera's pace, 30 fps)" in busy["sentence"]
    assert set(outcomes(done, "response_p99_ms")) == {"FAIL"}
    (fps,) = done.verdicts("fps_mean")
    assert fps["sentence"].startswith("2")
    assert "of 30 fps that the camera sends, 1 % may miss" in fps["sentence"]


def test_a_rate_a_policy_and_a_recording_may_be_given(workspace):
    workspace.add_simulated()
    (workspace.folder / "drive.csv").write_text("timestamp_ms\n0\n30\n71\n99\n")
    for text, arrivals in (
        ("60:queue", {"fps": 60.0, "policy": "queue", "timestamps": []}),
        ("drive.csv", {"fps": 0.0, "policy": "drop-stale", "timestamps": [0, 30_000_000, 71_000_000, 99_000_000]}),
    ):
        done = workspace.pytest(*SHORT, f"--camera={text}", "--history=none")
        assert done.status == 0, done.output
        assert done.measured()[0]["runs"][0]["facts"]["arrivals"] == arrivals


WRONG = {
    "0": "fps = 0.0 is no rate of a camera",
    "-30:queue": "fps = -30.0 is no rate of a camera",
    "30:newest": "'30:newest' is neither a rate nor a file with timestamps",
    "nothing.csv": "'nothing.csv' is neither a rate nor a file with timestamps",
    "back.csv": "the timestamp is 20 ms before the one ahead of it",
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items(), ids=WRONG)
def test_a_camera_that_cannot_be_is_refused_before_anything_is_measured(workspace, text, sentence):
    workspace.add_simulated()
    (workspace.folder / "back.csv").write_text("timestamp_ms\n0\n33\n13\n")
    done = workspace.pytest(*SHORT, f"--camera={text}", "--history=none")
    assert done.status == 4, done.output
    assert sentence in done.output


def test_without_a_camera_nothing_is_asked_about_one(workspace):
    workspace.add_simulated()
    done = workspace.pytest(*SHORT, "--history=none")
    assert done.status == 0
    assert not done.verdicts("response_p99_ms")


def test_a_camera_another_camera_and_no_camera_are_three_experiments(make_job, measured, quick):
    cameras = (None, Arrivals(), Arrivals(60.0))
    jobs = [make_job(plan=replace(quick, arrivals=one)) for one in cameras]
    without, *others = (identity_of(one, simulated_device(), measured(one)) for one in jobs)
    assert "arrivals" not in without
    assert len({one.pop("arrivals") for one in others}) == 2
    assert others == [without, without]
