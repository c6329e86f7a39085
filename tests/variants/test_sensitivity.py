"""Each layer alone in INT8: the guilty one is found, chance ranks nothing, and what was measured is not lost."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from harness.errors import ConfigError, HarnessError
from harness.variants.commands import add_layers_command, add_sensitivity_command
from harness.variants.onnxfile.static import quantise
from harness.variants.study.effects import Effect
from harness.variants.study.graphs import graph_reader
from harness.variants.study.sensitivity import LayerSensitivity, ranked, sensitivity
from harness.variants.study.sensitivitytext import plot, text_of
from tests.variants import brightness, eyes_tflite

RECIPE = brightness.recipe("int8")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A bench whose second layer has an outlier, and its ranking."""
    bench = brightness.bench(tmp_path_factory.mktemp("planted") / "model", outlier="second")
    return bench, sensitivity(RECIPE, bench, ignored)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    bench = brightness.bench(tmp_path_factory.mktemp("sound") / "model", tuning=60)
    return bench, sensitivity(RECIPE, bench, ignored)


def ignored(sentence: str) -> None:
    """Nobody listens."""


def effect(loss_points: float, low_points: float | None, sqnr_db: float | None) -> Effect:
    return Effect(frames=100, loss_points=loss_points, low_points=low_points, high_points=None, flips=1,
                  sqnr_db=sqnr_db, cosine=None)  # fmt: skip


def layer(name: str, found: Effect | None) -> LayerSensitivity:
    return LayerSensitivity(layer=name, operator="Conv", effect=found, why="" if found else "no file")


def test_the_layer_with_the_outlier_is_found_first_and_alone(planted):
    _, ranking = planted
    assert ranking[0].layer == "second"
    assert ranking[0].effect.low_points > 5
    assert ranking[0].effect.flips > 15
    assert [one.layer for one in ranking if one.effect.proven_points > 0] == ["second"], (
        "the third takes the outlier, and is not charged with it"
    )


def test_every_quantisable_layer_is_measured_once(planted):
    _, ranking = planted
    assert sorted(one.layer for one in ranking) == sorted(brightness.LAYERS)
    assert {one.operator for one in ranking} == {"Conv+Relu", "GlobalAveragePool", "Gemm"}
    assert {one.effect.frames for one in ranking} == {300}


def test_without_a_proven_loss_the_noise_ranks(sound):
    _, ranking = sound
    noise = [one.effect.sqnr_db for one in ranking]
    assert noise == sorted(noise)
    assert all(one.effect.proven_points == 0 for one in ranking)
    assert "no layer alone is proven to lose accuracy" in text_of(ranking, "onnx")


@pytest.mark.parametrize(
    "order",
    [
        (layer("proven", effect(3.0, 1.0, 30.0)), layer("noisy", effect(0.0, -1.0, 10.0))),
        (layer("more", effect(3.0, 2.0, 30.0)), layer("less", effect(9.0, 1.0, 10.0))),
        (layer("noisy", effect(-0.5, -1.0, 10.0)), layer("clean", effect(0.5, -1.0, 40.0))),
        (layer("told", effect(0.0, None, 40.0)), layer("untold", None)),
        (layer("no numbers", effect(0.0, None, None)), layer("clean", effect(0.0, None, 40.0))),
        (layer("one", effect(0.0, 0.0, 9.0)), layer("like it", effect(0.0, 0.0, 9.0))),
    ],
)
def test_what_is_proven_ranks_before_noise_and_the_unmeasured_is_last(order):
    assert [one.layer for one in ranked(order)] == [one.layer for one in order]
    if order[0].layer != "one":
        assert [one.layer for one in ranked(order[::-1])] == [one.layer for one in order]


def test_what_was_measured_is_kept_and_the_rest_is_gone_on_with(planted):
    bench, ranking = planted
    said: list[str] = []
    assert sensitivity(RECIPE, bench, said.append) == ranking
    assert said == []
    (path,) = (bench.cache / "sensitivity").glob("*.json")
    kept = json.loads(path.read_text())
    del kept["third"]
    path.write_text(json.dumps(kept))
    assert sensitivity(RECIPE, bench, said.append) == ranking
    assert said == ["model: layer 3/5 alone in INT8"]


def test_a_damaged_file_of_kept_results_is_measured_anew_with_the_time_left(sound):
    bench, ranking = sound
    (path,) = (bench.cache / "sensitivity").glob("*.json")
    path.write_text(path.read_text()[:-20])
    said: list[str] = []
    assert sensitivity(RECIPE, bench, said.append) == ranking
    assert [one.partition(",")[0] for one in said] == [
        f"model: layer {number}/5 alone in INT8" for number in range(1, 6)
    ]
    assert all(", about " in one and one.endswith(" left") for one in said[1:])


def test_other_options_or_frames_are_measured_of_their_own(sound):
    bench, _ = sound
    said: list[str] = []
    options = brightness.recipe(exclude=[*brightness.LAYERS[1:]], per_channel=False)
    assert [one.layer for one in sensitivity(options, bench, said.append)] == ["first"]
    fewer = replace(bench, frames=replace_tuning(bench.frames, 30))
    sensitivity(options, fewer, said.append)
    assert len(said) == 2


def test_other_labels_of_the_same_pictures_are_measured_of_their_own(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=20)
    recipe = brightness.recipe(exclude=[*brightness.LAYERS[1:]])
    tuning = replace(bench.frames.tuning, truths=tuple(1 - one for one in bench.frames.tuning.truths))
    frames = type(bench.frames)(calibration=bench.frames.calibration, tuning=tuning)
    said: list[str] = []
    for one in (bench, bench, replace(bench, frames=frames)):
        sensitivity(recipe, one, said.append)
    assert len(said) == 2


def test_results_that_cannot_be_kept_are_a_sentence(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=5)
    (tmp_path / "full").write_text("a file where a folder is to be made")
    blocked = replace(bench, cache=tmp_path / "full")
    with pytest.raises(ConfigError, match=r"cannot be kept: Not a directory .*full"):
        sensitivity(RECIPE, blocked, ignored)


def replace_tuning(frames, count):
    return type(frames)(calibration=frames.calibration, tuning=frames.tuning.part(range(count), "tuning"))


def test_where_a_scheme_rounds_what_layers_take_the_reader_bears_the_outlier(tmp_path):
    bench = brightness.bench(tmp_path / "model", outlier="second", engine="tensorrt", tuning=60)
    ranking = sensitivity(brightness.recipe(exclude=["first", "pool", "head"]), bench, ignored)
    assert [one.layer for one in ranking] == ["third", "second"]
    assert ranking[0].effect.sqnr_db < 10 < 20 < ranking[1].effect.sqnr_db


def test_a_net_without_quantisable_layers_is_refused(tmp_path):
    bench = brightness.bench(tmp_path / "model")
    with pytest.raises(ConfigError, match="there is no layer to quantise among Conv"):
        sensitivity(brightness.recipe(exclude=list(brightness.LAYERS)), bench, ignored)


def test_a_layer_that_is_none_is_refused_and_not_called_unmeasured(tmp_path):
    bench = brightness.bench(tmp_path / "model", tuning=5)
    with pytest.raises(ConfigError, match="no layer called 'fifth'"):
        sensitivity(brightness.recipe(exclude=["fifth"]), bench, ignored)


def test_a_parent_without_a_suitable_file_is_refused(tmp_path):
    bench = replace(brightness.bench(tmp_path / "model"), formats=("pte",))
    with pytest.raises(ConfigError, match="the parent has onnx, and the target takes pte"):
        sensitivity(RECIPE, bench, ignored)


def test_a_layer_without_an_int8_form_is_not_measured_and_says_why(tmp_path):
    """The mean of a TFLite file follows what it takes, which alone is float."""
    pytest.importorskip("ai_edge_quantizer")
    bench = eyes_tflite.bench(tmp_path)
    bench = replace(bench, files={"tflite": bench.parent("tflite")})
    bench.frames.tuning = replace(bench.frames.calibration, truths=(np.zeros((1, 1), np.float32),) * 6)
    layers = [one for one in graph_reader("tflite").layers(bench.parent("tflite")) if one.quantisable]
    kept = [one.name for one in layers if one.operator not in ("MEAN", "FULLY_CONNECTED")]
    ranking = sensitivity(brightness.recipe(exclude=kept), bench, ignored)
    assert [one.operator for one in ranking] == ["FULLY_CONNECTED", "MEAN"]
    assert ranking[0].effect.sqnr_db > 20
    assert "no layer of it was quantised" in ranking[1].why


def test_a_layer_that_could_not_be_measured_is_told_and_never_called_sound():
    text = text_of([layer("lost", None)], "tflite")
    assert "lost   Conv      -" in text
    assert "not measured: no file" in text
    assert "0 of 1 layers measured, each alone in INT8: its weights, what it gives and what it takes" in text
    assert text.endswith("nothing was measured")


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_figure_is_the_same_to_the_last_byte(ending, planted, tmp_path):
    pytest.importorskip("matplotlib")
    _, ranking = planted
    drawn = [plot(ranking, "a title", tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "other")]
    assert drawn[0] == drawn[1]
    if ending == "svg":
        assert all(name.encode() in drawn[0] for name in (*brightness.LAYERS, "a title", "SQNR of the outputs"))


def test_a_figure_of_nothing_or_of_another_kind_is_refused(planted, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(HarnessError, match="no layer was measured"):
        plot([layer("lost", None)], "", tmp_path / "one.svg")
    with pytest.raises(HarnessError, match=r"no figure can be made as \.gif"):
        plot(planted[1], "", tmp_path / "one.gif")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, checkout):
    """Where the commands are called: a device, and a model whose second layer has an outlier."""
    root = tmp_path_factory.mktemp("workspace")
    (root / "devices").mkdir()
    shutil.copy(checkout / "devices" / "host.toml", root / "devices")
    folder = brightness.model(root / "suites" / "models" / "eyes", outlier="second", calibrated=420)
    bench = brightness.bench(root / "aside", outlier="second")
    path, _ = quantise(brightness.recipe("int8"), bench)
    shutil.copy(path, folder / "int8.onnx")
    return root


@pytest.fixture
def command(workspace, monkeypatch):
    """Calls one of the two commands; its text and status."""
    monkeypatch.chdir(workspace)

    def call(*arguments: str) -> tuple[str, int]:
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        add_sensitivity_command(commands, ignored)
        add_layers_command(commands, ignored)
        parsed = parser.parse_args(arguments)
        answer = parsed.command(parsed)
        return (answer, 0) if isinstance(answer, str) else answer

    return call


def test_the_sensitivity_command_ranks_draws_and_writes(command, workspace):
    pytest.importorskip("matplotlib")
    text, status = command("sensitivity", "eyes", "--frames", "20", "--plot", "one.svg", "--json", "one.json")
    assert status == 0
    assert text.splitlines()[1].split()[0] == "second"
    assert (workspace / "one.svg").read_bytes().startswith(b"<?xml")
    told = json.loads((workspace / "one.json").read_text())
    assert (told["model"], told["format"], told["layers"][0]["layer"]) == ("eyes", "onnx", "second")


def test_the_layers_command_names_the_first_layer_outside_and_is_not_green(command, workspace):
    text, status = command("layers", "eyes", "int8", "--frames", "5", "--json", "layers.json")
    assert status == 1
    assert "second is the first layer outside the tolerance" in text
    assert json.loads((workspace / "layers.json").read_text())["first_outside"] == "second"
    assert command("layers", "eyes", "int8", "--frames", "5", "--sqnr", "-150", "--cosine", "-1")[1] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("layers", "eyes", "int4"), "no variant called 'int4'"),
        (("layers", "eyes", "fp32"), "the card names no parent of fp32"),
        (("layers", "eyes", "int8", "--runtime", "litert"), "fp32 and int8 have no file in common whose layers"),
        (("layers", "eyes", "int8", "--runtime", "cuda"), "no runtime called 'cuda'"),
        (("layers", "eyes", "int8", "--frames", "0"), "at least one frame is needed"),
        (("sensitivity", "eyes", "--variant", "fp64"), "no variant called 'fp64'"),
        (("sensitivity", "eyes", "--format", "tflite"), "no format called 'tflite'"),
        (("sensitivity", "eyes", "--plot", "one.gif"), "no figure can be made as .gif"),
        (("sensitivity", "eyes", "--method", "entropi"), "no method called 'entropi', did you mean 'entropy'"),
        (("sensitivity", "nose"), "no model called 'nose'"),
        (("sensitivity", "eyes", "--device", "mars"), "mars"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_measured(arguments, words, command):
    with pytest.raises(HarnessError, match=words):
        command(*arguments)


def test_the_parents_file_is_left_as_it_was(planted):
    bench, _ = planted
    assert not any(one.op_type == "QuantizeLinear" for one in onnx.load(str(bench.parent("onnx"))).graph.node)
    assert not bench.folder.exists(), "trials are files of their own, somewhere else"
