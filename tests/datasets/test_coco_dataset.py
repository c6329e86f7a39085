from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.coco import Coco
from harness.errors import DatasetError

Writer = Callable[[Any], Path]
Table = dict[str, Any]


def test_boxes_become_corners_with_classes_in_the_order_of_category_ids(write_coco: Writer, coco_table: Table) -> None:
    dataset = Coco(write_coco(coco_table), "coco.json", ".")
    assert dataset.classes == ("driver", "phone")
    assert dataset[0].truths["boxes"].tolist() == [[2, 3, 12, 8, 1], [0.5, 0, 4.5, 4, 0]]


def test_pictures_come_in_the_order_of_ids(write_coco: Writer, coco_table: Table) -> None:
    dataset = Coco(write_coco(coco_table), "coco.json", ".")
    assert [int(dataset[index].frame[0, 0]) for index in range(len(dataset))] == [0, 1, 2]


def test_named_classes_fix_the_order_and_leave_the_others_out(write_coco: Writer, coco_table: Table) -> None:
    dataset = Coco(write_coco(coco_table), "coco.json", ".", classes=["phone"])
    assert dataset[0].truths["boxes"].tolist() == [[2, 3, 12, 8, 0]]
    assert dataset.ignored == {"iscrowd": 1, "not in classes": 1}


def test_crowds_are_left_out_and_counted(write_coco: Writer, coco_table: Table) -> None:
    dataset = Coco(write_coco(coco_table), "coco.json", ".")
    assert dataset[1].truths["boxes"].shape == (0, 5)
    assert dataset.ignored == {"iscrowd": 1}


def test_key_points_of_one_annotation_become_landmarks(write_coco: Writer, coco_table: Table) -> None:
    landmarks = Coco(write_coco(coco_table), "coco.json", ".")[0].truths["landmarks"]
    assert landmarks[0].tolist() == [1, 2]
    assert np.isnan(landmarks[1]).all()
    coco_table["annotations"][0]["keypoints"] = [1, 2, 2, 3, 4, 1]
    assert "landmarks" not in Coco(write_coco(coco_table), "coco.json", ".")[0].truths


BAD: list[tuple[str, int, dict[str, Any], str]] = [
    ("images", 0, {"file_name": "../a.png"}, "leads out"),
    ("images", 0, {"file_name": "/etc/passwd"}, "leads out"),
    ("images", 0, {"file_name": "z.png"}, "no file called 'z.png'"),
    ("images", 0, {"file_name": "./a.png"}, ""),
    ("images", 1, {"file_name": "b.png"}, "again"),
    ("images", 1, {"id": 7}, "id 7 is already taken"),
    ("images", 1, {"id": True}, "not an integer"),
    ("images", 1, {"id": "3"}, "not an integer"),
    ("images", 1, {"width": -4}, "width is -4"),
    ("annotations", 1, {"id": 1}, "id 1 is already taken"),
    ("annotations", 1, {"image_id": 99}, "image_id 99 does not exist"),
    ("annotations", 1, {"category_id": 99}, "category_id 99 does not exist"),
    ("annotations", 1, {"bbox": [1, 2, -3, 4]}, "width -3"),
    ("annotations", 1, {"bbox": [1, 2, 0, 4]}, "width 0"),
    ("annotations", 1, {"bbox": [1, 2, 3]}, "3 numbers, not 4"),
    ("annotations", 1, {"bbox": [1, 2, 3, float("nan")]}, "no list of numbers"),
    ("annotations", 1, {"bbox": [1, 2, 3, 10**400]}, "no list of numbers"),
    ("annotations", 1, {"bbox": None}, "no list of numbers"),
    ("annotations", 1, {"iscrowd": 5}, "iscrowd is 5"),
    ("annotations", 1, {"keypoints": [1, 2]}, "keypoints"),
    ("annotations", 1, {"keypoints": [1, 2, 7]}, "keypoints"),
    ("categories", 1, {"id": 20}, "id 20 is already taken"),
    ("categories", 1, {"name": "phone"}, "'phone' again"),
    ("categories", 1, {"name": None}, "name is None"),
]


@pytest.mark.parametrize(("part", "index", "change", "says"), BAD)
def test_a_wrong_record_is_an_error_with_its_place(
    write_coco: Writer, coco_table: Table, part: str, index: int, change: dict[str, Any], says: str
) -> None:
    coco_table[part][index].update(change)
    root = write_coco(coco_table)
    with pytest.raises(DatasetError) as caught:
        Coco(root, "coco.json", ".")
    assert says in str(caught.value)
    assert f"coco.json: {part}[" in caught.value.where


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("{", "no JSON"),
        ("[]", "holds a list"),
        ("{}", "there is no list 'categories'"),
        ('{"categories": [1]}', "a int, not an object"),
        ('{"categories": [], "images": [], "annotations": []}', "no pictures"),
        ("[" * 100000, "no JSON"),
        ("1" * 5000, "no JSON"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_coco_is_an_error(pictures: Path, text: str, says: str) -> None:
    (pictures / "coco.json").write_text(text)
    with pytest.raises(DatasetError) as caught:
        Coco(pictures, "coco.json", ".")
    assert says in str(caught.value)


def test_an_unknown_class_names_the_nearest(write_coco: Writer, coco_table: Table) -> None:
    with pytest.raises(DatasetError, match="did you mean 'phone'"):
        Coco(write_coco(coco_table), "coco.json", ".", classes=["phne"])


def test_a_picture_of_another_size_than_annotated_is_an_error(write_coco: Writer, coco_table: Table) -> None:
    coco_table["images"][1].update(width=16, height=24)
    with pytest.raises(DatasetError, match="upright"):
        Coco(write_coco(coco_table), "coco.json", ".")[0]


def test_a_box_outside_its_picture_is_an_error(write_coco: Writer, coco_table: Table) -> None:
    coco_table["annotations"][0]["bbox"] = [20, 3, 10, 5]
    with pytest.raises(DatasetError, match="leaves the frame") as caught:
        Coco(write_coco(coco_table), "coco.json", ".")[0]
    assert caught.value.where.endswith("annotations[0]")
