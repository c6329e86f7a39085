"""What the nets learn from is rendered once, is what the harness would show them, and is never evaluated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.datasets.cabin import Cabin
from harness.errors import DatasetError
from harness.tasks.preprocess import Preprocess
from harness.zoo import data
from harness.zoo.recipes import RECIPES

pytest.importorskip("cv2")

FEW = data.Split(name="train", frames=6, step=30)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    data.prepare(FEW, folder / FEW.key)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_cached_pictures_are_the_pixels_that_the_harness_would_make(name: str, cache: Path) -> None:
    recipe = RECIPES[name]
    sample = FEW.open()[2 * FEW.step]
    roi = sample.rois[recipe.input.roi] if recipe.input.roi else None
    pixels, _ = Preprocess(recipe.input).pixels(sample.frame, roi)
    assert np.array_equal(data.examples(recipe, FEW, cache).pictures[2], pixels[:, :, 0])


@pytest.mark.parametrize("name", ["face_detection", "head_counting"])
def test_cached_boxes_lie_where_the_geometry_puts_them(name: str, cache: Path) -> None:
    recipe = RECIPES[name]
    for row, boxes in enumerate(data.examples(recipe, FEW, cache).targets):
        sample = FEW.open()[row * FEW.step]
        _, geometry = Preprocess(recipe.input).pixels(sample.frame)
        found = boxes[~np.isnan(boxes[:, 0])]
        back = found * np.tile((geometry.scale_x, geometry.scale_y), 2)
        back += np.tile((geometry.offset_x, geometry.offset_y), 2)
        assert back == pytest.approx(sample.truths[recipe.truth][:, :4], abs=0.01)


def test_a_valid_cache_is_not_rendered_again(cache: Path) -> None:
    hashes = cache / FEW.key / "hashes.npy"
    before = hashes.stat().st_mtime_ns
    data.prepare(FEW, cache / FEW.key)
    assert hashes.stat().st_mtime_ns == before


def test_frames_are_known_by_their_contents(cache: Path) -> None:
    assert len(data.frame_hashes(FEW, cache)) == FEW.frames


def test_a_frame_that_calibrates_and_evaluates_is_refused() -> None:
    data.require_disjoint(frozenset("ab"), frozenset("cd"))
    with pytest.raises(DatasetError, match="1 calibration frames are evaluation frames too"):
        data.require_disjoint(frozenset("ab"), frozenset("bc"))


def test_the_evaluation_split_begins_as_the_harness_sees_it() -> None:
    frames = data.evaluation(data.EVALUATION_FRAMES).open()
    assert (frames.seed, frames.clip_frames) == (Cabin(Path()).seed, Cabin(Path()).clip_frames)
