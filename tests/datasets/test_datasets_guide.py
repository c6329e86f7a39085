"""The examples of docs/datasets.md do what the guide says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets import DATASETS, Dataset, open_dataset

GUIDE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")


def section(kind: str) -> dict[str, str]:
    """The code blocks under the heading `kind`, by their language."""
    text = re.split(r"^## ", GUIDE.partition(f"\n## {kind}\n")[2], maxsplit=1, flags=re.M)[0]
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S))


def opened(kind: str, folder: Path) -> tuple[Dataset, str]:
    options = tomllib.loads(section(kind)["toml"])["dataset"]
    assert options.pop("kind") == kind
    truth = options.pop("truth")
    return open_dataset(kind, options, folder), truth


@pytest.fixture
def card_folder(tools: Any, tmp_path: Path) -> Path:
    """Every file that the examples name."""
    (tmp_path / "eval" / "anna").mkdir(parents=True)
    for name in ("0001.png", "0002.png"):
        (tmp_path / "eval" / "anna" / name).write_bytes(tools.encoded(".png", np.zeros((480, 640), np.uint8)))
    (tmp_path / "eval" / "labels.csv").write_text(section("folder")["csv"])
    tools.write_video(tmp_path / "drive1.mp4", frames=8, code="mp4v")
    (tmp_path / "drive1.csv").write_text(section("video")["csv"])
    (tmp_path / "dump.raw").write_bytes(bytes(2560 * 800))
    (tmp_path / "dump.csv").write_text("frame,label\n0,1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("folder", [[[0]], [[1]]]), ("video", [[[0]], [[0]], [[1]]]), ("raw", [[[1]]])],
)
def test_the_examples_with_a_csv_open(card_folder: Path, kind: str, expected: list[Any]) -> None:
    dataset, truth = opened(kind, card_folder)
    assert [dataset[index].truths[truth].tolist() for index in range(len(dataset))] == expected


def test_the_example_of_coco_opens(tools: Any, card_folder: Path) -> None:
    (card_folder / "instances_eval.json").write_text(section("coco")["json"])
    (card_folder / "eval" / "0001.png").write_bytes(tools.encoded(".png", np.zeros((800, 1280), np.uint8)))
    dataset, truth = opened("coco", card_folder)
    assert dataset[0].truths[truth].tolist() == [[400, 300, 480, 420, 0]]


def test_the_guide_lists_every_kind() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, flags=re.M)) >= set(DATASETS)
