"""What the TensorRT adapter builds, keeps, branches over and refuses, on stand-ins for TensorRT and for CUDA."""

from __future__ import annotations

import ctypes
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from harness.errors import ConfigError, EngineError
from harness.profile import read_profile
from harness.runtimes import open_runtime
from harness.runtimes.cudart import Cuda, Device
from harness.runtimes.tensorrt_cache import fingerprint_of
from harness.runtimes.tensorrt_library import make_log
from harness.runtimes.tensorrt_network import Builder
from harness.runtimes.tensorrt_options import BuildOptions

HERE = Path(__file__).resolve().parent
SHAPE = (1, 1, 20, 32)
NET = {
    "inputs": {"image": list(SHAPE)}, "outputs": {"scores": [1, 2]},
    "layers": [
        {"name": "conv1", "type": "CONVOLUTION", "activation": "RELU"}, {"name": "weights", "type": "CONSTANT"},
        {"name": "size", "type": "SHAPE", "dla": False}, {"name": "head/conv2", "type": "CONVOLUTION"},
        {"name": "head/relu", "type": "ACTIVATION"},
    ],
}  # fmt: skip
QUANTISED = {**NET, "layers": [{"name": "q", "type": "QUANTIZE"}, *NET["layers"]]}
OPEN = {**NET, "inputs": {"image": [-1, 1, 20, 32]}, "outputs": {"scores": [-1, 2]}}
SHAPES = {"image": "1x1x20x32, 2x1x20x32, 4x1x20x32"}


def library(source, folder):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler (cc) for the stand-in of CUDA")
    path = folder / f"lib{source}.so"
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(path), str(HERE / f"{source}.c")]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture(scope="session")
def cudart(tmp_path_factory):
    return library("fake_cudart", tmp_path_factory.mktemp("cuda"))


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    shutil.copy(HERE / "standin_tensorrt.py", folder / "tensorrt.py")
    return folder


@pytest.fixture
def opened(tmp_path, package, cudart, monkeypatch):
    """A runtime over the stand-ins; `net` is the model, `environment` what the stand-ins do, the rest are options."""
    yield opener(tmp_path, package, cudart, monkeypatch)
    sys.modules.pop("tensorrt", None)


def opener(folder, package, cudart, monkeypatch):
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setenv("STANDIN_CUDART", str(cudart))

    def open_it(net=None, name="model.onnx", environment=None, **options):
        sys.modules.pop("tensorrt", None)
        for key, value in (environment or {}).items():
            monkeypatch.setenv(key, value)
        path = folder / name
        if net is not None:
            path.write_text(net if isinstance(net, str) else json.dumps(net))
        return open_runtime(
            "tensorrt", str(path), {"cache": str(folder / "cache"), "cuda_library": str(cudart), **options}
        )

    return open_it


@pytest.fixture(scope="session")
def built_once(package, cudart, tmp_path_factory):
    """A cache with the engine of NET: each build is a process of its own."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as monkeypatch:
        carried_out(opener(folder, package, cudart, monkeypatch)(NET))
    sys.modules.pop("tensorrt", None)
    return folder / "cache"


@pytest.fixture
def cache(built_once, tmp_path):
    """The cache of `opened`, in which NET was built before."""
    return shutil.copytree(built_once, tmp_path / "cache")


def frame(brightness, batch=1):
    return {"image": np.full((batch, *SHAPE[1:]), brightness, np.float32)}


def carried_out(runtime, *feeds):
    """The answers to these frames, then the facts."""
    runtime.prepare()
    with runtime:
        return [runtime.infer(one)["scores"] for one in feeds], runtime.facts()


def built(runtime):
    """What the stand-in engine of a loaded runtime was built with."""
    runtime.prepare()
    with runtime:
        facts = runtime.facts()
    return facts, described(Path(runtime._file.path))


def described(path):
    return json.loads(path.read_bytes()[28:])


def refused(runtime):
    with pytest.raises(EngineError) as caught:
        carried_out(runtime, frame(0.5))
    return caught.value.sentence


def test_a_frame_goes_through_pinned_memory_to_the_gpu_and_back(opened, cudart):
    before = ctypes.CDLL(str(cudart)).standin_held()
    runtime = opened(NET)
    (dark, bright), facts = carried_out(runtime, frame(0.25), frame(0.75))
    np.testing.assert_allclose([dark[0], bright[0]], [[0.75, 0.25], [0.25, 0.75]])
    assert (runtime.inputs[0].name, runtime.inputs[0].shape, runtime.inputs[0].dtype) == ("image", SHAPE, "float32")
    assert facts["promised"] == "GPU"
    assert facts["placement"] == {"GPU": 1.0}
    assert ctypes.CDLL(str(cudart)).standin_held() == before


def test_copies_are_timed_apart_from_computing_by_the_gpu_s_clock(opened):
    facts = carried_out(opened(NET), frame(0.1), frame(0.2))[1]
    assert facts["device_times"] == {
        f"{part}_p{percent}_ns": 500_000 for part in ("h2d", "compute", "d2h") for percent in (50, 99)
    }


def test_layers_are_told_with_their_precision_fusion_and_time(opened):
    facts = carried_out(opened(NET, precision="fp16"), frame(0.1))[1]
    assert facts["layer_precisions"] == {"fp16": 1.0}
    assert facts["fusion"] == {"convolutions": 2, "with_activation": 1, "batch_norms": 0}
    assert facts["layer_ms"] == {one["name"]: 0.25 for one in NET["layers"]}


def test_without_a_frame_nothing_was_measured(opened):
    facts = carried_out(opened(NET))[1]
    assert facts["device_times"] == facts["layer_ms"] == {}


def test_an_inspector_that_tells_nothing_costs_its_facts_only(opened):
    facts = carried_out(opened(NET, environment={"STANDIN_FAULT": "inspector"}), frame(0.1))[1]
    assert "layer_precisions" not in facts
    assert facts["placement"] == {"GPU": 1.0}


def test_an_engine_is_built_once_and_then_taken_from_the_cache(opened):
    first, second = (carried_out(opened(NET))[1] for _ in range(2))
    assert (first["engine_origin"], first["engine_built_because"]) == ("built", "there was none")
    assert second["engine_origin"] == "cache"
    assert "engine_built_because" not in second
    assert first["build_ns"] == second["build_ns"] > 0
    assert first["engine_sha256"] == second["engine_sha256"]


def test_the_build_comes_before_anything_that_is_timed(opened, tmp_path):
    runtime = opened(NET)
    runtime.begin_run(0)
    assert list((tmp_path / "cache").glob("*.engine"))
    assert carried_out(runtime)[1]["engine_origin"] == "built"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"environment": {"STANDIN_VERSION": "10.16.1"}}, "tensorrt was '10.3.0' and is '10.16.1'"),
        ({"environment": {"FAKE_GPU": "Another GPU"}}, "there was none"),
        ({"environment": {"FAKE_PROCESSORS": "8"}}, "there was none"),
        ({"environment": {"FAKE_GIB": "32"}}, "there was none"),
        ({"net": {**NET, "version": 2}}, "there was none"),
        ({"precision": "fp16"}, "there was none"),
        ({"workspace_mib": 64}, "there was none"),
    ],
    ids=["tensorrt", "gpu", "processors", "memory", "model", "precision", "workspace"],
)
@pytest.mark.usefixtures("cache")
def test_an_engine_is_built_again_where_what_it_depends_on_changed(opened, change, because):
    facts = carried_out(opened(**{"net": NET, **change}))[1]
    assert (facts["engine_origin"], facts["engine_built_because"]) == ("built", because)


def test_a_plug_in_library_of_other_content_makes_the_engine_be_built_again(opened, tmp_path):
    plugin = library("fake_plugin", tmp_path)
    carried_out(opened(NET, plugins=(str(plugin),)))
    # A new file: the old one is mapped into this process.
    other = tmp_path / "other.so"
    other.write_bytes(plugin.read_bytes() + b"\0")
    other.replace(plugin)
    assert carried_out(opened(NET, plugins=(str(plugin),)))[1]["engine_built_because"].startswith("files was")


@pytest.mark.parametrize(
    "damage",
    [lambda engine: engine.write_bytes(engine.read_bytes()[:-9]), lambda engine: engine.unlink(),
     lambda engine: engine.with_suffix(".json").write_text("{"),
     lambda engine: engine.with_suffix(".json").write_text("[]"),
     lambda engine: engine.with_suffix(".json").write_text('{"engine": {"sha256": ""}}')],
    ids=["cut off", "gone", "sidecar is no JSON", "sidecar is a list", "sidecar is empty"],
)  # fmt: skip
def test_a_damaged_engine_in_the_cache_is_built_again(opened, cache, damage):
    damage(next(cache.glob("*.engine")))
    assert carried_out(opened(NET))[1]["engine_built_because"] == "the one that was there is damaged"


def test_an_engine_that_changes_between_build_and_load_is_refused(opened, tmp_path):
    runtime = opened(NET)
    runtime.begin_run(0)
    engine = next((tmp_path / "cache").glob("*.engine"))
    content = bytearray(engine.read_bytes())
    content[-5] ^= 1
    engine.write_bytes(content)
    with pytest.raises(EngineError, match="not the one that its sidecar tells of"):
        runtime.prepare()


def test_entering_takes_the_bytes_that_were_checked_and_reads_nothing(opened, tmp_path):
    runtime = opened(NET)
    runtime.prepare()
    next((tmp_path / "cache").glob("*.engine")).unlink()
    with runtime:
        assert runtime._bytes == b""


@pytest.fixture
def engine(cache, tmp_path):
    """An engine file beside the model, without a sidecar."""
    return Path(shutil.copy(next(cache.glob("*.engine")), tmp_path / "given.engine"))


def test_an_engine_file_of_the_card_is_loaded_as_it_is(opened, engine):
    (scores,), facts = carried_out(opened(name=engine.name), frame(1.0))
    np.testing.assert_allclose(scores, [[0, 1]])
    assert facts["engine_origin"] == "file"
    assert "build_ns" not in facts


def changed(content, at, new):
    return content[:at] + new + content[at + len(new) :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-1], "is cut off"),
        (lambda content: content[:20], "is cut off"),
        (lambda content: b"", "is no plan: it begins with b''"),
        (lambda content: b"PK\x03\x04" + content, "is no plan"),
        (lambda content: changed(content, 0, b"ptrt"), "TensorRT before 8"),
        (lambda content: changed(content, 24, bytes([8, 6, 1])), "was written by TensorRT 8.6.1 and this is 10.3.0"),
        (lambda content: changed(content, 24, bytes([10, 16, 1])), "was written by TensorRT 10.16.1"),
    ],
)
def test_an_engine_file_that_cannot_fit_is_never_deserialised(opened, engine, damage, words):
    engine.write_bytes(damage(engine.read_bytes()))
    # The stand-in would raise another error, or end the process, on what is no engine.
    said = refused(opened(name=engine.name))
    assert words in said
    assert "given.engine" in said


def test_an_engine_of_a_serialisation_that_no_source_explains_is_left_to_tensorrt(opened, engine):
    engine.write_bytes(changed(engine.read_bytes(), 4, b"\x60"))
    said = refused(opened(name=engine.name, environment={"STANDIN_FAULT": "deserialise"}))
    assert "TensorRT refuses the engine: the plan is for another device" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"FAKE_GPU": "Another GPU"}, "was built elsewhere: gpu was 'Imaginary GPU' and is 'Another GPU'"),
        ({"FAKE_PROCESSORS": "8"}, "was built elsewhere: multiprocessors was 16 and is 8"),
        ({}, ""),
    ],
)
def test_a_sidecar_beside_an_engine_file_must_fit_this_machine(opened, engine, cache, change, words):
    shutil.copy(next(cache.glob("*.json")), engine.with_suffix(".json"))
    runtime = opened(name=engine.name, environment=change)
    if words:
        assert words in refused(runtime)
    else:
        assert carried_out(runtime)[1]["build_ns"] > 0
        assert runtime.marks == {}


@pytest.mark.parametrize("words", ['{"epochs": 3}', "[]"])
def test_any_other_json_beside_an_engine_file_is_no_sidecar(opened, engine, words):
    engine.with_suffix(".json").write_text(words)
    assert carried_out(opened(name=engine.name), frame(1.0))[1]["engine_origin"] == "file"


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [("{", "sidecar cannot be read"), ('{"engine": {"path": "", "sha256": "00"}, "fingerprint": '
     '{"tensorrt": "10.3.0", "gpu": "", "compute_capability": ""}}', "not the one that its sidecar tells of")],
)  # fmt: skip
def test_a_sidecar_that_lies_is_refused(opened, engine, sidecar, words):
    engine.with_suffix(".json").write_text(sidecar)
    assert words in refused(opened(name=engine.name))


def test_without_a_driver_an_engine_is_refused_before_tensorrt_sees_it(opened, engine):
    said = refused(opened(name=engine.name, environment={"FAKE_CUDA": "35"}))
    assert "CUDA finds no GPU that it can use" in said
    assert "driver is too old for this runtime (CUDA error 35)" in said
    assert "install NVIDIA's driver" in said


def test_the_stand_in_ends_the_process_without_a_driver_as_tensorrt_does(package, cudart, tmp_path):
    script = "import tensorrt as trt; trt.Runtime(None).deserialize_cuda_engine(b'')"
    environment = {"STANDIN_CUDART": str(cudart), "FAKE_CUDA": "35", "PYTHONPATH": str(package)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, timeout=60).returncode == -11


def test_without_tensorrt_the_error_says_how_to_get_it(tmp_path):
    runtime = open_runtime("tensorrt", str(tmp_path / "model.onnx"), {})
    with pytest.raises(EngineError, match="cannot be imported") as caught:
        runtime.prepare()
    assert "python3-libnvinfer" in caught.value.remedy


@pytest.mark.parametrize("version", ["8.4.1", "12.0.0", "7.1.3"])
def test_another_version_than_8_5_to_11_is_refused(opened, version):
    assert f"TensorRT {version} is none of 8.5 to 11" in refused(opened(NET, environment={"STANDIN_VERSION": version}))


@pytest.mark.parametrize(
    ("version", "flags"), [("8.5.2", 1), ("8.6.1", 1), ("10.3.0", 3), ("10.16.1", 3), ("11.4.0", 1)]
)
def test_types_of_the_file_are_kept_where_the_version_can(opened, version, flags):
    # Bits: EXPLICIT_BATCH and STRONGLY_TYPED; version 8 has only the first, version 11 only the second.
    assert built(opened(NET, environment={"STANDIN_VERSION": version}))[1]["network_flags"] == flags


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, []),
        ({"tf32": True}, ["TF32"]),
        ({"precision": "fp32"}, []),
        ({"precision": "fp16"}, ["FP16"]),
        ({"precision": "bf16"}, ["BF16"]),
        ({"precision": "fp16", "layer_precisions": {"head/*": "fp32"}}, ["FP16", "OBEY_PRECISION_CONSTRAINTS"]),
        ({"precision": "int8", "dynamic_ranges": {"*_output": 4.0}}, ["FP16", "INT8"]),
    ],
)
def test_options_become_flags_of_the_builder(opened, options, flags):
    assert built(opened(NET, **options))[1]["flags"] == flags


def test_layers_that_a_pattern_names_keep_their_precision(opened):
    options = {"precision": "fp16", "layer_precisions": {"head/*": "fp32", "size": "fp32"}}
    facts, told = built(opened(NET, **options))
    kept = {name for name, precision in told["precisions"].items() if precision == "FLOAT"}
    # What computes a shape is left alone though a pattern names it.
    assert kept == {"head/conv2", "head/relu"}
    assert facts["layer_precisions"] == {"fp16": pytest.approx(0.6), "fp32": pytest.approx(0.4)}


def test_ranges_are_set_on_the_tensors_that_a_pattern_names(opened):
    told = built(opened(NET, precision="int8", dynamic_ranges={"head/*": 4.0}))[1]
    assert told["ranges"] == {"head/conv2_output": [-4.0, 4.0], "head/relu_output": [-4.0, 4.0]}


def test_the_workspace_is_limited_in_mib(opened):
    assert built(opened(NET, workspace_mib=64))[1]["pools"] == {"WORKSPACE": 64 * 2**20}


def test_times_of_kernels_are_kept_for_the_next_build_and_a_foreign_file_is_replaced(opened, tmp_path):
    assert built(opened(NET))[1]["timings"] == 0
    assert built(opened(NET, workspace_mib=1))[1]["timings"] == 1
    (timings,) = (tmp_path / "cache").glob("*.timings")
    timings.write_bytes(b"foreign")
    assert built(opened(NET, workspace_mib=2))[1]["timings"] == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [("precision", "int8"), ("precision", "fp16"), ("calibration", "frames.npz"), ("layer_precisions", {"*": "fp16"}),
     ("dynamic_ranges", {"*": 1.0})],
)  # fmt: skip
def test_version_11_takes_types_from_the_file_alone(opened, option, value):
    more = {"precision": "int8"} if option == "calibration" else {}
    said = refused(opened(NET, environment={"STANDIN_VERSION": "11.4.0"}, **{option: value, **more}))
    assert "TensorRT 11 takes all types from the file" in said
    assert option in said
    assert "QDQ" in said
    assert "cast" in said


@pytest.mark.parametrize(
    ("net", "options", "words"),
    [
        (NET, {"precision": "fp17"}, "no precision called 'fp17', did you mean 'fp16'"),
        (NET, {"precision": "fp16", "layer_precisions": {"*": ""}}, "needs a precision for each pattern"),
        (NET, {"precision": "fp16", "layer_precisions": {"haed*": "fp32"}}, "pattern 'haed*' matches nothing"),
        (NET, {"precision": "int8", "dynamic_ranges": {"nothing": 1.0}}, "pattern 'nothing' matches nothing"),
        (NET, {"precision": "int8", "dynamic_ranges": {"image": -1.0}}, "does not take -1.0 as the range of 'image'"),
        (NET, {"precision": "int8"}, "without QDQ nodes in the file, calibration or dynamic_ranges"),
        (QUANTISED, {"precision": "int8", "dynamic_ranges": {"*": 1.0}}, "would count for nothing"),
        (QUANTISED, {"precision": "fp16"}, "set precision = 'int8' for it"),
        (NET, {"calibration": "frames.npz"}, "calibration needs precision = 'int8'"),
        (NET, {"precision": "int8", "calibrator": "entropie"}, "did you mean 'entropy'"),
        (NET, {"gpu_fallback": True}, "gpu_fallback needs a dla_core"),
        (NET, {"dla_core": 0}, "this device has 0 DLA cores"),
        (NET, {"shapes": {"image": "1x1x20"}}, None),
        (NET, {"shapes": {"image": "a picture"}}, "is neither one shape nor three"),
        (NET, {"shapes": {"image": "2x1, 1x1, 2x1"}}, "does not grow from the least to the largest"),
        (NET, {"shapes": {"imgae": "1x1x20x32"}}, "the model has no input 'imgae'"),
        (OPEN, {}, "leaves sizes of 'image' open"),
        ("no model", {}, "TensorRT cannot take the ONNX file: no operator"),
        ({**NET, "dtype": "FP8"}, {}, "is FP8, which numpy does not have"),
        ({**NET, "location": "HOST"}, {}, "takes from the host's memory"),
        ({**NET, "format": "CHW16"}, {}, "'image' is laid out as CHW16 and not row by row"),
        (NET, {"dynamic_ranges": {"*": 1.0}}, "dynamic_ranges needs precision = 'int8'"),
        (NET, {"precision": "fp16", "layer_precisions": {"head/*": "int8"}}, "without QDQ nodes in the file"),
        ({**NET, "data_dependent": True}, {}, "depends on the values of the inputs"),
    ],
)
def test_what_cannot_be_built_or_run_is_refused_by_name(opened, net, options, words):
    if words:
        assert words in refused(opened(net, **options))
    else:
        carried_out(opened(net, **options), frame(0.5))


def test_bf16_is_refused_where_the_version_has_none(opened):
    said = refused(opened(NET, precision="bf16", environment={"STANDIN_VERSION": "8.5.2"}))
    assert "TensorRT 8.5.2 has no BF16" in said


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refuse", "TensorRT cannot build the engine: no kernel was found"),
        ("crash", "was killed by signal 11"),
        ("deserialise", "TensorRT refuses the engine: the plan is for another device"),
        ("context", "makes no execution context"),
        ("address", "does not take the memory of 'image'"),
        ("execute", "TensorRT fails to run the engine"),
        ("plugins", "own plug-ins cannot be registered"),
    ],
)
def test_a_fault_of_tensorrt_is_an_error_with_its_words_and_the_file(opened, fault, words):
    said = refused(opened(NET, environment={"STANDIN_FAULT": fault}))
    assert words in said
    assert fault == "plugins" or ".engine" in said or "model.onnx" in said


def test_a_build_that_takes_too_long_is_ended(opened):
    assert "was not done after 0.01 s" in refused(opened(NET, build_deadline_s=0.01))


def frames(path, count=5, **changes):
    np.savez(path, **{"image": np.random.default_rng(1).random((count, *SHAPE[1:]), np.float32), **changes})
    return str(path)


def test_int8_ranges_come_from_calibration_frames_and_are_kept_with_model_and_frames(opened, tmp_path):
    options = {"precision": "int8", "calibration": frames(tmp_path / "frames.npz")}
    facts, told = built(opened(NET, **options))
    assert told["batches"] == 5
    assert facts["layer_precisions"] == {"int8": 1.0}
    assert built(opened(NET, **options, workspace_mib=1))[1]["batches"] == -1
    assert built(opened(NET, **options, calibrator="minmax"))[1]["batches"] == 5
    frames(tmp_path / "frames.npz", count=4)
    facts, told = built(opened(NET, **options))
    assert told["batches"] == 4
    assert facts["engine_built_because"].startswith("files was")
    assert built(opened({**NET, "version": 2}, **options))[1]["batches"] == 4


def test_calibration_frames_may_be_a_folder_and_fill_the_best_batch(opened, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    frames(folder / "a.npz", count=5)
    frames(folder / "b.npz", count=2)
    told = built(opened(OPEN, precision="int8", calibration=str(folder), shapes=SHAPES))[1]
    assert told["batches"] == 3
    assert told["calibration_profile"] == {"image": [[2, 1, 20, 32]] * 3}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_text("pictures"), "cannot be read"),
        (lambda path: frames(path, count=0), "no whole batch of 1 frames"),
        (lambda path: np.savez(path, other=np.zeros(3)), "the calibration frames of 'image' are nothing"),
        (lambda path: frames(path, image=np.zeros((3, 1, 20, 32))), "are float64 [3, 1, 20, 32]"),
        (lambda path: frames(path, image=np.zeros((3, 1, 32, 20), np.float32)), "are float32 [3, 1, 32, 20]"),
    ],
    ids=["missing", "no npz", "empty", "other name", "other dtype", "other shape"],
)
def test_calibration_frames_that_do_not_fit_are_refused(opened, tmp_path, make, words):
    path = tmp_path / "frames.npz"
    make(path)
    assert words in refused(opened(NET, precision="int8", calibration=str(path)))


def test_an_open_size_takes_every_shape_that_it_was_built_for(opened):
    runtime = opened(OPEN, shapes=SHAPES)
    (one, four, again), _ = carried_out(runtime, frame(0.25), frame(0.5, batch=4), frame(0.75))
    assert (one.shape, four.shape) == ((1, 2), (4, 2))
    np.testing.assert_allclose(again, [[0.25, 0.75]])
    assert runtime.inputs[0].shape == (-1, 1, 20, 32)


def test_a_shape_outside_of_the_profile_is_refused_with_its_limits(opened):
    runtime = opened(OPEN, shapes=SHAPES)
    runtime.prepare()
    with runtime, pytest.raises(EngineError, match=r"given \[8, 1, 20, 32\].*\[1, 1, 20, 32\] to \[4, 1, 20, 32\]"):
        runtime.infer(frame(0.5, batch=8))


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({"image": np.zeros(SHAPE, np.float64)}, "takes float32"),
        ({"image": np.zeros((1, 1, 32, 20), np.float32)}, r"was given float32 \[1, 1, 32, 20\]"),
        ({"picture": np.zeros(SHAPE, np.float32)}, "no input called 'picture'"),
        ({}, "nothing was given for the inputs"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(opened, feeds, words):
    runtime = opened(NET)
    runtime.prepare()
    with runtime, pytest.raises(EngineError, match=words):
        runtime.infer(feeds)


def test_an_answer_is_not_overwritten_by_the_next_frame(opened):
    runtime = opened(NET)
    runtime.prepare()
    with runtime:
        first = runtime.infer(frame(0.25))["scores"]
        runtime.infer(frame(0.75))
    np.testing.assert_allclose(first, [[0.75, 0.25]])


def test_a_cuda_graph_is_captured_once_per_shape_and_replayed(opened, cudart):
    before = ctypes.CDLL(str(cudart)).standin_launches()
    runtime = opened(OPEN, shapes=SHAPES, cuda_graph=True)
    (dark, bright, four), facts = carried_out(runtime, frame(0.25), frame(0.75), frame(0.5, batch=4))
    np.testing.assert_allclose([dark[0], bright[0], four[3]], [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    assert ctypes.CDLL(str(cudart)).standin_launches() == before + 3
    assert facts["cuda_graph"] is True


def test_a_graph_that_cannot_be_captured_is_an_error_and_no_fallback(opened):
    said = refused(opened(NET, cuda_graph=True, environment={"FAKE_CAPTURE": "901"}))
    assert "the CUDA graph cannot be captured" in said
    assert "take the option cuda_graph out" in said


@pytest.mark.parametrize("version", ["8.5.2", "8.6.1", "11.4.0"])
def test_plug_in_libraries_of_the_profile_are_loaded(opened, tmp_path, version):
    plugin = str(library("fake_plugin", tmp_path))
    facts = carried_out(opened(NET, plugins=(plugin,), environment={"STANDIN_VERSION": version}))[1]
    assert facts["plugins"] == [plugin]


@pytest.mark.parametrize(
    ("make", "environment", "words"),
    [
        (lambda path: None, {}, "does not exist"),
        (lambda path: path.write_text("a page"), {}, "is no ELF file"),
        (lambda path: path.write_bytes(path.with_name("libfake_plugin.so").read_bytes()[:60]), {}, "cannot be loaded"),
        (lambda path: shutil.copy(path.with_name("libfake_plugin.so"), path), {"STANDIN_FAULT": "registry"},
         "TensorRT does not take the plug-in library"),
    ],
    ids=["missing", "no library", "cut off", "refused"],
)  # fmt: skip
def test_a_plug_in_library_that_cannot_be_loaded_is_refused_by_name(opened, tmp_path, make, environment, words):
    library("fake_plugin", tmp_path)
    make(tmp_path / "libother.so")
    said = refused(opened(NET, plugins=(str(tmp_path / "libother.so"),), environment=environment))
    assert words in said
    assert "libother.so" in said
    assert "plugins" in said


DLA = {"dla_core": 1, "precision": "fp16", "environment": {"STANDIN_DLA_CORES": "2"}}


def test_a_dla_shows_what_fell_back_to_the_gpu(opened):
    facts, told = built(opened(NET, **DLA, gpu_fallback=True))
    assert facts["promised"] == "DLA"
    assert facts["providers"] == ["DLA", "GPU"]
    # Four layers compute, one of which the DLA cannot take; the constant is none.
    assert facts["placement"] == {"DLA": 0.75, "GPU": 0.25}
    assert facts["partitions"] == 4
    assert told["flags"] == ["FP16", "GPU_FALLBACK"]
    assert told["dla"] == 1


def test_a_dla_without_fallback_is_promised_alone(opened):
    net = {**NET, "layers": [{**one, "dla": True} for one in NET["layers"]]}
    facts, told = built(opened(net, **DLA))
    assert (facts["providers"], facts["placement"]) == (["DLA"], {"DLA": 1.0})
    assert "GPU_FALLBACK" not in told["flags"]


def test_a_dla_that_takes_nothing_is_an_error(opened):
    net = {**NET, "layers": [{**one, "dla": False} for one in NET["layers"]]}
    assert "the DLA took none of the model's layers" in refused(opened(net, **DLA, gpu_fallback=True))


def test_of_an_engine_file_without_a_sidecar_the_placement_on_the_dla_is_not_known(opened, engine):
    facts = carried_out(opened(name=engine.name, dla_core=0))[1]
    assert "placement" not in facts
    assert "partitions" not in facts
    assert facts["promised"] == "DLA"


def test_a_precision_that_no_layer_took_is_a_warning(opened, engine):
    (words,) = carried_out(opened(name=engine.name, precision="int8"))[1]["warnings"]
    assert "int8 was asked for" in words
    assert "fp32" in words


def test_a_run_of_the_harness_records_build_and_loading_apart(opened, measured, make_job, tmp_path, cudart):
    opened(NET)
    job = make_job(
        engine="tensorrt", model_path=str(tmp_path / "model.onnx"),
        options={"cache": str(tmp_path / "cache"), "cuda_library": str(cudart)},
    )  # fmt: skip
    run = measured(job)
    run.save(tmp_path)
    assert run.facts["engine_origin"] == "built"
    assert run.facts["build_ns"] == run.marks["build_ns"] > 0
    assert "build_ns" not in measured(job).marks
    assert run.facts["outputs_vary"] is True
    assert len(run.stages["infer"]) == job.plan.frames
    # The build is a process of its own, before the clocks of import and loading start.
    assert {"import_ns", "load_ns"} <= run.marks.keys()
    assert run.facts["layer_ms"].keys() == {one["name"] for one in NET["layers"]}


def test_a_survey_of_the_device_builds_nothing(opened, tmp_path, cudart):
    opened(NET)
    runtime = open_runtime("tensorrt", "", {"cache": str(tmp_path / "cache"), "cuda_library": str(cudart)})
    runtime.prepare()
    assert not (tmp_path / "cache").exists()


def test_the_options_are_a_schema_for_device_profiles(tmp_path):
    def profile(line):
        (tmp_path / "board.toml").write_text(f'[runtimes.trt]\nengine = "tensorrt"\n{line}\n')
        return read_profile("board", tmp_path)

    assert profile('shapes = { image = "1x1x20x32" }\nlayer_precisions = { "head*" = "fp16" }').runtimes
    with pytest.raises(ConfigError, match="precison"):
        profile('precison = "int8"')


def test_calibration_frames_are_all_looked_at_before_a_build_begins(opened, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    frames(folder / "a.npz")
    (folder / "b.npz").write_bytes((folder / "a.npz").read_bytes()[:-30])
    assert "b.npz" in refused(opened(NET, precision="int8", calibration=str(folder)))
    assert not list((tmp_path / "cache").glob("*.calibration"))


@pytest.mark.parametrize("fault", [EngineError("no memory of the GPU"), MemoryError("no memory of the host")])
def test_a_calibration_that_fails_on_its_way_gives_neither_engine_nor_ranges(tmp_path, package, monkeypatch, fault):
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    trt = importlib.import_module("tensorrt")

    class Cuda:
        copied = 0

        def device(self):
            return Device("any", "8.7", 16, 8, 1, 1)

        def stream(self):
            return 1

        def allocate(self, size_bytes):
            return 4096

        def wait_stream(self, stream):
            self.copied += 1
            if self.copied == 3:
                raise fault

        def copy_in(self, *words):
            pass

    (tmp_path / "model.onnx").write_text(json.dumps(NET))
    options = BuildOptions(precision="int8", calibration=frames(tmp_path / "frames.npz"))
    builder = Builder(trt, make_log(trt), Cuda(), options, tmp_path / "cache")
    with pytest.raises(EngineError, match="no memory of the"):
        builder.build(str(tmp_path / "model.onnx"), "any")
    assert not list((tmp_path / "cache").glob("*.calibration"))
    sys.modules.pop("tensorrt")


def test_weights_beside_the_onnx_file_are_part_of_the_model(tmp_path):
    weights = numpy_helper.from_array(np.ones((32, 32), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(name, 1, [1, 32]) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights]))
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    before = fingerprint_of({}, str(path), BuildOptions())
    (tmp_path / "m.data").write_bytes(np.zeros((32, 32), np.float32).tobytes())
    assert fingerprint_of({}, str(path), BuildOptions())["model_sha256"] != before["model_sha256"]


def test_a_plug_in_by_its_bare_name_counts_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    (tmp_path / "m.onnx").write_text("any")
    found = []
    for content in (b"1", b"2"):
        (tmp_path / "libplug.so").write_bytes(content)
        found.append(fingerprint_of({}, str(tmp_path / "m.onnx"), BuildOptions(plugins=("libplug.so",)))["files"])
    assert found[0] != found[1]


def test_a_cache_may_be_moved_or_named_from_here(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert carried_out(opened(NET, cache="old"))[1]["engine_origin"] == "built"
    (tmp_path / "old").rename(tmp_path / "new")
    assert carried_out(opened(NET, cache="new"))[1]["engine_origin"] == "cache"


def test_what_fails_while_a_graph_is_captured_is_what_is_told(opened, monkeypatch):
    runtime = opened(NET, cuda_graph=True)
    runtime.prepare()
    answers, ended = iter([True, False]), []
    end = Cuda.end_capture

    def free(cuda, address):
        if not ended:
            raise EngineError("operation not permitted when stream is capturing")

    monkeypatch.setattr(Cuda, "free", free)
    monkeypatch.setattr(Cuda, "end_capture", lambda cuda, stream: (ended.append(1), end(cuda, stream))[1])
    monkeypatch.setattr(sys.modules["tensorrt"].Context, "execute_async_v3", lambda *_: next(answers))
    with pytest.raises(EngineError, match="graph cannot be captured: TensorRT fails to run the engine"), runtime:
        runtime.infer(frame(0.1))


def test_the_profiler_is_gone_after_its_pass(opened):
    runtime = opened(NET)
    runtime.prepare()
    with runtime:
        runtime.infer(frame(0.1))
        assert runtime.facts()["layer_ms"]
        assert runtime._session._context.profiler is None


# lines of the builder beside those of the stand-in -> the share that is told
@pytest.mark.parametrize(
    ("name", "share"), [("CONVOLUTION: conv1 + head/relu", 0.25), ("{ForeignNode[conv1...x]}", None), ("x", 0.75)]
)
def test_a_layer_that_the_builder_put_on_the_gpu_is_none_of_the_dla(opened, name, share):
    net = {**NET, "on_gpu": name}
    facts = built(opened(net, **DLA, gpu_fallback=True))[0]
    assert facts.get("placement", {}).get("DLA") == share
