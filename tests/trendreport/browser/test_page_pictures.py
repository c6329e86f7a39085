"""The pictures of docs/screenshots show the page of today, by structure and not by pixels."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.trendreport.model import Trends
from harness.trendreport.page import page
from tests.trendreport.browser.conftest import Tab
from tests.trendreport.browser.looks import LOOKS, SCREENSHOTS, STRUCTURE, pictured, show, structure

AGAIN = "take the pictures again: python -m tests.trendreport.browser.looks"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trends, str]:
    trends = pictured(tmp_path_factory.mktemp("pictured"))
    return trends, page(trends)


@pytest.fixture
def any_look(tab: Tab) -> Iterator[Tab]:
    yield tab
    tab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", LOOKS)
def test_a_picture_shows_the_page_of_today(any_look: Tab, shown: tuple[Trends, str], name: str) -> None:
    show(any_look, *shown, LOOKS[name])
    kept = json.loads(STRUCTURE.read_text(encoding="utf-8"))
    assert structure(any_look) == kept[name], AGAIN
    assert any_look.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", LOOKS)
def test_a_picture_has_the_size_of_its_window(name: str) -> None:
    size = struct.unpack(">II", (SCREENSHOTS / f"{name}.png").read_bytes()[16:24])
    assert size == (LOOKS[name].width, LOOKS[name].height), AGAIN


def test_no_picture_is_left_over() -> None:
    assert {Path(one).stem for one in SCREENSHOTS.glob("*.png")} == set(LOOKS)
