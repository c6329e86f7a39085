"""A file that the program did not write so is an error with its line, never another exception or another baseline."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.baseline import BaselineError, read_baseline, write_baseline
from tests.baseline.baselines import baseline, path_in, session

GOOD = baseline(3)
NOBODY = 65534
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
)


@pytest.fixture
def path(tmp_path):
    """A good file of three sessions, which stand in lines 16 to 18."""
    path = path_in(tmp_path)
    write_baseline(path, GOOD)
    return path


@pytest.fixture
def content(path):
    """The bytes of the good file."""
    return path.read_bytes()


def swapped(text: str) -> str:
    lines = text.splitlines(keepends=True)
    lines[15], lines[16] = lines[16], lines[15]
    return "".join(lines)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("3410000", "3400000", 16, "this session was edited by hand"),
        ('"board-1"', '"board-2"', 16, "this session was edited by hand"),
        ('"fan": true', '"fan": 1', 16, "this session was edited by hand"),
        (r'"frame_p25_ns": \[3420000', '"frame_p25_ns": [3320000', 18, "this session was edited by hand"),
        (r'"digest": "\w+", "prov', '"digest": "00000000", "prov', 16, "this session was edited by hand"),
        ("the first one", "another one", 6, "the head of the file or the list of its sessions was edited by hand"),
        (r'("digest": )"\w+",\n', r'\1"00000000",\n', 6, "the head of the file"),
        (r'  \{"at".*\n', "", 6, "the head of the file or the list of its sessions"),
        (r'(  \{"at".*\n)', r"\1\1", 6, "the head of the file or the list of its sessions"),
        (r"(?s).*", lambda found: swapped(found[0]), 6, "the head of the file or the list of its sessions"),
        ("3410000", "-3410000", 16, "frame_p25_ns is no list of whole numbers above 0, one per process"),
        ("3410000", "0", 16, "frame_p25_ns is no list of whole numbers above 0"),
        ("3410000", "true", 16, "frame_p25_ns is no list of whole numbers above 0"),
        ("3410000", "3410000.0", 16, "frame_p25_ns is no list of whole numbers above 0"),
        ("3410000", "NaN", 16, "frame_p25_ns is no list of whole numbers above 0"),
        ("3410000", "9" * 5000, 16, "frame_p25_ns is no list of whole numbers above 0"),
        ("3410000", '"3410000"', 16, "frame_p25_ns is no list of whole numbers above 0"),
        (r"29\.12", "Infinity", 16, "fps_mean is no list of numbers above 0"),
        (r"29\.12", "1e999", 16, "fps_mean is no list of numbers above 0"),
        (r'"frame_p25_ns": \[\d+, \d+\]', '"frame_p25_ns": []', 16, "frame_p25_ns is no list of whole numbers"),
        (r'"frame_p25_ns": \[\d+, \d+\]', '"frame_p25_ns": 3410000', 16, "frame_p25_ns is no list of whole numbers"),
        (r', "values": \{[^}]+\}', "", 16, "the session lacks values"),
        (r'"values": \{[^}]+\}', '"values": {}', 16, "the session holds no values"),
        (r'"values": \{[^}]+\}', '"values": [1]', 16, "values is no object"),
        (r'"frame_p25_ns"', '"frame_p26_ns"', 16, "frame_p26_ns is no metric of this version"),
        (r'"frame_p25_ns"', '"frame_p25_ms"', 16, "frame_p25_ms is no metric of this version"),
        ('"load_ms"', '"loading_ms"', 3, "advice names what is no metric of this version"),
        (r'"unit"', '"at"', 16, "the key 'at' stands twice"),
        (r'"cores": 6', '"clocks": 6', 9, "the key 'clocks' stands twice"),
        (r'^ "identity"', ' "digest"', 7, "the key 'digest' stands twice"),
        (r'^ "identity"', ' "entity"', 7, "the file has the unknown key 'entity'"),
        (r'"cores": 6', '"cores": [6]', 9, "identity.cores is no text, finite number or truth value"),
        (r'"cores": 6', '"cores": -Infinity', 9, "identity.cores is no text, finite number or truth value"),
        (r"\[21\.5, 24\]", "[24, 21.5]", 5, "context.ambient_celsius is neither a plain value nor a band"),
        (r'"by": "Anna"', '"by": 5', 2, "accepted.by is no text"),
        ("2026-11-20T20:50:00Z", "2026-11-20", 2, "accepted.at is no UTC time"),
        (r'"schema_version": 1', '"schema_version": 2', 14, "written by a newer version: .*update the harness"),
        (r'"schema_version": 1', '"schema_version": 0', 14, "schema_version = 0 is none that was ever written"),
        (r'"schema_version": 1', '"schema_version": true', 14, "schema_version = True is none"),
        (r'"schema_version": 1', '"version": 1', 1, "schema_version = None is none"),
        (r'"variant": "int8"', '"variant": 8', 4, "case.variant is no text"),
        (r'"Orin"', '"Orin', 12, "not JSON, or cut off"),
        (r'^ "identity"', "<<<<<<< HEAD", 7, "not JSON, or cut off"),
        (r"(?s)\A.*\Z", "", 1, "not JSON, or cut off"),
        (r"(?s)\A.*\Z", "[]", 1, "the outermost value is no object"),
        (r"(?s)\A.*\Z", "[" * 200_000, 1, "lists within lists without end"),
        (r"(?s)\A", "\ufeff", 1, "not JSON"),
    ],
)
def test_the_error_says_what_is_wrong_in_which_line(path, old, new, line, said):
    text = path.read_text()
    spoilt = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    assert spoilt != text
    path.write_text(spoilt, encoding="utf-8")
    with pytest.raises(BaselineError, match=said) as caught:
        read_baseline(path)
    assert caught.value.where == f"{path}, line {line}"
    assert caught.value.remedy


def test_a_session_with_other_metrics_is_named(path, tmp_path):
    write_baseline(path, baseline(sessions=(session(), session(1))))
    foreign = path_in(tmp_path / "other")
    write_baseline(foreign, baseline(sessions=(session(1, load_ms=(1.0,)),)))
    lines, other = path.read_text().splitlines(keepends=True), foreign.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:16], other[15], *lines[17:]]))
    with pytest.raises(BaselineError, match=r"not the metrics of the first session: fps_mean, .*line 17"):
        read_baseline(path)


def test_bytes_that_are_no_text_are_named_with_their_line(path):
    path.write_bytes(path.read_bytes().replace(b"Orin", b"Or\xffn"))
    with pytest.raises(BaselineError, match=r"not UTF-8 text .*line 12"):
        read_baseline(path)


def test_a_file_copied_to_another_name_is_no_baseline_of_that_case(path):
    copy = path.with_name("fp32.trt.json")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(BaselineError, match="accepted for orin/eyes/int8/trt and stands under another name"):
        read_baseline(copy)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("elsewhere", path)])
@pytest.mark.parametrize("do", [read_baseline, lambda path: write_baseline(path, GOOD)])
def test_what_is_no_regular_file_is_neither_read_nor_replaced(path, make, do):
    (path.parent / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    make(path)
    with pytest.raises(BaselineError, match="no regular file, but a link, folder or device"):
        do(path)
    assert not path.is_file() or path.is_symlink()


@pytest.fixture
def unreadable():
    """A good file in folders that everybody may enter, and that nobody may read."""
    with tempfile.TemporaryDirectory() as folder:
        path = path_in(Path(folder))
        write_baseline(path, GOOD)
        for each in (Path(folder), path.parent.parent, path.parent):
            each.chmod(0o755)
        path.chmod(0)
        yield path


def test_a_file_that_nobody_may_read_is_an_error(unreadable):
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(NOBODY)  # root may read everything
        try:
            read_baseline(unreadable)
        except BaselineError as error:
            os._exit(7 if "cannot be read: Permission denied" in error.sentence else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("edit", [lambda text: text.replace("\n", "\r\n"), lambda text: text.replace('": ', '" :  '),
                                  lambda text: json.dumps(json.loads(text), indent=4)])  # fmt: skip
def test_spaces_and_line_ends_change_nothing(path, edit):
    path.write_bytes(edit(path.read_text()).encode())
    assert read_baseline(path) == GOOD


def refusal(path) -> BaselineError | None:
    """Why the file is refused; None where it is still the good baseline."""
    try:
        found = read_baseline(path)
    except BaselineError as error:
        return error
    assert found == GOOD
    return None


def refused(path) -> bool:
    """True where the file is refused with its line, False where it is still the good baseline."""
    error = refusal(path)
    assert error is None or re.search(r", line \d+$", error.where)
    return error is not None


def test_a_file_cut_off_at_any_byte_is_refused(path):
    content = path.read_bytes()
    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        assert refused(path)


def test_one_flipped_bit_anywhere_is_refused(path):
    content = path.read_bytes()
    for place in range(len(content)):
        flipped = content[place] ^ 1 << place % 8
        path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
        assert refused(path)


@FUZZ
@given(data=st.data())
def test_other_bytes_anywhere_are_refused_or_change_nothing(path, content, data):
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    end = min(end, start + data.draw(st.integers(0, 40)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=6)) + content[end:])
    refused(path)


@FUZZ
@given(value=anything)
def test_any_other_json_is_refused(path, value):
    path.write_text(json.dumps(value))
    assert refused(path)


@FUZZ
@given(data=st.data(), value=anything)
def test_any_other_value_in_any_place_is_refused_or_changes_nothing(path, content, data, value):
    table = node = json.loads(content)
    while True:
        key = data.draw(st.sampled_from(range(len(node)) if isinstance(node, list) else sorted(node)))
        inner = node[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        node = inner
    node[key] = value
    path.write_text(json.dumps(table))
    assert refused(path) == (json.dumps(inner, sort_keys=True) != json.dumps(value, sort_keys=True))
