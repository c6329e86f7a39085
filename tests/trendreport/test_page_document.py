"""The page as a document: nothing comes from outside, everybody can read it, equal trends give equal bytes."""

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

import pagesamples as samples
import pytest
from reading import Element, data, read

from harness.errors import ConfigError
from harness.trendreport.model import OUTCOMES
from harness.trendreport.page import SCRIPTS, page, short

URL = "https://git.example/dms/commit/{commit}"


@pytest.fixture(scope="module")
def shown() -> Element:
    """The page of three cases with every outcome."""
    return read(page(samples.trends(), commit_url=URL))


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
    assets = Path(__file__).parents[2] / "harness/trendreport/page/assets"
    places = [text.index(short((assets / name).read_text(encoding="utf-8"))) for name in SCRIPTS]
    assert places == sorted(places)
    assert {one.name for one in assets.glob("*.js")} == set(SCRIPTS)


def test_an_embedded_script_has_neither_comments_nor_indentation() -> None:
    script = """// first\n/** What it does. */\nfunction act() {\n  // why\n  return "a // b";\n}\n\n"""
    assert short(script) == 'function act() {\nreturn "a // b";\n}'


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


def test_a_chart_line_is_neither_green_nor_any_outcome(shown: Element) -> None:
    spark = shown.find("svg", class_="spark")[0]
    assert "line" in {one.attributes["class"] for one in spark.find("path")}
    rule = re.search(r"\.spark \.line \{([^}]+)\}", shown.one("style").raw)
    assert rule is not None
    assert "stroke: var(--muted)" in rule.group(1)
