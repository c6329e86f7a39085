"""onnxruntime_perf_test in both dialects."""

from __future__ import annotations

import pytest
import tool_texts

from harness.tooloutput import ToolOutputError, read_output


def numbers(text: str) -> dict[tuple[str, str], float]:
    return {(one.name, one.statistic): one.value for one in read_output(text, "onnxruntime_perf_test").numbers}


def test_the_older_dialect_has_seconds_a_cut_unit_and_a_total_without_one() -> None:
    assert numbers(tool_texts.PERF_TEST_OLD) == {
        ("inference_time", "total"): 2500.0, ("inferences", "count"): 500, ("latency", "mean"): 5.0,
        ("run", "total"): 2750.0, ("latency", "min"): 4.0, ("latency", "max"): 9.0, ("latency", "median"): 4.75,
        ("latency", "p99"): 8.5, ("latency", "p99.9"): 9.0,
    }  # fmt: skip


def test_the_newer_dialect_says_some_things_twice() -> None:
    assert numbers(tool_texts.PERF_TEST_NEW) == {
        ("load", "once"): 250.0, ("first_inference", "once"): 21.0, ("inference_time", "total"): 2500.0,
        ("inferences", "count"): 500, ("latency", "mean"): 5.0, ("submission", "mean"): 1.5, ("run", "total"): 2750.0,
        ("throughput", "rate"): 181.818, ("cpu_utilisation", "mean"): 47.0, ("peak_memory", "max"): 250.0,
        ("latency", "min"): 4.0, ("latency", "max"): 9.0, ("latency", "p99.9"): 9.0,
    }  # fmt: skip


def test_p999_of_few_calls_is_the_slowest_of_them() -> None:
    assert "P999 of 500 calls is the slowest of them" in read_output(tool_texts.PERF_TEST_NEW).warnings


@pytest.mark.parametrize("text", [tool_texts.PERF_TEST_OLD, tool_texts.PERF_TEST_NEW])
def test_every_line_is_understood(text: str) -> None:
    assert not [one for one in read_output(text).warnings if one.startswith("not understood")]


def test_groups_of_shapes_have_names_of_their_own() -> None:
    text = (
        tool_texts.PERF_TEST_NEW + "\nLatency per shape group:\n  1. in : [1,3,8,8]\n      Iterations: 250\n"
        "      P50 Latency: 4.5 ms\n\nShape group 2 (250 iterations):\n  P50 Latency: 0.00475 s\n"
    )
    told = numbers(text)
    assert told["latency of group 1", "median"] == 4.5
    assert told["latency of group 2", "median"] == 4.75
    assert told["inferences", "count"] == 500


@pytest.mark.parametrize("line", ["P99 Latency: nan s", "P99 Latency: 5 parsecs", "Ping: 5 s", "Min Latency:", "?"])
def test_a_line_that_is_not_understood_is_kept(line: str) -> None:
    output = read_output(f"Max Latency: 0.5 s\n{line}\n")
    assert f"not understood: {line}" in output.warnings
    assert [one.value for one in output.numbers] == [500.0]


def test_another_tools_text_is_refused() -> None:
    with pytest.raises(ToolOutputError, match="nothing of onnxruntime_perf_test"):
        read_output("hello\n", "onnxruntime_perf_test")
