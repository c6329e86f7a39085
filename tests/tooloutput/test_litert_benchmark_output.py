"""TFLite's benchmark_model and LiteRT's tools."""

from __future__ import annotations

import pytest
import tool_texts

from harness.tooloutput import ToolOutputError, read_output


def numbers(text: str) -> dict[tuple[str, str], float]:
    return {(one.name, one.statistic): one.value for one in read_output(text, "benchmark_model").numbers}


def test_the_log_is_in_microseconds_and_the_second_phase_is_the_measured_one() -> None:
    told = numbers(tool_texts.TFLITE_LOG)
    assert {key: value for key, value in told.items() if key[0].startswith("latency")} == {
        ("latency runs", "count"): 190, ("latency", "first"): 5.2, ("latency", "last"): 5.05, ("latency", "min"): 4.9,
        ("latency", "max"): 6.1, ("latency", "mean"): 5.07525, ("latency", "std"): 0.09, ("latency", "p5"): 4.95,
        ("latency", "median"): 5.06, ("latency", "p95"): 5.4,
    }  # fmt: skip
    assert told["warmup", "mean"] == 5.5005
    assert told["load", "once"] == 8.5
    assert told["first_inference", "once"] == 9.0
    assert told["file_size", "once"] == 1.25
    assert told["memory_growth", "once"] == 10.48576


def test_coverage_is_told_and_not_taken_for_placement() -> None:
    output = read_output(tool_texts.TFLITE_LOG)
    told = [output.find(name, "count") for name in ("delegated nodes", "nodes", "partitions")]
    assert told == [40, 42, 3]
    assert output.settings["delegate"] == "TfLiteMyDelegate"
    assert output.settings["Num threads"] == "4"
    assert "a coverage line speaks of one delegate: judge placement by the operator profile" in output.warnings
    assert not [one for one in output.warnings if one.startswith("not understood")]


def test_an_operator_profile_gives_each_operator_once_and_keeps_the_initialisation_apart() -> None:
    output = read_output(tool_texts.TFLITE_PROFILE)
    assert [(one.name, one.value, one.kind, one.runtime) for one in output.layers] == [
        ("[a, b]:41", 2.75, "TfLiteGpuDelegateV2", "delegate"), ("[out]:40", 1.0, "SOFTMAX", "CPU"),
    ]  # fmt: skip
    assert output.find("initialisation AllocateTensors", "mean") == 0.5
    assert output.find("operators", "mean") == 3.75
    assert not [one for one in output.warnings if one.startswith("not understood")]


def test_an_operator_profile_as_csv() -> None:
    text = (
        "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        "node type, start, first, avg_ms, %, cdf%, mem KB, times called, name\n"
        "CONV_2D, 0, 1.5, 1.25, 50%, 50%, 0, 1, [a, b]:0\n"
    )
    layers = read_output(text, "benchmark_model").layers
    assert [(one.name, one.value, one.kind) for one in layers] == [("[a, b]:0", 1.25, "CONV_2D")]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("count=1 curr=9500", ("latency", "last"), 9.5),
        ("count=3 curr=9500(all same)", ("latency", "last"), 9.5),
        ("INFO: count=9 first=5 curr=5 min=4 max=6 avg=5.5 std=1", ("latency", "mean"), 0.0055),
        ("I/tflite  ( 123): count=9 first=5 curr=5 min=4 max=6 avg=5.5 std=1", ("latency", "mean"), 0.0055),
        ("Average inference timings in us: Warmup: 900, Init: 20, no stats: 800, with stats: 950",
         ("latency while profiled", "mean"), 0.95),
        ("INFO: [./x/benchmark_model.h:9] Inference (min):      0.25 ms", ("latency", "min"), 0.25),
        ("Peak memory footprint (MB): init=1 overall=10", ("memory_growth", "once"), 10.48576),
        ("QnnDelegate delegate: 35 nodes delegated out of 37 nodes with 2 partitions.", ("partitions", "count"), 2),
    ],
)  # fmt: skip
def test_one_line(line: str, key: tuple[str, str], value: float) -> None:
    assert numbers(f"{line}\n")[key] == value


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ("Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate.",
         "the delegate NNAPI took nothing: this is a figure of the CPU"),
        ("Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 2.",
         "the delegate GPU takes the graph partially: the rest runs on the CPU"),
        ("Number of prorated runs per second: [30]",
         "run_frequency 30: a late run is timed from its own start, so waiting is left out"),
        ("count=7 first=1 curr=x min=1 max=2", "not understood: count=7 first=1 curr=x min=1 max=2"),
        ("the moon is full", "not understood: the moon is full"),
        ("count=0", "nothing was timed: count=0"),
        ("ERROR: no such device", "the tool says: no such device"),
    ],
)  # fmt: skip
def test_a_line_that_must_be_known(line: str, doubt: str) -> None:
    assert doubt in read_output(f"{tool_texts.TFLITE_LOG}{line}\n", "benchmark_model").warnings


def test_one_phase_alone_may_be_the_warm_up() -> None:
    text = "count=9 first=5 curr=5 min=4 max=6 avg=5.5 std=1\n"
    assert "one phase only: it may be the warm-up" in read_output(text).warnings


def test_the_rounded_summary_of_litert_does_not_repeat_what_is_known_better() -> None:
    text = tool_texts.LITERT_RESULTS + "count=9 first=800 curr=700 min=700 max=1254 avg=753.5 std=1\n"
    output = read_output(text, "benchmark_model")
    assert [one.value for one in output.numbers if (one.name, one.statistic) == ("latency", "mean")] == [0.7535]


def test_the_summary_of_litert_is_in_ms() -> None:
    told = numbers(tool_texts.LITERT_RESULTS)
    assert told["latency", "mean"] == 0.75
    assert told["warmup", "first"] == 1.5
    assert told["load", "once"] == 5.25
    assert told["init_footprint", "once"] == 8.388608
    assert "the tool says: NPU accelerator could not be loaded" in read_output(tool_texts.LITERT_RESULTS).warnings


def test_the_json_of_litert() -> None:
    output = read_output(tool_texts.LITERT_JSON)
    told = {(one.name, one.statistic): (one.value, one.unit) for one in output.numbers}
    assert told == {
        ("load", "once"): (5.25, "ms"), ("warmup", "first"): (1.5, "ms"), ("warmup", "mean"): (1.0, "ms"),
        ("warmup runs", "count"): (5, ""), ("latency", "mean"): (0.75, "ms"), ("latency", "median"): (0.7, "ms"),
        ("latency", "p95"): (0.9, "ms"), ("latency runs", "count"): (200, ""),
    }  # fmt: skip
    assert output.settings["fully_accelerated"] == "True"


@pytest.mark.parametrize("text", ['{"warmup_first_ms": 1', '{"warmup_first_ms": 1}', '{"latency": 5}'])
def test_bad_json_is_refused(text: str) -> None:
    with pytest.raises(ToolOutputError):
        read_output(text, "benchmark_model")
