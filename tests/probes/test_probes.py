"""The memory probe reads this process's own memory, and its high-water mark can be started anew."""

from __future__ import annotations

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import plant

from harness.errors import HarnessError
from harness.probes import memory

SIZE = 64_000_000
CLIENTS = """CLIENT                        PROCESS      PID        SIZE
user                         detector      812     204800K
user                      camera feed       97          3M
user                         detector      812       1024K
gralloc                        kernel        0        512K
total                                              209408K
"""


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


def test_resident_memory_is_told_by_what_backs_it(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("Name:\tx\nRssAnon:\t 30 kB\nRssFile:\t 20 kB\nRssShmem:\t 0 kB\n")
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert memory.resident_parts() == {"anonymous": 30_720, "file": 20_480, "shared": 0}


def test_a_kernel_without_parts_tells_none(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("VmRSS:\t 30 kB\n")
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert memory.resident_parts() == {}


def test_the_parts_of_this_process_add_up_to_its_resident_memory():
    parts = memory.resident_parts()
    assert sum(parts.values()) == pytest.approx(memory.resident_bytes(), abs=2_000_000)


def test_proportional_memory_is_at_most_the_resident_memory():
    assert 0 < memory.pss_bytes() <= memory.resident_bytes() + 1_000_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("00400000-7ffd0000 ---p 00000000 00:00 0   [rollup]\nRss:   900 kB\nPss:   700 kB\nPss_Anon: 1 kB\n", 716_800),
        ("Pss_Dirty:   700 kB\n", None),
        ("", None),
        (None, None),
    ],
)
def test_proportional_memory_of_a_planted_file(content, expected, tmp_path):
    if content is not None:
        (tmp_path / "smaps_rollup").write_text(content)
    assert memory.pss_bytes(tmp_path / "smaps_rollup") == expected


def test_proportional_memory_read_inside_a_timed_window_fails_the_run():
    with memory.timed_window(), memory.timed_window():
        pass
    with memory.timed_window(), pytest.raises(HarnessError, match="smaps_rollup read inside a timed window"):
        memory.pss_bytes()
    assert memory.pss_bytes() > 0


def test_a_timed_window_ends_with_an_error_too():
    with pytest.raises(ValueError, match="engine"), memory.timed_window():
        raise ValueError("the engine broke")
    assert memory.pss_bytes() > 0


@pytest.mark.parametrize("inside", ["/", "/user.slice/run-7.scope"])
def test_the_peak_of_the_cgroup_is_found_below_its_path(inside, tmp_path):
    plant(tmp_path, {"proc/self/cgroup": f"0::{inside}", f"sys/fs/cgroup{inside}/memory.peak": 123_456_789})
    assert memory.cgroup_peak_bytes(str(tmp_path)) == 123_456_789
    assert memory.peaks(str(tmp_path)).keys() == {"VmHWM", "cgroup memory.peak"}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/"},
        {"proc/self/cgroup": "4:memory:/job\n1:cpu:/", "sys/fs/cgroup/job/memory.peak": 5},
        {"proc/self/cgroup": "0::/job", "sys/fs/cgroup/job/memory.peak": "much"},
    ],
)
def test_without_a_cgroup_peak_only_the_mark_of_the_process_is_told(files, tmp_path):
    plant(tmp_path, files)
    assert memory.cgroup_peak_bytes(str(tmp_path)) is None
    assert memory.peaks(str(tmp_path)).keys() == {"VmHWM"}


def test_the_cgroup_peak_is_reset_and_read_through_one_descriptor(tmp_path):
    plant(tmp_path, {"proc/self/cgroup": "0::/job", "sys/fs/cgroup/job/memory.peak": 900})
    file = tmp_path / "sys/fs/cgroup/job/memory.peak"
    with memory.CgroupPeak(str(tmp_path)) as cgroup:
        assert cgroup.peak_bytes() == 900
        assert cgroup.reset_peak()
        assert file.read_text() == "reset\n", "the kernel takes any text that is not empty"
        file.write_text("100\n")
        assert cgroup.peak_bytes() == 100
    assert (cgroup.peak_bytes(), cgroup.reset_peak()) == (None, False)


def test_a_cgroup_without_a_peak_cannot_be_reset(tmp_path):
    with memory.CgroupPeak(str(tmp_path)) as cgroup:
        assert (cgroup.peak_bytes(), cgroup.reset_peak()) == (None, False)


@pytest.mark.parametrize(
    ("pid", "expected"), [(812, (204_800 + 1024) * 1024), (97, 3 << 20), (0, 512 * 1024), (209_408, None), (5, None)]
)
def test_gpu_buffers_of_a_process_are_the_sum_of_its_clients(pid, expected, tmp_path):
    (tmp_path / "clients").write_text(CLIENTS)
    assert memory.nvmap_process_bytes(pid, tmp_path / "clients") == expected


def test_without_the_table_of_clients_nothing_is_told(tmp_path):
    assert memory.nvmap_process_bytes(os.getpid(), tmp_path / "clients") is None


@given(st.text(st.sampled_from("ACKM019 \t\nabc-"), max_size=80))
def test_any_table_of_clients_is_read(text):
    assert all(isinstance(pid, int) and size >= 0 for pid, size in memory.nvmap_clients(text).items())


@given(
    st.dictionaries(st.from_regex(r"[A-Za-z_]{1,12}", fullmatch=True), st.integers(0, 1 << 40)), st.text(max_size=40)
)
def test_fields_survive_what_surrounds_them(fields, noise):
    lines = "".join(f"{name}:\t{value} kB\n" for name, value in fields.items())
    found = memory.byte_fields(f"{lines}{noise.replace(':', ' ')}")
    assert found == {name: value * 1024 for name, value in fields.items()}


def test_the_captured_tables_of_clients_are_read(captures):
    sizes = {path.stem: memory.nvmap_clients(path.read_text()) for path in (captures / "nvmap").glob("*.txt")}
    assert sizes["iovmm_clients_agx_orin_a"][2651] == 17_876 * 1024
    assert sizes["iovmm_clients_l4t36_vllm"] == {1_792_595: 14_617_792 * 1024}
    assert sum(sizes["iovmm_clients_agx_orin_a"].values()) == 23_549_320 * 1024, "the captured total"


def test_the_captured_files_of_a_process_are_read(captures, monkeypatch):
    folder = captures / "proc"
    monkeypatch.setattr(memory, "STATUS", folder / "status_linux6.18_python3.11.txt")
    assert memory.peak_bytes() == memory.resident_bytes() == sum(memory.resident_parts().values()) == 13_516 * 1024
    assert memory.pss_bytes(folder / "smaps_rollup_linux6.18_python3.11.txt") == 12_157 * 1024
    assert memory.pss_bytes(folder / "smaps_rollup_kernel_doc_example.txt") == 385 * 1024
