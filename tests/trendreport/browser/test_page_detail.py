"""A chosen point in a browser: its panel, copying, links, and what is not in the file."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from harness.trendreport.model import Trends
from tests.trendreport.browser.conftest import Tab, key_fragment
from tests.trendreport.browser.sample import detail, sample

TABLES = """
const texts = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
return [...document.querySelectorAll("#detail table")].map(texts)
"""
BLANK = """
return [...document.querySelectorAll("#detail canvas")].filter((one) => {
  const empty = new OffscreenCanvas(one.width, one.height).getContext("2d");
  empty.drawImage(one, 0, 0);
  return empty.getImageData(0, 0, one.width, one.height).data.every((dot) => dot === 0);
}).length
"""
LINK = "https://git.example/repo/commit/{commit}"


@pytest.fixture(scope="module")
def trends() -> Trends:
    return sample()


def chosen(tab: Tab, trends: Trends, session: int = -1, **options: Any) -> str:
    """The words of the panel of a session of the first series."""
    state = {"row": trends.rows[1].key, "session": trends.tracks[0].ids[session]}
    tab.open(trends, key_fragment(**state), **options)
    return " ".join(tab.texts("#detail"))


def test_the_panel_is_not_there_before_a_point_is_chosen(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    assert tab.shown("#detail") == []


def test_enter_at_the_crosshair_opens_the_panel(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key))
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    ActionChains(tab.driver).send_keys(Keys.END, Keys.ENTER).perform()
    assert trends.tracks[0].ids[-1] in " ".join(tab.texts("#detail"))
    assert tab.run("return document.activeElement.closest('#detail') !== null")
    assert f"session={trends.tracks[0].ids[-1][:8]}" in tab.fragment


def in_sight(tab: Tab, selector: str) -> bool:
    """All of the element is on the screen."""
    edges = "const {top, bottom} = document.querySelector(arguments[0]).getBoundingClientRect();"
    return bool(tab.run(f"{edges} return top >= 0 && bottom <= innerHeight", selector))


def test_the_panel_opens_behind_its_chart_and_both_are_in_sight(tab: Tab, trends: Trends) -> None:
    tab.driver.set_window_size(1280, 900)
    tab.open(trends, key_fragment(row=trends.rows[1].key)).run("document.getElementById('folded').open = true")
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    tab.keys(f'figure[data-row="{trends.rows[1].key}"] .plot', Keys.END)
    tab.run("document.activeElement.scrollIntoView({block: 'end'})")
    ActionChains(tab.driver).send_keys(Keys.ENTER).perform()
    assert tab.run("return document.getElementById('detail').previousElementSibling.dataset.row") == trends.rows[1].key
    assert in_sight(tab, f'figure[data-row="{trends.rows[1].key}"]')
    assert in_sight(tab, "#detail h2")


def test_the_panel_stays_behind_its_chart_when_others_come(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    tab.run("document.getElementById('folded').open = true")
    tab.wait("return document.querySelectorAll('figure.chart').length", len(trends.series))
    assert tab.run("return document.getElementById('detail').previousElementSibling.dataset.row") == trends.rows[1].key
    assert tab.shown("#detail")


def test_a_click_on_a_point_opens_the_panel(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key))
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    plot = tab.one(f'figure[data-row="{trends.rows[1].key}"] .plot')
    # The newest point lies at the right edge, between a quarter and half of the height above the axis.
    for up in range(-100, 100, 12):
        ActionChains(tab.driver, duration=0).move_to_element_with_offset(
            plot, plot.size["width"] // 2 - 15, up
        ).click().perform()
        if tab.shown("#detail"):
            break
    assert "FAIL" in " ".join(tab.texts("#detail"))


def test_a_click_beside_all_points_opens_nothing(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key))
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    plot = tab.one(f'figure[data-row="{trends.rows[1].key}"] .plot')
    ActionChains(tab.driver, duration=0).move_to_element_with_offset(plot, 200, 20).click().perform()
    assert tab.shown("#detail") == []


@pytest.mark.parametrize(
    "words",
    [
        "ms (this session alone), FAIL", "2026-04-30 03:00 UTC", "change 39", "39.2 ms, 12 % slower",
        "the 12 accepted sessions", "git checkout", "process 0: 3 more channels are left out",
        "pytest suites/ --device=orin",
    ],
)  # fmt: skip
def test_the_panel_says_all_of_it(tab: Tab, trends: Trends, words: str) -> None:
    assert words in chosen(tab, trends)


def test_the_panel_shows_what_differs_from_the_baseline(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    cells = tab.run(TABLES)
    assert [["", "then", "now"], ["version", "1.2.3", "1.3.0"], ["cores", "4", "6"]] in cells


def test_the_panel_draws_distribution_shift_frames_sensors_and_stages(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    captions = tab.texts("#detail figcaption")
    assert [one.split(" ")[0] for one in captions] == ["Share", "Slower", "Frame", "CPU,", "cpu0"]
    said = tab.run("return [...document.querySelectorAll('#detail canvas')].map(e => e.ariaLabel)")
    assert "Half of the frames took at most" in said[0]
    assert "ms before" in said[0]
    assert said[1] == "The frame at 50 % took 5 % more time"
    assert "95 %, spread of 12 baseline sessions" in captions[1]
    assert "CPU 40 to 44 C" in said[3]
    assert tab.texts("#detail tbody tr:nth-child(3) th")[-1] == "infer"
    assert tab.run(BLANK) == 0


def test_what_it_is_compared_with_has_no_other_name_than_its_own(tab: Tab, trends: Trends) -> None:
    words = "10 earlier sessions; this history holds no accepted session under these conditions"
    known = detail(trends.tracks[0], 119)
    known["baseline"]["what"] = words
    known["shift"]["basis"] = "95 %"
    said = chosen(tab, replace(trends, details={trends.tracks[0].ids[-1]: known}))
    assert said.count(words) == 3
    assert "baseline" not in said


def test_the_stages_of_a_frame_stand_behind_each_other(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    places = tab.run(
        "return [...document.querySelectorAll('#detail td > div')].map(e => [e.style.marginLeft, e.style.width])"
    )
    edges = [[float(one.rstrip("%")) for one in pair] for pair in places]
    assert edges[0] == [0, 0]
    for (left, width), (following, _) in pairwise(edges[1:]):
        assert following == pytest.approx(left + width, abs=0.01)
    assert sum(edges[-1]) == pytest.approx(100, abs=0.01)


def test_frames_and_sensors_share_their_time_axis(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    same = tab.run("return [...document.querySelectorAll('#detail canvas')].slice(2).map(e => e.width)")
    assert len(set(same)) == 1


def test_a_session_that_is_not_in_the_file_says_how_to_get_it(tab: Tab, trends: Trends) -> None:
    words = chosen(tab, trends, session=5)
    assert "are not in this file" in words
    assert f"harness report --detail {trends.tracks[0].ids[5][:8]}" in words
    assert "(with the --history of this page)" in words
    assert tab.all("#detail canvas") == []


@pytest.mark.parametrize(
    ("gap", "left"),
    [
        ({"shift": None}, 4), ({"frames": [], "traces": []}, 2), ({"traces": []}, 3), ({"quantiles_ms": []}, 4),
        ({"baseline": None}, 5), ({"stages": []}, 5), ({"environment": []}, 5), ({"verdicts": []}, 5),
        ({"quantiles_ms": None, "shift": None, "verdicts": []} | {"frames": [], "traces": [], "stages": []}, 0),
        ({"frames": [{"count": 0, "seconds": [], "low_ms": [], "high_ms": []}]}, 2),
        ({"stages": [{"name": "load", "ms": 1.0}]}, 5),
        ({"quantiles_ms": [5.0] * 101, "baseline": None}, 5),
    ],
)  # fmt: skip
def test_a_detail_with_gaps_shows_the_rest(tab: Tab, trends: Trends, gap: dict[str, Any], left: int) -> None:
    known = detail(trends.tracks[0], 119, **gap)
    chosen(tab, replace(trends, details={trends.tracks[0].ids[-1]: known}))
    assert len(tab.all("#detail canvas")) == left


def test_a_detail_of_another_case_with_the_same_digits_is_not_taken(tab: Tab, trends: Trends) -> None:
    other = detail(trends.tracks[0], 119, case="another/case/fp32/ort")
    assert "are not in this file" in chosen(tab, replace(trends, details={trends.tracks[0].ids[-1]: other}))


def test_copy_fills_the_clipboard_and_says_so(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    tab.run("window.copied = []; navigator.clipboard.writeText = async (text) => { copied.push(text); }")
    for button in tab.all("#detail .copy"):
        tab.run("arguments[0].click()", button)
    tab.wait("return document.getElementById('said').textContent", "copied")
    found = tab.run("return window.copied")
    assert trends.tracks[0].ids[-1] in found
    assert trends.tracks[0].commit[-1] in found
    assert any(one.startswith("git checkout") for one in found)


def test_without_the_clipboard_the_text_is_selected(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends)
    tab.run("navigator.clipboard.writeText = () => Promise.reject(new Error('denied'))")
    tab.run("document.querySelector('#detail .copy').click()")
    tab.wait("return document.getElementById('said').textContent", "selected: press Ctrl+C to copy")
    assert tab.run("return String(getSelection())") == trends.tracks[0].ids[-1]


def test_the_commit_is_linked_where_an_address_is_known(tab: Tab, trends: Trends) -> None:
    chosen(tab, trends, commit_url=LINK)
    assert tab.one("#detail a").get_attribute("href") == LINK.replace("{commit}", trends.tracks[0].commit[-1])
    chosen(tab, trends)
    assert tab.all("#detail a") == []


def test_close_and_escape_go_back_to_the_chart(tab: Tab, trends: Trends) -> None:
    for way in ("button", "key"):
        chosen(tab, trends)
        tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
        if way == "button":
            tab.run("document.querySelector('#detail .close').click()")
        else:
            tab.keys("#detail h2", Keys.ESCAPE)
        assert tab.shown("#detail") == []
        assert "session=" not in tab.fragment
        assert tab.run("return document.activeElement.closest('figure').dataset.row") == trends.rows[1].key
