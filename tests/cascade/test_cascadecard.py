"""A pipeline card: what it says, and a sentence for each thing that cannot be."""

from __future__ import annotations

import pytest

from harness.cascade import CascadeJob, Crop, Execution
from harness.cascadecard import cascade_job, models_of, read_cascade
from harness.errors import ConfigError
from tests.cascade.conftest import PLAN, onnx_job
from tests.simulated import CHECKOUT

FACE = '[[stages]]\nname = "face"\nmodel = "face_detection"\n'
EYES = '[[stages]]\nname = "eyes"\nmodel = "eye_state"\n'
ON_FACE = EYES + 'crop = {{ stage = "face"{} }}\n'


@pytest.fixture
def card(tmp_path):
    """The card with this text."""

    def make(text):
        (tmp_path / "pipeline.toml").write_text(text)
        return read_cascade(tmp_path)

    return make


def test_the_shipped_card_chains_the_five_models():
    card = read_cascade(CHECKOUT / "suites/pipelines/cabin")
    assert card.name == "cabin"
    assert {one.name: one.model for one in card.stages} == {
        "face": "face_detection", "eyes": "eye_state", "gaze": "gaze", "distraction": "distraction",
        "heads": "head_counting",
    }  # fmt: skip
    assert card.needs == {
        "face": (), "eyes": ("face",), "gaze": ("face",), "distraction": ("face",), "heads": (),
    }  # fmt: skip
    assert card.arrivals().fps == 30
    assert card.budgets == {"frame_p99_ms": 50}


def test_stages_stand_behind_what_they_need_whatever_their_order_in_the_card(card):
    found = card(ON_FACE.format("") + '[[stages]]\nname = "gaze"\nmodel = "gaze"\nafter = ["eyes"]\n' + FACE)
    assert [one.name for one in found.in_order] == ["face", "eyes", "gaze"]


@pytest.mark.parametrize(
    ("margin", "wanted"),
    [("", (0.0,) * 4), (", margin = 0.5", (0.5,) * 4), (", margin = [0.1, -0.2, 0.3, 0]", (0.1, -0.2, 0.3, 0.0))],
)
def test_a_margin_is_one_number_or_four(card, margin, wanted):
    assert card(FACE + ON_FACE.format(margin)).stages[1].crop.margins == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are no stages"),
        ("stages = []", "stages is empty"),
        (FACE + FACE, "2 are called 'face'"),
        ('[[stages]]\nname = "a b"\nmodel = "gaze"\n', "use letters, digits"),
        (FACE + "every = 0", "stages.0.every = 0: Input should be greater than or equal to 1"),
        (FACE + "every = -3", "stages.0.every = -3"),
        (FACE + "every = 1.5", "stages.0.every = 1.5"),
        (FACE + "evry = 2", "no key called 'stages.0.evry', did you mean 'stages.0.every'"),
        (ON_FACE.format(""), r"stages.0 \(eyes\).crop.stage: no stage called 'face'"),
        (FACE + EYES + 'after = ["fase"]', r"stages.1 \(eyes\).after: no stage called 'fase', did you mean 'face'"),
        (FACE + 'after = ["face"]', "wait for each other: face after face"),
        (FACE + 'after = ["eyes"]\n' + EYES + 'after = ["face"]', "wait for each other: face after eyes after face"),
        (FACE + 'crop = { stage = "eyes" }\n' + ON_FACE.format(""), "wait for each other: face after eyes after face"),
        (FACE + ON_FACE.format(', box = "widest"'), "crop.box = 'widest'"),
        (FACE + ON_FACE.format(", margin = [-0.5, 0, -0.6, 0]"), "nothing is left of the box"),
        (FACE + ON_FACE.format(", margin = [1, 2]"), "margin"),
        ("[camera]\nfps = 0\n" + FACE, "camera.fps = 0: Input should be greater than 0"),
        ("[camera]\nfps = -30.0\n" + FACE, "camera.fps = -30.0"),
        ("[camera]\nfps = nan\n" + FACE, "camera.fps = nan"),
        ('[camera]\npolicy = "drop"\n' + FACE, "camera.policy = 'drop'"),
        ("[camera]\ntimestamps = [0, 33, 30]\n" + FACE, "number 2 is 30 and the one before is 33: time goes forward"),
        ("[camera]\ntimestamps = [0, 33, 33]\n" + FACE, "time goes forward only"),
        ("[camera]\ntimestamps = [5]\n" + FACE, "give two or more"),
        ("[camera]\nfps = 30\ntimestamps = [0, 33]\n" + FACE, "give one of them"),
        ("[budgets]\nframe_p99_ms = -1\n" + FACE, "budgets.frame_p99_ms = -1"),
        ('[execution]\nmode = "parallel"\n' + FACE, "execution.mode = 'parallel'"),
        ("[execution]\nstreams = 0\n" + FACE, "execution.streams = 0"),
        ('name = "mine"\n' + FACE, "name does not belong in a card"),
        ("[[stages]\n", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_answered_with_a_sentence_and_its_file(card, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        card(text)
    assert "pipeline.toml" in caught.value.where


def test_a_folder_without_a_card_says_so(tmp_path):
    with pytest.raises(ConfigError, match="no pipeline card here"):
        read_cascade(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[stages]]\nname = "face"\nmodel = "face_detektion"\n', "no model called 'face_detektion', did you mean"),
        (FACE + 'variant = "int9"', "model face_detection: no variant called 'int9', did you mean 'int8'"),
        (FACE + EYES, r"model eye_state looks at a region of the frame \(face\): give the stage a crop"),
        (FACE + ON_FACE.format(', label = "head"'), "no class of face_detection called 'head'; known: face"),
        (
            FACE + ON_FACE.format("") + '[[stages]]\nname = "gaze"\nmodel = "gaze"\ncrop = { stage = "eyes" }\n',
            "stage 'eyes' gives no boxes, its model eye_state does classification; boxes come from detection and",
        ),
    ],
)
def test_a_stage_that_does_not_fit_its_model_is_answered_with_a_sentence(card, text, said):
    with pytest.raises(ConfigError, match=said):
        models_of(card(text), CHECKOUT / "suites/models")


def test_a_cascade_crosses_the_wire_and_comes_back(card, tmp_path):
    found = card(ON_FACE.format(', label = "face", margin = 0.25') + FACE + "every = 2")
    models = models_of(found, CHECKOUT / "suites/models")
    jobs = {name: onnx_job(model, "int8") for name, model in models.items()}
    job = cascade_job(found, models, jobs, tmp_path / "frames", PLAN, Execution("streams", 3))
    assert CascadeJob.from_json(job.to_json()).to_json() == job.to_json()
    assert [one.name for one in job.stages] == ["face", "eyes"]
    assert job.stages[0].every == 2
    assert job.stages[1].crop == Crop("face", "largest", 0, (0.25,) * 4)
    assert job.stages[1].after == ("face",)
    assert {one.job.frames_path for one in job.stages} == {str(tmp_path / "frames")}
