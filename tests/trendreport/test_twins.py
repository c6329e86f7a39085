"""The twins say what the page says, in forms that their readers take, whatever things are called."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import printable
from harness.markup import LIMIT_BYTES
from harness.trendreport.phrases import flags_of, is_red
from harness.trendreport.twins import TWINS
from tests.trendreport.byhand import CASE, HOSTILE, change, claim, every_kind, hostile, overview, row, track, trends

EMPTY = replace(trends(), newest="", tracks=(), series=(), overview=overview("NOTHING MEASURED"))
ALL = {"every kind": every_kind(), "hostile": hostile(), "empty": EMPTY}


def made(name, shown, pictures=None):
    return TWINS[name].make(shown, pictures or {})


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("shown", ALL)
def test_a_twin_is_whole_text_without_anything_that_a_terminal_would_obey(name, shown):
    text = made(name, ALL[shown])
    assert text.encode("utf-8")
    assert text.endswith("\n")
    assert set(re.findall(r"[^\x20-\x7e]", text)) <= {"\n", "\r", "…"}


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_same_bytes_for_the_same_trends(name):
    assert made(name, every_kind()) == made(name, every_kind())


@pytest.mark.parametrize("name", TWINS)
def test_every_twin_marks_simulated_numbers(name):
    assert "simulated" in made(name, every_kind()).lower()


def test_a_simulated_case_marks_its_rows_even_where_they_do_not_say_so():
    assert flags_of(row(), trends(row(), tracks=(track(simulated=True),))) == ("simulated",)
    assert flags_of(row(), trends(row())) == ()


def strict(text):
    """JSON as a strict reader takes it."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_json_holds_every_row_with_its_claims_and_every_point():
    shown = every_kind()
    found = strict(made("json", shown))
    assert [one["key"] for one in found["rows"]] == [one.key for one in shown.rows]
    assert found["rows"][0]["missing"] == "the case was not reached"
    assert found["rows"][0]["value"] is None
    assert found["rows"][4]["claims"][0]["change"] == {
        "against": "the accepted baseline", "before": 10.0, "percent": 2.0, "low_percent": 1.5, "high_percent": 2.5,
        "tolerance_percent": 5.0, "detectable_percent": 2.1, "count": 12, "improved": False,
    }  # fmt: skip
    series, sessions = found["series"][0], found["tracks"][0]
    assert series["value"] == shown.series[0].value.tolist()
    assert [found["outcomes"][code] for code in series["outcome"][-2:]] == ["PASS", "PASS"]
    assert sessions["valid"].count(False) == 1
    assert len(sessions["id"]) == len(sessions["source"]) == 40


def test_json_tells_each_source_once():
    found = strict(made("json", every_kind()))
    commits = [found["sources"][one]["commit"] for one in found["tracks"][0]["source"]]
    assert commits == list(every_kind().tracks[0].commit)
    assert len(found["sources"]) == 8


def test_json_never_says_nan_or_infinity():
    claims = (claim(margin_percent=-math.inf, change=change(math.nan)),)
    found = strict(made("json", trends(row(value=math.inf, claims=claims))))
    assert found["rows"][0]["value"] is None
    assert found["rows"][0]["claims"][0]["margin_percent"] is None


def test_markdown_says_the_verdict_first_and_the_weightiest_row_before_the_others():
    text = made("markdown", every_kind())
    places = [
        text.index(one) for one in ("**FAIL**", "Next:", "### Failed", "| MISSING |", "| FAIL |", "| advice: FAIL |")
    ]
    assert places == sorted(places)
    assert "Inside the noise, or reported only: 2" in text


@pytest.mark.parametrize("rows", [200, 5000])
def test_markdown_stays_within_a_comment_and_says_how_much_it_left_out(rows):
    many = trends(*(row(f"metric_{number}", "FAIL") for number in range(rows)))
    text = made("markdown", many)
    assert len(text.encode()) <= LIMIT_BYTES
    kept = text.count("| FAIL | bench")
    assert kept > 10
    assert f"*{rows - kept} more left out here, see the page*" in text or kept == rows


def test_markdown_holds_no_markup_from_outside():
    text = made("markdown", hostile())
    assert "<script" not in text
    assert "@me" not in html.unescape(text).replace("\u200b", "|")


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_one_line_a_row_and_empty_cells_for_what_is_unmeasured():
    shown = every_kind()
    found = table(made("csv", shown))
    assert [one["metric"] for one in found] == [one.metric for one in shown.rows]
    assert [one["outcome"] for one in found][:2] == ["MISSING", "FAIL"]
    assert (found[0]["value"], found[0]["missing"]) == ("", "true")
    assert (found[1]["limit"], found[1]["margin_percent"]) == ("50.0", "-4.0")
    assert [found[4][f"change{one}_percent"] for one in ("", "_low", "_high")] == ["2.0", "1.5", "2.5"]
    assert [one["gate"] for one in found].count("false") == 1


SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("name", [*(f"{sign}1" for sign in SIGNS), "@SUM(A1)", " =1+1", "\t=1+1"])
def test_csv_guards_what_a_spreadsheet_would_take_for_a_formula(name):
    (found,) = table(made("csv", trends(row(name, "FAIL"))))
    assert not found["metric"].lstrip().startswith(SIGNS)


def results(text):
    """metric -> what became of its test case."""
    cases = ElementTree.fromstring(text.encode()).iter("testcase")
    return {one.get("name"): next((kind for kind in ("failure", "skipped") if one.find(kind) is not None), "passed")
            for one in cases}  # fmt: skip


def test_junit_fails_what_is_red_and_passes_only_what_passed():
    assert results(made("junit", every_kind())) == {
        "load_ms": "failure", "frame_p99_ms": "failure", "accuracy_min_percent": "skipped", "fps_mean": "skipped",
        "frame_p25_ms": "passed", "peak_memory_mb": "passed", "pre_p50_ms": "skipped",
    }  # fmt: skip


@pytest.mark.parametrize("outcome", ["INVALID", "INCONCLUSIVE", "NOT_COMPARABLE", "NO_BASELINE", "", "SOMETHING NEW"])
def test_junit_is_never_green_for_what_was_not_judged_good(outcome):
    assert results(made("junit", trends(row(outcome=outcome)))) == {"frame_p99_ms": "skipped"}


@pytest.mark.parametrize(
    ("shown", "red"),
    [
        (row(missing="gone", claims=()), True),
        (row(missing="gone", claims=(), advice=True), False),
        (row(missing="gone"), True),
        (row(outcome="FAIL"), True),
        (row(outcome="FAIL", advice=True), False),
        # It still counts, but not where people expected that it is asked for no more.
        (row(outcome="FAIL", current=False), True),
        (row(outcome="FAIL", current=False, flags=("retired",)), False),
        (row(), False),
    ],
)
def test_a_row_is_red_where_a_gate_broke_or_has_no_number(shown, red):
    assert is_red(shown) is red


STALE = row(current=False, in_noise=False, at="2026-01-03T03:00:00Z", flags=("not current",))


def test_junit_is_never_green_for_what_the_newest_run_did_not_ask_for():
    text = made("junit", trends(STALE))
    assert results(text) == {"frame_p99_ms": "skipped"}
    (skipped,) = ElementTree.fromstring(text.encode()).iter("skipped")
    assert skipped.get("message") == ("PASS: last judged 2026-01-03T03:00:00Z; not asked for in the newest run")


def test_a_suite_of_junit_has_the_time_of_its_own_newest_row():
    silent = row(case=replace(CASE, device="silent"), at="2026-01-01T03:00:00Z")
    shown = trends(row(at="2026-02-08T03:00:00Z"), silent, row("load_ms", case=silent.case, at="2026-01-02T03:00:00Z"))
    suites = ElementTree.fromstring(made("junit", shown).encode())
    assert {one.get("name"): one.get("timestamp") for one in suites} == {
        "bench": "2026-02-08T03:00:00", "silent": "2026-01-02T03:00:00",
    }  # fmt: skip


def test_csv_says_what_is_not_of_the_newest_run():
    stale, fresh = table(made("csv", trends(STALE, row())))
    assert (stale["current"], fresh["current"]) == ("false", "true")
    assert stale["said"].startswith("last judged 2026-01-03")


def test_markdown_folds_what_is_not_of_the_newest_run_and_dates_it():
    text = made("markdown", trends(STALE, row()))
    assert "Not of the newest run of their device, and so no statement on now: 1" in text
    assert "| PASS on 2026-01-03 |" in text
    assert "Open rows" not in text


def test_junit_counts_what_it_holds():
    suite = ElementTree.fromstring(made("junit", every_kind()).encode()).find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "7", "failures": "2", "skipped": "3", "errors": "0",
    }  # fmt: skip


def test_junit_names_a_case_that_is_missing_as_a_whole():
    gone = row("", "", missing="the board did not answer", claims=())
    assert results(made("junit", trends(gone))) == {"measured": "failure"}


def test_junit_of_nothing_is_red():
    assert results(made("junit", EMPTY)) == {"trends": "failure"}


def test_junit_has_a_suite_for_each_device_and_no_name_twice():
    shown = trends(row(), row("load_ms"), row(case=replace(CASE, device="other")))
    root = ElementTree.fromstring(made("junit", shown).encode())
    assert [one.get("name") for one in root] == ["bench", "other"]
    names = [(one.get("classname"), one.get("name")) for one in root.iter("testcase")]
    assert len(set(names)) == len(names) == 3


def test_junit_names_the_picture_of_a_row_on_a_line_of_its_own():
    text = made("junit", every_kind(), {"bench/eyes/int8/ort frame_p99_ms": Path("figures/a.png")})
    (attached,) = ElementTree.fromstring(text.encode()).iter("system-out")
    assert attached.text.strip().splitlines() == ["[[ATTACHMENT|figures/a.png]]"]


@given(name=st.text(min_size=1, max_size=20), said=st.text(max_size=60))
def test_any_text_survives_junit_as_it_is_shown(name, said):
    text = made("junit", trends(row(name, "FAIL", claims=(claim("FAIL", sentence=said),))))
    (found,) = ElementTree.fromstring(text.encode()).iter("testcase")
    assert found.get("name") == printable(name)
    assert found.find("failure").get("message") == f"FAIL: {printable(said) or 'FAIL'}"


LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def samples(text):
    """(name, labels) -> value, read as the format's grammar says; no sample twice, every family declared before."""
    found, declared = {}, {}
    for line in text.splitlines():
        if line.startswith("#"):
            _, kind, name, said = line.split(" ", 3)
            assert (kind, name) not in declared, f"{kind} {name} twice"
            declared[kind, name] = said
            continue
        match = LINE.fullmatch(line)
        assert match, line
        assert declared["TYPE", match[1]] == "gauge"
        assert declared["HELP", match[1]]
        labels = {name: re.sub(r"\\.", lambda one: UNESCAPED[one[0]], value) for name, value in LABEL.findall(match[2])}
        key = match[1], tuple(sorted(labels.items()))
        assert key not in found, line
        found[key] = float(match[3])
    return found


def value(found, name, **labels):
    return [
        number for (family, told), number in found.items() if family == name and labels.items() <= dict(told).items()
    ]


def test_prometheus_tells_the_last_values_and_what_they_were_judged_to_be():
    found = samples(made("prometheus", every_kind()))
    assert value(found, "dms_metric_frame_p99_ms", variant="int8") == [10.25]
    assert value(found, "dms_metric_load_ms") == []
    assert value(found, "dms_outcome", metric="load_ms", outcome="MISSING") == [1.0]
    assert value(found, "dms_outcome", metric="frame_p99_ms", outcome="FAIL", gate="true") == [1.0]
    assert value(found, "dms_outcome", metric="frame_p99_ms", outcome="PASS") == [0.0]
    assert value(found, "dms_limit", metric="frame_p99_ms") == [50.0]
    assert value(found, "dms_change_percent", metric="frame_p25_ms") == [2.0]
    assert value(found, "dms_simulated", variant="int8") == [1.0]
    assert value(found, "dms_simulated", variant="fp32") == [0.0]
    assert value(found, "dms_state", state="FAIL") == [1.0]


def test_prometheus_tells_the_age_of_the_numbers_and_gives_no_sample_a_time():
    found = samples(made("prometheus", every_kind()))
    assert value(found, "dms_newest_session_timestamp_seconds", device="bench", variant="int8") == [1770606000.0]


def test_prometheus_tells_the_age_of_each_case():
    old = row(case=replace(CASE, model="gaze"), at="2026-01-03T03:00:00Z")
    found = samples(made("prometheus", trends(row(), old)))
    assert value(found, "dms_newest_session_timestamp_seconds", model="gaze") == [1767409200.0]
    assert value(found, "dms_newest_session_timestamp_seconds", model="eyes") == [1770606000.0]


def test_prometheus_never_says_that_what_was_not_asked_for_passes():
    found = samples(made("prometheus", trends(STALE, row("load_ms", "FAIL", current=False))))
    assert value(found, "dms_outcome", metric="frame_p99_ms", outcome="PASS") == [0.0]
    assert value(found, "dms_outcome", metric="frame_p99_ms", outcome="NOT_CURRENT", current="false") == [1.0]
    assert value(found, "dms_outcome", metric="load_ms", outcome="FAIL", current="false") == [1.0]
    assert value(samples(made("prometheus", trends(row()))), "dms_outcome", outcome="PASS", current="true") == [1.0]


def test_prometheus_keeps_names_apart_however_late_they_differ():
    shown = trends(*(row(case=replace(CASE, model="x" * 3000 + end)) for end in "ab"))
    assert len(value(samples(made("prometheus", shown)), "dms_simulated")) == 2


def test_prometheus_keeps_hostile_names_in_their_labels():
    found = samples(made("prometheus", hostile()))
    assert value(found, "dms_outcome", device=printable(HOSTILE), outcome="FAIL") == [1.0]


@given(names=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True))
def test_prometheus_never_says_a_sample_twice_whatever_metrics_are_called(names):
    assert samples(made("prometheus", trends(*map(row, names))))


def test_prometheus_of_an_empty_history_says_so():
    found = samples(made("prometheus", EMPTY))
    assert {name for name, _ in found} == {"dms_state"}
    assert value(found, "dms_state", state="NOTHING MEASURED") == [1.0]
    assert sum(found.values()) == 1.0
