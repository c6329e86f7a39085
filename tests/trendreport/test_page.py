"""The page: what stands where, what its first screen says, and the pages of small histories."""

from __future__ import annotations

from dataclasses import replace

import pagesamples as samples
import pytest
from reading import Element, data, read

from harness.case import Case
from harness.trendreport.page import page


@pytest.fixture(scope="module")
def shown() -> Element:
    """The page of three cases with every outcome."""
    return read(page(samples.trends()))


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


def test_every_detail_has_its_element(shown: Element) -> None:
    trends = samples.trends()
    (session,) = trends.details
    assert data(shown, "trends")["details"] == {session: "detail-0"}
    detail = data(shown, "detail-0")
    assert detail["id"] == session
    assert detail["quantiles_ms"][0] is None, "what is no number is null"


def test_an_empty_history_gives_a_page_that_says_what_to_do() -> None:
    shown = read(page(samples.EMPTY))
    assert shown.one(id="verdict").attributes["data-state"] == "NOTHING MEASURED"
    assert "Next: run pytest suites/ --device=host" in shown.one(id="verdict").text
    assert "Measure first" in shown.one(id="open").text
    assert "Nothing failed" not in shown.text
    assert "nothing is known to be good" in shown.one(id="findings").text
    assert shown.one("h1").text == "Trends: no device measured yet"
    assert not shown.find("details", class_="fold")
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


def test_the_legend_explains_the_charts_and_names_what_does_not_matter(shown: Element) -> None:
    names = [one.text for one in shown.one(id="reading").find("dt")]
    assert {"Charts", "Value", "Change", "Folded rows"} <= set(names)
    told = dict(zip(names, (one.text for one in shown.one(id="reading").find("dd")), strict=True))
    for word in ("band", "solid", "dashed", "dotted", "\u25b2", "\u25bc", "before the newest"):
        assert word in told["Charts"], word
    assert "worse than 0.5 %" in told["Change"]
    assert "last runs" in told["Change"], "what was accepted is not the only thing to compare with"
    assert "all sessions of the run" in told["Value"]
