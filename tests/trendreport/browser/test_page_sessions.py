"""Two sessions side by side in a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.trendreport.cells import number
from harness.trendreport.model import Trends
from tests.trendreport.browser.conftest import Tab, key_fragment
from tests.trendreport.browser.sample import sample


@pytest.fixture(scope="module")
def trends() -> Trends:
    return sample()


def name(trends: Trends, track: int, session: int) -> str:
    return f"{trends.tracks[track].case.key} {trends.tracks[track].ids[session][:8]}"


def cells(tab: Tab) -> Any:
    return tab.run(
        "return [...document.getElementById('session-table').rows].map(r => [...r.cells].map(c => c.textContent))"
    )


def test_the_choices_come_by_case_the_newest_first(tab: Tab, trends: Trends) -> None:
    tab.open(trends).run("document.getElementById('session-a').focus()")
    assert tab.run("return [...document.querySelectorAll('#session-a optgroup')].map(e => e.label)") == [
        one.case.key for one in trends.tracks
    ]
    first = tab.texts("#session-a optgroup:first-of-type option")
    assert first[0].startswith("2026-04-30")
    assert first[:-1] == sorted(first[:-1], reverse=True)
    assert first[-1] == "70 older: click a point of a chart"
    assert tab.run("return document.querySelector('#session-a optgroup option:last-child').disabled")


def test_two_choices_make_the_table(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    for side, session in (("a", -3), ("b", -1)):
        tab.run(f"document.getElementById('session-{side}').focus()")
        tab.choose(f"#session-{side}", name(trends, 0, session))
    before, now = trends.series[0].value[[-3, -1]]
    change = 100 * (now / before - 1)
    found = cells(tab)
    assert found[0] == ["metric", "A", "B", "B against A", "outcome of A", "outcome of B"]
    assert [row[0] for row in found[1:]] == [one.metric for one in trends.series[:3]]
    assert found[1][1:3] == [number(float(f"{one:.4g}"), "ms") for one in (before, now)]
    size, word = found[1][3].split(" % ")
    assert float(size) == pytest.approx(abs(change), abs=0.05)
    assert word == ("worse" if change > 0 else "better")
    assert found[1][4:] == ["FAIL", "FAIL"]


@pytest.mark.parametrize(("other", "comparable"), [(-2, True), (3, False)])
def test_other_identities_are_not_comparable_and_what_differs_is_named(
    tab: Tab, trends: Trends, other: int, comparable: bool
) -> None:
    tab.open(trends, key_fragment(a=name(trends, 0, other), b=name(trends, 0, -1)))
    notes = tab.texts("#session-notes")[0]
    assert notes.startswith("NOT_COMPARABLE: other conditions.") is not comparable
    assert ("1.2.3" in notes) is not comparable


def test_one_session_a_side_is_no_verdict_and_the_command_that_judges_is_there(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(a=name(trends, 0, 0), b=name(trends, 1, 5)))
    notes = tab.texts("#session-notes")[0]
    assert "no verdict" in notes
    assert f"harness compare {trends.tracks[0].ids[0][:8]} {trends.tracks[1].ids[5][:8]}" in notes
    assert "(with the --history of this page)" in notes


def test_two_cases_are_named_and_not_comparable(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(a=name(trends, 0, -1), b=name(trends, 1, -1)))
    notes = tab.texts("#session-notes")[0]
    assert notes.startswith("NOT_COMPARABLE: another case.")
    assert "They differ in case" in notes
    assert all(one.case.key in notes for one in trends.tracks[:2])


@pytest.mark.parametrize(("build", "words"), [("cd" * 32, "They differ in model."), ("ab" * 32, "Nothing else")])
def test_two_builds_of_one_commit_are_told_apart(tab: Tab, trends: Trends, build: str, words: str) -> None:
    first = replace(trends.tracks[0], build=(*trends.tracks[0].build[:-1], build))
    changed = replace(trends, tracks=(first, *trends.tracks[1:]))
    tab.open(changed, key_fragment(a=name(trends, 0, -2), b=name(trends, 0, -1)))
    notes = tab.texts("#session-notes")[0]
    assert words in notes
    assert "abababababab" in notes
    assert build[:12] in notes


@pytest.mark.parametrize(("metric", "better"), [("frame_p99_ms", "less"), ("fps_mean", "more")])
def test_a_change_is_better_or_worse_as_its_metric_says(tab: Tab, trends: Trends, metric: str, better: Any) -> None:
    value = np.array([40.0, *trends.series[0].value[1:-1], 50.0])
    of = replace(trends.series[0], metric=metric, better=better, value=value)
    tab.open(
        replace(trends, series=(of, *trends.series[1:])), key_fragment(a=name(trends, 0, 0), b=name(trends, 0, -1))
    )
    assert cells(tab)[1][3] == f"25 % {'worse' if better == 'less' else 'better'}"


def test_before_a_choice_one_line_says_what_to_do(tab: Tab, trends: Trends) -> None:
    tab.open(trends)
    said = tab.one("#session-notes")
    assert said.text == "Choose two sessions."
    assert said.size["height"] < 40
    assert tab.shown("#session-table") == []


def test_warnings_stand_above_the_values(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(a=name(trends, 0, 16), b=name(trends, 1, -1)))
    tops = [tab.one(one).location["y"] for one in ("#session-notes strong", "#session-notes table", "#session-table")]
    assert tops == sorted(tops)


def test_an_invalid_session_is_called_so(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(a=name(trends, 0, 16), b=name(trends, 0, 15)))
    assert "INVALID" in tab.texts("#session-notes")[0]


def test_only_what_both_have_is_compared_and_the_rest_counted(tab: Tab, trends: Trends) -> None:
    short = replace(
        trends.series[0],
        index=np.arange(119),
        value=trends.series[0].value[:119],
        outcome=trends.series[0].outcome[:119],
    )
    changed = replace(trends, series=(short, *trends.series[1:]))
    tab.open(changed, key_fragment(a=name(trends, 0, -1), b=name(trends, 0, -2)))
    assert [row[0] for row in cells(tab)[1:]] == [one.metric for one in trends.series[1:3]]
    assert f"1 metric only in B: {short.metric}." in tab.texts("#session-notes")[0]


def test_a_chosen_point_becomes_one_side_however_old_it_is(tab: Tab, trends: Trends) -> None:
    tab.open(trends, key_fragment(row=trends.rows[1].key, session=trends.tracks[0].ids[2], b=name(trends, 0, -1)))
    tab.run("[...document.querySelectorAll('#detail button')].find(e => e.textContent === 'as A').click()")
    assert tab.run("return document.getElementById('session-a').value") == name(trends, 0, 2)
    assert len(cells(tab)) == 4


@pytest.mark.parametrize("nonsense", ["", "x", "orin/eyes0/fp32/ort 00000000", "a/b/c/d deadbeef"])
def test_a_link_to_no_session_shows_no_table(tab: Tab, trends: Trends, nonsense: str) -> None:
    tab.open(trends, key_fragment(a=nonsense, b=name(trends, 0, -1)))
    assert cells(tab) == []
