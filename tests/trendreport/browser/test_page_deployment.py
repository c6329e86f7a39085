"""The deployment checklist in a browser: read without scripts, by keyboard, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.trendreport.model import ITEM_STATES, Deployment, Evidence, Item, Trends
from tests.trendreport.browser.conftest import Tab, chromium
from tests.trendreport.browser.sample import sample
from tests.trendreport.browser.test_page_looks import OVERFLOW, PHONE, faults

NAMES = ("exported", "simplified", "calibrated", "tested on target", "budgets met", "baseline accepted",
         "confidence calibrated")  # fmt: skip
SAID = "fp32.onnx (d4c62124f291) for onnxruntime, openvino; fp32.tflite (dc8b8241aca2) for litert. Made by: " + "x" * 80
EVIDENCE = "#deployment td p"
UNFOLD = "for (const one of document.querySelectorAll('#deployment details')) one.open = true"


@pytest.fixture(scope="module")
def trends() -> Trends:
    """Two lists with every state."""
    evidence = tuple(
        Evidence(what=f"{one}/ort", state=one, sentence=SAID, where="suites/models") for one in ITEM_STATES
    )
    items = tuple(Item(name=name, evidence=evidence[place % 5 :]) for place, name in enumerate(NAMES))
    lists = [Deployment(model=one, device="orin", simulated=one == "gaze", items=items) for one in ("eyes", "gaze")]
    return replace(sample(), deployments=tuple(lists))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_checklist(tab: Tab, trends: Trends, theme: str) -> None:
    tab.open(trends, f"theme={theme}")
    tab.run(UNFOLD)
    assert len(tab.shown(EVIDENCE)) == len(tab.all(EVIDENCE)) > 10, "colours are judged of what is seen"
    assert faults(tab) == []


def test_a_cell_opens_and_closes_by_keyboard(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    assert tab.shown(EVIDENCE) == []
    for open_ in (True, False):
        tab.keys("#deployment td summary", "\ue007")
        assert bool(tab.shown(EVIDENCE)) is open_


def test_a_phone_scrolls_the_checklist_and_not_the_page(tab: Tab, trends: Trends) -> None:
    tab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    tab.open(trends)
    tab.run(UNFOLD)
    scrolled = "const one = document.querySelector('#deployment .scroller'); return one.scrollWidth - one.clientWidth"
    assert tab.run(scrolled) > 0
    assert tab.run(OVERFLOW) <= 0
    tab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_paper_shows_all_evidence_within_its_cells(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    over = tab.run(
        f"""
        const right = (one) => one.getBoundingClientRect().right;
        return [...document.querySelectorAll("{EVIDENCE}")].map((one) => right(one) - right(one.closest("td")));
        """
    )
    heights = tab.run(f"return [...document.querySelectorAll('{EVIDENCE}')].map((one) => one.offsetHeight)")
    assert max(over) <= 0
    assert min(heights) > 0


@pytest.fixture
def scriptless(tmp_path: Path) -> Iterator[Tab]:
    """A browser that runs no page's scripts."""
    driver = chromium(scripts=False)
    yield Tab(driver, tmp_path)
    driver.quit()


def test_without_scripts_the_evidence_opens_all_the_same(scriptless: Tab, trends: Trends) -> None:
    scriptless.open(trends)
    summary = scriptless.one("#deployment td summary")
    assert "failed" in summary.text
    summary.click()
    assert scriptless.one(EVIDENCE).is_displayed()
