"""A journal gives back what was on disk, whatever cut it off or damaged it, and never more."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.journal import Journal, read_lines, to_line

TEXTS = st.text(max_size=8)
RECORDS = st.lists(
    st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2) | st.floats(0, 1), max_size=2), max_size=4
)
WRITTEN = (
    {"kind": "start", "run": "a\nb", "planned": 60},
    *({"kind": "frames", "first": 5 * number, "data": "x" * number} for number in range(12)),
    {"kind": "said", "phase": "über", "done": 1.5, "total": None},
    {"kind": "end", "status": 0},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def content(path):
    journal = Journal(path)
    for record in WRITTEN:
        journal.write(record)
    journal.close()
    return path.read_bytes()


def test_what_was_written_is_read_back_by_who_owns_it(content, path):
    assert read_lines(content).records == WRITTEN
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_cut_off_at_any_byte_gives_the_first_records_and_no_other(content):
    ends = [end for end in range(len(content) + 1) if content[:end].endswith(b"\n") or not end]
    for length in range(len(content) + 1):
        found = read_lines(content[:length])
        whole = max(end for end in ends if end <= length)
        assert (found.damaged, found.length) == (0, whole)
        assert found.records == WRITTEN[: ends.index(whole)]


def test_a_changed_byte_costs_its_own_record_and_invents_none(content):
    for place in range(len(content)):
        for value in {content[place] ^ 1, content[place] ^ 0x80, 0x0A, 0x20} - {content[place]}:
            found = read_lines(content[:place] + bytes([value]) + content[place + 1 :])
            number = content[:place].count(b"\n")
            lost = {number, number + 1} if content[place] == 0x0A else {number}
            assert found.records == tuple(one for index, one in enumerate(WRITTEN) if index not in lost)


@settings(deadline=None, max_examples=50)
@given(RECORDS, st.data())
def test_no_run_of_damaged_bytes_invents_a_record(records, data):
    content = b"".join(map(to_line, records))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    found = read_lines(content[:start] + data.draw(st.binary(max_size=30)) + content[end:])
    assert all(one in records for one in found.records)


@settings(deadline=None, max_examples=50)
@given(RECORDS)
def test_a_line_holds_one_record_whatever_its_texts_hold(records):
    lines = [to_line(one) for one in records]
    assert all(one.count(b"\n") == 1 and one.endswith(b"\n") for one in lines)
    assert read_lines(b"".join(lines)).records == tuple(records)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_no_record_and_no_error(content):
    assert read_lines(content).records == ()


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b'"text"', b"[1]", b"1", b"null", b"{", b"", b"[" * 100_000, b'{"a": "\xff"}'], ids=repr
)
def test_a_right_checksum_over_something_else_is_damage(text):
    found = read_lines(b"%08x %s\n" % (zlib.crc32(text), text))
    assert (found.records, found.damaged) == ((), 1)


def test_what_a_crash_cut_off_does_not_take_the_next_record_with_it(content, path):
    for length in range(len(content) - 40, len(content) + 1):
        path.write_bytes(content[:length])
        whole = read_lines(content[:length] + b"\n").records  # one may lack nothing but its end
        journal = Journal(path)
        journal.write({"kind": "again"})
        journal.close()
        assert read_lines(path.read_bytes()).records == (*whole, {"kind": "again"})


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "journal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Journal(tmp_path / "journal")


# The largest size of a file stands for a full disk: the kernel cuts a write short there, and refuses the next.
FILLING = """
import json, resource, signal, sys
from pathlib import Path
from harness.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    journal, kept = Journal(Path(sys.argv[1] + str(limit))), 0
    try:
        for number in range(10):
            journal.write({"number": number, "padding": "x" * number})
            kept += 1
    except OSError:
        pass
    journal.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps([limit, kept]))
"""


def test_a_disk_that_is_full_at_any_byte_keeps_every_record_that_was_said_to_be_kept(tmp_path):
    size = sum(len(to_line({"number": number, "padding": "x" * number})) for number in range(10))
    limits = [str(limit) for limit in (*range(1, size, 7), size)]
    command = [sys.executable, "-c", FILLING, str(tmp_path / "full"), *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for limit, kept in told:
        found = read_lines((tmp_path / f"full{limit}").read_bytes())
        assert [one["number"] for one in found.records] == list(range(kept))
    assert {kept for _, kept in told} == set(range(11))
