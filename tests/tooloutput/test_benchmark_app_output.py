"""OpenVINO's benchmark_app: its log, both JSON dialects, CSV, counters."""

from __future__ import annotations

import pytest
import tool_texts

from harness.tooloutput import ToolOutputError, read_output


def numbers(text: str) -> dict[tuple[str, str], float]:
    return {(one.name, one.statistic): one.value for one in read_output(text, "benchmark_app").numbers}


def test_the_log_is_read_in_ms_whatever_unit_it_prints() -> None:
    assert numbers(tool_texts.BENCHMARK_APP_LOG) == {
        ("read_model", "once"): 12.5, ("compile_model", "once"): 80.25, ("first_inference", "once"): 7.75,
        ("address_space at start of compilation", "max"): 512.0, ("address_space_growth", "once"): 102.4,
        ("inferences", "count"): 5000, ("run", "total"): 2000.5, ("throughput", "rate"): 2499.38,
        ("latency", "median"): 0.8125, ("latency", "mean"): 0.903, ("latency", "min"): 0.75025, ("latency", "max"): 4.1,
    }  # fmt: skip


def test_the_log_says_what_ran_and_what_the_latency_spans() -> None:
    output = read_output(tool_texts.BENCHMARK_APP_LOG)
    assert output.version == "2031.2.0-77-abc"
    assert output.settings["API"] == "async"
    assert output.settings["infer requests"] == "4"
    assert output.settings["NUM_STREAMS"] == "2"
    spans = {one.includes for one in output.numbers if one.name == "latency"}
    assert spans == {"from start to completion, waiting behind other requests, filling of the inputs not included"}


@pytest.mark.parametrize(
    "doubt",
    [
        "4 requests are in flight: the latency is not that of a single inference",
        "it ran in bfloat16: no float32 figure; set -infer_precision f32 for one",
        "'ram used' is growth of the peak of virtual memory, not of resident memory",
        "the tool says: No input files were given for input 'in'!. This input will be filled with random values!",
        "one percentile per run: any other needs another run with -latency_percentile",
    ],
)
def test_the_log_is_doubted(doubt: str) -> None:
    assert doubt in read_output(tool_texts.BENCHMARK_APP_LOG).warnings


def test_every_line_of_the_log_is_understood() -> None:
    assert not [one for one in read_output(tool_texts.BENCHMARK_APP_LOG).warnings if one.startswith("not understood")]


@pytest.mark.parametrize(
    ("line", "figure"),
    [
        ("[ INFO ]    Median:        2.25 ms", ("latency", "median", 2.25)),
        ("[ INFO ] \tMedian:     2.25 ms", ("latency", "median", 2.25)),
        ("[ INFO ]    99 percentile:     2.25 ms", ("latency", "p99", 2.25)),
        ("[ INFO ] Import model took 33.00 ms", ("import_model", "once", 33.0)),
        ("Total time:     1.5 milliseconds", ("layers", "once", 1.5)),
        ("[ INFO ]    Median:        soon ms", None),
        ("conv1   EXECUTED  layerType: Convolution  execType: jit  realTime (ms): x  cpuTime (ms): 1", None),
    ],
)
def test_one_line_of_the_log(line: str, figure: tuple[str, str, float] | None) -> None:
    output = read_output(f"[Step 1/11] x\n[ INFO ] Throughput: 10.00 FPS\n{line}\n")
    told = [(one.name, one.statistic, one.value) for one in output.numbers if one.name != "throughput"]
    assert told == ([figure] if figure else [])
    assert any(one.startswith("not understood") for one in output.warnings) == (figure is None)


def test_latencies_of_groups_of_shapes_have_names_of_their_own() -> None:
    text = tool_texts.BENCHMARK_APP_LOG + (
        "[ INFO ] Latency for each data shape group:\n[ INFO ] 1. in : [1,3,8,8]\n[ INFO ]    Median:     700.00 us\n"
    )
    assert numbers(text)["latency of group 1", "median"] == 0.7


def test_layers_of_the_log() -> None:
    rows = (
        "[ INFO ] Performance counts for 0-th infer request\n"
        "conv1                Status.EXECUTED      layerType: Convolution          execType: jit_avx2             "
        "realTime (ms): 0.250      cpuTime (ms): 0.250     \n"
        "relu1                Status.NOT_RUN       layerType: Relu                 execType: undef                "
        "realTime (ms): 0.000      cpuTime (ms): 0.000     \n"
    )
    layers = read_output(tool_texts.BENCHMARK_APP_LOG + rows).layers
    assert [(one.name, one.value, one.kind, one.runtime) for one in layers] == [
        ("conv1", 0.25, "Convolution", "jit_avx2"), ("relu1", None, "Relu", "undef"),
    ]  # fmt: skip


def test_the_json_of_the_python_tool_whose_numbers_are_strings() -> None:
    assert numbers(tool_texts.BENCHMARK_APP_PYTHON_JSON) == {
        ("compile_model", "once"): 71.25, ("inferences", "count"): 900, ("throughput", "rate"): 9000.5,
        ("latency", "median"): 0.09, ("latency", "mean"): 0.11, ("latency", "min"): 0.05, ("latency", "max"): 2.2,
    }  # fmt: skip
    warnings = read_output(tool_texts.BENCHMARK_APP_PYTHON_JSON).warnings
    assert any("UNSPECIFIED" in one and "bf16" in one for one in warnings)
    assert "latencies are rounded to 0.01 ms, up to 10 % of the smallest: take them from the log" in warnings


def test_latency_median_of_the_cpp_tool_is_the_percentile_that_was_asked_for() -> None:
    told = numbers(tool_texts.BENCHMARK_APP_CPP_JSON)
    assert ("latency", "median") not in told
    assert told["latency", "p95"] == 3.125
    assert told["latency of group in[1,3,8,8]", "p95"] == 1.5
    assert told["latency", "mean"] == 2.5
    warnings = read_output(tool_texts.BENCHMARK_APP_CPP_JSON).warnings
    assert "latency_median is no median here but the percentile 95" in warnings
    assert "4 requests are in flight: the latency is not that of a single inference" in warnings


def test_latency_median_without_its_percentile_is_none_of_them() -> None:
    output = read_output('{"execution_results": {"latency_median": 3.5}}')
    assert output.find("latency", "median") is None
    assert output.find("latency", "percentile unknown") == 3.5


def test_a_latency_rounded_to_zero_is_no_measurement() -> None:
    output = read_output('{"execution_results": {"avg latency": "0.01", "min latency": "0.00"}}')
    assert output.find("latency", "min") is None
    assert "latency (min) is printed as 0.00: taken as not measured" in output.warnings


def test_the_json_of_the_python_tool_keeps_the_last_group_only() -> None:
    output = read_output('{"execution_results": {"latency (ms)": "2.50", "group": "{x: [1]}", "avg latency": "2.00"}}')
    assert output.find("latency", "mean") is None
    assert output.find("latency of the last group", "mean") == 2.0


def test_the_csv_with_semicolons_and_headings() -> None:
    output = read_output(tool_texts.BENCHMARK_APP_CSV)
    assert output.find("latency", "p90") == 5.25
    assert output.find("latency", "mean") == 4.75
    assert output.settings == {"-m": "net.onnx", "target device": "GPU", "number of parallel infer requests": "1"}


def test_the_csv_of_the_cpp_tool_with_groups() -> None:
    text = (
        "Execution results\nlatency (99 percentile) (ms);7.5\nPercentile boundary;99\nAverage latency (ms);6.5\n\n"
        "Group Latencies\nData shape;Median;Average;Min;Max\nin[1];2.50;2.25;2.00;3.00\nin[2];2.50\n"
    )
    told = numbers(text)
    assert told["latency", "p99"] == 7.5
    assert told["latency of group in[1]", "percentile asked for"] == 2.5
    assert "not understood: in[2];2.50" in read_output(text).warnings


@pytest.mark.parametrize("text", [tool_texts.BENCHMARK_APP_COUNTERS, tool_texts.BENCHMARK_APP_COUNTER_CSV])
def test_counters_give_layers_of_one_inference(text: str) -> None:
    output = read_output(text)
    assert [(one.name, one.value, one.kind, one.runtime) for one in output.layers] == [
        ("in", None, "Parameter", "unknown_f32"), ("c1", 0.25, "Convolution", "jit_f32"),
    ]  # fmt: skip
    assert output.find("layers", "once") == 0.25
    assert any("no average over the run" in one for one in output.warnings)


def test_the_average_counters_of_the_python_tool_hold_one_layer() -> None:
    node = (
        '{"name": "in", "node_type": "Parameter", "status": "Status.NOT_RUN", "real_time": "0.000", "exec_type": "x"}'
    )
    text = f'{{"report_type": "average", "avg_performance": {{"nodes": [{node}], "total_real_time": "0.000"}}}}'
    assert any("writes only the first layer" in one for one in read_output(text).warnings)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"execution_results": {"latency (ms)": "0.0', "the JSON of benchmark_app is broken"),
        ('{"execution_results": [1]}', "execution_results of the report is no object but list"),
        ('{"detailed_performance": 5}', "the counters of the report are no list of objects"),
        ('{"execution_results": {}}', "there is nothing of benchmark_app in the text"),
    ],
)
def test_a_bad_report_is_refused(text: str, what: str) -> None:
    with pytest.raises(ToolOutputError, match=what):
        read_output(text)
