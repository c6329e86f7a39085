"""The table in a browser: filters, search, the fold and the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from harness.trendreport.model import Row, Trends
from tests.trendreport.browser.conftest import Tab, key_fragment
from tests.trendreport.browser.sample import sample


@pytest.fixture(scope="module")
def trends() -> Trends:
    return sample()


def visible_rows(tab: Tab) -> list[str]:
    return list(
        tab.run("return [...document.querySelectorAll('tr[data-row]')].filter(e => !e.hidden).map(e => e.dataset.row)")
    )


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("device", "imx8", lambda row: row.case.device == "imx8"),
        ("variant", "int8", lambda row: row.case.variant == "int8"),
        ("model", "eyes0", lambda row: row.case.model == "eyes0"),
        ("runtime", "tensorrt", lambda row: row.case.runtime == "tensorrt"),
        ("metric", "frame_p25_ms", lambda row: row.metric == "frame_p25_ms"),
        ("outcome", "FAIL", lambda row: row.outcome == "FAIL"),
        ("outcome", "MISSING", lambda row: bool(row.missing)),
    ],
)
def test_a_filter_leaves_what_fits_and_says_how_much(
    tab: Tab, trends: Trends, name: str, value: str, wanted: Callable[[Row], bool]
) -> None:
    tab.open(trends)
    tab.choose(f"[data-filter={name}]", value)
    expected = {row.key for row in trends.rows if wanted(row)}
    assert set(visible_rows(tab)) == expected
    assert tab.texts("#shown") == [f"{len(expected)} of {len(trends.rows)} rows: {name} {value}"]
    assert f"filter.{name}={value}" in tab.fragment


def test_a_link_with_a_choice_that_is_not_offered_hides_nothing(tab: Tab, trends: Trends) -> None:
    tab.open(trends, "filter.device=nosuchdevice")
    assert len(visible_rows(tab)) == len(trends.rows)
    assert tab.run("return document.querySelector('[data-filter=device]').value") == ""


def test_the_search_wants_every_word_in_any_order_and_case(tab: Tab, trends: Trends) -> None:
    tab.open(trends).keys("#search", "P25 imx8")
    assert set(visible_rows(tab)) == {row.key for row in trends.rows if "imx8" in row.key and "p25" in row.key}


def test_the_search_reads_the_sentences_too(tab: Tab, trends: Trends) -> None:
    tab.open(trends).keys("#search", "frame_p25_ms rose")
    assert set(visible_rows(tab)) == {row.key for row in trends.rows if row.metric == "frame_p25_ms"}


def test_a_search_without_a_find_leaves_no_row_and_says_so(tab: Tab, trends: Trends) -> None:
    tab.open(trends).keys("#search", "nosuchthing")
    assert visible_rows(tab) == []
    assert tab.texts("#shown") == [f"0 of {len(trends.rows)} rows: search nosuchthing"]
    assert [one.text for one in tab.shown("#no-rows")] == ["No row fits the filters."]
    assert tab.shown("figure.chart") == tab.shown("table.rows") == tab.shown("#chart-grid > p") == []


def test_one_button_takes_all_filters_back(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(**{"filter.device": "orin", "filter.variant": "int8", "q": "p25"}))
    tab.one("#reset").click()
    assert len(visible_rows(tab)) == len(trends.rows)
    assert tab.run("return [...document.querySelectorAll('[data-filter], #search')].map(e => e.value).join('')") == ""
    assert tab.fragment == ""
    assert tab.shown("#reset, #no-rows") == []
    assert tab.run("return document.activeElement.id") == "search"


def test_the_heading_of_a_fold_counts_what_fits_of_it(tab: Tab, trends: Trends) -> None:
    count = "#folded summary .count"
    tab.open(trends)
    assert tab.texts(count) == ["8 rows"]
    tab.choose("[data-filter=metric]", "frame_p25_ms")
    assert tab.texts(count) == ["4 of 8 rows"]
    tab.choose("[data-filter=metric]", "frame_p99_ms")
    assert tab.texts(count) == ["0 of 8 rows"]
    tab.choose("[data-filter=metric]", "")
    assert tab.texts(count) == ["8 rows"]


def test_a_table_without_a_find_shows_no_bare_head(tab: Tab, trends: Trends) -> None:
    tab.open(trends).choose("[data-filter=metric]", "frame_p25_ms")
    assert tab.shown("#open table.rows") == []
    assert len(tab.shown("#folded table.rows")) == 1


def stale(trends: Trends, outcome: str = "PASS") -> Trends:
    """The same, but that the newest run did not measure the first case, of which all was judged so before."""
    old: dict[str, Any] = {"current": False, "in_noise": False, "outcome": outcome}
    return replace(trends, rows=tuple(replace(row, **old) if row.track == 0 else row for row in trends.rows))


def test_a_row_that_is_not_of_the_newest_run_is_no_pass(tab: Tab, trends: Trends) -> None:
    tab.open(stale(trends))
    old = [row for row in trends.rows if row.track == 0]
    tab.choose("[data-filter=outcome]", "PASS")
    assert not {row.key for row in old} & set(visible_rows(tab))
    tab.choose("[data-filter=outcome]", "NOT_CURRENT")
    assert visible_rows(tab) == [row.key for row in old]
    assert tab.run("return document.getElementById('stale').open")
    assert tab.texts("#stale summary .count") == ["3 of 3 rows"]
    assert not tab.run("return document.getElementById('folded').open")


def test_a_fail_that_the_newest_run_did_not_measure_again_stays_open(tab: Tab, trends: Trends) -> None:
    tab.open(stale(trends, "FAIL"))
    first = tab.one(f'#open tr[data-row="{trends.rows[1].key}"]')
    assert "FAIL on 2026-04-30" in first.text
    assert first.get_attribute("data-outcome") == "FAIL"


def test_charts_of_rows_that_are_not_of_the_newest_run_come_with_their_fold(tab: Tab, trends: Trends) -> None:
    tab.open(stale(trends))
    assert trends.rows[1].key not in tab.texts("figure.chart:not([hidden]) figcaption")
    tab.one("#stale > summary").click()
    tab.wait(f"return Boolean(document.querySelector('figure[data-row=\"{trends.rows[1].key}\"]'))", True)


def test_a_find_in_the_fold_opens_it_and_without_a_search_it_closes_again(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    assert not tab.run("return document.getElementById('folded').open")
    tab.keys("#search", "p25")
    assert tab.run("return document.getElementById('folded').open")
    tab.keys("#search", *[Keys.BACKSPACE] * 3)
    assert not tab.run("return document.getElementById('folded').open")


def test_what_a_person_unfolded_stays_unfolded(tab: Tab, trends: Trends) -> None:
    tab.open(trends).one("#folded > summary").click()
    tab.choose("[data-filter=metric]", "frame_p99_ms")
    tab.choose("[data-filter=metric]", "frame_p25_ms")
    tab.choose("[data-filter=metric]", "")
    assert tab.run("return document.getElementById('folded').open")


def test_charts_follow_the_fold(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    drawn = [row for row in trends.rows if row.series is not None]
    assert len(tab.shown("figure.chart")) == sum(not row.in_noise for row in drawn)
    tab.one("#folded > summary").click()
    tab.wait("return document.querySelectorAll('figure.chart:not([hidden])').length", len(drawn))
    order = [row.key for row in trends.rows if row.series is not None and not row.in_noise]
    order += [row.key for row in drawn if row.in_noise]
    assert tab.texts("figure.chart figcaption") == order


def test_arrows_go_from_row_to_row_and_over_what_is_hidden(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(**{"filter.device": "orin"}))
    rows = visible_rows(tab)
    tab.keys("tr[data-row]:not([hidden])", Keys.ARROW_DOWN)
    assert tab.run("return document.activeElement.dataset.row") == rows[1]
    tab.keys("tr[data-row]:not([hidden])", Keys.ARROW_UP)
    assert tab.run("return document.activeElement.dataset.row") == rows[0]


def test_enter_on_a_row_opens_its_chart(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    tab.keys("tr[data-series='0']", Keys.ENTER)
    key = trends.rows[1].key
    assert tab.run("return document.activeElement.closest('figure').dataset.row") == key
    tab.wait("return Boolean(document.activeElement.querySelector('canvas'))", True)
    assert tab.fragment == key_fragment(row=key).replace("%20", "+").replace("/", "%2F")


def test_enter_on_the_words_of_a_row_opens_the_words(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    tab.keys("tr[data-series='0'] summary", Keys.ENTER)
    assert tab.run("return document.querySelector(\"tr[data-series='0'] details\").open")
    assert "row=" not in tab.fragment


def test_a_row_without_values_says_that_it_has_no_chart(tab: Tab, trends: Trends) -> None:
    tab.open(trends).keys("tr[data-outcome=MISSING]", Keys.ENTER)
    assert tab.texts("#said") == ["this row has no value in the history, so it has no chart"]


def test_a_click_on_the_sparkline_opens_the_chart(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    tab.run(
        "document.querySelector(\"tr[data-series='3'] .spark\").dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert tab.run("return document.activeElement.closest('figure').dataset.row") == trends.rows[4].key


def test_the_name_of_a_metric_leads_to_its_chart_and_keeps_the_filters(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(**{"filter.device": "imx8"}))
    tab.one("tr[data-series='3'] a.to-chart").click()
    assert tab.run("return document.activeElement.closest('figure').dataset.row") == trends.rows[4].key
    assert "filter.device=imx8" in tab.fragment


@pytest.mark.parametrize("key", ["ctrlKey", "metaKey", "shiftKey"])
def test_with_a_key_held_down_the_link_is_the_browsers(tab: Tab, trends: Trends, key: str) -> None:
    tab.open(trends)
    taken = """
    let taken = null;
    addEventListener("click", (event) => {
      taken = event.defaultPrevented;
      event.preventDefault();
    }, {once: true});
    const click = new MouseEvent("click", {bubbles: true, cancelable: true, [arguments[0]]: true});
    document.querySelector("a.to-chart").dispatchEvent(click);
    return taken;
    """
    assert tab.run(taken, key) is False


def test_without_open_rows_the_charts_say_where_they_are(tab: Tab, trends: Trends) -> None:
    tab.open(
        replace(trends, rows=tuple(replace(row, in_noise=True, outcome="PASS", missing="") for row in trends.rows))
    )
    assert [one.text for one in tab.shown("#chart-grid > *")] == [
        "None of the open rows has a chart; folded rows show theirs when they are unfolded."
    ]
