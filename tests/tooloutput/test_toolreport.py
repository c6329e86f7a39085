"""The command `harness tool-output`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tool_texts

from harness.errors import HarnessError
from harness.tooloutput import read_output
from harness.toolreport import add_tool_output_command, doubts, table


@pytest.fixture
def run() -> Callable[..., str]:
    """The command with these arguments; what it prints."""

    def carry_out(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_tool_output_command(parser.add_subparsers(required=True))
        parsed = parser.parse_args(["tool-output", *arguments])
        said: str = parsed.command(parsed)
        return said

    return carry_out


@pytest.mark.parametrize(("tool", "text"), tool_texts.TEXTS)
def test_every_tool_is_printed_and_written_as_json(
    run: Callable[..., str], tmp_path: Path, tool: str, text: str
) -> None:
    path = tmp_path / "out.txt"
    path.write_text(text, encoding="utf-8")
    assert run(str(path)).startswith(tool)
    (told,) = json.loads(run(str(path), "--json"))
    assert told["tool"] == tool
    assert told["file"] == str(path)
    assert len(told["numbers"]) == len(read_output(text).numbers)


def test_the_table_says_what_kind_of_number_each_is(run: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "trt.log"
    path.write_text(tool_texts.TRTEXEC_LOG, encoding="utf-8")
    lines = run(str(path)).splitlines()
    assert lines[0] == f"trtexec 10.16.1 {path}"
    assert lines[1].split() == ["number", "kind", "value", "what", "it", "is"]
    assert lines[2].split()[:4] == ["latency", "mean", "4", "ms"]
    assert "no queueing" in lines[2]
    assert lines[6].split() == ["p99", "5.5", "ms"]
    assert any("PASSED says nothing about the outputs" in line for line in lines)
    assert any("the GPU computed for longer than the run took" in line for line in lines)


def test_several_files_are_printed_one_after_another(run: Callable[..., str], tmp_path: Path) -> None:
    for name, text in (("a", tool_texts.TIDL_BLOCK), ("b", tool_texts.PERF_TEST_OLD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    blocks = run(str(tmp_path / "a"), str(tmp_path / "b")).split("\n\n")
    assert [block.split()[0] for block in blocks] == ["tidl", "onnxruntime_perf_test"]


def test_the_tool_can_be_named(run: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "both.txt"
    path.write_text(tool_texts.TIDL_BLOCK + tool_texts.PERF_TEST_OLD, encoding="utf-8")
    with pytest.raises(HarnessError, match="onnxruntime_perf_test and tidl"):
        run(str(path))
    assert "Inferences Per Second" in run(str(path), "--tool", "onnxruntime_perf_test")


def test_a_percentile_of_too_few_inferences_is_doubted() -> None:
    assert doubts(read_output(tool_texts.PERF_TEST_OLD)) == [
        "p99.9 of 500 inferences has no upper bound: 2995 are needed"
    ]


def test_what_cannot_be_counted_is_not_doubted() -> None:
    assert doubts(read_output(tool_texts.TIDL_BLOCK)) == []


def test_lines_that_were_not_understood_are_counted_beyond_the_first() -> None:
    text = tool_texts.TIDL_BLOCK + "".join(f"strange {number}\n" for number in range(9))
    shown = table(read_output(text))
    assert "strange 4" in shown
    assert "strange 5" not in shown
    assert "4 more lines were not understood: --json has them" in shown


def test_the_slowest_layers_come_first_and_the_rest_is_counted() -> None:
    rows = "".join(
        f', {{ "name" : "layer {number}", "timeMs" : 1, "averageMs" : {number}, "percentage" : 1 }}\n'
        for number in range(1, 31)
    )
    lines = table(read_output(f'[\n  {{ "count" : 25 }}\n{rows}]')).splitlines()
    at = lines.index("layers: 10 of 30, the slowest first")
    assert lines[at + 1].split() == ["layer", "30", "30", "ms"]


def test_no_control_character_reaches_the_terminal() -> None:
    text = tool_texts.LOADGEN_SUMMARY.replace("PySUT", "Py\x07SUT")
    assert "\x07" not in table(read_output(text))
