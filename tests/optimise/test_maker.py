"""What a technique is given: no frame that is evaluated on."""

from __future__ import annotations

import pytest

from harness.errors import DatasetError
from harness.optimise.maker import finite, make
from tests.variants.rawmodel import CALIBRATION, raw_model

SAME = '[{table}]\ndataset = {{ path = "frames.y8", labels = "frames.csv" }}\n'


def test_what_is_no_number_is_not_known_in_the_result():
    assert finite({"loss": float("nan"), "trace": (1.0, float("inf")), 3: "x"}) == {
        "loss": None, "trace": [1.0, None], "3": "x",
    }  # fmt: skip


@pytest.fixture
def frames_read(tmp_path):
    """How many frames a technique got of a set, on a card with these further lines."""

    def read(which: str, more: str = CALIBRATION) -> int:
        folder = raw_model(tmp_path / "eyes", evaluated=600, calibrated=900, more=more)
        job = {
            "function": "tests.optimise.techniques:reading", "card": str(folder), "cache": str(tmp_path / "cache"),
            "recipe": {"name": "x", "technique": "reading", "options": {"reads": which}}, "files": {}, "formats": [],
            "engines": [], "frames": 600,
        }  # fmt: skip
        return make(job, tmp_path).facts["frames"]

    return read


def test_frames_that_nobody_evaluates_on_are_given(frames_read):
    assert frames_read("calibration") == 400
    assert frames_read("tuning") == 500


@pytest.mark.parametrize("table", ["calibration", "training"])
def test_frames_that_are_evaluated_on_are_refused_before_a_technique_sees_them(frames_read, table):
    with pytest.raises(DatasetError, match="evaluation"):
        frames_read(table, SAME.format(table=table))
