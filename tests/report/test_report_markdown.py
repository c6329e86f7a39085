"""The Markdown report: banner first, inert whatever the names are, and never too long for GitHub."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EngineError, HarnessError, printable
from harness.report.markdown import LIMIT_BYTES, append_step_summary, escape, markdown
from tests.report.builders import card, case, measurement, run, score, session, verdict

HOSTILE = "</details><script>alert(1)</script>|`x`\n# h @octocat #77 [a](http://b) www.c.d $x$ \x1b[0m\x00\u202e"
NASTY = st.text(st.sampled_from("\\|`*_[]<>&@#$~:/w.a1 \n\r\t\x00\x1b\u202e\u200b\udc80é目!(){}-+="), max_size=60)


def shown(escaped):
    """What a Markdown reader shows: escapes undone, invisible separators gone."""
    entity = r"&(?:amp|lt|gt|#\d+);"
    return re.sub(
        rf"\\([!-/:-@\[-`{{-~])|({entity})", lambda one: one.group(1) or html.unescape(one.group(2)), escaped
    ).replace("\u200b", "")  # fmt: skip


@given(st.one_of(NASTY, st.text(max_size=60)))
def test_escaped_text_is_shown_as_it_was(text):
    assert shown(escape(text)) == printable(text)


@given(st.one_of(NASTY, st.text(max_size=60)))
def test_escaped_text_holds_no_markup(text):
    found = escape(text)
    assert found.isprintable()
    assert not re.search(r"[<>|`$]", found)
    assert not re.search(r"[@#](?!&#8203;|\d)", found)
    assert not re.search(r"(?<!\\)(?:\\\\)*(?<!\\)[*\[\]~]", found)
    assert "://" not in found
    assert "www." not in found.lower()


@pytest.mark.parametrize("name", ["frame_p99_ms", "accuracy 97.5 % (a/b-c), so: 1 + 1 = 2"])
def test_usual_text_stays_readable(name):
    assert escape(name) == name


def test_the_banner_comes_first_then_what_failed_then_folded_tables():
    known = session(measurement(), measurement(case("int8"), score=score(96.0), parent_score=score()))
    known.verdicts += [verdict(), verdict("FAIL", case("int8"), sentence="P99 60 ms is over 50 ms")]
    known.errors[case(model="other")] = EngineError("no engine", remedy="install it")
    text = markdown(known)
    wanted = [
        "## dms-harness: FAIL", "2 gates: 1 FAIL, 1 PASS", "### Not passed (1)",
        "- **FAIL** bench/eyes/int8/ort frame_p99_ms: P99 60 ms is over 50 ms", "### Not measured (1)", "install it",
        "<details><summary>Stage latency, ms, 2 rows</summary>", "| eyes/fp32/ort | 120.0 |", "Memory, 2 rows",
        "Gates, 1 row", "<details><summary>Conditions</summary>", "harness cost per frame",
    ]  # fmt: skip
    places = [text.index(one) for one in wanted]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("</details>")


def test_hostile_names_make_no_markup_in_the_whole_report():
    hostile = replace(case(model=HOSTILE), device=HOSTILE)
    known = session(measurement(hostile, score=score()), cards=[card(HOSTILE)], description=HOSTILE, name=HOSTILE)
    known.verdicts.append(verdict("FAIL", hostile, sentence=HOSTILE, metric=HOSTILE))
    known.errors[replace(hostile, variant="int8")] = EngineError(HOSTILE)
    known.notes.append(HOSTILE)
    text = markdown(known)
    tags = set(re.findall(r"<[^>]*>", text))
    assert tags == {"<details>", "</details>", "<summary>", "</summary>"}
    assert not re.search(r"@octocat|#77|\x1b|\x00|\u202e|http://", text)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 6
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


def many(count, sentence="P99 is over its limit"):
    models = [card(f"model_{number}") for number in range(count)]
    cases = [case(variant, one.name) for one in models for variant in ("fp32", "int8")]
    known = session(*(measurement(one, run(40), score=score()) for one in cases), cards=models)
    known.verdicts += [
        verdict("FAIL", one, metric=metric, sentence=sentence) for one in cases for metric in ("a_ms", "b_ms", "c_ms")
    ]  # fmt: skip
    return known


def test_thirty_cases_fit_whole():
    text = markdown(many(15))
    assert len(text.encode()) <= LIMIT_BYTES
    assert "left out" not in text


@pytest.mark.parametrize("sentence", ["P99 is over its limit", "目<|" * 300])
def test_what_does_not_fit_is_left_out_and_counted(sentence):
    text = markdown(many(150, sentence))
    assert len(text.encode()) <= LIMIT_BYTES
    assert re.search(r"\*\d+ more left out here, see results.json\*", text)
    assert "### Not passed (900)" in text
    assert "900 FAIL" in text


def test_an_empty_session_says_so():
    assert "## dms-harness: NOTHING MEASURED" in markdown(session())


def test_a_simulated_device_is_marked_in_the_title_and_at_every_table():
    known = session(measurement(simulated=True), simulated=True)
    known.verdicts.append(verdict())
    text = markdown(known)
    assert text.startswith("## dms-harness: PASS [SIMULATED]\n")
    tables = re.findall(r"<summary>(.*?)</summary>", text)
    assert len(tables) == 6
    assert all("[SIMULATED]" in one for one in tables[:-1])


def test_the_job_summary_is_appended_only_where_github_asks_for_it(tmp_path):
    target = tmp_path / "summary"
    target.write_text("before\n", encoding="utf-8")
    append_step_summary(session(measurement()), {})
    assert target.read_text(encoding="utf-8") == "before\n"
    append_step_summary(session(measurement()), {"GITHUB_STEP_SUMMARY": str(target)})
    assert target.read_text(encoding="utf-8").startswith("before\n## dms-harness: NOTHING JUDGED")


def test_a_job_summary_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(HarnessError, match="the job summary cannot be written"):
        append_step_summary(session(), {"GITHUB_STEP_SUMMARY": str(tmp_path)})
