"""One more variant in a card's text, and nothing else touched."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.optimise.cardtext import with_variant

FILES = {"onnx": "int8.onnx", "tflite": "int8.tflite"}
CARD = """# The eye.
task = "classification"   # open or closed

[input]
width = 96
height = 96

[variants.fp32]
made = "trained"
files = { onnx = "fp32.onnx" }

# What nobody may break.
[budgets]
accuracy_min_percent = 94.0
"""


def added(text: str, name: str = "int8", made: str = "by hand") -> str:
    found = with_variant(text, name, FILES, "fp32", made)
    before, now = tomllib.loads(text), tomllib.loads(found)
    assert now["variants"].pop(name) == {"parent": "fp32", "made": made, "files": FILES}
    before.get("variants", {}).pop(name, None)
    assert now == before
    return found


def test_the_new_variant_stands_behind_the_others_and_comments_stay():
    assert added(CARD) == CARD.replace(
        "\n# What nobody",
        '\n[variants.int8]\nparent = "fp32"\nmade = "by hand"\n'
        'files = { onnx = "int8.onnx", tflite = "int8.tflite" }\n\n# What nobody',
    )


def test_a_card_that_ends_with_its_variants_gets_it_at_the_end():
    text = CARD[: CARD.index("\n# What nobody")]
    assert added(text).startswith(text)


def test_a_variant_of_the_same_name_is_replaced_with_its_sub_tables():
    old = (
        CARD + '\n[variants.int8]\nmade = "before"\n\n[variants.int8.files]\nonnx = "old.onnx"\n\n# Mine.\n[options]\n'
    )
    found = added(old)
    assert "before" not in found
    assert "# Mine.\n[options]" in found
    assert added(found, made="again").count("[variants.int8]") == 1


@pytest.mark.parametrize(
    "text",
    [
        'note = """\n[variants.fake]\n[budgets]\n"""\n' + CARD,
        CARD.replace("[input]", "[ input ]  # ours").replace("[variants.fp32]", '[ "variants" . "fp32" ]'),
        CARD.replace("\n", "\r\n"),
        CARD + "\n[[options.list]]\na = 1\n",
        'shapes = [\n  ["a"],\n  ["b"]\n]\n' + CARD,
    ],
    ids=["a header in a text", "spaces and quotes", "other line ends", "an array of tables", "lists like headers"],
)
def test_strange_cards_keep_all_that_they_say(text):
    added(text)


@pytest.mark.parametrize("name", ["int8", "int8.1", "8", "a_b-c.d", "int8-percentile"])
def test_every_name_that_a_variant_may_have_is_written_right(name):
    added(CARD, name=name)
    added(added(CARD, name=name), name=name)


@given(st.text(max_size=30))
def test_any_sentence_is_kept_as_it_is(made):
    added(CARD, made=made)


@pytest.mark.parametrize(
    "text", ['variants = { fp32 = { files = { onnx = "a.onnx" } } }\n', "[variants]\n[variants.fp32"]
)
def test_a_card_that_cannot_be_edited_as_text_is_refused(text):
    with pytest.raises(ValueError, match=r"nowhere|Expected|nvalid"):
        with_variant(text, "int8", FILES, "fp32", "by hand")
