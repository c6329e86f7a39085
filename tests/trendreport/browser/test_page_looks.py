"""How the page looks, by structure: accessibility, narrow screens, the dark, paper."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from harness.trendreport.model import Overview, Trends
from tests.trendreport.browser.conftest import HEIGHT, Tab, axe_source, key_fragment, unfold
from tests.trendreport.browser.sample import sample

PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTCOMES = ("fail", "invalid", "inconclusive", "not-comparable", "no-baseline", "pass", "not-judged")
# Relative luminance and contrast as in WCAG 2.2.
CONTRAST = """
const luminance = (text) => {
  const probe = document.createElement("i");
  probe.style.color = text;
  document.body.append(probe);
  const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255);
  probe.remove();
  const [r, g, b] = parts.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const [one, other] = [...arguments].map(luminance).sort((a, b) => b - a);
return (one + 0.05) / (other + 0.05);
"""


@pytest.fixture(scope="module")
def trends() -> Trends:
    return sample()


@pytest.fixture
def phone(tab: Tab) -> Iterator[Tab]:
    """A tab as narrow as a phone."""
    tab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield tab
    tab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def everything(trends: Trends, theme: str) -> str:
    """A fragment that opens a chart, its detail and a comparison."""
    first, last = (f"{trends.tracks[0].case.key} {trends.tracks[0].ids[one][:8]}" for one in (0, -1))
    return key_fragment(row=trends.rows[1].key, session=trends.tracks[0].ids[-1], a=first, b=last, theme=theme)


def faults(tab: Tab) -> list[str]:
    """What axe-core calls serious or critical."""
    tab.run(axe_source() + "; window.axe = axe")
    found = tab.driver.execute_async_script(
        "axe.run({resultTypes: ['violations']}).then(r => arguments[0](r.violations), e => arguments[0](String(e)))"
    )
    tab.run("delete window.axe")
    assert isinstance(found, list), found
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {node['html'][:200]}" for one in serious for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(tab: Tab, trends: Trends, theme: str) -> None:
    tab.open(trends, everything(trends, theme), commit_url="https://git.example/{commit}")
    unfold(tab)
    assert faults(tab) == []


def test_axe_finds_no_serious_fault_on_an_empty_page(tab: Tab) -> None:
    overview = Overview(state="NOTHING MEASURED", sentence="no session", next_step="measure", compared="", run="")
    tab.open(Trends(newest="", identities=(), tracks=(), series=(), rows=(), overview=overview))
    assert faults(tab) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_mark_stands_out_from_its_ground(tab: Tab, trends: Trends, theme: str) -> None:
    tab.open(trends, f"theme={theme}")
    found = {name: tab.run(CONTRAST, f"var(--{name})", "var(--background)") for name in OUTCOMES}
    assert {name: contrast for name, contrast in found.items() if contrast < 3} == {}


def test_the_page_follows_the_system_into_the_dark(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = tab.run(ground)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [dark]})
    tab.wait(f"{ground} !== {light!r}", True)


@pytest.mark.parametrize("width", [390, 768])
def test_a_narrow_screen_scrolls_in_one_direction_only(phone: Tab, trends: Trends, width: int) -> None:
    phone.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**PHONE, "width": width})
    phone.open(trends, everything(trends, "light"))
    unfold(phone)
    assert phone.run(OVERFLOW) <= 0
    edges = phone.run("return [...document.querySelectorAll('canvas')].map(e => e.getBoundingClientRect().right)")
    assert max(edges) <= width


def test_charts_follow_the_width_of_the_window(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key))
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    tab.driver.set_window_size(700, HEIGHT)
    canvas = "document.querySelector('figure.chart canvas')"
    tab.wait(f"return {canvas}.width === devicePixelRatio * {canvas}.parentElement.clientWidth", True)


def test_paper_is_light_has_no_controls_and_shows_what_was_folded(tab: Tab, trends: Trends) -> None:
    tab.open(trends, "theme=dark")
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert tab.run(CONTRAST, "var(--background)", "white") == pytest.approx(1)
    assert tab.shown("#filters, nav, #theme, #zoom-out") == []
    heights = tab.run("return [...document.querySelectorAll('#folded tr[data-row]')].map(e => e.offsetHeight)")
    assert len(heights) == 8
    assert min(heights) > 0


def test_printing_draws_the_charts_that_were_never_in_sight(tab: Tab, trends: Trends) -> None:
    tab.open(trends, "theme=dark")
    count = "document.querySelectorAll('figure.chart canvas').length"
    tab.run(f"window.printed = 0; addEventListener('beforeprint', () => {{ printed = {count}; }})")
    paper = base64.b64decode(tab.driver.print_page())
    assert paper.startswith(b"%PDF")
    assert tab.run("return window.printed") == len(tab.shown("figure.chart")) == 4
    assert tab.run("return document.documentElement.dataset.theme") == "dark"


def test_a_filtered_page_says_so_on_paper(tab: Tab, trends: Trends) -> None:
    print_media = {"media": "print"}
    tab.open(trends, key_fragment(**{"filter.device": "orin", "q": "p99"}))
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", print_media)
    assert [one.text for one in tab.shown("#shown")] == [tab.texts("#shown")[0]]
    assert tab.texts("#shown")[0].endswith("rows: search p99, device orin")
    assert tab.shown("#filters select, #filters input, #filters button") == []


@pytest.mark.parametrize("width", [1280, 1366])
def test_a_usual_screen_shows_every_column_without_scrolling(tab: Tab, trends: Trends, width: int) -> None:
    tab.driver.set_window_size(width, HEIGHT)
    tab.open(trends).run("for (const one of document.querySelectorAll('details')) one.open = true")
    beyond = """
    return [...document.querySelectorAll("table.rows")].map((one) => one.parentElement)
      .map((one) => one.scrollWidth - one.clientWidth)
    """
    assert max(tab.run(beyond)) <= 0


def test_on_paper_every_bar_stays_in_its_cell(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    tab.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 794, "height": 1123, "deviceScaleFactor": 1, "mobile": False}
    )
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    over = tab.run(
        """
        const right = (one) => one.getBoundingClientRect().right;
        return [...document.querySelectorAll("svg.bar")].map((one) => right(one) - right(one.closest("td")));
        """
    )
    tab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(over) >= len(trends.series)
    assert max(over) <= 0


def test_the_focus_is_seen(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key))
    tab.keys("tr[data-row]", "\ue015")
    width: Any = tab.run("return parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
    assert width >= 2
