"""Model cards: the shipped ones are right, and a wrong one is refused with file, key and value."""

from __future__ import annotations

import os

import pytest

from harness.case import ExtraInput, InputSpec, TaskSpec
from harness.errors import ConfigError
from harness.model import find_cards, read_card

HEAD = 'task = "raw"\n'
INPUT = "[input]\nwidth = 32\nheight = 20\n"
VARIANTS = '[variants.fp32]\nfiles = { onnx = "fp32.onnx" }\n'
WHOLE = """
task = "classification"
[input]
name = "image"
width = 64
height = 32
colour = "bgr"
mean = [0.5, 0.4, 0]
std = [1, 2, 3]
[extra_inputs.steering]
shape = [1, 3]
value = 1
[formats.tflite]
layout = "NHWC"
input_name = "serving_default:0"
outputs = { scores = "StatefulPartitionedCall:0" }
[options]
classes = ["open", "closed"]
[dataset]
kind = "cabin"
[variants.fp32]
files = { onnx = "a.onnx", tflite = "a.tflite" }
[variants.int8]
parent = "fp32"
files = { onnx = "../common/b.onnx" }
[budgets]
fps_mean = 25
"""


@pytest.fixture
def eyes(tmp_path):
    folder = tmp_path / "eyes"
    folder.mkdir()
    return folder


def write(folder, text: str):
    folder.mkdir(exist_ok=True)
    (folder / "model.toml").write_text(text)
    return folder


def refused(folder, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_card(write(folder, text))
    return caught.value.sentence


def test_every_shipped_card_is_right_and_its_simulated_files_exist(checkout):
    folders = [path.parent for path in (checkout / "suites" / "models").glob("*/model.toml")]
    assert folders
    for folder in folders:
        card = read_card(folder)
        assert card.name == folder.name
        simulated = [variant for variant, one in card.variants.items() if "sim" in one.files]
        assert all(card.file(variant, "sim").is_file() for variant in simulated)


def test_a_card_says_all_that_a_job_needs(eyes):
    card = read_card(write(eyes, WHOLE))
    colours = {"colour": "bgr", "mean": (0.5, 0.4, 0.0), "std": (1.0, 2.0, 3.0)}
    assert card.name == "eyes"
    assert card.input_spec("onnx") == InputSpec(64, 32, "image", "NCHW", **colours)
    assert card.input_spec("tflite") == InputSpec(64, 32, "serving_default:0", "NHWC", **colours)
    assert card.outputs("onnx") == {}
    assert card.outputs("tflite") == {"scores": "StatefulPartitionedCall:0"}
    assert card.extra_input_list() == (ExtraInput("steering", (1, 3), "float32", 1.0),)
    assert card.task_spec() == TaskSpec("classification", {"classes": ("open", "closed")})
    assert card.file("int8", "onnx") == eyes / "../common/b.onnx"
    assert card.budgets == {"fps_mean": 25.0}


def test_a_card_that_leaves_a_key_out_means_what_the_worker_means(eyes):
    card = read_card(write(eyes, HEAD + INPUT + VARIANTS + "[extra_inputs.mask]\nshape = [2]\n"))
    assert card.input_spec("onnx") == InputSpec(32, 20)
    assert card.extra_input_list() == (ExtraInput("mask", (2,)),)


@pytest.mark.parametrize("inside", ["pad_value = 0", "pad_value = 255", "scale = 0.5", "std = [0.5]", "mean = [-1]"])
def test_a_value_at_the_edge_is_taken(eyes, inside):
    assert read_card(write(eyes, f"{HEAD}{INPUT}{inside}\n{VARIANTS}"))


@pytest.mark.parametrize(("side", "taken"), [(1, True), (16384, True), (0, False), (16385, False)])
def test_an_input_has_between_one_and_sixteen_thousand_pixels_a_side(eyes, side, taken):
    text = f"{HEAD}[input]\nwidth = {side}\nheight = {side}\n{VARIANTS}"
    if taken:
        assert read_card(write(eyes, text)).input.width == side
    else:
        assert f"input.height = {side}" in refused(eyes, text)


# what stands before [input], what in it, what after the variants -> what the message says
FAULTS = [
    ("", "widht = 3", "", "no key called 'input.widht', did you mean 'input.width'?"),
    ("taks = 1", "", "", "no key called 'taks', did you mean 'task'?"),
    ("", "colour = \"grey\"", "", "input.colour = 'grey': Input should be 'gray', 'rgb' or 'bgr'"),
    ("", 'layout = "CHW"', "", "input.layout = 'CHW'"),
    ("", 'resize = "squash"', "", "input.resize = 'squash'"),
    ("", 'dtype = "float64"', "", "input.dtype = 'float64'"),
    ("", "pad_value = 256", "", "input.pad_value = 256"),
    ("", "pad_value = true", "", "input.pad_value = True"),
    ("", "scale = 0", "", "input.scale = 0"),
    ("", "scale = 1e999", "", "input.scale = inf"),
    ("", "std = [0]", "", "input.std.0 = 0"),
    ("", "std = [nan]", "", "input.std.0 = nan"),
    ("", "mean = [true]", "", "input.mean.0 = True"),
    ("", "mean = 0.5", "", "input.mean = 0.5"),
    ("", "", "[extra_inputs.mask]\n", "extra_inputs.mask.shape is missing"),
    ("", "", "[extra_inputs.mask]\nshape = [0]\n", "extra_inputs.mask.shape.0 = 0"),
    ("", "", "[extra_inputs.mask]\nshape = [1]\nvalue = nan\n", "extra_inputs.mask.value = nan"),
    ("", "", '[extra_inputs.mask]\nshape = [1]\ndtype = "text"\n', "extra_inputs.mask.dtype = 'text'"),
    ("", "", '[formats.onxx]\nlayout = "NHWC"\n', "formats: no format called 'onxx', did you mean 'onnx'?"),
    ("", "", "[formats.onnx]\noutputs = { a = 1 }\n", "formats.onnx.outputs.a = 1"),
    ("", "", "[calibration]\n", "[calibration] is empty: give dataset, tensors, frames, degraded_percent"),
    ("", "", "[calibration]\nframes = 299\n", "calibration.frames = 299"),
    ("", "", "[calibration]\nframes = 801\n", "calibration.frames = 801"),
    ("", "", "[calibration]\ndegraded_percent = 101\n", "calibration.degraded_percent = 101"),
    ("", "", '[calibration]\ntensor = "a.npz"\n', "no key called 'calibration.tensor', did you mean"),
    ("", "", '[calibration]\ntensors = "a.pt"\n', "calibration.tensors = 'a.pt': such a file ends with .npz or .npy"),
    ("", "", "[calibration]\ndataset = 3\n", "calibration.dataset = 3"),
    ("", "", "[training]\nnets = 3\n", "no key called 'training.nets', did you mean 'training.net'?"),
    ("", "", '[training]\nnet = "my.nets.eyes"\n', "training.net = 'my.nets.eyes': write package.module:function"),
    ("", "", '[training]\nstudent = "../nets.py:eyes"\n', "training.student = '../nets.py:eyes': write package"),
    ("", "", "[budgets]\nfps_mean = -1\n", "budgets.fps_mean = -1"),
    ("", "", "[budgets]\nfps_mean = true\n", "budgets.fps_mean = True"),
    ("", "", "[options]\nthreshold = nan\n", "options.threshold = nan: not a finite number"),
    ("", "", "[dataset]\nseed = 2024-01-01\n", "dataset.seed = 2024-01-01"),
    ("", "", '[variants.int8]\nfiles = { onx = "a" }\n', "variants.int8.files: no format called 'onx'"),
    ("", "", "[variants.int8]\nfiles = {}\n", "variants.int8.files is empty"),
    ("", "", "[variants.int8]\n", "variants.int8.files is missing"),
    ("", "", '[variants.int8]\nfile = { onnx = "a" }\n', "no key called 'variants.int8.file'"),
    ("", "", '[variants.int8]\nparent = "fp23"\nfiles = { onnx = "a" }\n', "no variant called 'fp23', did you mean"),
    ("", "", '[variants.int8]\nparent = "int8"\nfiles = { onnx = "a" }\n', "variants.int8.parent = 'int8'"),
    ("", "", '[variants."../x"]\nfiles = { onnx = "a" }\n', "variants.'../x': use letters, digits"),
    ("", "", '[variants.fp32]\nfiles = { onnx = "a" }\n', "not valid TOML: Cannot declare"),
    ("stateful = 1", "", "", "stateful = 1: Input should be a valid boolean"),
    ("statefull = true", "", "", "no key called 'statefull', did you mean 'stateful'?"),
    ('name = "other"', "", "", "name does not belong in a card"),
    ('folder = "/etc"', "", "", "folder does not belong in a card"),
    ('task = "raw"', "", "", "not valid TOML: Cannot overwrite a value (at line 2"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "inside", "tail", "said"), FAULTS)
def test_a_wrong_card_is_refused_with_file_key_and_value(eyes, head, inside, tail, said):
    sentence = refused(eyes, f"{HEAD}{head}\n{INPUT}{inside}\n{VARIANTS}{tail}")
    assert said in sentence
    assert str(eyes / "model.toml") in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "task is missing; input is missing; variants is missing"),
        (INPUT + VARIANTS, "task is missing"),
        (HEAD + VARIANTS, "input is missing"),
        (HEAD + INPUT + "[variants]\n", "variants is empty: list at least one file"),
        ('task = "detektion"\n' + INPUT + VARIANTS, "no task called 'detektion', did you mean 'detection'?"),
        (HEAD + "[input]\nheight = 3\nwidth = 0\n" + VARIANTS, "input.width = 0"),
        (HEAD + "[input]\nheight = 3\nwidth = 99999\n" + VARIANTS, "input.width = 99999"),
    ],
)
def test_a_card_that_lacks_something_is_refused(eyes, text, said):
    assert said in refused(eyes, text)


def test_a_fault_of_the_whole_card_is_not_buried_under_its_contents(eyes):
    text = f'description = "{"long " * 1000}"\ntask = "detektion"\n{INPUT}{VARIANTS}'
    assert len(refused(eyes, text)) < 500


def test_a_folder_without_a_card_or_with_a_strange_name_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no model card here .*harness add-model"):
        read_card(tmp_path / "nothing")
    assert "'a b' is the model's name" in refused(tmp_path / "a b", WHOLE)
    assert r"'a\nb' is the model's name" in refused(tmp_path / "a\nb", WHOLE)


@pytest.fixture
def models(tmp_path):
    for name in ("eyes", "gaze"):
        write(tmp_path / name, WHOLE)
    (tmp_path / "notes").mkdir()
    return tmp_path


def names(cards):
    return [card.name for card in cards]


def test_all_cards_of_the_folder_are_found_where_none_is_named(models):
    assert names(find_cards([], models)) == ["eyes", "gaze"]


def test_a_folder_of_models_without_any_card_is_refused_with_the_next_step(models):
    with pytest.raises(ConfigError, match=r"there is no model card .*notes.*harness add-model FILE makes one"):
        find_cards([], models / "notes")


def test_a_model_file_in_place_of_a_name_is_answered_with_the_command_that_makes_its_card(models):
    path = models / "net.onnx"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"is a file and no card \(--models\); harness add-model .*net.onnx makes"):
        find_cards([str(path)], models)


@pytest.mark.parametrize(
    ("dataset", "labelled"), [("", False), ('kind = "cabin"', False), ('kind = "cabin"\ntruth = "eyes"', True)]
)
def test_a_card_is_labelled_where_it_says_by_which_truth_it_is_judged(eyes, dataset, labelled):
    assert read_card(write(eyes, f"{HEAD}{INPUT}[dataset]\n{dataset}\n{VARIANTS}")).labelled is labelled


def test_a_card_says_how_its_variants_are_made(eyes):
    tables = (
        '[calibration]\ndataset = { split = "calibration" }\ntensors = "ready.npz"\n'
        '[training]\nnet = "my_team.nets:eyes"\nstudent = "nets:small_eyes"\ndataset = { split = "train" }\n'
    )
    card = read_card(write(eyes, f"{HEAD}{INPUT}{VARIANTS}{tables}"))
    assert (card.calibration.dataset, card.calibration.tensors) == ({"split": "calibration"}, "ready.npz")
    assert (card.training.net, card.training.student) == ("my_team.nets:eyes", "nets:small_eyes")
    assert card.training.dataset == {"split": "train"}


def test_a_card_that_says_nothing_of_its_variants_has_neither_table(eyes):
    card = read_card(write(eyes, f"{HEAD}{INPUT}{VARIANTS}"))
    assert card.calibration is card.training is None


@pytest.mark.parametrize(("line", "stateful"), [("", False), ("stateful = false", False), ("stateful = true", True)])
def test_a_card_is_stateful_only_where_it_says_so(eyes, line, stateful):
    assert read_card(write(eyes, f"{HEAD}{line}\n{INPUT}{VARIANTS}")).stateful is stateful


def test_a_model_is_found_by_its_name_by_its_folder_and_by_the_folder_above(models, monkeypatch):
    elsewhere = models / "elsewhere"
    elsewhere.mkdir()
    os.rename(models / "gaze", elsewhere / "gaze")
    assert names(find_cards(["eyes"], models)) == ["eyes"]
    assert names(find_cards([str(elsewhere / "gaze"), "eyes"], models)) == ["gaze", "eyes"]
    assert names(find_cards([str(elsewhere)], models)) == ["gaze"]
    monkeypatch.chdir(elsewhere / "gaze")
    assert names(find_cards(["."], models)) == ["gaze"]
    assert find_cards(["."], models)[0].folder == elsewhere / "gaze"


def test_a_model_named_twice_is_measured_once_and_two_of_one_name_are_refused(models):
    assert names(find_cards(["eyes", "eyes", str(models / "eyes")], models)) == ["eyes"]
    other = models / "other" / "eyes"
    other.parent.mkdir()
    write(other, WHOLE)
    with pytest.raises(ConfigError, match="two models are called 'eyes'"):
        find_cards(["eyes", str(other)], models)


@pytest.mark.parametrize("name", ["eye", "../eyes/nothing", "-x", "eyes\n", "$(x)", "notes", "a\0b"])
def test_an_unknown_model_is_answered_with_the_known_ones(models, name):
    with pytest.raises(ConfigError, match=r"no model called .*known: eyes, gaze.*--models takes names or folders"):
        find_cards([name], models)
