"""A bad model fails its own cases with one clear sentence; a good one beside it is still measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modelfile import onnx_models
from tests.workspace import Finished, Workspace

PROFILE = """
description = "one engine, little memory, little time"
memory_limit_mib = 6144
deadline_s = 12

[runtimes.onnxruntime]
threads = 1

[budgets]
frame_p99_ms = 1000
"""
CARD = """
task = "raw"

[input]
width = {size}
height = {size}
colour = "rgb"
dtype = "{dtype}"

[variants.fp32]
files = {{ onnx = "model.onnx" }}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    (tmp_path / "devices" / "small.toml").write_text(PROFILE, encoding="utf-8")
    return workspace


def add(workspace: Workspace, name: str, model, size: int = 224, dtype: str = "float32") -> Path:
    folder = workspace.models / name
    folder.mkdir()
    (folder / "model.toml").write_text(CARD.format(size=size, dtype=dtype), encoding="utf-8")
    if isinstance(model, bytes):
        (folder / "model.onnx").write_bytes(model)
    elif model is not None:
        onnx_models.save(model, folder / "model.onnx")
    return folder


def image_side(model) -> int:
    sizes = [one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim]
    return sizes[-1] or 64


def measure(workspace: Workspace) -> Finished:
    return workspace.pytest("--device=small", "--plan=smoke", "-k", "alive")


def outcome_of_the_good_one(done: Finished) -> str:
    (outcome,) = [one["outcome"] for one in done.verdicts("outputs_alive") if "/good/" in one["case"]]
    return outcome


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (onnx_models.nan_weights, "NaN"),
        (onnx_models.constant_output, "are the same for every frame"),
        (onnx_models.endless_loop, "gave no sign of progress within its deadline of 12 s"),
        (onnx_models.allocation_bomb, "out of memory"),
        (onnx_models.unsupported_op, "ONNX Runtime refuses the model"),
        (onnx_models.fails_at_run_time, "fails"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_bad_network_fails_alone_and_says_why(workspace, make, said):
    model = make()
    add(workspace, "bad", model, image_side(model))
    add(workspace, "good", onnx_models.mobilenet_like(classes=4, size=64), 64)
    done = measure(workspace)
    assert done.status == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert outcome_of_the_good_one(done) == "PASS"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (bytes(range(256)) * 64, "model.onnx"),
        (None, "model.onnx"),
    ],
    ids=["empty", "lfs pointer", "random", "absent"],
)
def test_a_bad_file_fails_alone_and_names_the_file(workspace, content, said):
    add(workspace, "bad", content)
    add(workspace, "good", onnx_models.mobilenet_like(classes=4, size=64), 64)
    done = measure(workspace)
    assert done.status == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert outcome_of_the_good_one(done) == "PASS"


def test_a_truncated_file_fails_alone(workspace):
    folder = add(workspace, "bad", onnx_models.mobilenet_like(classes=4, size=64), 64)
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])
    done = measure(workspace)
    assert done.status == 1
    assert "model.onnx" in done.output


def test_external_data_outside_the_folder_is_refused_before_an_engine_opens_the_file(workspace):
    import onnx

    folder = add(workspace, "bad", onnx_models.mobilenet_like(classes=4, size=64), 64)
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.external_data.add(key="location", value="../../../../../etc/passwd")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    done = measure(workspace)
    assert done.status == 1
    assert "etc/passwd" in done.output
    assert not list(done.report.glob("runs/bad/**/worker.log"))


def test_a_card_that_does_not_fit_the_model_says_which_key_to_correct(workspace):
    add(workspace, "bad", onnx_models.mobilenet_like(classes=4, size=64), 96)
    done = measure(workspace)
    assert done.status == 1
    assert "correct width, height, colour or layout under [input]" in done.output
