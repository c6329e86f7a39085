"""What the page must never do: act on hostile text, ask the network, leak names, fall over odd histories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from harness.trendreport.model import OUTCOMES, Overview, Track, Trends
from harness.trendreport.page import page
from harness.trendreport.page.embed import shown
from tests.trendreport.browser.conftest import WATCH, Tab, chromium, key_fragment, unfold
from tests.trendreport.browser.sample import HOSTILE, METRICS, case, hostile, row, sample, series, track, trends_of

# Elements that the page is made of; a text that became markup would bring others, or attributes that act.
STRANGERS = """
const usual = new Set(arguments[0]);
return [...document.querySelectorAll("*")].flatMap((one) => [
  ...(usual.has(one.localName) ? [] : [one.localName]),
  ...[...one.attributes].map((it) => it.name).filter((name) => /^on/i.test(name)).map((name) => one.localName + name),
  ...(/^\\s*javascript:/i.test(one.getAttribute("href") ?? "") ? [one.localName + " href"] : []),
]);
"""
TAGS = "Object.fromEntries([...document.querySelectorAll('*')].map(e => [e.localName, 1]))"
EMPTY = Overview(state="NOTHING MEASURED", sentence="no session", next_step="measure", compared="", run="")


def tags(tab: Tab) -> set[str]:
    return set(tab.run(f"return {TAGS}"))


def open_everything(tab: Tab, trends: Trends, place: int) -> None:
    """Unfold, choose a point with its detail, compare two sessions, search."""
    on = trends.tracks[trends.series[place].track]
    first, last = (shown(f"{on.case.key} {on.ids[one][:8]}") for one in (0, -1))
    tab.open(trends, key_fragment(row=shown(trends.rows[place].key), session=on.ids[-1], a=first, b=last, x="commit"))
    unfold(tab)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_stays_text_everywhere(tab: Tab, number: int) -> None:
    tab.open(sample(cases=1, sessions=60))
    usual = tags(tab) | {"dl", "dt", "dd", "code", "a", "canvas", "figure", "figcaption", "optgroup", "table"}
    trends = hostile()
    open_everything(tab, trends, 3 * number)
    assert tab.run(STRANGERS, sorted(usual)) == []
    assert tab.run("return document.querySelectorAll('script').length") == 2 + len(trends.details)
    assert len(tab.all("#detail canvas")) >= 3
    assert len(tab.shown("#session-table tr")) == 4


@pytest.mark.parametrize(
    "fragment", ["row=<img src=x onerror=alert(1)>", "q=%3Cscript%3Ealert(1)%3C/script%3E", "%", "x=%E0%A4%A"]
)
def test_a_hostile_link_does_nothing(tab: Tab, fragment: str) -> None:
    tab.open(sample(cases=1, sessions=30), fragment)
    assert tab.run("return performance.getEntriesByName('interactive').length") == 1


def test_names_and_errors_of_a_page_are_noticed(tab: Tab) -> None:
    tab.open(
        "<!DOCTYPE html><title>leaks</title><script>var leaked = 1; alert(2); undefined.x</script><img src='x.png'>"
    )
    found = " ".join(tab.trouble())
    for part in ("names: leaked", "dialogs: 2", "errors: Uncaught TypeError", "x.png"):
        assert part in found
    tab.open(sample(cases=1, sessions=30))


def odd_series(**changes: Any) -> Trends:
    """One case with one series that is changed so."""
    on = track(case(0), 30)
    made = replace(series(0, 30, *METRICS[0], seed=1), **changes)
    return trends_of([on], [made], [row(made, 0, on)])


def odd_track(**changes: Any) -> Trends:
    on = track(case(0), 30, **changes)
    made = series(0, 30, *METRICS[0], seed=1)
    return trends_of([on], [made], [row(made, 0, on)])


def empty_track() -> Track:
    return track(case(0), 0)


NOTHING: dict[str, Any] = {"index": np.arange(0), "value": np.empty(0), "outcome": np.empty(0, np.int8)}
FEW = {"index": np.array([3, 7]), "value": np.array([1.0, 2.0]), "outcome": np.array([0, 5], np.int8)}
ODD = {
    "one session": lambda: sample(cases=1, sessions=1),
    "two sessions": lambda: sample(cases=2, sessions=2),
    "only invalid sessions": lambda: odd_track(valid=np.zeros(30, bool)),
    "constant values": lambda: odd_series(value=np.full(30, 5.0)),
    "only zero": lambda: odd_series(value=np.zeros(30)),
    "negative values": lambda: odd_series(value=np.linspace(-5, 5, 30)),
    "huge values": lambda: odd_series(value=np.full(30, 1e300) * np.linspace(0.1, 1, 30)),
    "small values": lambda: odd_series(value=np.full(30, 1e-200) * np.linspace(0.1, 1, 30)),
    "every size of value": lambda: odd_series(value=np.logspace(-9, 9, 30)),
    "no value": lambda: odd_series(**NOTHING),
    "values of few sessions": lambda: odd_series(**FEW),
    "every outcome": lambda: odd_series(outcome=(np.arange(30) % (len(OUTCOMES) + 1)).astype(np.int8)),
    "all at once": lambda: odd_track(at=("2026-01-01T03:00:00Z",) * 30),
    "no commits": lambda: odd_track(commit=("",) * 30, subject=("",) * 30, command=("",) * 30),
    "a band of nothing": lambda: odd_series(band=None, limits=(), steps=()),
    "decimated": lambda: odd_series(decimated=1_000_000),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_histories_give_a_chart_and_no_error(tab: Tab, name: str) -> None:
    trends = ODD[name]()
    key = next(one.key for one in trends.rows if one.series is not None)
    tab.open(trends, key_fragment(row=key))
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)
    for mode in ("date", "commit", "session"):
        tab.choose("#x-mode", mode)
        tab.keys("figure.chart .plot", "+", "-", Keys.ARROW_LEFT, Keys.HOME, Keys.ENTER)
    assert bool(tab.shown("#detail")) is (name != "no value")


@pytest.mark.parametrize(
    "trends",
    [
        Trends(newest="", identities=(), tracks=(), series=(), rows=(), overview=EMPTY),
        Trends(newest="", identities=(), tracks=(empty_track(),), series=(), rows=(), overview=EMPTY),
    ],
    ids=["empty history", "a case without sessions"],
)
def test_an_empty_history_gives_a_page_that_works(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    assert tab.texts("#shown") == ["0 of 0 rows"]
    tab.one("#theme").click()
    tab.choose("#x-mode", "date")
    tab.choose("#x-mode", "commit")
    tab.keys("#search", "x")
    tab.run("document.getElementById('session-a').focus()")


def test_a_damaged_payload_leaves_the_tables(tab: Tab) -> None:
    text = page(sample(cases=1, sessions=30))
    tab.open(re.sub(r'(id="trends">).', r"\1[", text))
    assert len(tab.shown("#open tr[data-row]")) == 2


def test_a_damaged_detail_is_not_shown_as_one(tab: Tab) -> None:
    trends = sample(cases=1, sessions=30)
    text = re.sub(r'(id="detail-0">).', r"\1[", page(trends))
    tab.open(text, key_fragment(row=trends.rows[1].key, session=trends.tracks[0].ids[-1]))
    assert "are not in this file" in tab.texts("#detail")[0]


@pytest.fixture(scope="module")
def scriptless() -> Iterator[Any]:
    """A browser that runs no script of a page."""
    made = chromium(scripts=False)
    made.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    yield made
    made.quit()


def test_without_javascript_the_tables_say_it_all(scriptless: Any, tmp_path: Path) -> None:
    trends = sample()
    tab = Tab(scriptless, tmp_path).open(trends)
    assert tab.one("#verdict strong").text == "FAIL"
    assert len([one for one in tab.all("#open tr[data-row]") if one.is_displayed()]) == 5
    assert not any(one.is_displayed() for one in tab.all(".js-only"))
    assert not tab.all("canvas")
    tab.one("#folded > summary").click()
    assert all(one.is_displayed() for one in tab.all("tr[data-row]"))
