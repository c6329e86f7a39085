"""What makes a kept step another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.case import Case
from harness.model import ModelCard, read_card
from harness.optimise.candidates import recipe_of
from harness.optimise.journal import digest
from harness.optimise.keys import contents_of, making_key, measuring_key
from harness.optimise.made import MadeFile, techniques_digest
from harness.optimise.measuring import Subject
from harness.optimise.wanted import Wanted
from tests.optimise.techniques import candidate
from tests.variants.rawmodel import CALIBRATION, raw_model

TENSORS = '[calibration]\ntensors = "ready.npy"\n'
NETS = f'{CALIBRATION}[training]\nnet = "nets:eyes"\n'


@pytest.fixture
def model(tmp_path) -> Callable[..., ModelCard]:
    """A card over small recordings."""
    return lambda more=CALIBRATION: read_card(raw_model(tmp_path / "eyes", more=more))


def keys(wanted: Wanted, card: ModelCard) -> dict[str, str]:
    """Of making a candidate and of measuring the parent, as short texts."""
    contents, parent = contents_of(card), MadeFile.read(card.file("fp32", "sim"))
    recipe = recipe_of(candidate("quick"), 1, 1.0)
    subject = Subject(candidate="fp32", card=card, profile=wanted.profile, variant="fp32", runtime="simulated")
    told: dict[str, Any] = {
        "making": making_key(wanted, card, recipe, {"sim": parent}, ("sim",), contents),
        "measuring": measuring_key(wanted, subject, {"fp32": parent.sha256}, contents),
    }  # fmt: skip
    return {name: digest(one) for name, one in told.items()}


@pytest.mark.parametrize(
    ("more", "file", "changed"),
    [
        (CALIBRATION, "eyes/frames.y8", {"making", "measuring"}),
        (CALIBRATION, "eyes/frames.csv", {"making", "measuring"}),
        (CALIBRATION, "eyes/calibration.y8", {"making"}),
        (TENSORS, "eyes/ready.npy", {"making"}),
        (NETS, "nets.py", {"making"}),
        (CALIBRATION, "elsewhere.py", set()),
    ],
)
def test_a_file_that_decides_a_step_is_in_its_key(wanted, model, tmp_path, more, file, changed):
    asked, card, path = wanted(root=tmp_path), model(more), tmp_path / file
    path.write_bytes(path.read_bytes() if path.exists() else b"first")
    before = keys(asked, card)
    assert keys(asked, card) == before
    content = path.read_bytes()
    path.write_bytes(content.replace(b"s1", b"s2") if b"s1" in content else bytes([content[0] ^ 1]) + content[1:])
    after = keys(asked, card)
    assert {name for name in before if after[name] != before[name]} == changed


def test_frames_that_cannot_be_read_are_left_to_whoever_needs_them(model):
    card = model('[calibration]\ntensors = "absent.npy"\n')
    assert contents_of(card).keys() == {"dataset"}


def test_the_case_of_another_variant_has_another_key(wanted, model):
    asked, card = wanted(), model()
    subject = Subject(candidate="a", card=card, profile=asked.profile, variant="fp32", runtime="simulated",
                      reference=Case("simulated", card.name, "fp32", "simulated"))  # fmt: skip
    alone = Subject(candidate="a", card=card, profile=asked.profile, variant="fp32", runtime="simulated")
    assert measuring_key(asked, subject, {}, {}) != measuring_key(asked, alone, {}, {})


@pytest.mark.parametrize("place", ["static.py", "quantise/static.py", "quantise/deeper/static.py"])
def test_a_technique_counts_in_whatever_room_it_stands(tmp_path: Path, place):
    for one in ("static.py", "quantise/static.py", "quantise/deeper/static.py"):
        (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one).write_text("first", encoding="utf-8")
    before = techniques_digest(tmp_path)
    (tmp_path / place).write_text("second", encoding="utf-8")
    assert techniques_digest(tmp_path) != before
