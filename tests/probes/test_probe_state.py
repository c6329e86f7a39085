"""The state of a system before it is measured: what is known, and None for what is not."""

from __future__ import annotations

import pytest
from trees import plant

from harness.probes import state

QUIET = "console=ttyS0 quiet"


@pytest.mark.parametrize(
    ("function", "files", "expected"),
    [
        (state.swap_used_bytes, {"proc/meminfo": "SwapTotal:  300 kB\nSwapFree:   100 kB"}, 204_800),
        (state.swap_used_bytes, {"proc/meminfo": "SwapTotal:    0 kB\nSwapFree:     0 kB"}, 0),
        (state.swap_used_bytes, {"proc/meminfo": "SwapTotal:  300 kB"}, None),
        (state.swap_used_bytes, {}, None),
        (state.clock_synchronised, {"run/systemd/timesync/synchronized": ""}, True),
        (state.clock_synchronised, {}, None),
        (state.isolated_cores, {"proc/cmdline": f"{QUIET} isolcpus=2-3"}, "2-3"),
        (state.isolated_cores, {"proc/cmdline": "isolcpus=1 isolcpus=managed_irq,domain,4"}, "managed_irq,domain,4"),
        (state.isolated_cores, {"proc/cmdline": f"{QUIET} noisolcpus=2"}, ""),
        (state.isolated_cores, {}, None),
        (state.realtime_kernel, {"sys/kernel/realtime": 1}, True),
        (state.realtime_kernel, {"sys/kernel/realtime": 0, "proc/version": "Linux PREEMPT_RT"}, False),
        (state.realtime_kernel, {"proc/version": "Linux version 6.1 #1 SMP PREEMPT_RT Tue"}, True),
        (state.realtime_kernel, {"proc/version": "Linux version 4.9 #1 SMP PREEMPT RT Tue"}, True),
        (state.realtime_kernel, {"proc/version": "Linux version 6.1 #1 SMP PREEMPT_DYNAMIC Tue"}, False),
        (state.realtime_kernel, {}, None),
    ],
)  # fmt: skip
def test_what_a_tree_tells(function, files, expected, tmp_path):
    assert function(str(plant(tmp_path, files))) == expected


def test_a_folder_tells_its_free_disk_and_a_missing_one_nothing(tmp_path):
    assert state.free_disk_bytes(tmp_path) > 0
    assert state.free_disk_bytes(tmp_path / "no" / "such") is None


def test_what_nobody_tells_is_left_out(tmp_path):
    assert state.state(tmp_path / "no", str(tmp_path)) == {}


def test_the_state_of_a_whole_tree(tmp_path):
    plant(tmp_path, {"proc/meminfo": "SwapTotal: 9 kB\nSwapFree: 9 kB", "proc/cmdline": QUIET, "proc/version": "Linux"})
    found = state.state(tmp_path, str(tmp_path))
    assert found.pop("free_disk_bytes") > 0
    assert found == {"swap_used_bytes": 0, "isolated_cores": "", "realtime_kernel": False}


def test_this_machine_tells_its_state(tmp_path):
    assert {"swap_used_bytes", "free_disk_bytes", "isolated_cores"} <= state.state(tmp_path).keys()
