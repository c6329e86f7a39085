"""Packs of frames: made once, whole or absent, refused with a sentence where they are damaged or wrong."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import InputSpec
from harness.datasets import DATASETS, Sample, spread_blocks
from harness.errors import ConfigError, DatasetError
from harness.frames import read_pack
from harness.packing import BLOCK_FRAMES, Source, camera_pack, prepared_pack

SPEC = InputSpec(16, 10)
OPTIONS = {
    "path": "frames.y8", "format": "Y8", "width": 16, "height": 10,
    "labels": "frames.csv", "classes": ["dark", "bright"],
}  # fmt: skip


class Scenes:
    """Ten frames with a region each; frame `broken` cannot be read. `read` counts the frames that were."""

    fingerprint = "scenes"
    read: list = []  # noqa: RUF012 - one list for all threads

    def __init__(self, folder: Path, frames: int = 10, broken: int = -1) -> None:
        self._frames, self._broken = frames, broken

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Sample:
        if index == self._broken:
            raise DatasetError(f"frame {index} cannot be read")
        self.read.append(index)
        picture = np.full((40, 60), 20 * index % 256, np.uint8)
        truths = {"state": np.array([[index % 2]], np.float32)}
        return Sample(
            frame=picture, truths=truths, rois={"face": (8.0, 8.0, 40.0, 28.0)}, subject=f"s{index}", clip="c",
            slices={"light": "dark"},
        )  # fmt: skip


@pytest.fixture
def scenes(monkeypatch, tmp_path):
    """The data set above with these options."""
    monkeypatch.setitem(DATASETS, "scenes", f"{__name__}:Scenes")
    monkeypatch.setattr(Scenes, "read", [])
    return lambda **options: Source(kind="scenes", options=options, folder=tmp_path)


@pytest.fixture
def shipped(make_model):
    return Source(kind="raw", options=OPTIONS, folder=make_model())


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def quiet(*said) -> None:
    """Nobody listens."""


def contents(cache):
    return sorted(one.name for one in (cache / "frames").iterdir()) if cache.exists() else []


def prepared(source, cache, truth="state", spec=SPEC, count=10, progress=quiet):
    return prepared_pack(source, truth, spec, count, cache, progress)


def test_camera_frames_are_whole_and_carry_their_region(scenes, cache):
    frames = read_pack(camera_pack(scenes(), "face", 5, cache))
    assert [int(one.pixels[0, 0]) for one in frames] == [0, 40, 80, 120, 160]
    assert {one.pixels.shape for one in frames} == {(40, 60)}
    assert {one.roi for one in frames} == {(8.0, 8.0, 40.0, 28.0)}
    assert {one.geometry for one in frames} == {None}


def test_prepared_frames_are_cropped_and_resized_and_keep_truth_and_facts(scenes, cache):
    pack = prepared(scenes(), cache, spec=replace(SPEC, roi="face"))
    frames = read_pack(pack.folder)
    assert {one.pixels.shape for one in frames} == {(10, 16, 1)}
    assert {one.geometry.scale_x for one in frames} == {2.0}
    assert {one.geometry.offset_y for one in frames} == {8.0}
    assert [float(one[0, 0]) for one in pack.truths] == [0, 1] * 5
    assert pack.samples[3] == {"subject": "s3", "clip": "c", "slices": {"light": "dark"}}


def test_more_frames_than_there_are_means_all_of_them(scenes, cache):
    assert len(read_pack(camera_pack(scenes(), None, 500, cache))) == 10
    assert len(prepared(scenes(), cache, count=500).truths) == 10


def test_a_pack_is_made_once(shipped, cache):
    said = []
    first = prepared(shipped, cache, "label", count=120, progress=lambda *words: said.append(words))
    assert said == [("frames", 50, 120), ("frames", 100, 120)]
    inode = first.folder.stat().st_ino
    second = prepared(shipped, cache, "label", count=120, progress=lambda *words: said.append(words))
    assert len(said) == 2
    assert (second.folder, second.folder.stat().st_ino) == (first.folder, inode)
    camera = camera_pack(shipped, None, 4, cache)
    inode = camera.stat().st_ino
    assert camera_pack(shipped, None, 4, cache) == camera
    assert camera.stat().st_ino == inode


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"layout": "NHWC", "mean": (0.5,), "std": (2.0,), "scale": 1.0, "name": "x", "dtype": "float16"}, True),
        ({"width": 17}, False),
        ({"height": 11}, False),
        ({"colour": "rgb"}, False),
        ({"resize": "letterbox"}, False),
        ({"pad_value": 0}, False),
        ({"roi": "face"}, False),
    ],
)
def test_a_pack_serves_all_models_with_the_same_picture(scenes, cache, change, same):
    first = prepared(scenes(), cache).folder
    assert (prepared(scenes(), cache, spec=replace(SPEC, **change)).folder == first) == same


def test_count_truth_and_contents_decide_the_pack_too(shipped, cache):
    first = prepared(shipped, cache, "label", count=20).folder
    assert prepared(shipped, cache, "label", count=40).folder != first
    pixels = shipped.folder / "frames.y8"
    pixels.write_bytes(bytes(160) + pixels.read_bytes()[160:])
    assert prepared(shipped, cache, "label", count=20).folder != first


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(1, 3000), st.integers(1, 60))
def test_a_sample_of_a_data_set_is_whole_blocks_of_consecutive_frames_spread_evenly(size, count, block):
    indices = spread_blocks(range(size), count, block)
    if count >= size:
        assert indices == list(range(size))
        return
    starts = indices[::block]
    whole = min(block, size)
    assert indices == [start + step for start in starts for step in range(whole)]
    assert all(start % block == 0 for start in starts)
    assert indices[-1] < size
    assert count - block < len(indices) <= max(count, block)
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert not gaps or block <= min(gaps) <= max(gaps) <= min(gaps) + block


def test_prepared_frames_are_blocks_so_that_clips_stay_whole_in_time(scenes, cache):
    pack = prepared(scenes(frames=200), cache, count=60)
    taken = [int(sample["subject"][1:]) for sample in pack.samples]
    assert taken == [*range(20), *range(60, 80), *range(120, 140)]
    assert pack.of_frames == 200


def test_threads_prepare_a_few_blocks_ahead_of_the_writer_and_no_more(scenes, cache, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    ahead = []

    def slow_writer(phase, done, total):
        time.sleep(0.1)
        ahead.append(len(Scenes.read) - done)

    pack = prepared(scenes(frames=1000), cache, count=1000, progress=slow_writer)
    assert len(ahead) == 20
    assert 0 <= min(ahead) < max(ahead) <= 2 * 2 * BLOCK_FRAMES
    assert [sample["subject"] for sample in pack.samples] == [f"s{index}" for index in range(1000)]
    assert sorted(Scenes.read) == list(range(1000))


def test_a_wrong_truth_is_answered_with_those_that_are_there(scenes, cache):
    with pytest.raises(
        DatasetError, match=r"frame 0: no truth called 'sate', did you mean 'state'.*model\.toml, \[dataset\] truth"
    ):
        prepared(scenes(), cache, "sate")
    assert contents(cache) == []


@pytest.mark.parametrize("pack", ["camera", "prepared"])
def test_a_wrong_region_is_answered_with_those_that_are_there(scenes, cache, pack):
    with pytest.raises(DatasetError, match=r"no region called 'faec', did you mean 'face'.*model\.toml, \[input\] roi"):
        camera_pack(scenes(), "faec", 3, cache) if pack == "camera" else prepared(
            scenes(), cache, spec=replace(SPEC, roi="faec")
        )
    assert contents(cache) == []


@pytest.mark.parametrize("make", [lambda *a: camera_pack(a[0], None, 3, a[1]), prepared])
def test_an_empty_data_set_is_refused(scenes, cache, make):
    with pytest.raises(DatasetError, match=r"the data set scenes holds no frame .*model\.toml, \[dataset\]"):
        make(scenes(frames=0), cache)


def grey(index: int):
    return np.full((10, 16), 20 * index, np.uint8)


def raw_set(folder):
    (folder / "frames.y8").write_bytes(b"".join(grey(index).tobytes() for index in range(6)))
    (folder / "frames.csv").write_text("frame,label\n" + "".join(f"{index},dark\n" for index in range(6)))
    return Source(kind="raw", options={**OPTIONS, "unlabelled": "error"}, folder=folder), folder / "frames.csv", "label"


def picture_set(folder, options=None, scale=1, dtype=np.uint8):
    cv2 = pytest.importorskip("cv2")
    for index in range(6):
        assert cv2.imwrite(str(folder / f"{index}.png"), grey(index).astype(dtype) * scale)
    (folder / "labels.csv").write_text("file,label\n" + "".join(f"{index}.png,dark\n" for index in range(6)))
    options = {"path": ".", "classes": ["dark", "bright"], **(options or {})}
    return Source(kind="folder", options=options, folder=folder), folder / "labels.csv", "label"


def ten_bit_set(folder):
    return picture_set(folder, {"bits": 10}, scale=4, dtype=np.uint16)


def coco_set(folder, bits=None):
    picture_set(folder) if bits is None else ten_bit_set(folder)
    (folder / "labels.csv").unlink()
    box = {"category_id": 1, "bbox": [1, 1, 4, 4], "iscrowd": 0}
    table = {
        "images": [{"id": index, "file_name": f"{index}.png"} for index in range(6)],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": [{**box, "id": index, "image_id": index} for index in range(6)],
    }
    (folder / "boxes.json").write_text(json.dumps(table))
    options = {"annotations": "boxes.json", "images": ".", **({"bits": bits} if bits else {})}
    return Source(kind="coco", options=options, folder=folder), folder / "boxes.json", "boxes"


def ten_bit_coco_set(folder):
    return coco_set(folder, bits=10)


def not_there(labels) -> None:
    labels.unlink()


def cut_short(labels) -> None:
    labels.write_text(labels.read_text()[:-20])


def of_another_class(labels) -> None:
    labels.write_text(labels.read_text().replace("dark", "drak").replace("4, 4", "4, -4"))


@pytest.mark.parametrize("damage", [not_there, cut_short, of_another_class])
@pytest.mark.parametrize("make", [raw_set, picture_set, ten_bit_set, coco_set, ten_bit_coco_set])
def test_labels_that_are_wrong_cost_the_truth_but_not_the_camera_frames(tmp_path, cache, make, damage):
    source, labels, truth = make(tmp_path)
    good = read_pack(camera_pack(source, None, 4, cache))
    assert len(prepared(source, cache, truth).truths) == 6
    assert [int(one.pixels[0, 0]) for one in good] == [0, 20, 60, 80]
    damage(labels)
    frames = read_pack(camera_pack(source, None, 4, cache))
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(frames, good, strict=True))
    with pytest.raises(DatasetError):
        prepared(source, cache, truth)


def test_a_model_that_looks_at_a_region_needs_the_labels_that_say_where(tmp_path, cache):
    source, labels, _ = raw_set(tmp_path)
    edges = "roi_face_x1,roi_face_y1,roi_face_x2,roi_face_y2"
    labels.write_text(f"frame,label,{edges}\n" + "".join(f"{index},dark,1,2,9,8\n" for index in range(6)))
    assert {one.roi for one in read_pack(camera_pack(source, "face", 4, cache))} == {(1.0, 2.0, 9.0, 8.0)}
    labels.write_text(labels.read_text().replace("5,dark", "5,drak"))
    with pytest.raises(DatasetError, match=r"no class called 'drak', did you mean 'dark'.*frames\.csv:7"):
        camera_pack(source, "face", 4, cache)


def test_pixels_that_are_wrong_are_not_excused_by_leaving_the_labels_out(tmp_path, cache):
    source, _, _ = raw_set(tmp_path)
    (tmp_path / "frames.y8").write_bytes(bytes(161))
    with pytest.raises(DatasetError, match="161 bytes are 1 frames of 10 x 16 = 160 bytes and 1 over"):
        camera_pack(source, None, 4, cache)
    assert contents(cache) == []


def test_an_unknown_kind_or_option_is_refused_with_the_nearest(scenes, cache):
    with pytest.raises(ConfigError, match="no data set kind called 'scene', did you mean 'scenes'"):
        camera_pack(replace(scenes(), kind="scene"), None, 3, cache)
    with pytest.raises(ConfigError, match="no option called 'frame', did you mean 'frames'"):
        camera_pack(scenes(frame=3), None, 3, cache)


@pytest.mark.parametrize("broken", [0, 4, 9])
def test_a_frame_that_cannot_be_read_leaves_no_half_pack(scenes, cache, broken):
    with pytest.raises(DatasetError, match=f"frame {broken} cannot be read"):
        camera_pack(scenes(broken=broken), None, 10, cache)
    with pytest.raises(DatasetError, match=f"frame {broken} cannot be read"):
        prepared(scenes(broken=broken), cache)
    assert contents(cache) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.case import InputSpec
from harness.packing import Source, prepared_pack
source = Source(kind="raw", options={options!r}, folder=Path({folder!r}))
prepared_pack(source, "label", InputSpec(16, 10), 120, Path({cache!r}), lambda *said: os.kill(os.getpid(), 9))
"""


def test_a_kill_in_the_middle_leaves_no_half_pack_and_the_next_run_makes_a_whole_one(shipped, cache):
    script = KILLED.format(options=OPTIONS, folder=str(shipped.folder), cache=str(cache))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    left = contents(cache)
    assert len(left) == 1
    assert left[0].endswith(".tmp")
    pack = prepared(shipped, cache, "label", count=120)
    assert len(read_pack(pack.folder)) == len(pack.truths) == len(pack.samples) == 120


def test_what_an_earlier_process_of_the_same_number_left_is_not_mixed_in(scenes, cache):
    folder = camera_pack(scenes(), None, 10, cache)
    shutil.rmtree(folder)
    stale = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    stale.mkdir()
    (stale / "stale.txt").write_text("old")
    assert sorted(one.name for one in camera_pack(scenes(), None, 10, cache).iterdir()) == ["frames.bin", "frames.json"]


@pytest.mark.parametrize("name", ["truths.npz", "samples.json"])
@pytest.mark.parametrize("keep", [None, 0, 7, 100])
def test_a_damaged_pack_is_refused_with_its_folder_and_the_remedy(shipped, cache, name, keep):
    folder = prepared(shipped, cache, "label", count=20).folder
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if keep is not None:
        (folder / name).write_bytes(whole[:keep])
    with pytest.raises(DatasetError) as caught:
        prepared(shipped, cache, "label", count=20)
    assert str(folder) in caught.value.sentence
    assert "delete the folder and run again" in caught.value.sentence


@pytest.mark.parametrize("make", [lambda *a: camera_pack(a[0], None, 3, a[1]), lambda *a: prepared(*a).folder])
def test_a_pack_without_its_index_is_refused_and_made_again_once_it_is_deleted(scenes, cache, make):
    folder = make(scenes(), cache)
    (folder / "frames.json").unlink()
    with pytest.raises(DatasetError, match="delete the folder and run again"):
        make(scenes(), cache)
    shutil.rmtree(folder)
    assert read_pack(make(scenes(), cache))


def test_a_cache_that_cannot_be_written_is_refused_with_its_place(scenes, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "frames").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match=r"frame pack cannot be written.*cache/frames"):
        camera_pack(scenes(), None, 3, tmp_path / "cache")
