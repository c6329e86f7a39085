"""A card is checked before anything is measured, also where it says what variants are made with."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.model import read_card
from harness.prepare import check_card
from tests.variants.rawmodel import CALIBRATION, raw_model

TRAINING = CALIBRATION.replace("[calibration]", "[training]")


@pytest.mark.parametrize(
    "more",
    [
        "", CALIBRATION, f"{CALIBRATION}{TRAINING}", '[calibration]\ntensors = "ready.npz"\n',
        '[training]\ndataset = { kind = "cabin", split = "train" }\n',
        '[calibration]\ndataset = { path = "calibration.y8", labels = "", classes = [], truth = "" }\n',
    ],
)  # fmt: skip
def test_a_card_whose_data_sets_take_their_options_is_taken(tmp_path, more):
    check_card(read_card(raw_model(tmp_path / "eyes", more=more)))


@pytest.mark.parametrize("table", ["calibration", "training"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('pth = "other.y8"', "no option called 'pth', did you mean 'path'"),
        ('kind = "rwa"', "no data set kind called 'rwa', did you mean 'raw'"),
        ('kind = "coco", images = "pictures"', "data set kind 'coco' needs the option 'annotations'"),
        ('classes = ["bright", "dark"]', r"\[options\] classes = .* and \[{table}\] dataset classes = .* differ"),
    ],
)
def test_a_wrong_data_set_of_another_table_is_refused_with_its_place(tmp_path, table, options, said):
    card = read_card(raw_model(tmp_path / "eyes", more=f"[{table}]\ndataset = {{ {options} }}\n"))
    with pytest.raises(ConfigError, match=said.replace("{table}", table)) as caught:
        check_card(card)
    assert caught.value.where == f"{card.folder / 'model.toml'}, [{table}] dataset"
