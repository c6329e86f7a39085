"""The charts in a browser: what is drawn, when, and what zoom, crosshair and keys do."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from harness.record import Annotation
from harness.trendreport.model import NOT_JUDGED, OUTCOMES, Limit, Trends
from tests.trendreport.browser.conftest import Tab, key_fragment
from tests.trendreport.browser.sample import sample

INKS = {
    "FAIL": "fail", "INVALID": "invalid", "INCONCLUSIVE": "inconclusive", "NOT_COMPARABLE": "not-comparable",
    "NO_BASELINE": "no-baseline", "PASS": "pass",
}  # fmt: skip
# How many dots of a canvas have exactly the colour of a custom property.
COUNT_INK = """
const [canvas, name] = arguments;
const probe = document.createElement("i");
probe.style.color = `var(--${name})`;
document.body.append(probe);
const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
probe.remove();
const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
copy.drawImage(canvas, 0, 0);
const dots = copy.getImageData(0, 0, canvas.width, canvas.height).data;
let count = 0;
for (let i = 0; i < dots.length; i += 4) count += wanted.every((one, k) => dots[i + k] === one) && dots[i + 3] === 255;
return count;
"""
# Draws a chart anew, and answers every text on it as [text, left, right, height].
TEXTS = """
const [canvas, prototype, found] = [arguments[0], CanvasRenderingContext2D.prototype, []];
const {fillText} = prototype;
prototype.fillText = function (text, x, y) {
  const {width} = this.measureText(text);
  const left = {left: x, center: x - width / 2, right: x - width}[this.textAlign];
  if (this.canvas === canvas) found.push([text, left, left + width, y]);
  fillText.call(this, text, x, y);
};
document.getElementById("theme").click();
prototype.fillText = fillText;
return found;
"""


@pytest.fixture(scope="module")
def trends() -> Trends:
    return sample()


def opened(tab: Tab, trends: Trends, place: int = 0, **state: str) -> Any:
    """The plot of a series, drawn and in view."""
    tab.open(trends, key_fragment(row=trends.rows[place + 1].key, **state))
    return drawn(tab, trends, place)


def drawn(tab: Tab, trends: Trends, place: int = 0) -> Any:
    key = trends.rows[place + 1].key
    selector = f'figure[data-row="{key}"]'
    tab.wait(f"return Boolean(document.querySelector('{selector} canvas'))", True)
    return tab.one(f"{selector} .plot")


def ink(tab: Tab, plot: Any, name: str) -> int:
    return int(tab.run(COUNT_INK, plot.find_element("css selector", "canvas"), name))


def texts(tab: Tab, plot: Any) -> list[tuple[str, float, float, float]]:
    """What stands on the chart: text, left, right, height."""
    return [tuple(one) for one in tab.run(TEXTS, plot.find_element("css selector", "canvas"))]


def erased(found: list[tuple[str, float, float, float]]) -> list[tuple[str, str]]:
    """Pairs of texts of which one lies on the other."""
    return [
        (one[0], other[0])
        for one, other in combinations(found, 2)
        if abs(one[3] - other[3]) < 10 and one[1] < other[2] and other[1] < one[2]
    ]


def drag(tab: Tab, plot: Any, start: float, end: float) -> None:
    """From one share of the plot's width to another."""
    width = plot.size["width"]
    at = [round((share - 0.5) * width) for share in (start, end)]
    ActionChains(tab.driver, duration=0).move_to_element_with_offset(plot, at[0], 0).click_and_hold().move_by_offset(
        at[1] - at[0], 0
    ).release().perform()


def zoomed(tab: Tab) -> bool:
    return "from=" in tab.fragment


def test_every_outcome_has_its_colour_on_the_canvas(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends)
    assert {name for name, colour in INKS.items() if ink(tab, plot, colour)} == set(OUTCOMES)


@pytest.mark.parametrize("name", ["band", "budget", "link"])
def test_band_budget_and_remarks_are_drawn(tab: Tab, trends: Trends, name: str) -> None:
    assert ink(tab, opened(tab, trends), name) > 50


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("band", {"band": None}),
        ("budget", {"limits": ()}),
        ("fail", {"outcome": np.full(120, OUTCOMES.index("PASS"), np.int8)}),
    ],
)
def test_what_a_series_does_not_have_is_not_drawn(tab: Tab, trends: Trends, name: str, without: dict[str, Any]) -> None:
    changed = replace(trends, series=(replace(trends.series[0], **without), *trends.series[1:]))
    assert ink(tab, opened(tab, changed), name) == 0


@pytest.mark.parametrize(
    ("metric", "limits", "strictest"),
    [
        (0, (5000.0, 3000.0), "budget 3000 ms \u2191"), (0, (-300.0, -500.0, -400.0), "budget -500 ms \u2193"),
        (0, (50.0, 50.2), "budget 50 ms (the project's own budget)"), (2, (200.0, 300.0), "budget 300 % \u2191"),
    ],
)  # fmt: skip
def test_every_limit_is_named_and_the_strictest_first(
    tab: Tab, trends: Trends, metric: int, limits: tuple[float, ...], strictest: str
) -> None:
    of = replace(trends.series[metric], limits=tuple(Limit(limit=one, gate=True) for one in limits))
    changed = replace(trends, series=(*trends.series[:metric], of, *trends.series[metric + 1 :]))
    found = texts(tab, opened(tab, changed, metric))
    assert erased(found) == []
    named = [text for text, *_ in found if text.startswith("budget")]
    assert named[0] == strictest
    assert len(named) == len(limits)


def test_a_boundary_is_named_whatever_else_happened_there(tab: Tab, trends: Trends) -> None:
    at = trends.tracks[0].at[80]
    remarks = tuple(Annotation(at=at, kind="expected", text=f"remark {one}", author="ada") for one in range(6))
    found = texts(tab, opened(tab, replace(trends, annotations=remarks)))
    assert "cores 4\u21926 and 1 more" in [text for text, *_ in found]
    assert "remark 0" in [text for text, *_ in found]
    assert erased(found) == []


def test_the_band_says_what_it_is_and_no_remark_lies_on_its_words(tab: Tab, trends: Trends) -> None:
    found = texts(tab, opened(tab, trends))
    assert "band: 95 % of new sessions (from 12 accepted)" in [text for text, *_ in found]
    assert erased(found) == []


def test_the_line_has_no_ink_of_a_series(tab: Tab, trends: Trends) -> None:
    plain = replace(trends.series[0], outcome=np.full(120, NOT_JUDGED, np.int8))
    plot = opened(tab, replace(trends, series=(plain, *trends.series[1:])))
    assert [slot for slot in range(6) if ink(tab, plot, f"series-{slot}")] == []


def test_the_plots_keep_their_place_while_the_crosshair_moves(tab: Tab, trends: Trends) -> None:
    track = replace(trends.tracks[0], subject=tuple("word " * (day % 24) for day in range(120)))
    plot = opened(tab, replace(trends, tracks=(track, *trends.tracks[1:])))
    tops = tab.run(
        """
        const said = arguments[0].previousElementSibling;
        return Array.from({length: 120}, () => {
          arguments[0].dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft"}));
          return [arguments[0].getBoundingClientRect().top, said.textContent.length];
        });
        """,
        plot,
    )
    assert len({top for top, _ in tops}) == 1
    assert max(length for _, length in tops) > min(length for _, length in tops) + 50


@pytest.mark.parametrize("words", ["another engine", "another engine; " * 40])
def test_words_that_have_too_little_room_can_be_scrolled_with_the_keyboard(
    tab: Tab, trends: Trends, words: str
) -> None:
    first = replace(trends.tracks[0], boundaries=((119, words),))
    plot = opened(tab, replace(trends, tracks=(first, *trends.tracks[1:])))
    tab.keys(".plot", Keys.END)
    said = "arguments[0].previousElementSibling"
    assert words.strip() in tab.run(f"return {said}.textContent", plot)
    assert tab.run(f"return {said}.tabIndex", plot) == (0 if len(words) > 100 else -1)


def test_charts_out_of_sight_are_not_drawn(tab: Tab) -> None:
    many = sample(cases=24, sessions=30)
    tab.open(many)
    tab.driver.execute_script("scrollTo(0, document.body.scrollHeight)")
    tab.run("document.getElementById('folded').open = true")
    tab.wait("return document.querySelectorAll('figure.chart').length", 72)
    assert len(tab.all("figure.chart canvas")) < 40


def test_only_so_many_canvases_live_however_far_one_scrolls(tab: Tab) -> None:
    tab.open(sample(cases=24, sessions=30)).run("document.getElementById('folded').open = true")
    tab.wait("return document.querySelectorAll('figure.chart').length", 72)
    for place in range(0, 72, 6):
        figure = f"document.querySelectorAll('figure.chart')[{place}]"
        tab.run(f"{figure}.scrollIntoView()")
        tab.wait(f"return Boolean({figure}.querySelector('canvas'))", True)
    assert 0 < len(tab.all("figure.chart canvas")) <= 40


def test_a_chart_says_in_words_what_it_shows(tab: Tab, trends: Trends) -> None:
    label = opened(tab, trends).get_attribute("aria-label")
    newest = trends.series[0].value[-1]
    for part in (trends.rows[1].key, "120 values", "120 sessions", "1 change of level", f"{newest:.2f} ms", "FAIL"):
        assert part in label


def test_the_crosshair_says_value_outcome_session_date_and_commit(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends)
    tab.run("arguments[0].focus()", plot)
    ActionChains(tab.driver).send_keys(Keys.END).perform()
    track, series = trends.tracks[0], trends.series[0]
    said = tab.texts(f'figure[data-row="{trends.rows[1].key}"] .readout')[0]
    expected = f"{series.value[-1]:.2f} ms, FAIL, session {track.ids[-1][:8]}, 2026-04-30 03:00 UTC, "
    assert said == expected + f"commit {track.commit[-1]} {track.subject[-1]}"
    assert tab.texts("#said") == [said]


@pytest.mark.parametrize(
    ("mode", "session", "words"),
    [("session", 80, "version: '1.2.3' before, '1.3.0' now"), ("date", 96, "change of level: 10 % worse"),
     ("commit", 96, "change of level: 10 % worse"), ("date", 31, "firmware: JetPack 6.2 was installed (ada)")],
)  # fmt: skip
def test_near_a_line_the_crosshair_says_its_words(
    tab: Tab, trends: Trends, mode: str, session: int, words: str
) -> None:
    opened(tab, trends, x=mode)
    ActionChains(tab.driver).send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * session).perform()
    assert words in tab.texts("#said")[0]


def test_the_crosshair_stands_in_all_charts_at_the_same_time(tab: Tab, trends: Trends) -> None:
    later = replace(trends.tracks[1], at=tuple(one.replace("T03", "T15") for one in trends.tracks[1].at))
    changed = replace(trends, tracks=(trends.tracks[0], later, *trends.tracks[2:]))
    opened(tab, changed)
    ActionChains(tab.driver).send_keys(Keys.END, Keys.ARROW_LEFT, Keys.ARROW_LEFT).perform()
    drawn(tab, changed, 3)
    first, other = (tab.texts(f'figure[data-row="{trends.rows[place].key}"] .readout')[0] for place in (1, 4))
    assert "2026-04-28 03:00" in first
    assert "2026-04-27 15:00" in other or "2026-04-28 15:00" in other


def test_moving_the_pointer_moves_the_crosshair(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends)
    ActionChains(tab.driver, duration=0).move_to_element_with_offset(plot, 0, 0).perform()
    first = tab.texts(".readout")[0]
    ActionChains(tab.driver, duration=0).move_by_offset(100, 0).perform()
    assert first != tab.texts(".readout")[0]


def test_a_drag_zooms_all_charts_and_the_button_goes_back(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends)
    assert ink(tab, plot, "not-judged") > 0
    drag(tab, plot, 0.7, 0.95)
    assert zoomed(tab)
    assert ink(tab, plot, "not-judged") == 0
    assert ink(tab, drawn(tab, trends, 3), "not-judged") == 0
    tab.one("#zoom-out").click()
    assert not zoomed(tab)
    assert ink(tab, plot, "not-judged") > 0
    assert not tab.one("#zoom-out").is_enabled()


@pytest.mark.parametrize("way_out", ["escape", "double click", "minus"])
def test_there_are_many_ways_out_of_a_zoom(tab: Tab, trends: Trends, way_out: str) -> None:
    plot = opened(tab, trends)
    drag(tab, plot, 0.3, 0.6)
    assert zoomed(tab)
    if way_out == "double click":
        ActionChains(tab.driver, duration=0).move_to_element_with_offset(plot, 0, -60).double_click().perform()
    else:
        ActionChains(tab.driver).send_keys(*([Keys.ESCAPE] if way_out == "escape" else ["-"] * 6)).perform()
    assert not zoomed(tab)


def test_keys_zoom_in_and_wander(tab: Tab, trends: Trends) -> None:
    opened(tab, trends)
    ActionChains(tab.driver).send_keys("+", "+").perform()
    first = bounds(tab)
    assert first[1] - first[0] == pytest.approx(120 / 4)
    ActionChains(tab.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert bounds(tab)[0] == pytest.approx(first[0] - 30 / 4)


def test_the_range_follows_the_crosshair_out_of_it(tab: Tab, trends: Trends) -> None:
    opened(tab, trends, **{"from": "-10", "to": "0.5"})
    ActionChains(tab.driver).send_keys(Keys.HOME).perform()
    low, high = bounds(tab)
    assert low <= -119 <= high


def bounds(tab: Tab) -> tuple[float, float]:
    state = dict(part.split("=") for part in tab.fragment.split("&"))
    return float(state["from"]), float(state["to"])


@pytest.mark.parametrize("spike", [True, False])
def test_a_spike_survives_two_thousand_sessions(tab: Tab, spike: bool) -> None:
    many = sample(cases=1, sessions=2000)
    value = many.series[0].value.copy()
    if not spike:
        value[1000] = value[999]
    plot = opened(tab, replace(many, series=(replace(many.series[0], value=value), *many.series[1:])))
    above = COUNT_INK.replace("i < dots.length", "i < canvas.width * 4 * canvas.height * 0.3")
    assert (tab.run(above, plot.find_element("css selector", "canvas"), "pass") > 0) is spike


def test_the_axis_is_of_sessions_dates_or_commits(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends)
    seen = []
    for mode in ("commit", "date", "session"):
        tab.choose("#x-mode", mode)
        assert f"x={mode}" in tab.fragment
        assert ink(tab, plot, "fail") > 0
        seen.append(tab.run("return arguments[0].querySelector('canvas').toDataURL()", plot))
    assert len(set(seen)) == 3


def test_another_axis_forgets_the_zoom_of_the_one_before(tab: Tab, trends: Trends) -> None:
    drag(tab, opened(tab, trends), 0.3, 0.6)
    tab.choose("#x-mode", "date")
    assert not zoomed(tab)


def test_equal_commits_stand_in_one_place(tab: Tab, trends: Trends) -> None:
    plot = opened(tab, trends, x="commit")
    assert ink(tab, plot, "fail") > 0
    ActionChains(tab.driver).send_keys(Keys.HOME).perform()
    first = tab.run("return arguments[0].querySelectorAll('div')[1].style.left", plot)
    ActionChains(tab.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert tab.run("return arguments[0].querySelectorAll('div')[1].style.left", plot) == first


def test_a_limit_far_off_does_not_press_the_points_flat(tab: Tab, trends: Trends) -> None:
    far = replace(trends.series[0], limits=(replace(trends.series[0].limits[0], limit=5000.0),))
    plot = opened(tab, replace(trends, series=(far, *trends.series[1:])))
    columns = tab.run(COUNT_INK, plot.find_element("css selector", "canvas"), "budget")
    assert 0 < columns < 2000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_draws_the_charts_in_its_own_colours(tab: Tab, trends: Trends, theme: str) -> None:
    plot = opened(tab, trends, theme="dark" if theme == "light" else "light")
    tab.one("#theme").click()
    assert tab.run("return document.documentElement.dataset.theme") == theme
    assert f"theme={theme}" in tab.fragment
    tab.run("arguments[0].scrollIntoView()", plot)
    canvas = "document.querySelector('figure.chart canvas')"
    tab.wait(f"return ((...arguments) => {{ {COUNT_INK} }})({canvas}, 'fail') > 0", True)


def test_a_jump_inside_the_page_keeps_the_state_in_the_address(tab: Tab, trends: Trends) -> None:
    tab.open(trends, "q=p99")
    tab.one("nav a[href='#health']").click()
    tab.wait("return location.hash", "#q=p99")
    assert tab.run("return scrollY") > 0
