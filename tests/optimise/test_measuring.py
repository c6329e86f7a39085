"""One candidate on one runtime, and what a reader must know of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.case import Case
from harness.errors import HarnessError
from harness.optimise.measuring import Subject, beside_parent, measure
from harness.optimise.remarks import float_remarks
from harness.optimise.speedup import beside_reference
from harness.plans import PLANS
from tests.optimise.samples import row


@pytest.fixture
def subject(card, wanted, tmp_path):
    """A variant of the simulated model with these values in its file, and what is wanted of it."""

    def make(**behaviour):
        path = tmp_path / "quick.sim"
        said = json.loads(card.file("fp32", "sim").read_text())
        path.write_text(json.dumps({**said, **behaviour}), encoding="utf-8")
        asked = wanted()
        return asked, Subject(
            candidate="quick", card=beside_parent(card, "quick", {"sim": str(path)}), profile=asked.profile,
            variant="quick", runtime="simulated", reference=Case("simulated", card.name, "fp32", "simulated"),
        )  # fmt: skip

    return make


def test_a_row_that_was_timed_beside_other_load_is_marked(subject):
    assert measure(*subject(background_share=0.3)).disturbed


def test_a_variant_that_the_engine_refuses_is_an_error_with_its_words(subject):
    with pytest.raises(HarnessError, match="the simulated engine refuses the model"):
        measure(*subject(fault="refuse"))


def test_a_limit_that_cannot_be_judged_is_not_green(subject):
    wanted, asked = subject()
    found = measure(replace(wanted, plan=replace(wanted.plan, judges_speed=False)), asked)
    assert not any(one.passed for one in found.gates_on("frame_p99_ms"))


def test_a_plan_that_judges_no_speed_gives_no_speed_up(subject):
    wanted, asked = subject()
    found = beside_reference(replace(wanted, plan=PLANS["smoke"]), asked)
    assert found.wall is None
    assert "never judges speed" in found.reason


@pytest.mark.parametrize(
    ("share", "integer", "said"),
    [
        (None, True, "that they are integers is not shown"),
        (100.0, True, "runs in float: 100 % of the layers"),
        (30.0, True, "partly in float: 30 %"),
        (8.0, True, ""),
        (100.0, False, ""),
        (None, False, ""),
    ],
)
def test_integers_that_run_in_float_are_told(share, integer, said):
    values = {} if share is None else {"float32_share_percent": share}
    found = list(float_remarks(row("int8", values=values), integer))
    assert len(found) == bool(said)
    assert said in "".join(found)
