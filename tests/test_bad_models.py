"""A bad model fails its own case with one clear sentence; a good one among twelve bad ones is still measured."""

from __future__ import annotations

import re

import onnx
import pytest

from harness.errors import HarnessError
from tests.modelfile import onnx_models
from tests.workspace import Finished, Workspace

PROFILE = """
description = "one engine, little memory, little time"
memory_limit_mib = 6144
deadline_s = 9

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
dtype = "float32"

[variants.fp32]
files = {{ onnx = "model.onnx" }}
"""
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def small() -> onnx.ModelProto:
    return onnx_models.mobilenet_like(classes=4, size=64)


def with_data_outside() -> bytes:
    """A network one of whose tensors lies in a file outside its folder."""
    model = small()
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.external_data.add(key="location", value="../../../../../etc/passwd")
    return model.SerializeToString()


def cut_off() -> bytes:
    whole = small().SerializeToString()
    return whole[: len(whole) // 2]


# A model's name -> what makes its network or its file, and what its own sentence says. "good" comes among the others.
BAD_NETWORKS = {
    "endless_loop": (onnx_models.endless_loop, "gave no sign of progress within its deadline of 9 s"),
    "nan_weights": (onnx_models.nan_weights, "NaN"),
    "constant_output": (onnx_models.constant_output, "are the same for every frame"),
    "allocation_bomb": (onnx_models.allocation_bomb, "out of memory"),
    "unsupported_op": (onnx_models.unsupported_op, "ONNX Runtime refuses the model"),
    "fails_at_run_time": (onnx_models.fails_at_run_time, "fails"),
    "no_fit": (small, "correct width, height, colour or layout under [input]"),
}
BAD_FILES = {
    "empty": (lambda: b"", "empty"),
    "lfs_pointer": (lambda: POINTER, "git lfs pull"),
    "random": (lambda: bytes(range(256)) * 64, "model.onnx"),
    "absent": (lambda: None, "model.onnx"),
    "truncated": (cut_off, "model.onnx"),
    "data_outside": (with_data_outside, "etc/passwd"),
}
MEASURED = ("constant_output", "good")


def add(workspace: Workspace, name: str, model: onnx.ModelProto | bytes | None) -> None:
    folder = workspace.models / name
    folder.mkdir()
    size = 64
    if isinstance(model, onnx.ModelProto):
        onnx_models.save(model, folder / "model.onnx")
        size = 96 if name == "no_fit" else image_side(model)
    elif model is not None:
        (folder / "model.onnx").write_bytes(model)
    (folder / "model.toml").write_text(CARD.format(size=size), encoding="utf-8")


def image_side(model: onnx.ModelProto) -> int:
    sizes = [one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim]
    return sizes[-1] or 64


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One session over all of them and a good one."""
    workspace = Workspace(tmp_path_factory.mktemp("bad"))
    (workspace.folder / "devices" / "small.toml").write_text(PROFILE, encoding="utf-8")
    for name, (make, _) in {**BAD_NETWORKS, **BAD_FILES}.items():
        add(workspace, name, make())
    # Large enough that other load beside the tests is no 10 % between two frames of it.
    add(workspace, "good", onnx_models.mobilenet_like(classes=4))
    return workspace.pytest("--device=small", "--plan=smoke", "-k", "alive")


def key(name: str) -> str:
    return f"small/{name}/fp32/onnxruntime"


def sentence_of(done: Finished, name: str) -> str:
    """What the session says of the one case: that it could not be measured, or that its outputs are dead."""
    errors = [HarnessError.from_wire(one).sentence for one in done.results()["errors"] if one["case"] == key(name)]
    verdicts = [one["sentence"] for one in done.verdicts("outputs_alive") if one["case"] == key(name)]
    (sentence,) = [*errors, *verdicts]
    return sentence


@pytest.mark.parametrize(("name", "said"), [(name, said) for name, (_, said) in {**BAD_NETWORKS, **BAD_FILES}.items()])
def test_a_bad_model_fails_alone_and_says_why(done: Finished, name: str, said: str):
    assert said in sentence_of(done, name)
    assert said in done.output
    assert re.search(rf"(FAILED|ERROR) suites/test_liveness.py::\w+\[{key(name)}\]", done.output)


def test_a_good_model_among_bad_ones_is_measured_and_passes(done: Finished):
    assert done.status == 1
    assert "Traceback" not in done.output
    assert tuple(sorted(one["model"] for one in done.measured())) == MEASURED
    assert {one["case"]: one["outcome"] for one in done.verdicts("outputs_alive")} == {
        key(name): "PASS" if name == "good" else "FAIL" for name in MEASURED
    }


def test_data_outside_the_models_folder_is_refused_before_an_engine_opens_the_file(done: Finished):
    assert not list(done.report.glob("runs/data_outside/**/worker.log"))
    assert list(done.report.glob("runs/fails_at_run_time/**/worker.log"))
