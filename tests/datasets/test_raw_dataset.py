from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.raw import RawFrames, nv12_to_rgb
from harness.errors import ConfigError, DatasetError


def put(folder: Path, array: Any, name: str = "dump.raw") -> Path:
    (folder / name).write_bytes(np.ascontiguousarray(array).tobytes())
    return folder


def test_y8_frames_follow_one_another_and_padding_is_dropped(tmp_path: Path) -> None:
    frames = np.arange(2 * 4 * 8, dtype=np.uint8).reshape(2, 4, 8)
    dataset = RawFrames(put(tmp_path, frames), "dump.raw", "Y8", width=6, height=4, stride=8)
    assert len(dataset) == 2
    assert np.array_equal(dataset[1].frame, frames[1, :, :6])
    assert dataset[1].clip == "dump.raw"


def test_y10_is_shown_by_its_upper_eight_bits(tmp_path: Path) -> None:
    frame = np.array([[0, 3, 4, 1023]], "<u2")
    assert RawFrames(put(tmp_path, frame), "dump.raw", "Y10", width=4, height=1)[0].frame.tolist() == [[0, 0, 1, 255]]


def test_y10_with_higher_bits_set_is_an_error(tmp_path: Path) -> None:
    dataset = RawFrames(put(tmp_path, np.array([[1024]], "<u2")), "dump.raw", "Y10", width=1, height=1)
    with pytest.raises(DatasetError, match="a pixel is 1024, more than 10 bits hold"):
        dataset[0]


def test_nv12_becomes_rgb_as_opencv_has_it_within_two_levels(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    planes = np.random.default_rng(1).integers(0, 256, (24, 32), dtype=np.uint8)
    theirs = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_NV12)
    ours = RawFrames(put(tmp_path, planes), "dump.raw", "NV12", width=32, height=16)[0].frame
    assert np.abs(ours.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize(
    ("yuv", "rgb"), [((16, 128, 128), [0, 0, 0]), ((235, 128, 128), [255, 255, 255]), ((81, 90, 240), [255, 0, 0])]
)
def test_nv12_follows_bt601(yuv: tuple[int, int, int], rgb: list[int]) -> None:
    picture = nv12_to_rgb(np.full((2, 2), yuv[0], np.uint8), np.array([[yuv[1], yuv[2]]], np.uint8))
    assert np.abs(picture.astype(int) - rgb).max() <= 1


def test_nv12_as_gray_is_its_first_plane(tmp_path: Path) -> None:
    planes = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4)
    frame = RawFrames(put(tmp_path, planes), "dump.raw", "NV12", width=4, height=4, colour="gray")[0].frame
    assert np.array_equal(frame, planes[:4])


def test_several_files_are_labelled_by_file_and_frame(tmp_path: Path) -> None:
    for name in ("b.y8", "a.y8"):
        put(tmp_path, np.full((2, 3, 4), ord(name[0]), np.uint8), name)
    (tmp_path / "labels.csv").write_text("file,frame,label\na.y8,0,0\na.y8,1,1\nb.y8,0,2\nb.y8,1,3\n")
    dataset = RawFrames(tmp_path, ".", "Y8", width=4, height=3, labels="labels.csv")
    assert [int(dataset[index].truths["label"][0, 0]) for index in range(4)] == [0, 1, 2, 3]
    assert [dataset[index].frame[0, 0] for index in (0, 2)] == [ord("a"), ord("b")]


def test_a_label_of_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, np.zeros((3, 4), np.uint8), "a.y8")
    (tmp_path / "labels.csv").write_text("file,frame,label\nb.y8,0,0\n")
    with pytest.raises(DatasetError, match=r"no file called 'b.y8'.*labels.csv:2"):
        RawFrames(tmp_path, ".", "Y8", width=4, height=3, labels="labels.csv")


def test_a_rest_of_bytes_is_an_error_that_shows_the_arithmetic(tmp_path: Path) -> None:
    put(tmp_path, np.zeros(100, np.uint8))
    with pytest.raises(DatasetError, match="100 bytes are 4 frames of 4 x 6 = 24 bytes and 4 over"):
        RawFrames(tmp_path, "dump.raw", "Y8", width=6, height=4)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the file is empty"):
        RawFrames(put(tmp_path, np.zeros(0, np.uint8)), "dump.raw", "Y8", width=6, height=4)


def test_a_file_that_shrank_is_an_error(tmp_path: Path) -> None:
    dataset = RawFrames(put(tmp_path, np.zeros(48, np.uint8)), "dump.raw", "Y8", width=6, height=4)
    put(tmp_path, np.zeros(24, np.uint8))
    with pytest.raises(DatasetError, match="frame 1 is gone"):
        dataset[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "Y9"}, "known: NV12, Y10, Y8"),
        ({"width": 0}, "'width' is 0"),
        ({"height": "4"}, "'height' is '4'"),
        ({"stride": 4}, "a Y8 row of 6 has 6 bytes"),
        ({"format": "NV12", "width": 5}, "must be even"),
        ({"format": "Y10", "stride": 13}, "must be even"),
        ({"colour": "rgb"}, "Y8 frames are gray"),
        ({"step": 0}, "'step' is 0"),
    ],
)
def test_a_wrong_option_is_a_config_error(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    put(tmp_path, np.zeros(24, np.uint8))
    with pytest.raises(ConfigError) as caught:
        RawFrames(tmp_path, "dump.raw", **{"format": "Y8", "width": 6, "height": 4, **options})
    assert says in str(caught.value)
