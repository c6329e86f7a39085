"""The memory probe reads this process's own memory, and its high-water mark can be started anew."""

from __future__ import annotations

import mmap

import pytest

from harness.probes import memory

SIZE = 64_000_000


def touch(block) -> None:
    for offset in range(0, SIZE, mmap.PAGESIZE):
        block[offset] = 1


def test_resident_memory_grows_with_what_is_touched():
    before = memory.resident_bytes()
    # A map of its own: what earlier tests gave back to the heap would hide the growth of an array.
    with mmap.mmap(-1, SIZE) as block:
        assert memory.resident_bytes() - before < 0.1 * SIZE
        touch(block)
        assert memory.resident_bytes() - before > 0.9 * SIZE


def test_the_high_water_mark_stays_after_the_memory_is_given_back_until_it_is_reset():
    if not memory.reset_peak():
        pytest.skip("this kernel does not reset the high-water mark")
    start = memory.peak_bytes()
    with mmap.mmap(-1, SIZE) as block:
        touch(block)
    assert memory.peak_bytes() - start > 0.9 * SIZE
    assert memory.reset_peak()
    assert memory.peak_bytes() - start < 0.5 * SIZE


def test_the_peak_is_never_below_the_resident_memory():
    # The kernel counts in batches per CPU, so both may be off by some pages.
    assert memory.peak_bytes() >= memory.resident_bytes() - 1_000_000


@pytest.mark.parametrize("reader", [memory.resident_bytes, memory.peak_bytes])
@pytest.mark.parametrize("content", [None, "", "Name:\tpython\n", "VmRSSx:\t1 kB\n"])
def test_a_system_that_does_not_tell_gives_none(reader, content, monkeypatch, tmp_path):
    if content is not None:
        (tmp_path / "status").write_text(content)
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert reader() is None


def test_a_kernel_that_refuses_a_reset_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "no" / "such")
    assert memory.reset_peak() is False


def test_kibibytes_become_bytes(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("VmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n")
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert (memory.peak_bytes(), memory.resident_bytes()) == (2_097_152, 1_048_576)
