"""TI's TIDL: the statistics block, the line of a completed model, the time stamps."""

from __future__ import annotations

import pytest
import tool_texts

from harness.tooloutput import ToolOutputError, read_output

MAYBE_EMULATED = "this may be PC emulation, which prints the same block: nothing here shows that a board's cores ran"


def test_the_block_alone_may_be_of_pc_emulation() -> None:
    output = read_output(tool_texts.TIDL_BLOCK)
    told = {(one.name, one.statistic): (one.value, one.unit) for one in output.numbers}
    assert told == {
        ("throughput", "once"): (125.0, "1/s"), ("latency", "once"): (8.0, "ms"), ("ddr_traffic", "once"): (12.5, "MB"),
    }  # fmt: skip
    assert MAYBE_EMULATED in output.warnings
    assert "the examples swap the DDR counters of reading and writing; only their sum is right" in output.warnings
    assert not [one for one in output.warnings if one.startswith("not understood")]


def test_a_boards_log_shows_its_remote_cores_and_its_placement() -> None:
    output = read_output(tool_texts.TIDL_BOARD)
    assert MAYBE_EMULATED not in output.warnings
    assert output.settings["ran on"] == "a board: its remote cores answered"
    assert output.settings["model"] == "eyes"
    told = {(one.name, one.statistic): one.value for one in output.numbers}
    assert told == {
        ("partitions", "count"): 2, ("delegated nodes", "count"): 60, ("nodes", "count"): 64,
        ("latency", "mean"): 9.0, ("offload", "mean"): 8.0,
        ("run", "once"): 9.0, ("proc", "once"): 8.0, ("copy_in", "once"): 0.1,
        ("ddr_read", "once"): 7.0, ("ddr_write", "once"): 2.0,
    }  # fmt: skip
    assert "ddr_traffic (mean) is printed as 0: taken as not measured" in output.warnings
    assert not [one for one in output.warnings if one.startswith("not understood")]


@pytest.mark.parametrize(
    "line", [" Inferences Per Second   :  none fps", " DDR BW Per Image        :  5.00 GHz", "what is this"]
)
def test_a_line_that_is_not_understood_is_kept(line: str) -> None:
    output = read_output(f" Inference Time Per Image :    8.00 ms  \n{line}\n")
    assert f"not understood: {line.strip()}" in output.warnings
    assert [one.name for one in output.numbers] == ["latency"]


def test_nothing_of_tidl_is_refused() -> None:
    with pytest.raises(ToolOutputError, match="nothing of tidl"):
        read_output("hello\n", "tidl")
