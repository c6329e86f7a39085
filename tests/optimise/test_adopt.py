"""The best variant in the model's own folder and card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.model import read_card
from harness.optimise.adopt import adopt
from tests.optimise.samples import PARENT, made, result, row


@pytest.fixture
def folder(make_model) -> Path:
    return make_model()


@pytest.fixture
def offered(tmp_path):
    """A result in which `quick` is the best of one row, with a file of this content."""

    def offer(content: str = '{"infer_ms": 2.0}', **changes):
        path = tmp_path / "made" / "quick.sim"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        told = made("quick", sim={"path": str(path), "sha256": sha256, "size_bytes": len(content)})
        quick = row("quick", 0.5, runtime="simulated", file_format="sim", **changes)
        return result(row(PARENT, runtime="simulated"), quick, made={"quick": told})

    return offer


def test_files_recipe_and_card_hold_the_new_variant(folder, offered):
    before = (folder / "model.toml").read_text(encoding="utf-8")
    said = adopt(offered(), folder, over=False)
    assert said.startswith("written: variant quick of eyes (sim)")
    variant = read_card(folder).variants["quick"]
    assert variant.parent == PARENT
    assert variant.made == (
        "harness optimize eyes --target host: static (method = minmax), seed 1; see quick.recipe.json"
    )
    assert (folder / variant.files["sim"]).read_text() == '{"infer_ms": 2.0}'
    now = (folder / "model.toml").read_text(encoding="utf-8")
    assert [line for line in before.splitlines() if line not in now.splitlines()] == []


def test_the_recipe_tells_seed_hashes_and_what_was_measured(folder, offered):
    adopt(offered(), folder, over=False)
    told = json.loads((folder / "quick.recipe.json").read_text(encoding="utf-8"))
    assert told["seed"] == 1
    assert told["files"]["sim"]["sha256"] == hashlib.sha256((folder / "quick.sim").read_bytes()).hexdigest()
    assert told["recipes"][0]["options"] == {"method": "minmax"}
    assert told["measured"][0]["speedup"] == 2.0


def test_a_variant_of_that_name_is_refused_and_nothing_is_changed(folder, offered):
    adopt(offered(), folder, over=False)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="--replace"):
        adopt(offered('{"infer_ms": 1.0}'), folder, over=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_it_is_replaced_where_that_is_asked_for(folder, offered):
    adopt(offered(), folder, over=False)
    adopt(offered('{"infer_ms": 1.0}'), folder, over=True)
    assert (folder / "quick.sim").read_text() == '{"infer_ms": 1.0}'
    assert list(read_card(folder).variants) == [PARENT, "int8", "quick"]


def test_the_very_same_files_are_not_written_again(folder, offered):
    adopt(offered(), folder, over=False)
    assert "in the card already, the very same files" in adopt(offered(), folder, over=False)


def test_without_a_best_row_nothing_is_written(folder, offered):
    before = sorted(folder.iterdir())
    assert adopt(offered(refused="frame_p99_ms"), folder, over=False).startswith("no variant was written")
    assert sorted(folder.iterdir()) == before


def test_an_engine_option_is_no_variant(folder):
    entry = row("bf16", 0.5, runtime="openvino-bf16", beside="openvino", entry=True)
    found = result(row(PARENT, runtime="openvino"), entry)
    assert "openvino-bf16 is an entry for the device profile" in adopt(found, folder, over=False)


@pytest.mark.parametrize(
    "change", [{"refused": "accuracy_loss_points"}, {"refused": "outputs_alive"}, {"verdicts": ()}]
)
def test_a_format_that_is_not_proven_is_not_handed_on(folder, offered, tmp_path, change):
    good = offered()
    other = row("quick", 0.9, runtime="litert", file_format="tflite", **change)
    files = {**good.made["quick"]["files"], "tflite": {"path": str(tmp_path / "x"), "sha256": "", "size_bytes": 0}}
    both = replace(good, rows=(*good.rows, other), made={"quick": {**good.made["quick"], "files": files}})
    adopt(both, folder, over=False)
    assert list(read_card(folder).variants["quick"].files) == ["sim"]


def test_a_format_that_no_runtime_measured_is_not_handed_on(folder, offered, tmp_path):
    good = offered()
    files = {**good.made["quick"]["files"], "pte": {"path": str(tmp_path / "x"), "sha256": "", "size_bytes": 0}}
    adopt(replace(good, made={"quick": {**good.made["quick"], "files": files}}), folder, over=False)
    assert list(read_card(folder).variants["quick"].files) == ["sim"]


def test_a_card_that_cannot_be_edited_as_text_is_left_as_it_is(folder, offered):
    card = folder / "model.toml"
    text = card.read_text(encoding="utf-8")
    head, _, rest = text.partition("[variants.fp32]")
    budgets = rest[rest.index("[budgets]") :]
    card.write_text(f'variants = {{ fp32 = {{ files = {{ sim = "fp32.sim" }} }} }}\n{head}{budgets}', encoding="utf-8")
    before = card.read_bytes()
    with pytest.raises(ConfigError, match="by hand"):
        adopt(offered(), folder, over=False)
    assert card.read_bytes() == before
