from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.video import Video
from harness.errors import ConfigError, DatasetError


def levels(dataset: Video, order: list[int]) -> list[int]:
    """Which frame each sample shows, read from its grey level."""
    return [round((float(dataset[index].frame.mean()) - 10) / 10) for index in order]


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.avi", "XVID")])
def test_any_order_of_asking_gives_the_same_frames(tools: Any, tmp_path: Path, name: str, code: str) -> None:
    dataset = Video(tmp_path, tools.write_video(tmp_path / name, code=code).name)
    order = [0, 19, 3, 4, 18, 2, 2, 11]
    assert len(dataset) == 20
    assert levels(dataset, order) == order
    again = Video(tmp_path, name)
    assert all(np.array_equal(again[index].frame, dataset[index].frame) for index in range(20))


def test_a_step_takes_every_nth_frame(video: Path) -> None:
    dataset = Video(video.parent, video.name, step=6)
    assert levels(dataset, [0, 1, 2, 3]) == [0, 6, 12, 18]
    assert len(dataset) == 4


def test_frames_are_rgb_or_gray_as_asked(video: Path) -> None:
    assert Video(video.parent, video.name)[0].frame.shape == (48, 64, 3)
    assert Video(video.parent, video.name, colour="gray")[0].frame.shape == (48, 64)
    with pytest.raises(ConfigError):
        Video(video.parent, video.name, colour="grey")


def test_labels_go_by_the_frame_number_in_the_file(video: Path) -> None:
    (video.parent / "drive.csv").write_text("frame,label,clip\n6,1,\n12,0,night\n7,1,\n")
    dataset = Video(video.parent, video.name, step=6, labels="drive.csv", unlabelled="skip")
    assert [(dataset[i].truths["label"].tolist(), dataset[i].clip) for i in range(2)] == [
        ([[1]], "drive.avi"),
        ([[0]], "night"),
    ]


def test_a_folder_of_videos_is_labelled_by_file_and_frame(tools: Any, tmp_path: Path) -> None:
    for name in ("b.avi", "a.avi"):
        tools.write_video(tmp_path / name, frames=3)
    (tmp_path / "all.csv").write_text(
        "file,frame,label\n" + "".join(f"{n}.avi,{i},{i}\n" for n in "ab" for i in range(3))
    )
    dataset = Video(tmp_path, ".", labels="all.csv")
    assert [dataset[index].clip for index in (0, 2, 3, 5)] == ["a.avi", "a.avi", "b.avi", "b.avi"]
    assert [int(dataset[index].truths["label"][0, 0]) for index in range(6)] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("frame,label\n20,1\n", "no frame 20: the file has 20", ":2"),
        ("frame,label\n-1,1\n", "frame is '-1'", ":2"),
        ("frame,label\n1.5,1\n", "frame is '1.5'", ":2"),
        ("frame,label\n0,1\n", "frame 1 has no label row", ".csv"),
        ("file,frame,label\ndrive.avi,0,1\n", "no column called 'file'", ":1"),
        ("frame,label\n3,1\n3,1\n", "a second row", ":3"),
    ],
)
def test_wrong_labels_are_an_error_with_their_place(video: Path, text: str, says: str, place: str) -> None:
    (video.parent / "drive.csv").write_text(text)
    with pytest.raises(DatasetError) as caught:
        len(Video(video.parent, video.name, labels="drive.csv"))
    assert says in str(caught.value)
    assert caught.value.where.endswith(place)


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_a_video_that_is_cut_short_is_an_error(tools: Any, tmp_path: Path, name: str, code: str) -> None:
    path = tools.write_video(tmp_path / name, code=code)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(DatasetError, match="copy it again"):
        len(Video(tmp_path, name))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"#EXTM3U\nhttp://example.com/a.ts\n", "no AVI, MP4"),
        (b"RIFF\0\0\0\0AVI rubbish", "copy it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_video_is_an_error(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.avi").write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        len(Video(tmp_path, "a.avi"))
    assert says in str(caught.value)


def test_a_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no file that ends in \.avi"):
        Video(tmp_path, ".")


def test_opening_decodes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"not looked at yet")
    Video(tmp_path, "a.avi")
