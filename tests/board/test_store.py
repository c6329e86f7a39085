"""What of a job goes to a board: every path rewritten, named by content, and nothing outside the board's folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from harness.board.store import code_of, travelling
from harness.board.there import BASE
from harness.case import TaskSpec
from harness.errors import ConfigError
from harness.paired import PairedJob
from harness.survey import SurveyJob
from harness.telemetry import Telemetry
from tests.board.test_travel import texts_of
from tests.modelfile import onnx_models


def test_every_path_of_a_job_is_below_the_boards_folder_and_every_file_is_listed(make_job, tmp_path):
    job = make_job({"infer_ms": 8}, labelled_path=str(tmp_path / "frames"))
    text, bundles = travelling(job.to_json())
    wire = json.loads(text)
    assert str(tmp_path) not in text
    assert wire["frames_path"] == wire["labelled_path"]
    assert wire["model_path"] == f"{BASE}/{bundles[-1].folder}/model.sim"
    names = {name.rpartition("/")[2] for one in bundles for name in one.wanted}
    assert names == {"frames.bin", "frames.json", "model.sim"}


def test_a_name_follows_from_the_content_and_a_changed_file_gets_another(make_job):
    def key(infer_ms):
        return travelling(make_job({"infer_ms": infer_ms}).to_json())[1][-1].key

    first = key(8)
    assert key(9) != first
    assert key(8) == first


def test_the_other_fields_of_a_job_stay_as_they_are(make_job):
    job = make_job({})
    before, after = json.loads(job.to_json()), json.loads(travelling(job.to_json())[0])
    assert {name for name in before if before[name] != after[name]} == {"model_path", "frames_path"}


def test_both_builds_of_a_pair_travel_and_what_they_share_once(make_job, tmp_path):
    one = make_job({"infer_ms": 8})
    (tmp_path / "other.sim").write_text("{}")
    other = replace(one, model_path=str(tmp_path / "other.sim"))
    text, bundles = travelling(PairedJob(reference=one, candidate=other, rounds=1, seed=0).to_json())
    assert len(bundles) == 3
    assert json.loads(text)["candidate"]["model_path"].endswith("/other.sim")


def test_weights_beside_a_model_travel_with_it(make_job, tmp_path):
    built = onnx_models.dynamic()
    tensor = built.graph.initializer.add(name="far", data_type=TensorProto.FLOAT, dims=[6])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights/eyes.bin")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "eyes.bin").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    path = onnx_models.save(built, tmp_path / "model.onnx")
    _, bundles = travelling(make_job({}, model_path=str(path)).to_json())
    assert set(bundles[-1].files) == {path.name, "weights/eyes.bin"}


def test_a_survey_has_no_files_and_the_code_of_all_its_engines():
    job = SurveyJob(engines={"a": {"engine": "simulated"}, "b": {"engine": "null"}}, telemetry=Telemetry(), seconds=0)
    assert travelling(job.to_json())[1] == ()
    assert len(code_of(job.to_json()).content) > 1000


def test_a_pair_of_two_engines_travels_with_the_readers_of_both(make_job):
    one = make_job({"infer_ms": 8})
    two = [replace(one, engine=engine) for engine in ("onnxruntime", "litert")]
    texts = texts_of(code_of(PairedJob(reference=two[0], candidate=two[1], rounds=1, seed=0).to_json()))
    for name in ("runtimes/onnxruntime", "runtimes/litert", "modelfile/onnxfile", "modelfile/tflite"):
        assert f"harness/{name}.py" in texts


@pytest.mark.parametrize("name", ["a b.sim", "-x.sim", ".sim", "a\nb.sim", "a'b.sim", "ä.sim"])
def test_a_name_that_a_shell_or_a_path_could_misread_is_refused(make_job, tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigError, match="cannot be used on a board"):
        travelling(make_job({}, model_path=str(Path(tmp_path / name))).to_json())


def test_a_task_with_functions_of_ones_own_is_refused(make_job):
    with pytest.raises(ConfigError, match="package does not travel to a board"):
        travelling(make_job({}, task=TaskSpec("custom", {"score": "a:b"})).to_json())
