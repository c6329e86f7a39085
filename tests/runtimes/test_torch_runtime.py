"""PyTorch with the shipped programs; files that could run code are refused and never run it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import EngineError
from harness.modelfile import inspect_model
from harness.runtimes import open_runtime
from tests.modelfile.test_sniff import Canary
from tests.workspace import CHECKOUT

torch = pytest.importorskip("torch")
MODELS = CHECKOUT / "suites" / "models"
GAZE = MODELS / "gaze" / "fp32.pt2"
TENSORS = ((torch.zeros(1),), {})
CANARY = pickle.dumps(Canary(), protocol=2)
# torch announces the end of things that it uses itself.
pytestmark = pytest.mark.filterwarnings("default")


def opened(path: Path | str = GAZE, **options: Any) -> Any:
    runtime = open_runtime("torch", str(path), options)
    runtime.prepare()
    return runtime


def picture(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 1, 80, 160), dtype=np.float32)


def reference() -> np.ndarray:
    onnx = open_runtime("onnxruntime", str(GAZE.with_suffix(".onnx")), {})
    onnx.prepare()
    with onnx:
        return onnx.infer({onnx.inputs[0].name: picture()})[onnx.outputs[0].name]


@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"),
    [("fp32", "float32", 1e-4), ("fp16", "float16", 0.2), ("bf16", "bfloat16", 1.0)],
)
def test_the_engine_agrees_with_onnx_runtime(precision: str, dtype: str, tolerance: float) -> None:
    with opened(precision=precision) as runtime:
        found = runtime.infer({"picture": picture()})["mul"]
        facts = runtime.facts()
    np.testing.assert_allclose(found, reference(), atol=tolerance)
    assert (found.dtype, facts["precision"]) == (np.float32, precision)
    assert facts["layer_precisions"] == {dtype: 1.0}
    assert facts["fusion"] == {"convolutions": 7, "with_activation": 0, "batch_norms": 0}
    assert (facts["placement"], facts["promised"]) == ({"cpu": 1.0}, "cpu")


def test_an_answer_belongs_to_the_caller() -> None:
    with opened() as runtime:
        assert runtime.in_calling_thread
        first = runtime.infer({"picture": picture(1)})["mul"]
        kept = first.copy()
        runtime.infer({"picture": picture(2)})
        np.testing.assert_array_equal(first, kept)


class Scaled(torch.nn.Module):
    def forward(self, picture: Any) -> Any:
        return torch.relu(picture) * 2.0


def exported(folder: Path, **sizes: Any) -> Path:
    path = folder / "scaled.pt2"
    torch.export.save(torch.export.export(Scaled(), (torch.ones(1, 4),), **sizes), str(path))
    return path


def test_a_compiled_program_is_compiled_before_its_first_frame(tmp_path: Path) -> None:
    from torch._inductor import config

    # For no vectors and without precompiled headers: half the time, and with any compiler.
    quickly = config.patch({"cpp.vec_isa_ok": False, "cpp_cache_precompile_headers": False})
    with quickly, opened(exported(tmp_path), compile=True) as runtime:
        facts = runtime.facts()
        found = runtime.infer({"picture": np.float32([[-1, 0, 1, 2]])})
    assert next(iter(found.values())).tolist() == [[0, 0, 2, 4]]
    assert facts["compiled"]
    assert facts["compile_ns"] > 0
    assert "fusion" not in facts


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "cuda"}, "finds no CUDA device"),
        ({"device": "cuda:1", "cuda_graph": True}, "finds no CUDA device"),
        ({"cuda_graph": True}, "need device = 'cuda'"),
        ({"tf32": True}, "need device = 'cuda'"),
        *(
            ({"device": one}, f"device = '{one}' is none of cpu, cuda, cuda:N")
            for one in ("CUDA", "gpu", "xpu", "mps", "meta", "cpu:0", "cuda:", "cuda:x", "")
        ),
        ({"precision": "int8"}, "none of fp32, fp16, bf16"),
    ],
)
def test_options_that_this_machine_cannot_keep_are_refused(options: dict[str, Any], sentence: str) -> None:
    if torch.cuda.is_available() and "CUDA" in sentence:
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError, match=sentence), opened(**options):
        pass


def test_torch_tensorrt_that_is_not_installed_is_named() -> None:
    with pytest.raises(EngineError, match="torch-tensorrt cannot be imported") as caught:
        opened(device="cuda", tensorrt=True)
    assert "pip install torch-tensorrt" in caught.value.remedy


def test_what_is_told_as_the_unit_is_where_the_weights_lie(tmp_path: Path) -> None:
    with opened() as runtime:
        assert runtime._unit_of(torch.nn.Linear(1, 1)) == "cpu"
        with pytest.raises(EngineError, match="weights lie on meta where cpu is promised"):
            runtime._unit_of(torch.nn.Linear(1, 1, device="meta"))


def test_fp32_on_a_gpu_is_no_tf32_unless_that_is_asked_for() -> None:
    for asked in (True, False):
        opened(device="cuda", tf32=asked)
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (asked, asked)


class Nested(torch.nn.Module):
    """Gives a dictionary with a number, None, a list and half precision."""

    def forward(self, picture: Any) -> Any:
        return {"number": 3, "none": None, "listed": [picture + 1, picture * 2], "half": picture.to(torch.bfloat16)}


def test_outputs_in_dictionaries_and_lists_are_told_from_numbers_and_none(tmp_path: Path) -> None:
    path = tmp_path / "nested.pt2"
    torch.export.save(torch.export.export(Nested(), (torch.ones(1, 4),)), str(path))
    with opened(path) as runtime:
        found = list(runtime.infer({"picture": np.float32([[0, 1, 2, 3]])}).values())
        assert [one.dtype for one in runtime.outputs] == ["float32"] * 3
    assert sorted(one.tolist() for one in found) == [[[0, 1, 2, 3]], [[0, 2, 4, 6]], [[1, 2, 3, 4]]]
    assert {one.dtype.name for one in found} == {"float32"}


class Picked(torch.nn.Module):
    def forward(self, index: Any) -> Any:
        return torch.arange(4.0)[index]


def test_a_program_that_fails_only_when_it_runs_is_an_engine_error(tmp_path: Path) -> None:
    path = tmp_path / "picked.pt2"
    torch.export.save(torch.export.export(Picked(), (torch.tensor([1]),)), str(path))
    with opened(path) as runtime, pytest.raises(EngineError, match=r"fails to run the program: .*picked\.pt2"):
        runtime.infer({"index": np.array([9])})


def test_a_view_gives_the_answer_of_its_copy() -> None:
    view = picture()[..., ::-1]
    with opened() as runtime:
        answers = [runtime.infer({"picture": one})["mul"] for one in (view, view.copy())]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("feed", [np.zeros((1, 1, 80, 160)), np.zeros((1, 80, 160, 1), np.float32)])
def test_a_feed_of_another_dtype_or_shape_is_refused(feed: np.ndarray) -> None:
    with opened() as runtime, pytest.raises(EngineError, match=r"'picture' takes float32 \[1, 1, 80, 160\]"):
        runtime.infer({"picture": feed})


def changed(folder: Path, change: Callable[[dict[str, bytes]], object], source: Path = GAZE) -> Path:
    """A copy of a .pt2 whose members were changed."""
    with zipfile.ZipFile(source) as archive:
        members = {one.partition("/")[2]: archive.read(one) for one in archive.namelist()}
    change(members)
    path = folder / "changed.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"changed/{name}", content)
    return path


def torch_saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def with_two_roots() -> bytes:
    """torch takes the root of the first member, another reader the first pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(torch_saved(TENSORS))) as plain, zipfile.ZipFile(stream, "w") as archive:
        pickled = plain.read(next(one for one in plain.namelist() if one.endswith("data.pkl")))
        members = {"a/version": b"3\n", "b/data.pkl": pickled, "a/byteorder": b"little", "a/data.pkl": CANARY}
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def in_json(change: Callable[[dict[str, Any]], object], name: str = "models/model.json") -> Callable[..., None]:
    def edit(members: dict[str, bytes]) -> None:
        model = json.loads(members[name])
        change(model)
        members[name] = json.dumps(model).encode()

    return edit


def pickled_weight(members: dict[str, bytes]) -> None:
    def mark(config: dict[str, Any]) -> None:
        config["config"]["head.bias"]["use_pickle"] = True

    in_json(mark, "data/weights/model_weights_config.json")(members)


def graph(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["graph_module"]["graph"]
    return found


CODE = {
    "sample inputs": (
        lambda members: members.update({"data/sample_inputs/model.pt": torch_saved(Canary())}),
        "data/sample_inputs/model.pt is a pickle",
    ),
    "bare pickle as sample inputs": (
        lambda members: members.update({"data/sample_inputs/model.pt": pickle.dumps(Canary())}),
        "data/sample_inputs/model.pt is a pickle",
    ),
    "pickle with a zip behind it": (
        lambda members: members.update({"data/sample_inputs/model.pt": pickle.dumps(Canary()) + torch_saved(TENSORS)}),
        "data/sample_inputs/model.pt is a pickle",
    ),
    "zip with a zip behind it": (
        lambda members: members.update({"data/sample_inputs/model.pt": torch_saved(Canary()) + torch_saved(TENSORS)}),
        "data/sample_inputs/model.pt is a pickle",
    ),
    "sample inputs with two roots": (
        lambda members: members.update({"data/sample_inputs/model.pt": with_two_roots()}),
        "data/sample_inputs/model.pt is a pickle",
    ),
    "pickled weight": (pickled_weight, r"data/weights/weight_\d+ is a pickle"),
    "custom object": (
        lambda members: members.update({"data/constants/opaque_obj_0": pickle.dumps(Canary())}),
        "data/constants/opaque_obj_0 can run code",
    ),
    "legacy weights": (
        lambda members: members.update({"data/weights/model.pt": torch_saved(Canary())}),
        r"data/weights/model\.pt can run code",
    ),
    "compiled library": (
        lambda members: members.update({"data/aotinductor/model/model.so": b"\x7fELF"}),
        r"data/aotinductor/model/model\.so can run code",
    ),
    "guards": (in_json(lambda model: model.update(guards_code=["__import__('os')"])), "guards"),
    "a size as text": (
        in_json(lambda model: model.update(range={"as_expr": {"expr_str": "exec(chr(105))"}})),
        "size 'exec",
    ),
    "an operator that loads libraries": (
        in_json(lambda model: graph(model)["nodes"][0].update(target="torch.ops.load_library.__call__.x")),
        "calls torch.ops.load_library",
    ),
    "a function of torch": (
        in_json(lambda model: graph(model)["nodes"][0].update(target="torch.hub.load")),
        "calls torch.hub.load",
    ),
    "an argument's type": (
        in_json(
            lambda model: model["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"context": "{\\"__enum__\\": 1}"}]'
            )
        ),
        "imports a module",
    ),
}


@pytest.mark.parametrize("title", CODE)
def test_a_file_that_could_run_code_is_refused_by_the_engine_and_named_by_the_inspection(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", str(tmp_path / "sang"))
    change, sentence = CODE[title]
    path = changed(tmp_path, change)
    with pytest.raises(EngineError, match=f"could run code.*{sentence}") as caught, opened(path):
        pass
    assert "trust_pickle" in caught.value.remedy
    assert any("trust_pickle" in one for one in inspect_model(path).warnings)
    assert not (tmp_path / "sang").exists()


def test_plain_sample_inputs_are_no_code_and_an_archive_behind_other_bytes_is_none(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda members: members.update({"data/sample_inputs/model.pt": torch_saved(TENSORS)}))
    assert not inspect_model(path).warnings
    path.write_bytes(CANARY + path.read_bytes())
    with pytest.raises(EngineError, match=r"cannot take the program.*before or behind"), opened(path):
        pass


def test_a_trusted_pickle_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", str(tmp_path / "sang"))
    path = changed(tmp_path, CODE["sample inputs"][0])
    with pytest.raises(EngineError, match="refuses the program"), opened(path, trust_pickle=True):
        pass
    assert (tmp_path / "sang").exists()


def test_plain_sample_inputs_and_open_sizes_are_no_code(tmp_path: Path) -> None:
    path = exported(tmp_path, dynamic_shapes={"picture": {1: torch.export.Dim.AUTO}})
    assert not inspect_model(path).warnings
    with opened(path) as runtime:
        assert runtime.inputs[0].shape == (1, -1)
        found = runtime.infer({"picture": np.ones((1, 7), np.float32)})
    assert next(iter(found.values())).tolist() == [[2.0] * 7]
    with pytest.raises(EngineError, match="need fixed sizes"), opened(path, compile=True):
        pass


@pytest.mark.parametrize("card", sorted(MODELS.glob("*/fp32.pt2")), ids=lambda path: path.parent.name)
def test_a_shipped_program_holds_no_pickle_and_no_path(card: Path) -> None:
    content = card.read_bytes()
    assert not inspect_model(card).warnings
    with zipfile.ZipFile(card) as archive:
        assert archive.read("fp32/data/sample_inputs/model.pt") == b""
    assert b"site-packages" not in content


@pytest.mark.parametrize("keep", [4, 100, 300_000])
def test_a_truncated_program_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "short.pt2"
    path.write_bytes(GAZE.read_bytes()[:keep])
    with pytest.raises(EngineError, match="cannot take the program"), opened(path):
        pass
