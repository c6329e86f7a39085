"""Kept predictions: used again only where all that decides them is equal, and never half written."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness import accuracy
from harness.accuracy import keep_predictions, load_predictions, prediction_key, score_of
from harness.case import ExtraInput, InputSpec, TaskSpec
from harness.packing import Labelled
from harness.tasks import open_task

PREDICTIONS = tuple(np.array([[k, 1 - k]], np.float32) for k in range(40))


@pytest.fixture
def job(make_job):
    return make_job(labelled_path="/cache/frames/abc", model_sha256="1" * 64)


DECIDES = [
    {"model_sha256": "2" * 64},
    {"options": {"seed": 2}},
    {"options": {"seed": 1, "speed": 1.0}},
    {"labelled_path": "/cache/frames/abd"},
    {"input": InputSpec(32, 20, layout="NHWC")},
    {"input": InputSpec(32, 20, mean=(0.5,))},
    {"outputs": {"scores": "Identity:0"}},
    {"extra_inputs": (ExtraInput("mask", (1, 3), "float32", 1.0),)},
    {"task": TaskSpec("raw")},
    {"task": TaskSpec("classification", {"classes": ["dark", "bright"], "softmax": True})},
]
DOES_NOT_DECIDE = [
    {"timed": False},
    {"model_path": "/elsewhere/model.sim"},
    {"frames_path": "/elsewhere"},
    {"labelled_path": "/elsewhere/frames/abc"},
    {"memory_limit_bytes": 5},
]


@pytest.mark.parametrize("change", DECIDES)
def test_whatever_decides_a_prediction_changes_its_key(job, simulated, change):
    assert prediction_key(replace(job, **change), simulated) != prediction_key(job, simulated)


@pytest.mark.parametrize("change", DOES_NOT_DECIDE)
def test_what_does_not_decide_a_prediction_leaves_its_key(job, simulated, change):
    assert prediction_key(replace(job, **change), simulated) == prediction_key(job, simulated)


def test_plan_and_case_do_not_decide_a_prediction(job, simulated):
    other = replace(job, plan=replace(job.plan, frames=5), case=replace(job.case, variant="int8"))
    assert prediction_key(other, simulated) == prediction_key(job, simulated)


def test_two_constants_of_a_further_input_have_two_keys(job, simulated):
    keys = {
        prediction_key(replace(job, extra_inputs=(ExtraInput("m", (1,), "float32", value),)), simulated)
        for value in (0.0, 1.0)
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("name", "answer"), [("RESIZER", "opencv 0"), ("_cpu", dict), ("_engine_version", lambda engine: "0.0")]
)
def test_resizer_processor_and_engine_version_decide_too(job, simulated, monkeypatch, name, answer):
    before = prediction_key(job, simulated)
    monkeypatch.setattr(accuracy, name, answer)
    assert prediction_key(job, simulated) != before


def test_the_code_between_frame_and_prediction_decides_too(job, simulated, monkeypatch):
    before = prediction_key(job, simulated)
    read = Path.read_bytes
    for name in ("pipeline.py", "decoders.py", "simulated.py"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path, name=name: read(path) + b"#" * (path.name == name))
            assert prediction_key(job, simulated) != before
    assert prediction_key(job, simulated) == before


CPUINFO = (
    "processor\t: 0\nmodel name\t: EPYC\nflags\t\t: avx2 vnni\ncpu MHz\t\t: 2400\nbogomips\t: 4800\n\nprocessor\t: 1\n"
)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("2400", "3100", True),
        ("4800", "4801", True),
        ("processor\t: 1", "processor\t: 7", True),
        ("EPYC", "Xeon", False),
        ("vnni", "", False),
    ],
)
def test_the_kind_of_processor_decides_and_not_its_readings_of_the_moment(job, simulated, monkeypatch, old, new, same):
    read = Path.read_text

    def key(cpuinfo):
        with monkeypatch.context() as patch:
            patch.setattr(
                Path, "read_text", lambda path, **more: cpuinfo if path.name == "cpuinfo" else read(path, **more)
            )
            return prediction_key(job, simulated)

    assert key(CPUINFO)
    assert (key(CPUINFO) == key(CPUINFO.replace(old, new))) == same


def test_the_order_in_which_options_are_written_does_not_decide(job, simulated):
    first, second = {"seed": 1, "speed": 2.0}, {"speed": 2.0, "seed": 1}
    keys = {prediction_key(replace(job, options=one), simulated) for one in (first, second)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("changes", "profile"),
    [
        ({}, {"python": "/usr/bin/python3"}),
        ({}, {"transport": "ssh"}),
        ({"engine": "null"}, {}),
        ({"task": TaskSpec("custom", {"function": "their.code:post"})}, {}),
    ],
)
def test_predictions_that_nobody_can_vouch_for_have_no_key(job, simulated, changes, profile):
    assert prediction_key(replace(job, **changes), simulated.model_copy(update=profile)) == ""


QNN = {"plugin": "onnxruntime_qnn", "providers": ["QNNExecutionProvider"]}


def backend(library):
    return {**QNN, "provider_options": {"QNNExecutionProvider": {"backend_path": library}}}


@pytest.mark.parametrize(
    ("engine", "options", "known"),
    [
        ("onnxruntime", {}, True),
        ("onnxruntime", {"providers": ["CPUExecutionProvider"], "threads": 2}, True),
        ("onnxruntime", {"providers": ("CUDAExecutionProvider", "CPUExecutionProvider")}, False),
        ("onnxruntime", {"providers": ["TIDLExecutionProvider"]}, False),
        ("onnxruntime", QNN, True),
        ("onnxruntime", backend("libQnnHtp.so"), True),
        ("onnxruntime", backend("libQnnElsewhere.so"), False),
        ("onnxruntime", backend("/opt/qairt/libQnnHtp.so.2"), False),
        ("onnxruntime", {**QNN, "context_cache": "/var/cache/contexts"}, False),
        ("onnxruntime", {**QNN, "plugin": "/opt/libprovider.so"}, False),
        ("openvino", {}, True),
        ("openvino", {"target": "CPU", "precision": "bf16"}, True),
        ("openvino", {"target": "NPU"}, False),
        ("openvino", {"target": "AUTO"}, False),
        ("litert", {"threads": 4}, True),
        ("litert", {"delegate": "libvx_delegate.so"}, False),
        ("litert", {"delegate": "delegate"}, False),
        ("executorch", {"backend": "XnnpackBackend"}, True),
        ("executorch", {"backend": "QnnBackend"}, False),
        ("torch", {"device": "cpu", "compile": True}, True),
        ("torch", {"device": "cuda:1"}, False),
        ("simulated", {"table": [{"file": __file__}]}, False),
    ],
)
def test_only_the_cpu_and_packages_with_a_version_have_a_key(job, simulated, monkeypatch, engine, options, known):
    shipped = [Path("onnxruntime_qnn/libs/libQnnHtp.so")]
    versions = dict.fromkeys((*accuracy.PACKAGES.values(), "onnxruntime_qnn"), "1.0")

    def version(name):
        if name not in versions:
            raise accuracy.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(accuracy.metadata, "version", version)
    monkeypatch.setattr(accuracy.metadata, "files", lambda name: shipped)
    assert bool(prediction_key(replace(job, engine=engine, options=options), simulated)) == known


def test_an_engine_that_is_not_installed_has_no_key(job, simulated, monkeypatch):
    monkeypatch.setitem(accuracy.PACKAGES, "simulated", "no-such-package-anywhere")
    assert prediction_key(job, simulated) == ""


shapes = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        hnp.arrays(np.float32, st.tuples(st.integers(0, 4), st.just(width)), elements=st.floats(width=32)), max_size=6
    ).map(tuple)
)


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_predictions_come_back_as_they_were_kept(predictions):
    with tempfile.TemporaryDirectory() as folder:
        keep_predictions(Path(folder), "key", predictions)
        back = load_predictions(Path(folder), "key")
    assert len(back) == len(predictions)
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(back, predictions))


def test_nothing_kept_is_none(tmp_path):
    assert load_predictions(tmp_path, "key") is None


def test_a_file_cut_short_at_any_byte_is_none_and_is_written_anew(tmp_path):
    keep_predictions(tmp_path, "key", PREDICTIONS)
    (path,) = (tmp_path / "predictions").iterdir()
    whole = path.read_bytes()
    for size in {*range(0, len(whole), 31), *range(10), *range(len(whole) - 30, len(whole))}:
        path.write_bytes(whole[:size])
        assert load_predictions(tmp_path, "key") is None
    keep_predictions(tmp_path, "key", PREDICTIONS)
    assert len(load_predictions(tmp_path, "key")) == 40


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"not a zip", bytes(1000)])
def test_a_file_that_is_something_else_is_none(tmp_path, content):
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "key.npz").write_bytes(content)
    assert load_predictions(tmp_path, "key") is None


def test_counts_that_do_not_fit_the_rows_are_none(tmp_path):
    (tmp_path / "predictions").mkdir()
    np.savez(tmp_path / "predictions" / "key.npz", values=np.zeros((3, 2)), counts=np.array([1, 1]))
    assert load_predictions(tmp_path, "key") is None


def test_a_write_that_fails_leaves_what_was_kept(tmp_path, monkeypatch):
    keep_predictions(tmp_path, "key", PREDICTIONS)

    def half_written(path, **arrays):
        Path(path).write_bytes(b"PK half")
        raise OSError("no space left on device")

    monkeypatch.setattr(accuracy.np, "savez", half_written)
    with pytest.raises(OSError, match="no space left"):
        keep_predictions(tmp_path, "key", PREDICTIONS[:3])
    assert len(load_predictions(tmp_path, "key")) == 40


def labelled(truths, slices=(), clips=()):
    samples = [{"clip": "", "slices": {}} for _ in truths]
    for sample, some in zip(samples, slices):
        sample["slices"] = some
    for sample, clip in zip(samples, clips):
        sample["clip"] = clip
    arrays = tuple(np.array([[one]], np.float32) for one in truths)
    return Labelled(folder=Path(), truths=arrays, samples=tuple(samples), of_frames=5000)


def scored(found, known, **options):
    task = open_task(TaskSpec("classification", {"classes": ["dark", "bright"], **options}), InputSpec(32, 20))
    return score_of(task, tuple(np.eye(2, dtype=np.float32)[[one]] for one in found), known)


def test_a_score_says_how_many_frames_it_rests_on_and_of_how_many():
    score = scored([0, 1, 1, 1], labelled([0, 1, 1, 0]))
    assert (score.value, score.frames, score.of_frames) == (75.0, 4, 5000)


def test_a_score_is_told_for_each_slice_of_the_conditions_that_the_labels_name():
    slices = [{"light": "dark", "glasses": "none"}, {"light": "dark"}, {"light": "day"}, {}]
    score = scored([0, 1, 1, 0], labelled([0, 0, 1, 1], slices))
    told = {name: value for name, value in score.extras.items() if name.startswith("slice_")}
    assert told == {"slice_glasses_none_percent": 100.0, "slice_light_dark_percent": 50.0,
                    "slice_light_day_percent": 100.0}  # fmt: skip
    assert score.extras["recall_dark_percent"] == 100.0 * 1 / 2


def test_without_slices_none_is_told():
    assert not [name for name in scored([0], labelled([0])).extras if name.startswith("slice_")]


@pytest.mark.parametrize(("clips", "told"), [(["a", "a", "b"], True), (["a", "", "b"], False), ([], False)])
def test_what_is_told_of_clips_needs_the_clip_of_every_frame(clips, told):
    score = scored([0, 1, 1], labelled([0, 1, 1], clips=clips), closed="dark")
    assert ("perclos_error_points" in score.extras) == told
