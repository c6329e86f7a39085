"""The page's rows: which stand open and which are folded, what the filters offer, and what each row tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pagesamples as samples
import pytest
from reading import Element, read

from harness.case import Case
from harness.trendreport.model import OUTCOMES, Claim, Row
from harness.trendreport.page import page

CASE = Case("orin", "eyes", "int8", "ort")


@pytest.fixture(scope="module")
def shown() -> Element:
    """The page of three cases with every outcome."""
    return read(page(samples.trends()))


def page_of(*rows: Row, **changes: Any) -> Element:
    """The page of these rows of one case."""
    base = samples.trends(1, 30, 1)
    return read(page(replace(base, rows=rows, **changes)))


def a_row(**changes: Any) -> Row:
    """A row of the only case."""
    track = samples.trends(1, 30, 1).tracks[0]
    return replace(samples.row(CASE, "frame_p99_ms", "ms", track, 0, 0), **{"in_noise": False, **changes})


def cells(row: Element) -> list[str]:
    return [one.text for one in row.children if isinstance(one, Element)]


FOLDS = {"folded": "Inside the noise", "reported": "Only reported", "stale": "Not of the newest run"}


def folds(shown: Element) -> dict[str, str]:
    """What the summary of each fold says."""
    return {str(one.attributes["id"]): one.find("summary")[0].text for one in shown.find("details", class_="fold")}


def row_keys(element: Element) -> list[str]:
    return [str(one.attributes["data-row"]) for one in element.all() if "data-row" in one.attributes]


def test_every_fold_is_closed_says_why_and_counts_its_own_rows(shown: Element) -> None:
    rows = samples.trends().rows
    noise, reported, stale = (
        [one.key for one in rows if one.fold == kind] for kind in ("noise", "reported", "not current")
    )
    for id, keys in (("folded", noise), ("reported", reported), ("stale", stale)):
        fold = shown.one("details", id=id)
        assert "open" not in fold.attributes
        assert fold.find("summary")[0].one("h2").text.startswith(f"{FOLDS[id]}: {len(keys)} row")
        assert fold.one("span", class_="count").text.startswith(f"{len(keys)} row")
        assert row_keys(fold) == keys
    assert min(map(len, (noise, reported, stale))) > 0
    assert sorted(row_keys(shown)) == sorted(one.key for one in rows), "none is left out"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"outcome": "PASS"}, "PASS on 2020-01-30"),
        ({"outcome": "FAIL", "advice": True}, "FAIL on 2020-01-30 advice"),
        ({"outcome": "FAIL", "flags": ("retired", "not current")}, "FAIL on 2020-01-30 RETIRED"),
        ({"outcome": ""}, "measured on 2020-01-30"),
    ],
    ids=["PASS", "advice", "retired", "not judged"],
)
def test_what_only_an_earlier_run_says_is_never_green_and_stands_with_its_date(
    changes: dict[str, Any], word: str
) -> None:
    old = a_row(current=False, **changes)
    shown = page_of(old)
    row = shown.one("details", id="stale").one("tr", data_row=old.key)
    assert row.attributes["data-outcome"] == "NOT_CURRENT"
    assert cells(row)[0] == word
    assert inks(row) == {"not-judged"}
    assert set(folds(shown)) == {"stale"}


def test_a_fail_that_nobody_decided_since_stays_open_and_red_with_its_date() -> None:
    budget, change = samples.claims("FAIL")
    old = a_row(current=False, outcome="FAIL", claims=(replace(budget, outcome="PASS"), change))
    shown = page_of(old)
    row = shown.one(id="open").one("tr", data_row=old.key)
    assert row.attributes["data-outcome"] == "FAIL"
    assert cells(row)[0] == "FAIL on 2020-01-30"
    assert inks(row) == {"fail", "not-judged"}, "what passed then is not green now"
    assert not folds(shown)


def inks(row: Element) -> set[str]:
    """The outcomes whose colours a row has, but for its sparkline, which is its history."""
    bars = {name for bar in row.find("svg", class_="bar") for one in bar.all()
            for name in str(one.attributes.get("class", "")).split() if name[:2] in ("f-", "i-")}  # fmt: skip
    marks = {str(one.attributes["href"]).removeprefix("#mark-") for one in row.find("use")}
    return {name[2:] for name in bars} | marks


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([{}], "Nothing: every judged row of the newest run is inside the noise and its budgets."),
        ([{}, {"outcome": "", "claims": ()}], "Nothing: every judged row of the newest run is inside the noise"),
        ([{"outcome": "", "claims": ()}], "The newest run judged nothing: its rows are only reported."),
        ([{"current": False}], "No row is of the newest run."),
        ([{"current": False}, {"outcome": "", "claims": ()}], "The newest run judged nothing"),
    ],
    ids=["noise", "noise and reported", "reported", "old", "old and reported"],
)
def test_an_open_table_without_rows_says_only_what_is_true(changes: list[dict[str, Any]], said: str) -> None:
    rows = [a_row(**{"in_noise": True, "metric": f"metric{place}", **one}) for place, one in enumerate(changes)]
    opened = page_of(*rows).one(id="open")
    assert not opened.find("table")
    assert said in opened.text


def test_a_row_says_what_the_filters_and_the_charts_ask(shown: Element) -> None:
    trends = samples.trends()
    for one in trends.rows:
        row = shown.one("tr", data_row=one.key)
        asked = {"device": one.case.device, "model": one.case.model, "variant": one.case.variant,
                 "runtime": one.case.runtime, "metric": one.metric}  # fmt: skip
        assert {name: row.attributes[f"data-{name}"] for name in asked} == asked
        assert row.attributes["data-series"] == ("" if one.series is None else str(one.series))
        assert row.attributes["tabindex"] == "0"
    outcomes = [one.attributes["data-outcome"] for one in shown.all() if "data-row" in one.attributes]
    assert {"MISSING", "NOT_JUDGED", "NOT_CURRENT", "PASS", "FAIL"} < set(outcomes)


@pytest.mark.parametrize("name", ["frame_p99_ms", "a b&c=d#e+f%\u202eg"])
def test_the_metric_of_a_row_with_a_series_is_a_link_to_its_chart(name: str) -> None:
    drawn, bare = a_row(metric=name), a_row(metric="load_ms", series=None)
    shown = page_of(drawn, bare)
    (link,) = shown.find("a", class_="to-chart")
    row = shown.one("tr", data_series="0")
    assert link.text == row.attributes["data-metric"]
    assert parse_qs(str(link.attributes["href"]).removeprefix("#"), strict_parsing=True) == {
        "row": [row.attributes["data-row"]]
    }


def test_filters_offer_only_what_some_row_has(shown: Element) -> None:
    offered = {one.attributes["data-filter"]: [option.attributes["value"] for option in one.find("option")]
               for one in shown.one(id="filters").find("select")}  # fmt: skip
    assert list(offered) == ["device", "model", "variant", "runtime", "metric", "outcome"]
    assert offered["device"] == ["", "orin-0", "orin-1", "orin-2"]
    assert offered["outcome"] == ["", "MISSING", *OUTCOMES, "NOT_JUDGED", "NOT_CURRENT"]


def test_a_row_tells_value_margin_change_what_it_would_see_and_on_what_it_rests() -> None:
    shown = page_of(a_row(flags=("newly failing",), claims=samples.claims("FAIL", percent=9.0, low=3.0, high=None)))
    row = shown.one("tr", data_metric="frame_p99_ms")
    outcome, case, metric, value, budget, change, sees, evidence, spark, why = cells(row)
    assert (outcome, case, metric) == ("PASS NEWLY FAILING", "orin/eyes/int8/ort", "frame_p99_ms")
    assert value == "40.12 ms 2020-01-30"
    assert budget == "20 % inside at most 50 ms"
    assert change == "+9.00 % [+3.00, -] tolerated 5 %, against accepted baseline"
    assert sees == "2.1 %"
    assert evidence == "660 frames; 3 of 12 sessions"
    assert "proven within the tolerance" in why
    assert "tail-stream/1" in why, "by which rule"
    assert spark == ""
    assert row.one("svg", class_="spark").attributes["aria-label"]
    heads = shown.one("table", class_="rows").one("thead").find("th")
    assert len(heads) == len(row.children) - sum(isinstance(one, str) for one in row.children)


@pytest.mark.parametrize(
    ("runs", "changes", "said"),
    [(["a", "b", "b"], {}, "2020-01-03, of 2 sessions"), (["a", "b", "c"], {}, "2020-01-03"),
     (["a", "b", "b"], {"outcome": ""}, "2020-01-03"), (["a", "b", "b"], {"value": None}, "2020-01-03")],
    ids=["a run of two sessions", "of one", "a value that nobody judged is of one session", "no value is of none"],
)  # fmt: skip
def test_a_judged_value_says_of_how_many_sessions_it_is(runs: list[str], changes: dict[str, Any], said: str) -> None:
    base = samples.trends(1, 3, 1)
    track = replace(base.tracks[0], run=tuple(runs), purpose=("check",) * 3)
    row = samples.row(CASE, "frame_p99_ms", "ms", track, 0, 0, **changes)
    shown = read(page(replace(base, tracks=(track,), rows=(row,)))).one("tr", data_metric="frame_p99_ms")
    assert shown.find("small")[0].text == said


def advice(outcome: str, limit: float, margin: float) -> Claim:
    return Claim(
        kind="budget", rule="limit/1", outcome=outcome, gate=False, sentence="s", limit=limit, margin_percent=margin
    )


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ((advice("PASS", 60.0, 30.0),), "30 % inside (advice) at most 60 ms"),
        ((advice("FAIL", 30.0, -33.0),), "33 % outside (advice) at most 30 ms"),
        ((advice("FAIL", 30.0, -33.0), *samples.claims()), "20 % inside at most 50 ms"),
        ((advice("PASS", 60.0, 83.0), advice("PASS", 9.0, 6.6)), "6.6 % inside (advice) at most 9 ms"),
        ((advice("PASS", 9.0, 6.6), advice("PASS", 60.0, 83.0)), "6.6 % inside (advice) at most 9 ms"),
        ((Claim(kind="accuracy", rule="tango/1", outcome="PASS", gate=True, sentence="s", limit=2.0),), "at most 2 ms"),
        ((), "-"),
    ],
    ids=["advice", "broken advice", "a gate goes before advice", "of equals the least room", "in any order",
         "no margin is known", "no budget"],
)  # fmt: skip
def test_the_budget_of_a_row_is_that_of_its_worst_gate(claims: tuple[Claim, ...], said: str) -> None:
    assert cells(page_of(a_row(claims=claims)).one("tr", data_metric="frame_p99_ms"))[4] == said


def test_a_row_without_verdicts_says_that_nothing_judges_it() -> None:
    row = page_of(a_row(claims=(), outcome="")).one("tr", data_metric="frame_p99_ms")
    assert cells(row)[0] == "not judged"
    assert "No budget and no baseline judges this metric." in row.text


def test_a_missing_row_says_why_and_never_shows_a_number() -> None:
    gone = next(one for one in samples.trends().rows if one.missing)
    row = page_of(gone).one("tr", data_outcome="MISSING")
    assert cells(row)[0] == "MISSING", "no flag repeats it"
    assert cells(row)[3:9] == ["-"] * 5 + [""]
    assert "the board is silent" in row.text
