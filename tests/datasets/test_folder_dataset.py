from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets import open_dataset
from harness.datasets.folder import Folder
from harness.errors import ConfigError, DatasetError

Writer = Callable[[str], Path]


def test_pictures_without_labels_have_no_truths(tools: Any, pictures: Path) -> None:
    dataset = Folder(pictures.parent, "pictures")
    assert len(dataset) == 3
    assert np.array_equal(dataset[0].frame, tools.grey_picture())
    assert dataset[0].truths == {}


def test_the_order_is_that_of_names_whatever_the_labels_say(write_csv: Writer) -> None:
    root = write_csv("file,label\nsub/c.png,2\nb.png,1\na.png,0\n")
    dataset = Folder(root, ".")
    assert [int(dataset[index].truths["label"][0, 0]) for index in range(3)] == [0, 1, 2]


def test_every_kind_of_column_reaches_the_sample(write_csv: Writer) -> None:
    header = "file,label,x1,y1,x2,y2,class,yaw,pitch,lm0_x,lm0_y,lm1_x,lm1_y,subject,clip,slice_light"
    root = write_csv(
        f"\ufeff{header},roi_eyes_x1,roi_eyes_y1,roi_eyes_x2,roi_eyes_y2\r\n"
        "a.png,closed,1,2,5,6,phone,-12.5,3,1,2,3,4,anna,drive1,dark,0,0,10,8\r\n"
        "a.png,closed,7,2,9,6,open,-12.5,3,1,2,3,4,anna,drive1,dark,0,0,10,8\r\n"
    )
    dataset = Folder(root, ".", classes=["open", "closed", "phone"], unlabelled="skip")
    assert len(dataset) == 1
    sample = dataset[0]
    assert sample.truths["label"].tolist() == [[1]]
    assert sample.truths["boxes"].tolist() == [[1, 2, 5, 6, 2], [7, 2, 9, 6, 0]]
    assert sample.truths["gaze"].tolist() == [[-12.5, 3]]
    assert sample.truths["landmarks"].tolist() == [[1, 2], [3, 4]]
    assert (sample.subject, sample.clip, sample.slices) == ("anna", "drive1", {"light": "dark"})
    assert sample.rois == {"eyes": (0, 0, 10, 8)}
    assert all(truth.dtype == np.float32 for truth in sample.truths.values())


def test_a_point_that_nobody_labelled_is_nan(write_csv: Writer) -> None:
    root = write_csv("file,lm0_x,lm0_y,lm1_x,lm1_y\na.png,1,2,,\nb.png,,,,\n")
    dataset = Folder(root, ".", unlabelled="skip")
    assert len(dataset) == 1
    assert np.array_equal(dataset[0].truths["landmarks"], np.array([[1, 2], [np.nan, np.nan]]), equal_nan=True)


def test_a_file_without_boxes_has_an_empty_table(write_csv: Writer) -> None:
    root = write_csv("file,x1,y1,x2,y2\na.png,1,2,5,6\nb.png,,,,\nsub/c.png,,,,\n")
    assert Folder(root, ".")[1].truths["boxes"].shape == (0, 5)


def test_a_box_over_the_edge_by_rounding_is_clipped(write_csv: Writer) -> None:
    root = write_csv("file,x1,y1,x2,y2\na.png,-0.5,0,24.5,16\n")
    assert Folder(root, ".", unlabelled="skip")[0].truths["boxes"].tolist() == [[0, 0, 24, 16, 0]]


BAD = [
    ("file,label\nz.png,1\n", "no file called 'z.png'", ":2"),
    ("file,label\na.png,1\n", "b.png has no label row", "labels.csv"),
    ("file,label\na.png,1\nb.png,\nsub/c.png,0\n", "b.png has no label", ":3"),
    ("file,label\na.png,1\na.png,1\n", "a second row", ":3"),
    ("file,label\na.png,clsed\n", "did you mean 'closed'?", ":2"),
    ("file,label\na.png,2\n", "no class called '2'", ":2"),
    ("file,yaw,pitch\na.png,left,0\n", "yaw is 'left', not a number", ":2"),
    ("file,yaw,pitch\na.png,nan,0\n", "not a finite number", ":2"),
    ("file,yaw,pitch\na.png,1e999,0\n", "not a finite number", ":2"),
    ("file,yaw,pitch\na.png,10,\n", "pitch is ''", ":2"),
    ("file,yaw,pitch\na.png,0,91\n", "no angles in degrees", ":2"),
    ("file,x1,y1,x2,y2\na.png,5,5,1,9\n", "has no area", ":2"),
    ("file,x1,y1,x2,y2,class\na.png,,,,,1\n", "a class without a box", ":2"),
    ("file,x1,y1,x2,y2\na.png,1,1,2,2\na.png,1,1,2,2\n", "again", ":3"),
    ("file,x1,y1,x2,y2\na.png,1,1,2,2\na.png,,,,\n", "a second row", ":3"),
    ("file,x1,y1,x2,y2,subject\na.png,1,1,2,2,anna\na.png,1,1,3,3,ben\n", "subject: not what", ":3"),
    ("file,lm0_x,lm0_y\na.png,1,\n", "lm0_y is ''", ":2"),
    ("file,x1,y1,x2\na.png,1,2,3\n", "'y2' is missing", ":1"),
    ("file,yaw\na.png,1\n", "'pitch' is missing", ":1"),
    ("file,class\na.png,1\n", "'x1' is missing", ":1"),
    ("file,lm0_x,lm0_y,lm2_x,lm2_y\n", "'lm1_x' is missing", ":1"),
    ("file,lm1_x\n", "'lm0_x' is missing", ":1"),
    ("label\n1\n", "'file' is missing", ":1"),
    ("file,lable\na.png,1\n", "did you mean 'label'?", ":1"),
    ("file,label,label\na.png,1,1\n", "twice", ":1"),
    ("file,label\n", "no rows", "labels.csv"),
    ("file,label\na.png\n", "1 cells under 2 columns", ":2"),
    ('file,label\n"a.png,1\n', "no CSV", ":2"),
    ("file,label\n,1\n", "the file name is empty", ":2"),
    ("file,label\n../a.png,1\n", "leads out", ":2"),
    ("file,label\n/etc/passwd,1\n", "leads out", ":2"),
    ("file,label\nlabels.csv,1\n", "no picture that is read here", ":2"),
    (f"file,label\n{'a' * 300}.png,1\n", "no file name", ":2"),
    ("file,label\na\0.png,1\n", "no file name", ":2"),
]


@pytest.mark.parametrize(("text", "says", "place"), BAD)
def test_a_wrong_label_file_is_an_error_with_its_place(write_csv: Writer, text: str, says: str, place: str) -> None:
    root = write_csv(text)
    with pytest.raises(DatasetError) as caught:
        Folder(root, ".", classes=["open", "closed"])
    assert says in str(caught.value)
    assert caught.value.where.endswith(place)


def test_a_box_outside_the_frame_is_an_error_of_its_row(write_csv: Writer) -> None:
    root = write_csv("file,x1,y1,x2,y2\na.png,1,1,5,5\na.png,3,3,40,9\n")
    dataset = Folder(root, ".", unlabelled="skip")
    with pytest.raises(DatasetError, match="leaves the frame of 24 x 16") as caught:
        dataset[0]
    assert caught.value.where.endswith("labels.csv:3")


def test_labels_that_are_not_utf8_are_an_error(pictures: Path) -> None:
    (pictures / "labels.csv").write_bytes(b"file,label\na.png,\xff\n")
    with pytest.raises(DatasetError, match="not UTF-8"):
        Folder(pictures, ".")


def test_classes_may_be_numbers_without_names(write_csv: Writer) -> None:
    root = write_csv("file,label\na.png,open\n")
    with pytest.raises(DatasetError, match="name the classes in the data set option"):
        Folder(root, ".")


def test_a_label_file_of_another_name_is_not_overlooked(pictures: Path) -> None:
    (pictures / "truth.csv").write_text("file,label\na.png,1\n")
    with pytest.raises(DatasetError, match=r'labels = "truth\.csv"'):
        Folder(pictures, ".")
    assert Folder(pictures, ".", labels="")[0].truths == {}
    assert len(Folder(pictures, ".", labels="truth.csv", unlabelled="skip")) == 1


def test_archives_files_and_empty_folders_are_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for path, says in [
        ("data.zip", "archives are not read"), ("data.tar.gz", "archives are not read"), ("none", "does not exist"),
        ("pictures/a.png", "no folder"), ("nothing", "no picture"),
    ]:  # fmt: skip
        with pytest.raises(DatasetError, match=says):
            Folder(tmp_path, path)


def test_a_link_that_leads_out_is_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "aa.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DatasetError, match="leads out"):
        Folder(pictures, ".")[1]


def test_a_link_to_itself_is_refused(pictures: Path) -> None:
    (pictures / "loop.png").symlink_to("loop.png")
    with pytest.raises(DatasetError):
        Folder(pictures, ".")[2]


def test_hidden_files_are_no_pictures(pictures: Path) -> None:
    (pictures / "._a.png").write_bytes(b"resource fork")
    assert len(Folder(pictures, ".")) == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lables": "x.csv"}, "did you mean 'labels'?"),
        ({"bits": 7}, "'bits' is 7"),
        ({"bits": True}, "'bits' is True"),
        ({"classes": "open"}, "not a list of different names"),
        ({"classes": ["a", "a"]}, "not a list of different names"),
        ({"unlabelled": "keep"}, "known: error, skip"),
        ({"labels": 5}, "do not fit"),
    ],
)
def test_a_wrong_option_is_a_config_error(pictures: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_dataset("folder", {"path": ".", **options}, pictures)
    assert says.lower() in str(caught.value).lower()


def test_the_fingerprint_changes_with_pictures_labels_and_options(write_csv: Writer) -> None:
    root = write_csv("file,label\na.png,0\nb.png,1\nsub/c.png,0\n")
    seen = {Folder(root, ".").fingerprint, Folder(root, ".", bits=10).fingerprint}
    write_csv("file,label\na.png,1\nb.png,1\nsub/c.png,0\n")
    seen.add(Folder(root, ".").fingerprint)
    (root / "a.png").write_bytes((root / "b.png").read_bytes())
    seen.add(Folder(root, ".").fingerprint)
    (root / "a.png").rename(root / "aa.png")
    seen.add(Folder(root, ".", labels="").fingerprint)
    assert len(seen) == 5
