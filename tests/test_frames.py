"""A pack of frames comes back pixel for pixel, or is refused with its folder."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.errors import DatasetError
from harness.frames import Frame, read_pack, write_pack
from harness.tasks import Geometry

side = st.integers(1, 6)
pixels = hnp.arrays(np.uint8, st.tuples(side, side) | st.tuples(side, side, st.just(3)))
reals = st.floats(allow_nan=False, allow_infinity=False)
frames = st.builds(
    Frame,
    pixels,
    st.none() | st.tuples(reals, reals, reals, reals),
    st.none() | st.builds(Geometry, reals, reals, reals, reals),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(frames, max_size=5), st.booleans())
def test_a_pack_comes_back_as_it_was_in_memory_and_mapped(given_frames, mapped):
    with tempfile.TemporaryDirectory() as folder:
        assert write_pack(Path(folder), given_frames) == len(given_frames)
        back = read_pack(Path(folder), mapped)
        assert len(back) == len(given_frames)
        for one, other in zip(back, given_frames):
            assert np.array_equal(one.pixels, other.pixels)
            assert (one.roi, one.geometry) == (other.roi, other.geometry)


def test_a_mapped_pack_may_be_larger_than_the_memory(tmp_path):
    write_pack(tmp_path, [Frame(np.zeros((4, 4), np.uint8))])
    start = 2**40
    with (tmp_path / "frames.bin").open("r+b") as file:
        file.seek(start)  # a hole before it takes no room on the disk
        file.write(bytes(range(16)))
    (tmp_path / "frames.json").write_text(json.dumps([{**ENTRY, "offset": start}]))
    (frame,) = read_pack(tmp_path, mapped=True)
    assert frame.pixels.ravel().tolist() == list(range(16))


def test_a_mapped_pack_cannot_be_written_to(pack):
    with pytest.raises(ValueError, match="read-only"):
        read_pack(pack, mapped=True)[0].pixels[:] = 0


def test_pixels_that_are_a_view_are_written_in_order(tmp_path):
    picture = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_pack(tmp_path, [Frame(picture[::2, ::-1]), Frame(picture.T)])
    first, second = read_pack(tmp_path)
    assert np.array_equal(first.pixels, picture[::2, ::-1])
    assert np.array_equal(second.pixels, picture.T)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "int8", "bool"])
def test_pixels_of_another_type_are_refused_before_an_index_exists(tmp_path, dtype):
    with pytest.raises(DatasetError, match=f"frame 1 is {dtype}, wanted uint8"):
        write_pack(tmp_path, [Frame(np.zeros((2, 2), np.uint8)), Frame(np.zeros((2, 2), dtype))])
    with pytest.raises(DatasetError, match="not readable"):
        read_pack(tmp_path)


@pytest.fixture
def pack(tmp_path):
    write_pack(tmp_path, [Frame(np.full((4, 4), grey, np.uint8), (0.0, 0.0, 4.0, 4.0)) for grey in range(3)])
    return tmp_path


@pytest.mark.parametrize("size", [1, 15, 16, 47])
@pytest.mark.parametrize("mapped", [False, True])
def test_pixels_cut_short_are_refused(pack, size, mapped):
    (pack / "frames.bin").write_bytes((pack / "frames.bin").read_bytes()[:size])
    with pytest.raises(DatasetError, match="shorter than its index says"):
        read_pack(pack, mapped)


@pytest.mark.parametrize(("mapped", "said"), [(False, "shorter than its index says"), (True, "empty")])
def test_an_empty_pixel_file_is_refused_with_its_folder(pack, mapped, said):
    (pack / "frames.bin").write_bytes(b"")
    with pytest.raises(DatasetError, match=said) as caught:
        read_pack(pack, mapped)
    assert str(pack) in caught.value.sentence


def test_an_index_cut_short_at_any_byte_is_refused(pack):
    whole = (pack / "frames.json").read_bytes()
    for size in range(len(whole)):
        (pack / "frames.json").write_bytes(whole[:size])
        with pytest.raises(DatasetError, match="not readable"):
            read_pack(pack)


ENTRY = {"shape": [4, 4], "offset": 0, "roi": None, "geometry": None}


@pytest.mark.parametrize(
    "index",
    [
        None,
        [None],
        ["text"],
        [{}],
        [{**ENTRY, "shape": [-4, 4]}],
        [{**ENTRY, "shape": ["4", 4]}],
        [{**ENTRY, "offset": -16}],
        [{**ENTRY, "offset": 0.5}],
        [{**ENTRY, "geometry": {"scale": 1}}],
        [{**ENTRY, "geometry": [1]}],
    ],
)
def test_an_index_that_makes_no_sense_is_refused_with_folder_and_remedy(pack, index):
    (pack / "frames.json").write_text(json.dumps(index))
    with pytest.raises(DatasetError) as caught:
        read_pack(pack)
    assert str(pack) in caught.value.sentence
    assert "delete the folder" in caught.value.sentence


@pytest.mark.parametrize("name", ["frames.bin", "frames.json"])
def test_a_pack_without_one_of_its_files_is_refused(pack, name):
    (pack / name).unlink()
    with pytest.raises(DatasetError, match=name):
        read_pack(pack)
