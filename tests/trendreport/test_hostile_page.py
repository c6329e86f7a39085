"""Names that would like to be markup, script, JSON or terminal commands: they are shown, and nothing else happens."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pagesamples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import Element, data, read

from harness.trendreport.page import page
from harness.trendreport.page.embed import json_text, shown

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"onmouseover=alert(1) x="',
    "single quotes": "' onfocus='alert(1)",
    "end of the data": "</script><img src=x onerror=alert(1)>",
    "comment": "<!--<script>",
    "section": "]]>",
    "template": "{{7*7}}{% raw %}",
    "terminal": "\x1b[31mred\x1b[0m\x07",
    "nul": "a\x00b",
    "other direction": "abc\u202etxt.exe\u2066",
    "line separators": "a\u2028b\u2029c\nd\r\ne",
    "half a character": "\ud800 and \udfff",
    "invisible": "a\u200bb\ufeff\u00ad",
    "entities": "&lt;b&gt;&amp;&#0;",
    "address": "javascript:alert(1)",
    "not ASCII": "Müdigkeit 眠気 \U0001f634",
    "long": "x" * 5000,
    "blank": " ",
}
# What data fills; everything else of a page is the same whatever the names are.
FILLED = ("data-", "aria-label", "value", "content")
LINK = "#row="


def structure(page: Element) -> Counter[tuple[str, tuple[tuple[str, str | None], ...]]]:
    """Every element with its attributes, without the values that come from data, and where words may break."""
    return Counter(
        (one.tag, tuple((name, fixed(name, str(value))) for name, value in one.attributes.items()))
        for one in page.all()
        if one.tag != "wbr"
    )


def fixed(name: str, value: str) -> str | None:
    """What no data may change of an attribute."""
    if value.startswith(LINK):
        assert re.fullmatch(r"[\w.~%/-]+", value.removeprefix(LINK), re.ASCII), value
        return LINK
    return None if name.startswith(FILLED) else value


def drop_slots(found: Counter[Any]) -> Counter[Any]:
    """Colours follow from the names."""
    return Counter({key: count for key, count in found.items() if "series-" not in str(key)})


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_element_and_no_attribute_comes_from_data(text: str) -> None:
    harmless, hostile = (read(page(samples.trends(name=name))) for name in ("harmless", text))
    assert drop_slots(structure(hostile)) == drop_slots(structure(harmless))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_are_shown_as_they_are_with_what_is_invisible_as_escapes(text: str) -> None:
    found = read(page(samples.trends(name=text)))
    whole = found.one("body").raw
    assert shown(text) in whole
    assert all(one.isprintable() or one == "\n" for one in whole)
    row = found.find("tr", data_series="0")[0]
    assert row.attributes["data-device"] == shown(text)
    assert row.attributes["data-metric"] == f"{shown(text)}frame_p99_ms"
    assert found.one("title").text.split() == f"FAIL - {shown(text)} (partly SIMULATED) - trends".split()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_data_of_the_script_come_back_as_what_was_shown(text: str) -> None:
    found = read(page(samples.trends(name=text)))
    sent, said = data(found, "trends"), shown(text)
    assert sent["cases"][0]["parts"] == [said, said, said, f"{said}0"]
    assert sent["cases"][0]["boundaries"] == [[20, said]]
    assert sent["commits"] == [[said, said]]
    assert sent["commands"] == [said]
    assert {one["metric"] for one in sent["series"]} == {f"{said}{name}" for name, _, _ in samples.METRICS}
    assert {one["unit"] for one in sent["series"]} == {said}
    remark = {"kind": said, "text": said, "author": said, "case": None}
    assert sent["annotations"][0] == {"at": "2020-01-05T00:00:00Z", **remark}
    assert sent["identities"][0][said] == 4
    detail = data(found, "detail-0")
    assert detail["verdicts"] == [{"metric": said, "outcome": said, "gate": True, "sentence": said}]
    keys = [one.attributes["data-row"] for one in found.all() if one.attributes.get("data-series", "") != ""]
    named = ["/".join(sent["cases"][one["case"]]["parts"]) + f" {one['metric']}" for one in sent["series"]]
    assert sorted(map(str, keys)) == sorted(named), "a row finds its series by name"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_file_holds_nothing_invisible_and_can_be_written(text: str) -> None:
    written = page(samples.trends(name=text))
    assert not {one for one in written if not one.isprintable()} - {"\n"}
    assert written.encode("utf-8")


def test_with_a_template_of_links_hostile_commits_stay_in_their_address() -> None:
    for text in HOSTILE.values():
        found = read(page(samples.trends(1, 5, 1, name=text), commit_url="https://git.example/{commit}"))
        addresses = [str(one.attributes["href"]) for one in found.find("a", rel="noreferrer")]
        assert len(set(addresses)) == 1
        assert re.fullmatch(r"https://git\.example/[\w.~%-]+", addresses[0], re.ASCII)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=12,
)  # fmt: skip


@given(ANY)
def test_any_value_becomes_json_that_cannot_end_its_element(value: Any) -> None:
    text = json_text(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert text.isascii()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    back = json.loads(text, parse_constant=refuse)
    assert sorted(_texts(back)) == sorted(map(shown, _texts(value)))


def _texts(value: Any) -> Iterator[str]:
    """Every text that is no key."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
