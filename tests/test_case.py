"""Jobs and runs cross the wire whole, or not at all."""

from __future__ import annotations

import json
import resource
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.case import (
    Case,
    ExtraInput,
    InputSpec,
    Job,
    Plan,
    Run,
    TaskSpec,
    TensorSpec,
    load_predictions,
    pack_ragged,
    read_arrays,
    save_predictions,
    unpack_ragged,
)

REFUSALS = (OSError, ValueError, KeyError)
words = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
options = st.dictionaries(words, plain, max_size=4)
inputs = st.builds(
    InputSpec,
    width=st.integers(1, 4096), height=st.integers(1, 4096), name=words, roi=st.none() | words,
    mean=st.lists(numbers, max_size=3).map(tuple), std=st.lists(numbers, max_size=3).map(tuple), scale=numbers,
)  # fmt: skip
jobs = st.builds(
    Job,
    case=st.builds(Case, words, words, words, words),
    plan=st.builds(Plan, name=words, frames=st.integers(0, 10**6), minimum_s=numbers, judges_speed=st.booleans()),
    engine=words, options=options, model_path=words, model_sha256=words, frames_path=words, input=inputs,
    task=st.builds(TaskSpec, words, options), outputs=st.dictionaries(words, words, max_size=3),
    extra_inputs=st.lists(
        st.builds(ExtraInput, words, st.lists(st.integers(1, 9)).map(tuple), words, numbers), max_size=2
    ).map(tuple),
    weight_dtype=words, stateful=st.booleans(),
    timed=st.booleans(), labelled_path=words, cpu_cores=st.lists(st.integers(0, 4095), max_size=4).map(tuple),
    memory_limit_bytes=st.integers(0, 2**60),
)  # fmt: skip
columns = hnp.arrays(np.int64, st.integers(0, 20))
ragged = st.integers(0, 6).flatmap(
    lambda width: st.lists(
        hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(width)), elements=st.floats(width=32)), max_size=6
    ).map(tuple)
)
runs = st.builds(
    Run,
    stages=st.fixed_dictionaries({"pre": columns, "infer": columns, "post": columns}),
    frame_ns=columns, start_ns=columns, cpu_ns=columns, warmup_ns=columns,
    marks=st.dictionaries(words, numbers, max_size=4), facts=st.dictionaries(words, plain, max_size=4),
    predictions=ragged,
)  # fmt: skip


@given(jobs)
def test_a_job_crosses_the_wire_whole(job):
    assert Job.from_json(job.to_json()) == job


@pytest.mark.parametrize("kind", [Case, Plan, InputSpec, ExtraInput, TaskSpec, TensorSpec, Job, Run])
def test_what_crosses_the_wire_is_frozen(kind):
    assert kind.__dataclass_params__.frozen


def test_the_key_of_a_case_holds_its_four_names():
    assert Case("orin", "eyes", "int8", "trt").key == "orin/eyes/int8/trt"


@pytest.mark.parametrize(("colour", "channels"), [("gray", 1), ("rgb", 3), ("bgr", 3)])
def test_an_input_has_as_many_channels_as_its_colour(colour, channels):
    assert InputSpec(8, 8, colour=colour).channels == channels


def same(first: Run, second: Run) -> bool:
    arrays = ("frame_ns", "start_ns", "cpu_ns", "warmup_ns")
    return (
        all(np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays)
        and first.stages.keys() == second.stages.keys()
        and all(np.array_equal(first.stages[name], second.stages[name]) for name in first.stages)
        and (first.marks, first.facts) == (second.marks, second.facts)
        and len(first.predictions) == len(second.predictions)
        and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first.predictions, second.predictions))
    )


@settings(deadline=None, max_examples=50)
@given(runs)
def test_a_run_comes_back_from_disk_as_it_was(run):
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder))
        assert same(Run.load(Path(folder)), run)


@pytest.fixture
def saved(make_run, tmp_path):
    run = make_run([5_000_000] * 50, predictions=(np.ones((2, 3), np.float32), np.zeros((0, 3), np.float32)))
    run.save(tmp_path)
    return run, tmp_path


@pytest.mark.parametrize("name", ["run.npz", "run.json", "predictions.npz"])
def test_a_run_cut_short_at_any_byte_is_refused(saved, name):
    _, folder = saved
    whole = (folder / name).read_bytes()
    for size in sorted({*range(0, len(whole), 61), *range(12), *range(len(whole) - 40, len(whole))}):
        (folder / name).write_bytes(whole[:size])
        with pytest.raises(REFUSALS):
            Run.load(folder)


def test_a_flipped_byte_is_refused_or_harmless(saved):
    run, folder = saved
    whole = (folder / "run.npz").read_bytes()
    refused = 0
    for position in range(0, len(whole), 13):
        (folder / "run.npz").write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            assert same(Run.load(folder), run)
        except REFUSALS:
            refused += 1
    assert refused > len(whole) // 13 // 2


@pytest.mark.parametrize("missing", ["run.npz", "run.json"])
def test_a_run_without_one_of_its_files_is_refused(saved, missing):
    (saved[1] / missing).unlink()
    with pytest.raises(OSError, match=missing):
        Run.load(saved[1])


def test_a_run_without_predictions_is_whole(saved):
    run, folder = saved
    (folder / "predictions.npz").unlink()
    assert same(Run.load(folder), replace(run, predictions=()))


@given(ragged)
def test_predictions_come_back_from_disk_as_they_were(predictions):
    with tempfile.TemporaryDirectory() as folder:
        save_predictions(predictions, Path(folder))
        back = load_predictions(Path(folder))
    assert len(back) == len(predictions)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(back, predictions))


def test_a_full_disk_leaves_whole_predictions_or_none(saved):
    run, folder = saved
    (folder / "predictions.npz").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_predictions((np.ones((5000, 3), np.float32),), folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert same(Run.load(folder), replace(run, predictions=()))
    save_predictions(run.predictions, folder)
    assert same(Run.load(folder), run)


def test_a_run_without_one_of_its_columns_is_refused(saved):
    _, folder = saved
    arrays = read_arrays(folder / "run.npz")
    del arrays["cpu_ns"]
    np.savez(folder / "run.npz", **arrays)
    with pytest.raises(KeyError, match="cpu_ns"):
        Run.load(folder)


def test_a_run_without_its_marks_is_refused(saved):
    (saved[1] / "run.json").write_text(json.dumps({"facts": {}}))
    with pytest.raises(KeyError, match="marks"):
        Run.load(saved[1])


def test_a_pickle_among_the_arrays_is_never_opened(saved):
    _, folder = saved
    np.savez(folder / "run.npz", frame_ns=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match=r"run\.npz is not whole"):
        Run.load(folder)


@given(ragged)
def test_arrays_of_one_width_are_packed_and_unpacked(arrays):
    back = unpack_ragged(*pack_ragged(arrays))
    assert len(back) == len(arrays)
    assert all(np.array_equal(a, b, equal_nan=True) and a.shape == b.shape for a, b in zip(arrays, back))


def test_no_arrays_are_packed_as_nothing():
    values, counts = pack_ragged(())
    assert (values.shape, counts.shape) == ((0, 0), (0,))


def test_arrays_of_different_widths_are_refused():
    with pytest.raises(ValueError, match="dimension"):
        pack_ragged((np.zeros((1, 2)), np.zeros((1, 3))))


@pytest.mark.parametrize("counts", [[1], [1, 2, 1], [4, -2], []])
def test_counts_that_do_not_add_up_to_the_rows_are_refused(counts):
    with pytest.raises(ValueError, match="rows are counted and 3 are there"):
        unpack_ragged(np.zeros((3, 2), np.float32), np.array(counts, np.int64))


def test_an_old_job_without_a_new_key_still_reads(make_job):
    raw = json.loads(make_job().to_json())
    del raw["timed"], raw["plan"]["seed"]
    assert Job.from_json(json.dumps(raw)) == replace(make_job(), timed=True)
