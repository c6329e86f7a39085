"""The page: what stands where, that nothing comes from outside, and that equal trends give equal bytes."""

from __future__ import annotations

import hashlib
import math
import os
import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pagesamples as samples
import pytest
from reading import Element, data, read

from harness.case import Case
from harness.errors import ConfigError
from harness.trendreport.model import OUTCOMES, Claim, Row
from harness.trendreport.page import SCRIPTS, page, short

CASE = Case("orin", "eyes", "int8", "ort")
URL = "https://git.example/dms/commit/{commit}"


@pytest.fixture(scope="module")
def shown() -> Element:
    """The page of three cases with every outcome."""
    return read(page(samples.trends(), commit_url=URL))


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


def test_the_sections_stand_in_the_order_of_reading(shown: Element) -> None:
    ids = [one.attributes["id"] for one in shown.all() if "id" in one.attributes and one.tag != "symbol"]
    wanted = ["verdict", "findings", "filters", "open", "folded", "reported", "stale", "charts", "detail", "sessions",
              "views", "health", "provenance", "notes", "reading", "trends", "detail-0"]  # fmt: skip
    assert [one for one in ids if one in wanted] == wanted
    assert len(set(ids)) == len(ids), "an id twice"


def test_the_elements_of_the_contract_are_there(shown: Element) -> None:
    wanted = ("button theme", "input search", "output shown", "p no-rows", "button reset",
              "div chart-grid", "select x-mode", "button zoom-out", "select session-a", "select session-b",
              "table session-table", "p said")  # fmt: skip
    for tag, id in (one.split() for one in wanted):
        shown.one(tag, id=id)
    assert [one.attributes["value"] for one in shown.one(id="x-mode").find("option")] == ["session", "date", "commit"]
    for id in ("filters", "charts", "detail", "sessions"):
        assert shown.one(id=id).attributes["class"] == "js-only"
    for id in ("detail", "no-rows", "reset", "session-table"):
        assert "hidden" in shown.one(id=id).attributes


def test_the_verdict_is_one_sentence_with_what_to_do_next(shown: Element) -> None:
    verdict = shown.one(id="verdict")
    assert verdict.attributes["data-state"] == "FAIL"
    said = verdict.find("p")[0]
    assert said.text == "FAIL partly SIMULATED: 2 gates failed. Next: measure the last good build"
    assert said.one("use").attributes["href"] == "#mark-fail", "a shape beside the colour"


@pytest.mark.parametrize(
    ("pretended", "note"), [((True, True), "SIMULATED"), ((True, False), "partly SIMULATED"), ((False, False), "")]
)
def test_simulated_numbers_are_marked_in_title_banner_and_every_row(pretended: tuple[bool, bool], note: str) -> None:
    base = samples.trends(2)
    tracks = tuple(replace(one, simulated=is_it) for one, is_it in zip(base.tracks, pretended, strict=True))
    rows = tuple(one for one in base.rows if one.track is not None)
    shown = read(page(replace(base, tracks=tracks, rows=rows, overview=replace(base.overview, simulated=()))))
    said = [one.text for place in (shown.one("title"), shown.one("h1"), shown.one(id="verdict")) for one in (place,)]
    assert all(("SIMULATED" in one) == bool(note) for one in said)
    assert f"({note})" in shown.one("title").text if note else True
    marked = {one.attributes["data-row"]: "SIMULATED" in one.text for one in shown.find("tr", tabindex="0")}
    assert marked == {one.key: note == "partly SIMULATED" and pretended[one.track or 0] for one in rows}


def test_a_banner_whose_sentence_says_simulated_does_not_say_it_twice() -> None:
    base = samples.trends()
    said = replace(base.overview, sentence="2 gates failed; partly SIMULATED: these numbers are no real hardware's")
    shown = read(page(replace(base, overview=said)))
    assert shown.one(id="verdict").text.count("SIMULATED") == 1
    assert shown.one("h1").text.count("SIMULATED") == 1


def test_the_title_names_state_and_devices(shown: Element) -> None:
    assert shown.one("title").text == "FAIL - orin-0, orin-1, orin-2 (partly SIMULATED) - trends"
    tracks = tuple(samples.track(Case(f"d{one}", "m", "v", "r"), 1) for one in range(9))
    assert "d0, d1, d2 and 6 more" in read(page(replace(samples.EMPTY, tracks=tracks))).one("title").text


def test_of_each_list_of_findings_eight_are_open_and_the_others_counted(shown: Element) -> None:
    failed = shown.one(id="findings").find("div")[1]
    assert failed.one("h3").text == "Failed (11)"
    assert [len(one.find("li")) for one in failed.find("ul")] == [8, 3]
    assert failed.one("details").one("summary").text == "3 more"
    assert [one.text for one in shown.one(id="findings").find("h3")][1:] == [
        "New (1)", "Missing (1)", "SIMULATED (1)", "Not asked for in the newest run (1)"
    ]  # fmt: skip


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


def test_a_commit_is_a_link_where_there_is_a_template(shown: Element) -> None:
    addresses = {one.attributes["href"] for one in shown.find("a", rel="noreferrer")}
    assert addresses == {"https://git.example/dms/commit/000000000027"}
    assert data(shown, "trends")["commit_url"] == URL
    assert not read(page(samples.trends())).find("a", rel="noreferrer")


@pytest.mark.parametrize(
    "template",
    ["javascript:alert(1)//{commit}", "https://git.example/commit", "{commit}", "https://{commit}.example/",
     "//git.example/{commit}", "https:///{commit}", "https://git.example/{commit} x", 'https://git.example/"{commit}',
     "data:text/html,{commit}", "https://git.example/\x1b{commit}", "https://[git/{commit}",
     "ftp://git.example/{commit}"],
)  # fmt: skip
def test_a_template_that_is_no_web_address_with_a_commit_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="write one like https"):
        page(samples.EMPTY, commit_url=template)


@pytest.mark.parametrize(
    ("commit", "end"),
    [("abc123+", "abc123"), ("a/../b", "a%2F..%2Fb"), ('"><x', "%22%3E%3Cx"), ("0123456789ab+", "0123456789ab")],
)
def test_a_commit_in_an_address_is_quoted(commit: str, end: str) -> None:
    base = samples.trends(1, 5, 1)
    tracks = (replace(base.tracks[0], commit=(commit,) * 5),)
    links = read(page(replace(base, tracks=tracks), commit_url=URL)).find("a", rel="noreferrer")
    assert {one.attributes["href"] for one in links} == {f"https://git.example/dms/commit/{end}"}
    assert {one.text for one in links} == {commit[:13]}, "a + stays: files differed from the commit"


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(shown: Element) -> None:
    policy = str(shown.one("meta", http_equiv="Content-Security-Policy").attributes["content"])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (script,) = [one for one in shown.find("script") if not one.attributes]
    for name, text in (("script-src", script.raw), ("style-src", shown.one("style").raw)):
        assert rules.pop(name) == f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules == {
        "default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip
    head = shown.one("head")
    order = [one.attributes.get("http-equiv") or one.tag for one in head.children if isinstance(one, Element)]
    assert order.index("Content-Security-Policy") < order.index("style")
    assert shown.one("meta", name="referrer").attributes["content"] == "no-referrer"


def test_the_page_asks_for_nothing_outside_it(shown: Element) -> None:
    own = [one for one in shown.all() if one.attributes.get("rel") != "noreferrer"]
    asking = ("src", "href", "srcset", "action", "data", "poster")
    asked = [value for one in own for name, value in one.attributes.items() if name in asking]
    assert all(str(value).startswith("#") or value == "data:," for value in asked)
    assert not re.search(r"url\(|@import|https?:", shown.one("style").raw)
    names = {name for one in shown.all() for name in one.attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


def test_scripts_stand_in_one_function_in_their_order() -> None:
    text = read(page(samples.EMPTY)).find("script")[-1].raw
    assert text.startswith('(() => {\n"use strict";')
    assert text.endswith("})();")
    assets = Path(samples.trends.__globals__["__file__"]).parents[2] / "harness/trendreport/page/assets"
    places = [text.index(short((assets / name).read_text(encoding="utf-8"))) for name in SCRIPTS]
    assert places == sorted(places)
    assert {one.name for one in assets.glob("*.js")} == set(SCRIPTS)


def test_an_embedded_script_has_neither_comments_nor_indentation() -> None:
    script = """// first\n/** What it does. */\nfunction act() {\n  // why\n  return "a // b";\n}\n\n"""
    assert short(script) == 'function act() {\nreturn "a // b";\n}'


def test_every_detail_has_its_element(shown: Element) -> None:
    trends = samples.trends()
    (session,) = trends.details
    assert data(shown, "trends")["details"] == {session: "detail-0"}
    detail = data(shown, "detail-0")
    assert detail["id"] == session
    assert detail["quantiles_ms"][0] is None, "what is no number is null"


def test_tables_have_captions_and_their_heads_say_of_what(shown: Element) -> None:
    for table in shown.find("table"):
        assert len(table.find("caption")) == 1 or "hidden" in table.attributes
        assert all(one.attributes["scope"] in ("row", "col") for one in table.find("th"))
    assert all(one.attributes["tabindex"] == "0" for one in shown.find("div", class_="scroller", role="group"))


def test_every_control_has_a_name_and_every_picture_words(shown: Element) -> None:
    labelled = {id(one) for label in shown.find("label") for one in label.all() if label.text or one.tag == "input"}
    assert all(id(one) in labelled for tag in ("select", "input") for one in shown.find(tag))
    assert all(one.text for one in shown.find("button"))
    pictures = [one.attributes for one in shown.find("svg")]
    assert all(one.get("aria-hidden") == "true" or one.get("aria-label") for one in pictures)


def test_an_empty_history_gives_a_page_that_says_what_to_do() -> None:
    shown = read(page(samples.EMPTY))
    assert shown.one(id="verdict").attributes["data-state"] == "NOTHING MEASURED"
    assert "Next: run pytest suites/ --device=host" in shown.one(id="verdict").text
    assert "Measure first" in shown.one(id="open").text
    assert "Nothing failed" not in shown.text
    assert "nothing is known to be good" in shown.one(id="findings").text
    assert shown.one("h1").text == "Trends: no device measured yet"
    assert not folds(shown)
    assert shown.one("title").text == "NOTHING MEASURED - trends"
    assert data(shown, "trends")["series"] == []


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_history_of_one_or_two_sessions_has_a_page(sessions: int) -> None:
    shown = read(page(samples.trends(1, sessions)))
    assert data(shown, "trends")["cases"][0]["count"] == sessions


def test_a_series_of_invalid_sessions_alone_is_shown_as_rings() -> None:
    base = samples.trends(1, 20, 1)
    tracks = (replace(base.tracks[0], valid=base.tracks[0].valid & False),)
    spark = read(page(replace(base, tracks=tracks))).find("svg", class_="spark")[0]
    assert {one.attributes["class"] for one in spark.find("path")} >= {"m-invalid"}
    assert "line" not in {one.attributes["class"] for one in spark.find("path")}


def test_equal_trends_give_equal_bytes_in_every_process() -> None:
    code = (
        "import hashlib, pagesamples; from harness.trendreport.page import page; "
        "print(hashlib.sha256(page(pagesamples.trends()).encode()).hexdigest())"
    )
    here = Path(__file__).parent
    found = set()
    for seed in ("1", "2"):
        path = os.pathsep.join((str(here), str(here.parents[1])))
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path, "TZ": f"UTC+{seed}"}
        command = [sys.executable, "-c", code]
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert found == {f"{hashlib.sha256(page(samples.trends()).encode()).hexdigest()}\n"}


def test_fifty_series_of_two_thousand_sessions_fit_into_one_and_a_half_megabytes() -> None:
    assert len(page(samples.trends(10, 2000)).encode()) <= 1.5e6


def colours(style: str, block: str) -> dict[str, str]:
    """The custom properties of the first block that begins so."""
    inside = style.split(block, 1)[1].split("}", 1)[0]
    return dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6});", inside))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("block", [":root {", ':root:not([data-theme="light"]) {', ':root[data-theme="dark"] {'])
def test_text_and_marks_stand_out_from_what_is_behind_them(shown: Element, block: str) -> None:
    known = colours(shown.one("style").raw, block)
    texts = ("--text", "--muted", "--link", "--budget")
    marks = [one for one in known if one not in (*texts, "--background", "--panel", "--line", "--band")]
    assert len(marks) == 7 + 6
    for ground in ("--background", "--panel", "--band"):
        assert all(contrast(known[one], known[ground]) >= 4.5 for one in texts), ground
        assert all(contrast(known[one], known[ground]) >= 3 for one in marks), ground


@pytest.mark.parametrize("block", [":root {", ':root:not([data-theme="light"]) {', ':root[data-theme="dark"] {'])
def test_a_series_never_has_the_colour_of_an_outcome(shown: Element, block: str) -> None:
    known = colours(shown.one("style").raw, block)
    series = [known.pop(one) for one in list(known) if one.startswith("--series-")]
    outcomes = [known[f"--{one.lower().replace('_', '-')}"] for one in (*OUTCOMES, "NOT_JUDGED")]
    assert len(set(series)) == 6
    assert min(apart(one, other) for one in series for other in outcomes) > 45
    assert min(apart(*pair) for pair in combinations(series, 2)) > 45


def apart(one: str, other: str) -> float:
    """Euclidean, of 0 to 255."""
    return math.dist(*(tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5)) for colour in (one, other)))


def test_both_ways_to_the_dark_show_the_same(shown: Element) -> None:
    style = shown.one("style").raw
    system = colours(style, ':root:not([data-theme="light"]) {')
    assert system == colours(style, ':root[data-theme="dark"] {')
    assert set(system) == set(colours(style, ":root {"))


def test_every_class_of_a_mark_has_its_colour(shown: Element) -> None:
    style = shown.one("style").raw
    classes = {name for one in shown.all() for name in str(one.attributes.get("class", "")).split()}
    marks = {name for name in classes if re.match(r"[mfib]-|series-", name)}
    assert len(marks) > 15
    assert all(f".{name}" in style for name in marks)


def test_headings_leave_out_no_level(shown: Element) -> None:
    levels = [int(one.tag[1]) for one in shown.all() if re.fullmatch("h[1-6]", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_links_within_the_page_lead_somewhere(shown: Element) -> None:
    ids = {one.attributes["id"] for one in shown.all() if "id" in one.attributes}
    addresses = {str(one.attributes["href"]) for one in shown.all() if "href" in one.attributes}
    assert {one[1:] for one in addresses if one.startswith("#") and not one.startswith("#row=")} <= ids


def test_the_legend_explains_the_charts_and_names_what_does_not_matter(shown: Element) -> None:
    names = [one.text for one in shown.one(id="reading").find("dt")]
    assert {"Charts", "Value", "Change", "Folded rows"} <= set(names)
    told = dict(zip(names, (one.text for one in shown.one(id="reading").find("dd")), strict=True))
    for word in ("band", "solid", "dashed", "dotted", "\u25b2", "\u25bc", "before the newest"):
        assert word in told["Charts"], word
    assert "worse than 0.5 %" in told["Change"]
    assert "last runs" in told["Change"], "what was accepted is not the only thing to compare with"
    assert "all sessions of the run" in told["Value"]


def test_a_chart_line_is_neither_green_nor_any_outcome() -> None:
    spark = page_of(a_row()).find("svg", class_="spark")[0]
    assert "line" in {one.attributes["class"] for one in spark.find("path")}
    style = page_of(a_row()).one("style").raw
    rule = re.search(r"\.spark \.line \{([^}]+)\}", style)
    assert rule is not None
    assert "stroke: var(--muted)" in rule.group(1)
