"""What every member of the table DATASETS must do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets import DATASETS, Dataset, Sample, open_dataset, spread
from harness.errors import ConfigError

OPTIONS: dict[str, dict[str, Any]] = {
    "cabin": {"frames": 3},
    "folder": {"path": "pictures"},
    "coco": {"annotations": "pictures/coco.json", "images": "pictures"},
    "video": {"path": "drive.avi"},
    "raw": {"path": "dump.raw", "format": "Y8", "width": 6, "height": 4},
}


@pytest.fixture(params=sorted(DATASETS))
def opener(
    request: pytest.FixtureRequest, tmp_path: Path, write_csv: Callable[[str], Path],
    write_coco: Callable[[Any], Path], coco_table: Any, video: Path,
) -> Callable[[], Dataset]:  # fmt: skip
    """Opens the data set of one kind, small, over files that lie in `tmp_path`."""
    kind = request.param
    if importlib.util.find_spec(DATASETS[kind].partition(":")[0]) is None:
        pytest.skip(f"{kind} is not written yet")
    write_csv("file,label\na.png,1\nb.png,0\nsub/c.png,1\n")
    write_coco(coco_table)
    (tmp_path / "dump.raw").write_bytes(bytes(72))
    return lambda: open_dataset(kind, OPTIONS[kind], tmp_path)


def assert_same(one: Sample, other: Sample) -> None:
    assert np.array_equal(one.frame, other.frame)
    assert one.truths.keys() == other.truths.keys()
    assert all(np.array_equal(one.truths[name], other.truths[name], equal_nan=True) for name in one.truths)
    assert (one.rois, one.subject, one.clip, one.slices) == (other.rois, other.subject, other.clip, other.slices)


def test_every_member_is_tested() -> None:
    assert OPTIONS.keys() == DATASETS.keys()


def test_a_sample_is_a_frame_with_its_truths(opener: Callable[[], Dataset]) -> None:
    sample = opener()[0]
    assert sample.frame.dtype == np.uint8
    assert sample.frame.ndim == 2 or sample.frame.shape[2] == 3
    for truth in sample.truths.values():
        assert truth.dtype == np.float32
        assert truth.ndim == 2


def test_the_same_sample_is_identical_in_any_order_and_after_reopening(opener: Callable[[], Dataset]) -> None:
    dataset, again = opener(), opener()
    last = len(dataset) - 1
    kept = dataset[last]
    assert_same(dataset[0], again[0])
    assert_same(dataset[last], kept)
    assert_same(again[last], kept)


def test_changing_a_sample_does_not_change_the_data_set(opener: Callable[[], Dataset]) -> None:
    dataset = opener()
    before = dataset[0].frame.copy()
    sample = dataset[0]
    sample.frame[...] = 77
    for truth in sample.truths.values():
        truth[...] = 5
    assert np.array_equal(dataset[0].frame, before)
    assert_same(dataset[0], opener()[0])


def test_beyond_the_end_is_an_index_error(opener: Callable[[], Dataset]) -> None:
    dataset = opener()
    for index in (len(dataset), len(dataset) + 7):
        with pytest.raises(IndexError):
            dataset[index]


def test_iterating_gives_every_sample_once(opener: Callable[[], Dataset]) -> None:
    dataset = opener()
    assert len([dataset[index] for index in spread(dataset, len(dataset))]) == len(dataset) > 0


def test_the_fingerprint_is_stable(opener: Callable[[], Dataset]) -> None:
    assert opener().fingerprint == opener().fingerprint != ""


def test_an_unknown_option_is_a_config_error(opener: Callable[[], Dataset], request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["opener"]
    with pytest.raises(ConfigError, match="no option called 'pth'"):
        open_dataset(kind, {**OPTIONS[kind], "pth": "x"}, Path())


def test_an_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'folder'"):
        open_dataset("foldr", {}, tmp_path)
