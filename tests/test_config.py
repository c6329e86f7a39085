"""Human-written TOML: what is wrong is said with file, key and value."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from harness.config import Schema, check, merged, read_toml
from harness.errors import ConfigError


class Inner(Schema):
    width: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(ge=0, le=1)] = 0.5


class Outer(Schema):
    name: str = ""
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    sizes: tuple[int, ...] = ()
    maybe: float | None = None
    inner: Inner
    parts: Mapping[str, Inner] = {}
    limits: Mapping[str, Annotated[float, Field(ge=0)]] = {}
    free: Mapping[str, Any] = {}


WHOLE = """
name = "x"
kind = "b"
flag = true
sizes = [1, 2]
maybe = 1
[inner]
width = 3
[parts.left]
width = 4
share = 1
[limits]
speed = 7
[free]
anything = [1, "two", { three = 3 }]
"""


def read(path: Path, text: str) -> Outer:
    path.write_text(text, encoding="utf-8")
    return check(Outer, read_toml(path), path)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.toml"


def test_a_right_file_is_read_into_frozen_tables(file):
    outer = read(file, WHOLE)
    assert (outer.sizes, outer.maybe, outer.inner.width, outer.parts["left"].share) == ((1, 2), 1.0, 3, 1.0)
    assert outer.limits == {"speed": 7.0}
    assert outer.free == {"anything": (1, "two", {"three": 3})}
    with pytest.raises(ValueError, match="frozen"):
        outer.name = "y"


# what is added to [inner], before it -> what the message says
FAULTS = [
    ('nmae = "x"', "", "no key called 'nmae', did you mean 'name'? known: flag, free, inner"),
    ("", "widht = 3", "no key called 'inner.widht', did you mean 'inner.width'?"),
    ("", "[parts.left]\nwidth = 1\nshar = 1", "no key called 'parts.left.shar', did you mean 'parts.left.share'?"),
    ("name = 3", "", "name = 3: Input should be a valid string"),
    ("flag = 1", "", "flag = 1: Input should be a valid boolean"),
    ('flag = "true"', "", "flag = 'true': Input should be a valid boolean"),
    ('kind = "c"', "", "kind = 'c': Input should be 'a' or 'b'"),
    ("sizes = 3", "", "sizes = 3: Input should be a valid list"),
    ("sizes = [1, true]", "", "sizes.1 = True: Input should be a valid integer"),
    ("sizes = [1.0]", "", "sizes.0 = 1.0: Input should be a valid integer"),
    ('maybe = "1"', "", "maybe = '1': Input should be a valid number"),
    ("maybe = true", "", "maybe = True: Input should be a valid number"),
    ("maybe = nan", "", "maybe = nan: not a finite number"),
    ("maybe = 1e999", "", "maybe = inf: not a finite number"),
    ("maybe = 2024-01-01", "", "maybe = 2024-01-01: not a finite number or a text"),
    ("", "share = 1.5", "inner.share = 1.5: Input should be less than or equal to 1"),
    ("", "[limits]\nspeed = -1", "limits.speed = -1: Input should be greater than or equal to 0"),
    ("", "[limits]\nspeed = true", "limits.speed = True: Input should be a valid number"),
    ("", '[limits]\nspeed = "50"', "limits.speed = '50': Input should be a valid number"),
    ("", "[limits]\nspeed = -inf", "limits.speed = -inf: not a finite number"),
    ("", "[free]\na = { b = [1, nan] }", "free.a.b.1 = nan: not a finite number"),
    ("", "[free]\nat = 07:32:00", "free.at = 07:32:00: not a finite number or a text"),
    ("", "[parts]\nleft = 3", "parts.left = 3: Input should be a valid dictionary"),
]


@pytest.mark.parametrize(("head", "tail", "said"), FAULTS)
def test_a_fault_is_named_with_file_key_and_value(file, head, tail, said):
    with pytest.raises(ConfigError) as caught:
        read(file, f"{head}\n[inner]\nwidth = 3\n{tail}\n")
    assert said in caught.value.sentence
    assert f"({file})" in caught.value.sentence


def test_every_fault_of_a_file_is_named_at_once(file):
    with pytest.raises(ConfigError) as caught:
        read(file, "name = 3\nnmae = 4\n[inner]\n")
    for said in ("name = 3", "'nmae'", "inner.width is missing"):
        assert said in caught.value.sentence


# content -> what the message says beside the file; all of them are TOML's own faults
BROKEN = [
    (b"a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
    (b"[a]\n[b]\n[a]\n", "Cannot declare ('a',) twice (at line 3, column 3)"),
    (b"a = {b = 1, b = 2}\n", "Duplicate inline table key"),
    (b"a =\n", "at line 1"),
    (b"[a\n", "at line 1"),
    (b"a = 'x\n", "at end of document"),
    (b"a = 01\n", "at line 1"),
    (b"name = \xff\n", "can't decode byte 0xff"),
    ("a = 1".encode("utf-16"), "can't decode byte"),
    (b"a = " + b"9" * 5000 + b"\n", "limit"),
    (b"a = " + b"[" * 100_000 + b"\n", "recursion"),
    (b"\0", "at line 1"),
]


@pytest.mark.parametrize(("content", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_a_file_that_is_not_toml_is_refused_with_its_place(file, content, said):
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_toml(file)
    assert said in caught.value.sentence
    assert str(file) in caught.value.sentence


@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | st.from_regex(r"(\[?\w+\]?[ =.\"'\n0-9]*){4}").map(str.encode)
)
def test_no_content_raises_anything_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert isinstance(read_toml(path), dict)


@pytest.mark.parametrize(("make", "said"), [(Path.mkdir, "directory"), (lambda path: None, "No such file")])
def test_a_file_that_cannot_be_read_is_refused(file, make, said):
    make(file)
    with pytest.raises(ConfigError, match=f"cannot be read: .*{said}.*some.toml"):
        read_toml(file)


def test_hostile_text_in_a_file_is_shown_as_an_escape(file):
    with pytest.raises(ConfigError) as caught:
        read(file, '"\\u001b[2J\\u202e" = 1\nkind = "\\u001b[2J"\n[inner]\nwidth = 3\n')
    assert caught.value.sentence.isprintable()
    assert r"\x1b[2J" in caught.value.sentence


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, {"a": {"b": {"c": 3, "d": 2}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    ],
)
def test_tables_are_merged_and_values_replaced(base, over, result):
    assert merged(base, over) == result


tables = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=10)


@given(st.dictionaries(st.sampled_from("abc"), tables), st.dictionaries(st.sampled_from("abc"), tables))
def test_merging_changes_neither_table_and_merging_again_nothing(base, over):
    before = (repr(base), repr(over))
    result = merged(base, over)
    assert (repr(base), repr(over)) == before
    assert merged(result, over) == result
    assert merged(base, {}) == base
