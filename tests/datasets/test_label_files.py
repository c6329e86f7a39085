"""Whatever the label files hold, they parse or are a DatasetError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import Array
from harness.datasets.coco import Coco
from harness.datasets.labels import NO_FRAME, labelled, read_labels
from harness.errors import DatasetError

COLUMNS = [
    "file", "label", "x1", "y1", "x2", "y2", "class", "yaw", "pitch", "lm0_x", "lm0_y", "lm1_x", "subject", "clip",
    "slice_light", "slice_", "roi_eyes_x1", "frame", "lable", "",
]  # fmt: skip
GOOD_HEADERS = [
    ["file", "label"],
    ["file", "x1", "y1", "x2", "y2", "class"],
    ["file", "yaw", "pitch", "subject"],
    ["file", "lm0_x", "lm0_y", "slice_light"],
]
CELLS = st.one_of(
    st.sampled_from(["a.png", "b.png", "open", "", "0", "1", "7", "-3", "1e400", "nan", "99999999999", " 2 ", "²"]),
    st.floats(width=32).map(str),
    st.text(max_size=6),
)
HEADERS = st.one_of(st.sampled_from(GOOD_HEADERS), st.lists(st.sampled_from(COLUMNS), max_size=8))


@st.composite
def tables(draw: st.DrawFn) -> str:
    header = draw(HEADERS)
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), max_size=4))
    return "\n".join(",".join(row) for row in [header, *rows])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


def right_form(name: str, table: Array) -> bool:
    sound = bool(np.isfinite(table).all()) or name == "landmarks"
    return table.ndim == 2 and table.dtype == np.float32 and sound


@given(st.one_of(tables(), st.text(max_size=80)))
@settings(max_examples=400, deadline=None)
def test_a_csv_parses_or_is_a_dataset_error(scratch: Path, text: str) -> None:
    path = scratch / "labels.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        entries = read_labels(path, ("open", "closed"), by_file=True, by_frame=False)
    except DatasetError as error:
        given_place = error.where
    else:
        given_place = str(path)
        assert all(right_form(name, table) for entry in entries.values() for name, table in entry.truths.items())
    assert given_place.startswith(str(path))


EDGE = st.floats(-50, 100, width=32)


@given(st.lists(st.tuples(EDGE, EDGE, EDGE, EDGE), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_boxes_that_pass_lie_in_the_frame_and_have_an_area(scratch: Path, rows: list[tuple[float, ...]]) -> None:
    path = scratch / "boxes.csv"
    path.write_text("file,x1,y1,x2,y2\n" + "".join(f"a.png,{','.join(map(str, row))}\n" for row in rows))
    try:
        entry = read_labels(path, (), by_file=True, by_frame=False)["a.png", NO_FRAME]
        boxes = labelled(entry, np.zeros((40, 60), np.uint8)).truths["boxes"]
    except DatasetError:
        return
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:4] <= [60, 40]).all()
    assert (boxes[:, :2] < boxes[:, 2:4]).all()


def test_many_rows_for_one_frame_take_no_square_of_time(scratch: Path) -> None:
    path = scratch / "many.csv"
    path.write_text("file,x1,y1,x2,y2\n" + "".join(f"a.png,0,0,{n + 1},1\n" for n in range(20000)))
    assert len(read_labels(path, (), by_file=True, by_frame=False)["a.png", NO_FRAME].truths["boxes"]) == 20000


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 12), st.integers(), st.floats(), st.text(max_size=4),
    st.sampled_from(["a.png", "../a.png", "driver"]), st.lists(st.floats(-5, 30), min_size=4, max_size=4),
)  # fmt: skip
KEYS = st.sampled_from(["id", "image_id", "category_id", "bbox", "file_name", "name", "iscrowd", "keypoints", "width"])
RIGHT = {
    "images": {"id": 1, "file_name": "a.png"},
    "annotations": {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]},
    "categories": {"id": 1, "name": "driver"},
}


@st.composite
def coco_files(draw: st.DrawFn) -> Any:
    """A right file with a few values replaced."""
    table: dict[str, Any] = {name: [dict(record)] for name, record in RIGHT.items()}
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.sampled_from(list(table)))
        change = draw(st.dictionaries(KEYS, LEAVES, max_size=2))
        table[part] = draw(st.one_of(st.just([*table[part], change]), st.just([{**table[part][0], **change}]), LEAVES))
        if not isinstance(table[part], list) or not all(isinstance(one, dict) for one in table[part]):
            break
    return table


@given(st.one_of(coco_files().map(json.dumps), st.text(max_size=60), LEAVES.map(json.dumps)))
@settings(max_examples=300, deadline=None)
def test_a_coco_file_opens_or_is_a_dataset_error(tools: Any, scratch: Path, text: str) -> None:
    (scratch / "a.png").write_bytes(tools.encoded(".png", tools.grey_picture()))
    path = scratch / "coco.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        place, boxes = str(path), Coco(scratch, "coco.json", ".")[0].truths["boxes"]
    except DatasetError as error:
        place, boxes = error.where, np.zeros((0, 5), np.float32)
    assert str(path) in place
    assert boxes.shape[1] == 5
    assert np.isfinite(boxes).all()
