"""Which candidates are tried on which target."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.optimise.candidates import (
    CANDIDATES,
    ENGINE_OPTIONS,
    chosen,
    entries_for,
    formats_for,
    known,
    recipe_of,
    with_entry,
)
from harness.profile import read_profile
from harness.runtimes import runtime_class
from harness.variants import TECHNIQUES

BY_NAME = {one.name: one for one in CANDIDATES}
ALL_FILES = {"onnx": "a", "tflite": "b", "pte": "c", "pt2": "d"}


@pytest.fixture
def profile(checkout):
    return lambda name: read_profile(name, checkout / "devices")


def test_every_candidate_names_a_technique_and_a_parent_before_it():
    before = {"fp32"}
    for one in CANDIDATES:
        assert one.technique in TECHNIQUES
        assert one.parent in before, f"{one.name} is made from {one.parent}"
        before.add(one.name)


def test_every_name_is_used_once():
    assert len(known()) == len(CANDIDATES) + len({one.name for one in ENGINE_OPTIONS})


def test_every_engine_option_is_one_that_its_engine_takes():
    for one in ENGINE_OPTIONS:
        runtime_class(one.engine)("model", **{one.option: one.value})


@pytest.mark.parametrize(
    ("device", "candidate", "formats"),
    [
        ("host", "int8-minmax", ("onnx", "tflite")), ("host", "simplified", ("onnx",)),
        ("host-all", "int8-minmax", ("onnx", "tflite", "pte")), ("coral", "fp16", ("tflite",)),
        ("coral", "simplified", ()), ("orin", "int8-entropy", ("onnx",)), ("simulated", "int8-minmax", ()),
    ],
)  # fmt: skip
def test_a_candidate_is_made_in_the_formats_that_the_target_takes(profile, device, candidate, formats):
    assert formats_for(profile(device), BY_NAME[candidate], ALL_FILES) == formats


def test_a_format_that_the_parent_lacks_is_not_made(profile):
    assert formats_for(profile("host"), BY_NAME["int8-minmax"], {"tflite": "a"}) == ("tflite",)


def test_bf16_is_a_further_entry_for_the_parents_own_file(profile):
    host = profile("host")
    ((runtime, entry, option),) = entries_for(host, ENGINE_OPTIONS)
    assert (runtime, entry) == ("openvino", "openvino-bf16")
    both = with_entry(host, runtime, entry, option)
    assert dict(both.runtimes["openvino"]) == {"engine": "openvino", "threads": 1, "precision": "f32"}
    assert dict(both.runtimes["openvino-bf16"]) == {"engine": "openvino", "threads": 1, "precision": "bf16"}


def test_an_entry_that_has_the_precision_already_needs_no_other(profile):
    host = profile("host")
    bf16 = host.model_copy(update={"runtimes": {"openvino": {"precision": "bf16"}}})
    assert list(entries_for(bf16, ENGINE_OPTIONS)) == []


def test_what_a_named_candidate_is_made_from_is_tried_too():
    assert [one.name for one in chosen("pruned-int8").candidates] == ["pruned", "pruned-int8"]


def test_nothing_named_is_everything():
    everything = chosen("")
    assert everything.candidates == CANDIDATES
    assert everything.options == ENGINE_OPTIONS


def test_an_unknown_candidate_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="no candidate called 'int8-minimax', did you mean 'int8-minmax'") as caught:
        chosen("qat,int8-minimax")
    assert caught.value.where == "--candidates"


def test_the_search_for_mixed_precision_is_given_what_may_be_lost():
    assert recipe_of(BY_NAME["mixed"], 7, 0.5).options["accuracy_loss_points"] == 0.5
    assert recipe_of(BY_NAME["int8-minmax"], 7, 0.5).options == {"method": "minmax"}


def test_recipes_of_the_same_candidate_have_one_key_for_one_seed():
    assert recipe_of(BY_NAME["qat"], 1, 1.0).key == recipe_of(BY_NAME["qat"], 1, 1.0).key
    assert recipe_of(BY_NAME["qat"], 1, 1.0).key != recipe_of(BY_NAME["qat"], 2, 1.0).key
    assert len({recipe_of(one, 1, 1.0).key for one in CANDIDATES}) == len(CANDIDATES)
