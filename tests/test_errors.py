"""Errors are safe to print, whole after the wire, and helpful about names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import (
    ConfigError,
    DatasetError,
    EngineError,
    HarnessError,
    ModelFileError,
    WorkerError,
    printable,
    unknown,
)

KINDS = [HarnessError, ConfigError, ModelFileError, DatasetError, EngineError, WorkerError]
HOSTILE = [
    ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    ("one\ntwo\r\n", r"one\ntwo\r\n"),
    ("nul\0", r"nul\x00"),
    ("\u202eevil", r"\u202eevil"),
    ("zero\u200bwidth", r"zero\u200bwidth"),
    ("lone \ud800", r"lone \ud800"),
    ("line\u2028separator", r"line\u2028separator"),
    ("\x9b31m", r"\x9b31m"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_a_printable_text_is_one_line_of_visible_characters(text):
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", ["ordinary", "grün 猫 50 %", r"C:\temp"])
def test_ordinary_text_stays_as_it_is(text):
    assert printable(text) == text


def test_a_long_text_is_cut_to_its_limit():
    assert printable("x" * 5000) == "x" * 1999 + "…"
    assert printable("x" * 2000) == "x" * 2000


@pytest.mark.parametrize(
    ("where", "remedy", "sentence"),
    [
        ("", "", "it broke"),
        ("a.toml", "", "it broke (a.toml)"),
        ("", "mend it", "it broke; mend it"),
        ("a.toml", "mend it", "it broke (a.toml); mend it"),
    ],
)
def test_the_sentence_says_what_where_and_the_remedy(where, remedy, sentence):
    error = HarnessError("it broke", where=where, remedy=remedy)
    assert error.sentence == str(error) == sentence


@pytest.mark.parametrize("part", ["what", "where", "remedy"])
def test_every_part_of_a_sentence_is_made_printable(part):
    parts = {"what": "w", part: "a\x1b[2J\nb"}
    error = HarnessError(parts.pop("what"), **parts)
    assert r"a\x1b[2J\nb" in error.sentence
    assert error.sentence.isprintable()


@pytest.mark.parametrize("kind", KINDS)
@given(what=st.text(), where=st.text(), remedy=st.text())
def test_an_error_crosses_the_wire_whole(kind, what, where, remedy):
    error = kind(what, where=where, remedy=remedy)
    back = HarnessError.from_wire(json.loads(json.dumps(error.to_wire())))
    assert type(back) is kind
    assert (back.what, back.where, back.remedy) == (error.what, error.where, error.remedy)
    assert back.sentence == error.sentence


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("where", "placed"), [("", "a.toml"), ("[options]", "a.toml, [options]")])
def test_an_error_keeps_its_kind_and_words_when_its_file_becomes_known(kind, where, placed):
    error = kind("it broke", where=where, remedy="mend it")
    found = error.placed("a.toml")
    assert type(found) is kind
    assert (found.what, found.where, found.remedy) == ("it broke", placed, "mend it")
    assert error.where == where


@pytest.mark.parametrize("wire", [{}, {"type": "SystemExit", "what": "x"}, {"type": "dict"}])
def test_a_wire_of_another_kind_becomes_the_plain_error(wire):
    assert type(HarnessError.from_wire(wire)) is HarnessError


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        (
            "tensort",
            ["tensorrt", "litert"],
            "no runtime called 'tensort', did you mean 'tensorrt'? known: litert, tensorrt",
        ),
        ("qqq", ["tensorrt", "litert"], "no runtime called 'qqq'; known: litert, tensorrt"),
        ("qqq", [], "no runtime called 'qqq'; known: none"),
        ("a\nb", [], r"no runtime called 'a\nb'; known: none"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_ones(name, known, sentence):
    assert unknown("runtime", name, known) == sentence
