"""Real outputs of tools give the values that a person read in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tooloutput import read_output, recognise

# file: (number, kind) -> value in ms, 1/s, MB or a count
READ = {
    "openvino/benchmark_app_doc_sample_python.txt": {
        ("read_model", "once"): 147.82, ("compile_model", "once"): 974.64, ("first_inference", "once"): 38.41,
        ("inferences", "count"): 5380, ("run", "total"): 60036.78, ("latency", "median"): 22.04,
        ("latency", "mean"): 22.09, ("latency", "min"): 20.78, ("latency", "max"): 33.51, ("throughput", "rate"): 89.61,
    },
    "openvino/own_capture_2026.4.1_async_stdout_async.txt": {
        ("read_model", "once"): 45.60, ("compile_model", "once"): 67.57, ("first_inference", "once"): 9.37,
        ("address_space at start of compilation", "max"): 470.900736,
        ("address_space at end of compilation", "max"): 648.056832, ("address_space_growth", "once"): 177.156096,
        ("inferences", "count"): 7258, ("run", "total"): 3000.03, ("latency", "median"): 0.08494,
        ("latency", "mean"): 0.39601, ("latency", "min"): 0.06348, ("latency", "max"): 10.37883,
        ("throughput", "rate"): 2419.31,
    },
    "openvino/own_capture_2026.4.1_average_counters_stdout_sync.txt": {
        ("read_model", "once"): 39.40, ("compile_model", "once"): 141.25, ("first_inference", "once"): 12.43,
        ("address_space at start of compilation", "max"): 470.880256,
        ("address_space at end of compilation", "max"): 584.179712, ("address_space_growth", "once"): 113.299456,
        ("inferences", "count"): 8270, ("run", "total"): 3000.09, ("latency", "median"): 0.07132,
        ("latency", "mean"): 0.34985, ("latency", "min"): 0.06335, ("latency", "max"): 10.31818,
        ("throughput", "rate"): 2756.58,
    },
    "openvino/own_capture_2026.4.1_detailed_counters_stdout_sync.txt": {
        ("read_model", "once"): 49.83, ("compile_model", "once"): 150.22, ("first_inference", "once"): 3.40,
        ("address_space at start of compilation", "max"): 479.27296,
        ("address_space at end of compilation", "max"): 650.502144, ("address_space_growth", "once"): 171.229184,
        ("inferences", "count"): 8802, ("run", "total"): 3000.01, ("latency", "median"): 0.07105,
        ("latency", "mean"): 0.33022, ("latency", "min"): 0.06606, ("latency", "max"): 9.81599,
        ("throughput", "rate"): 2933.99,
    },
    "openvino/own_capture_2026.4.1_no_counters_stdout_sync.txt": {
        ("read_model", "once"): 37.46, ("compile_model", "once"): 102.54, ("first_inference", "once"): 2.99,
        ("address_space at start of compilation", "max"): 470.908928,
        ("address_space at end of compilation", "max"): 584.044544, ("address_space_growth", "once"): 113.135616,
        ("inferences", "count"): 8189, ("run", "total"): 3000.76, ("latency", "median"): 0.07687,
        ("latency", "mean"): 0.35379, ("latency", "min"): 0.06284, ("latency", "max"): 10.08382,
        ("throughput", "rate"): 2728.97,
    },
    "openvino/own_capture_2026.4.1_csv_stdout_csv.txt": {
        ("read_model", "once"): 21.43, ("compile_model", "once"): 60.29, ("first_inference", "once"): 5.19,
        ("address_space at start of compilation", "max"): 471.064576,
        ("address_space at end of compilation", "max"): 584.23296, ("address_space_growth", "once"): 113.168384,
        ("inferences", "count"): 10795, ("run", "total"): 3001.43, ("latency", "p99"): 5.94556,
        ("latency", "mean"): 0.26866, ("latency", "min"): 0.04641, ("latency", "max"): 9.532,
        ("throughput", "rate"): 3596.61,
    },
    "openvino/own_capture_2026.4.1_csv_benchmark_report.csv": {
        ("read_model", "once"): 21.43, ("compile_model", "once"): 60.29, ("first_inference", "once"): 5.19,
        ("run", "total"): 3001.43, ("inferences", "count"): 10795, ("latency", "p99"): 5.95, ("latency", "mean"): 0.27,
        ("latency", "min"): 0.05, ("latency", "max"): 9.53, ("throughput", "rate"): 3596.61,
    },
    "openvino/own_capture_2026.4.1_async_benchmark_report.json": {
        ("read_model", "once"): 45.6, ("compile_model", "once"): 67.57, ("first_inference", "once"): 9.37,
        ("run", "total"): 3000.03, ("inferences", "count"): 7258, ("latency", "median"): 0.08, ("latency", "mean"): 0.4,
        ("latency", "min"): 0.06, ("latency", "max"): 10.38, ("throughput", "rate"): 2419.31,
    },
    "openvino/own_capture_2026.4.1_average_counters_benchmark_report.json": {
        ("read_model", "once"): 39.4, ("compile_model", "once"): 141.25, ("first_inference", "once"): 12.43,
        ("run", "total"): 3000.09, ("inferences", "count"): 8270, ("latency", "median"): 0.07,
        ("latency", "mean"): 0.35, ("latency", "min"): 0.06, ("latency", "max"): 10.32, ("throughput", "rate"): 2756.58,
    },
    "openvino/own_capture_2026.4.1_detailed_counters_benchmark_report.json": {
        ("read_model", "once"): 49.83, ("compile_model", "once"): 150.22, ("first_inference", "once"): 3.4,
        ("run", "total"): 3000.01, ("inferences", "count"): 8802, ("latency", "median"): 0.07,
        ("latency", "mean"): 0.33, ("latency", "min"): 0.07, ("latency", "max"): 9.82, ("throughput", "rate"): 2933.99,
    },
    "openvino/own_capture_2026.4.1_no_counters_benchmark_report.json": {
        ("read_model", "once"): 37.46, ("compile_model", "once"): 102.54, ("first_inference", "once"): 2.99,
        ("run", "total"): 3000.76, ("inferences", "count"): 8189, ("latency", "median"): 0.08,
        ("latency", "mean"): 0.35, ("latency", "min"): 0.06, ("latency", "max"): 10.08, ("throughput", "rate"): 2728.97,
    },
    "openvino/own_capture_2026.4.1_detailed_counters_benchmark_detailed_counters_report.json": {
        ("layers", "once"): 0.069,
    },
    "openvino/own_capture_2026.4.1_average_counters_benchmark_average_counters_report.json": {},
    "ort/onnxruntime_perf_test_readme_011738c.txt": {
        ("inference_time", "total"): 58805.3, ("inferences", "count"): 1000, ("latency", "mean"): 58.8053,
        ("run", "total"): 58810.2, ("latency", "min"): 55.9777, ("latency", "max"): 62.3472,
        ("latency", "median"): 58.7108, ("latency", "p90"): 59.9845, ("latency", "p95"): 60.5676,
        ("latency", "p99"): 61.9517, ("latency", "p99.9"): 62.3472,
    },
    "ort/onnxruntime_perf_test_newer_format_partial.txt": {
        ("load", "once"): 512, ("first_inference", "once"): 12, ("inference_time", "total"): 5880.53,
        ("inferences", "count"): 1000, ("latency", "mean"): 5.88053, ("run", "total"): 5881.02,
        ("throughput", "rate"): 170.04, ("cpu_utilisation", "mean"): 98, ("peak_memory", "max"): 123.456789,
        ("latency", "min"): 55.9777, ("latency", "p99.9"): 62.3472,
    },
    "tflite/litert_benchmark_model_armlp.txt": {
        ("load", "once"): 4.478,
        ("warmup runs", "count"): 1055, ("warmup", "first"): 1.033, ("warmup", "last"): 0.473, ("warmup", "min"): 0.443,
        ("warmup", "max"): 1.033, ("warmup", "mean"): 0.465319, ("warmup", "std"): 0.018, ("warmup", "p5"): 0.459,
        ("warmup", "median"): 0.463, ("warmup", "p95"): 0.478,
        ("latency runs", "count"): 2112, ("latency", "first"): 0.463, ("latency", "last"): 0.459,
        ("latency", "min"): 0.442, ("latency", "max"): 0.979, ("latency", "mean"): 0.464545, ("latency", "std"): 0.013,
        ("latency", "p5"): 0.460, ("latency", "median"): 0.462, ("latency", "p95"): 0.478,
    },
    "ti/edgeai_tidl_tools_issue9_stats.txt": {("throughput", "once"): 1.92, ("latency", "once"): 521.45},
    "mlperf/intel_spr_ssd_singlestream_mlperf_log_summary.txt": {
        ("latency", "p99.9"): 157.575716, ("queries", "count"): 6636, ("latency", "p99.9 estimate"): 159.197123,
        ("latency", "p99 estimate"): 156.867848, ("throughput", "rate"): 6.71,
        ("throughput without loadgen", "rate"): 6.71, ("latency", "min"): 145.524184, ("latency", "max"): 159.197123,
        ("latency", "mean"): 149.005253, ("latency", "median"): 147.734557, ("latency", "p90"): 153.181396,
        ("latency", "p95"): 154.978566, ("latency", "p97"): 156.134609, ("latency", "p99"): 156.766485,
    },
    "mlperf/thorx_bevformer_constantstream_mlperf_log_summary.txt": {
        ("throughput", "rate"): 12.0, ("scheduled", "rate"): 12.0, ("latency", "p99.9"): 5.319681,
        ("scheduled groups", "rate"): 0.297493, ("completed groups", "rate"): 0.30,
        ("latency", "p99.9 estimate"): 5.329940, ("latency", "p99 estimate"): 5.269630,
        ("latency", "min"): 5.170619, ("latency", "max"): 102.987508, ("latency", "mean"): 5.230963,
        ("latency", "median"): 5.222689, ("latency", "p90"): 5.240528, ("latency", "p95"): 5.247066,
        ("latency", "p97"): 5.252658, ("latency", "p99"): 5.268618,
        ("group latency", "min"): 207.874336, ("group latency", "max"): 385.831006,
        ("group latency", "mean"): 211.003979, ("group latency", "median"): 209.218319,
        ("group latency", "p90"): 214.376038, ("group latency", "p95"): 214.539304,
        ("group latency", "p97"): 214.653254, ("group latency", "p99"): 214.984195,
        ("group latency", "p99.9"): 323.803255,
    },
    "mlperf/thorx_bevformer_singlestream_mlperf_log_summary.txt": {
        ("latency", "p99.9"): 5.203711, ("scheduled groups", "rate"): 4.42721, ("completed groups", "rate"): 4.82,
        ("queries", "count"): 116690, ("latency", "p99.9 estimate"): 5.209854, ("latency", "p99 estimate"): 5.176944,
        ("throughput", "rate"): 194.48, ("throughput without loadgen", "rate"): 194.54,
        ("latency", "min"): 5.087253, ("latency", "max"): 102.629016, ("latency", "mean"): 5.140301,
        ("latency", "median"): 5.137097, ("latency", "p90"): 5.151768, ("latency", "p95"): 5.157573,
        ("latency", "p97"): 5.162675, ("latency", "p99"): 5.176064,
        ("group latency", "min"): 204.756558, ("group latency", "max"): 308.253451,
        ("group latency", "mean"): 207.310740, ("group latency", "median"): 205.650650,
        ("group latency", "p90"): 210.747621, ("group latency", "p95"): 210.896384,
        ("group latency", "p97"): 211.025150, ("group latency", "p99"): 211.414071,
        ("group latency", "p99.9"): 262.486549,
    },
    "mlperf/thorx_bevformer_constantstream_mlperf_log_detail.head60.txt": {},
    "mlperf/thorx_system.json": {},
}  # fmt: skip

# The lines of different runs: what the first of each kind says.
FRAGMENTS = {
    ("load", "once"): 2.45, ("first_inference", "once"): 0.129, ("warmup", "mean"): 0.0391513,
    ("latency", "mean"): 0.058311, ("operators runs", "count"): 50, ("operators", "first"): 79.449,
    ("operators", "last"): 81.350, ("operators", "min"): 77.385, ("operators", "max"): 88.213,
    ("operators", "mean"): 79.732, ("operators", "std"): 1.929,
    ("delegated nodes", "count"): 1, ("nodes", "count"): 1, ("partitions", "count"): 1,
}  # fmt: skip

DOUBTS = [
    ("openvino/own_capture_2026.4.1_no_counters_stdout_sync.txt", "it ran in bfloat16"),
    ("openvino/own_capture_2026.4.1_no_counters_stdout_sync.txt", "will be filled with random values"),
    ("openvino/own_capture_2026.4.1_no_counters_benchmark_report.json", "precision UNSPECIFIED"),
    ("openvino/own_capture_2026.4.1_no_counters_benchmark_report.json", "rounded to 0.01 ms, up to 8 %"),
    ("openvino/benchmark_app_doc_sample_python.txt", "2 requests are in flight"),
    ("openvino/own_capture_2026.4.1_average_counters_benchmark_average_counters_report.json", "only the first layer"),
    ("ort/onnxruntime_perf_test_newer_format_partial.txt", "the mean of latency lies outside its minimum and maximum"),
    ("tflite/tflite_classic_fragments.txt", "the text holds several runs"),
    ("tflite/tflite_classic_fragments.txt", "judge placement by the operator profile"),
    ("ti/edgeai_tidl_tools_issue9_stats.txt", "this may be PC emulation"),
    ("ti/edgeai_tidl_tools_issue9_stats.txt", "ddr_traffic (once) is printed as 0.00"),
    ("mlperf/thorx_bevformer_constantstream_mlperf_log_summary.txt", "took 102.99 ms where 83.33 ms are allowed"),
    ("mlperf/thorx_bevformer_constantstream_mlperf_log_detail.head60.txt", "100000000 was requested, 83333333 is"),
    ("mlperf/thorx_bevformer_constantstream_mlperf_log_detail.head60.txt", "no figure in the text"),
    ("mlperf/thorx_bevformer_singlestream_mlperf_log_summary.txt", "1 warning encountered"),
    ("qnn/qnn_profile_viewer_htp.txt", "IPS includes input and output files: 214.9 /s, where 1/latency is 338.8 /s"),
    ("trtexec/trt10.16.1_onnx_default.stdout.log", "PASSED says nothing about the outputs"),
    ("trtexec/trt10.16.1_onnx_default.stdout.log", "coefficient of variance = 6.58751%"),
    ("trtexec/trt10.16.1_dumpProfile.stdout.log", "with the profiler on the tool gives no latency"),
    ("trtexec/trt8.4_summary_scientific.txt", "the GPU computed for longer than the run took"),
]

TOOL_OF = {"openvino": "benchmark_app", "ort": "onnxruntime_perf_test", "tflite": "benchmark_model", "ti": "tidl",
           "mlperf": "loadgen", "trtexec": "trtexec", "qnn": "qnn-profile-viewer", "snpe": "snpe-diagview"}  # fmt: skip


@pytest.mark.parametrize("file", READ)
def test_a_capture_gives_exactly_these_values(captures: Path, file: str) -> None:
    told = {(one.name, one.statistic): one.value for one in read_output(captures / file).numbers}
    assert told == pytest.approx(READ[file], rel=1e-12)


def test_lines_of_different_runs_keep_the_values_of_the_first(captures: Path) -> None:
    output = read_output(captures / "tflite" / "tflite_classic_fragments.txt")
    assert {key: output.find(*key) for key in FRAGMENTS} == pytest.approx(FRAGMENTS, rel=1e-12)
    later = [one.value for one in output.numbers if (one.name, one.statistic) == ("operators", "mean")]
    assert later == [79.732, 0.411071]
    assert output.settings["delegate"] == "GPU, completely executes the graph"


@pytest.mark.parametrize("folder", ["openvino", "ort", "tflite", "ti", "mlperf"])
def test_no_capture_is_left_out(captures: Path, folder: str) -> None:
    files = {f"{folder}/{path.name}" for path in (captures / folder).iterdir()}
    assert files <= {*READ, "tflite/tflite_classic_fragments.txt"}


@pytest.mark.parametrize("folder", TOOL_OF)
def test_each_capture_is_recognised_and_every_line_understood(captures: Path, folder: str) -> None:
    for path in sorted((captures / folder).iterdir()):
        assert recognise(path.read_text(encoding="utf-8")) == TOOL_OF[folder], path.name
        if folder != "snpe":  # one file, three outputs
            assert not [one for one in read_output(path).warnings if one.startswith("not understood")], path.name


@pytest.mark.parametrize(("file", "doubt"), DOUBTS)
def test_a_capture_is_doubted_for_what_is_known_of_its_tool(captures: Path, file: str, doubt: str) -> None:
    assert any(doubt in one for one in read_output(captures / file).warnings)


def test_layers_of_the_detailed_counters(captures: Path) -> None:
    name = "own_capture_2026.4.1_detailed_counters_benchmark_detailed_counters_report.json"
    layers = read_output(captures / "openvino" / name).layers
    assert [(one.name, one.value, one.runtime) for one in layers] == [
        ("x", None, "unknown_I8"), ("Convert_25", 0.006, "jit_avx512_I8"),
        ("Convert_25_abcd_acdb_conv1", 0.016, "jit_uni_bf16"), ("conv1", 0.025, "brgconv_avx512_bf16"),
        ("relu1", None, "undef"), ("conv2", 0.018, "brgconv_avx512_bf16"),
        ("conv2_bf16_acdb_f32_abcd_y", 0.003, "jit_uni_bf16"), ("y", 0.001, "jit_avx512_f32"),
        ("y/sink_port_0", None, "unknown_f32"),
    ]  # fmt: skip


def test_settings_that_decide_a_comparison(captures: Path) -> None:
    log = read_output(captures / "openvino" / "own_capture_2026.4.1_async_stdout_async.txt")
    assert log.version == "2026.4.1-22982-e213a147257-releases/2026/4"
    told = [log.settings[key] for key in ("API", "NUM_STREAMS", "INFERENCE_NUM_THREADS", "PERFORMANCE_HINT")]
    assert told == ["sync", "1", "2", "LATENCY"]
    detail = read_output(captures / "mlperf" / "thorx_bevformer_constantstream_mlperf_log_detail.head60.txt")
    assert detail.version == "5.0.15 @ 14ef231b70"
    assert detail.settings["effective_min_query_count"] == "100000"
    system = read_output(captures / "mlperf" / "thorx_system.json")
    assert system.settings["accelerator_model_name"] == "NVIDIA Thor-X"


def test_the_figures_of_nvidia_and_qualcomm_in_the_normal_form(captures: Path) -> None:
    log = read_output(captures / "trtexec" / "trt10.16.1_onnx_default.stdout.log")
    told = [log.find(*key) for key in (("gpu_compute", "mean"), ("latency", "p99"), ("throughput", "rate"))]
    assert told == [0.0359588, 0.0512695, 15374.3]
    profile = read_output(captures / "trtexec" / "detr_exportProfile.json")
    assert len(profile.layers) == 840
    assert sum(one.value or 0.0 for one in profile.layers) == pytest.approx(4.1616, abs=5e-5)
    qnn = read_output(captures / "qnn" / "qnn_profile_viewer_htp.txt")
    assert (qnn.find("latency", "mean"), qnn.find("throughput", "rate")) == (2.952, 214.8888)


@pytest.mark.parametrize(("part", "latency", "share"), [(1, 26.458, None), (2, 11.676, None), (3, 3.318, 18.1736)])
def test_the_accelerators_share_on_a_dsp(captures: Path, part: int, latency: float, share: float | None) -> None:
    (path,) = (captures / "snpe").iterdir()
    text = path.read_text(encoding="utf-8").split("=====\n")[part].split("\n=====")[0]
    output = read_output(text)
    assert output.find("latency", "mean") == latency
    assert output.find("accelerator_share", "mean") == (share and pytest.approx(share, abs=1e-4))
