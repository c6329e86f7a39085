"""trtexec's log and exports: every dialect read, every damage refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tooloutput.trtexec import Binding, parse_flags, parse_log, parse_version
from harness.tooloutput.trtexport import parse_layers, parse_outputs, parse_profile, parse_times

STAMP = "[03/04/2026-05:06:07] [I] "
SUMMARY = (
    "Throughput: 1.25e+03 qps",
    "Latency: min = 1.5 ms, max = 3.5 ms, mean = 2 ms, median = 1.5 ms, percentile(90%) = 2 ms, percentile(99%) = 3 ms",
    "Total Host Walltime: 3.5 s",
    "Total GPU Compute Time: 4.5 s",
)


@pytest.mark.parametrize("prefix", [STAMP, "[I] ", ""])
def test_the_summary_is_read_with_and_without_time_stamps(prefix):
    log = parse_log("\n".join(prefix + line for line in SUMMARY))
    latency = log.spreads["Latency"]
    assert (log.throughput_per_s, log.host_walltime_s, log.gpu_compute_s) == (1250, 3.5, 4.5)
    assert (latency.min_ms, latency.max_ms, latency.mean_ms, latency.median_ms) == (1.5, 3.5, 2, 1.5)
    assert latency.percentiles_ms == {90: 2, 99: 3}


def test_what_was_not_printed_is_absent_and_never_zero():
    log = parse_log("nothing of the kind")
    assert (log.version, log.passed, log.throughput_per_s, log.engine_built_s) == ((0, 0, 0), None, None, None)
    assert (log.spreads, log.bindings, log.sections, log.profile) == ({}, (), {}, None)


@pytest.mark.parametrize(
    ("digits", "version"),
    [("8201", (8, 2, 1)), ("8601", (8, 6, 1)), ("100300", (10, 3, 0)), ("101601", (10, 16, 1)), ("110400", (11, 4, 0))],
)
def test_a_banner_tells_the_version(digits, version):
    assert parse_version(digits) == version
    assert parse_log(f"&&&& RUNNING TensorRT.trtexec [TensorRT v{digits}] # trtexec").version == version


@pytest.mark.parametrize(("word", "passed"), [("PASSED", True), ("FAILED", False), ("RUNNING", None)])
def test_the_last_banner_tells_how_it_ended(word, passed):
    begun = "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec\n"
    assert parse_log(f"{begun}&&&& {word} TensorRT.trtexec [TensorRT v8601] # trtexec").passed is passed


@pytest.mark.parametrize(
    ("line", "binding"),
    [
        ("Created input binding for in:0 with dimensions 1x3x8x9", Binding("in:0", True, (1, 3, 8, 9), "")),
        ("Created output binding for out with dimensions 1x4", Binding("out", False, (1, 4), "")),
        ("Input binding for a with dimensions 2x1 is created.", Binding("a", True, (2, 1), "")),
        ("Output binding for b with dimensions 7 and type fp16 is created.", Binding("b", False, (7,), "float16")),
        ("Output binding for c with dimensions 1x2 and type int64 is created.", Binding("c", False, (1, 2), "int64")),
    ],
)
def test_a_binding_is_read_in_the_words_of_each_version(line, binding):
    assert parse_log(STAMP + line).bindings == (binding,)


def test_the_options_of_each_block_stay_apart():
    text = f"{STAMP}=== Build Options ===\n{STAMP}Precision: FP32+FP16\n{STAMP}\n{STAMP}Precision: no option any more\n"
    text += f"{STAMP}=== Inference Options ===\n{STAMP}Data transfers: Disabled\n{STAMP}Inputs:\n"
    assert parse_log(text).sections == {
        "Build Options": {"Precision": "FP32+FP16"},
        "Inference Options": {"Data transfers": "Disabled", "Inputs": ""},
    }


def test_layers_on_the_dla_and_beside_it_are_told_apart():
    log = parse_log(f"{STAMP}[TRT] [DlaLayer] {{ForeignNode[a...b]}}\n{STAMP}[TRT] [GpuLayer] SOFTMAX: p\n")
    assert log.dla_layers == ("{ForeignNode[a...b]}",)
    assert log.gpu_layers == ("SOFTMAX: p",)


def test_warnings_and_errors_are_kept_apart():
    log = parse_log("[03/04/2026-05:06:07] [W] slow\n[03/04/2026-05:06:07] [E] Error[1]: no\n[I] fine")
    assert (log.warnings, log.errors) == (("slow",), ("Error[1]: no",))


NEW = {"h2dMs": 0.5, "computeMs": 2, "d2hMs": 0.25, "latencyMs": 2.75, "startEnqMs": 1}
OLD = {"startInMs": 0, "inMs": 0.5, "computeMs": 2, "outMs": 0.25, "latencyMs": 2.75, "endToEndMs": 4}


@pytest.mark.parametrize("row", [NEW, OLD, {key: value for key, value in NEW.items() if key != "latencyMs"}])
def test_times_are_read_in_both_dialects(row):
    (time, again) = parse_times(json.dumps([row, row]).replace("}, {", "}\n, {"))
    assert time == again
    assert (time.h2d_ms, time.compute_ms, time.d2h_ms, time.latency_ms) == (0.5, 2, 0.25, 2.75)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ { }", "no whole JSON"),
        ("", "no whole JSON"),
        ("{}", "no list of objects"),
        ("[1]", "no list of objects"),
        ('[{"copyMs": 1}]', "no 'inMs' but copyMs"),
    ],
)
def test_damaged_times_are_refused_with_a_reason(text, said):
    with pytest.raises(ValueError, match=said):
        parse_times(text)


@pytest.mark.parametrize(("more", "median"), [("", None), (', "medianMs" : 0.5', 0.5)])
def test_a_profile_begins_with_its_count(more, median):
    profile = parse_profile(
        f'[\n  {{ "count" : 4 }}\n, {{ "name" : "a + b", "timeMs" : 2, "averageMs" : 0.5{more} }}\n]'
    )
    assert profile.iterations == 4
    (layer,) = profile.layers
    assert (layer.name, layer.total_ms, layer.average_ms, layer.median_ms) == ("a + b", 2, 0.5, median)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "count"), ('[{"name": "a"}]', "count"), ('[{"count": 1}, {"name": "a"}]', "no 'timeMs'"), ("[{", "JSON")],
)
def test_a_profile_of_another_form_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        parse_profile(text)


def test_layers_are_objects_or_bare_names():
    detailed = '{"Layers": [{"Name": "c", "LayerType": "X", "ParameterType": "Convolution", "Activation": "NONE"}]}'
    assert [(one.name, one.kind, one.activation) for one in parse_layers(detailed)] == [("c", "Convolution", "")]
    assert [(one.name, one.kind) for one in parse_layers('{"Layers": ["c + r"], "Bindings": []}')] == [("c + r", "")]
    with pytest.raises(ValueError, match="no list of Layers"):
        parse_layers("[]")


def test_outputs_keep_what_json_does_not_know():
    text = '[\n  { "name" : "nan"\n  , "dimensions" : "1x4"\n  , "values" : [ 1.5 , nan , -inf , -nan ]\n  }\n]'
    output = parse_outputs(text)["nan"]
    assert output.shape == (1, 4)
    assert (output.values[0], output.values[2]) == (1.5, -math.inf)
    assert [math.isnan(one) for one in output.values] == [False, True, False, True]


@pytest.mark.parametrize("text", ['[{"name": "a"}]', "[", '[{"name": "a", "dimensions": "x", "values": 3}]'])
def test_outputs_of_another_form_are_refused(text):
    with pytest.raises((ValueError, TypeError)):
        parse_outputs(text)


def test_options_are_those_that_the_help_lists():
    text = "  --onnx=<file>   ONNX model\n  --fp16    Enable (see --noTF32)\n  -h, --help"
    assert parse_flags(text) == ("fp16", "help", "noTF32", "onnx")


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader_of_logs(text):
    assert parse_log(text).passed is None


@given(st.text(alphabet=' [{}]",:.0123456789-eanmsMcoutd\n', max_size=120))
def test_broken_exports_raise_nothing_but_value_errors(text):
    for parse in (parse_times, parse_profile, parse_layers, parse_outputs):
        try:
            parse(text)
        except ValueError:
            continue


# file -> version, passed, throughput, mean latency, 99th percentile, wall time, GPU time, built, deserialised, bindings
LOGS = {
    "trt10.16.1_onnx_default.stdout.log": (
        (10, 16, 1), True, 15374.3, 0.0441053, 0.0512695, 3.00013, 1.6586, 8.09138, 0.00676279, "x y z"),
    "trt10.16.1_engine_nodma_spin_graph_verbose.stdout.log": (
        (10, 16, 1), True, 24896.9, 0.0387646, 0.0390625, 3.00005, 2.89541, None, 0.0245724, "x y z"),
    "trt10.16.1_plugin.stdout.log": (
        (10, 16, 1), True, 27315.5, None, None, 3.00006, 0.439586, 0.643486, 0.00269487,
        "inputT0 CustomOpModel-V-0-AddScalar-0"),
    "trt10.16.1_dumpProfile.stdout.log": (
        (10, 16, 1), True, None, None, None, None, None, None, 0.0258638, "x y z"),
    "trt8.2_summary.txt": ((0, 0, 0), None, 476.66, 2.09467, 2.58971, 3.00424, 2.99956, None, None, ""),
    "trt8.4_summary_scientific.txt": ((0, 0, 0), None, 2545210.0, 16.5801, 47.6256, 3.07697, 7.02881, None, None, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_real_logs_parse_to_what_they_say(captures, name):
    log = parse_log((captures / "trtexec" / name).read_text(encoding="utf-8"))
    version, passed, throughput, mean, p99, walltime, gpu, built, deserialized, bindings = LOGS[name]
    assert (log.version, log.passed, log.throughput_per_s) == (version, passed, throughput)
    assert (log.host_walltime_s, log.gpu_compute_s) == (walltime, gpu)
    assert (log.engine_built_s, log.engine_deserialized_s) == (built, deserialized)
    assert [one.name for one in log.bindings] == bindings.split()
    if mean is not None:
        assert (log.spreads["Latency"].mean_ms, log.spreads["Latency"].percentiles_ms[99]) == (mean, p99)


@pytest.mark.parametrize(
    ("name", "transfers", "spin", "graph"),
    [
        ("trt10.16.1_onnx_default.stdout.log", "Enabled", "Disabled", "Disabled"),
        ("trt10.16.1_engine_nodma_spin_graph_verbose.stdout.log", "Disabled", "Enabled", "Enabled"),
    ],
)
def test_real_logs_tell_the_settings_that_held(captures, name, transfers, spin, graph):
    options = parse_log((captures / "trtexec" / name).read_text(encoding="utf-8")).sections["Inference Options"]
    assert (options["Data transfers"], options["Spin-wait"], options["CUDA Graph"]) == (transfers, spin, graph)


def test_a_real_log_of_the_old_kind_has_the_line_that_later_went(captures):
    log = parse_log((captures / "trtexec" / "trt8.2_summary.txt").read_text(encoding="utf-8"))
    assert log.spreads["End-to-End Host Latency"].max_ms == 2.59482
    assert log.spreads["H2D Latency"].mean_ms == 0
    assert log.spreads["Latency"].percentiles_ms == {99: 2.58971}


def test_a_real_table_of_layers_adds_up_to_its_total(captures):
    profile = parse_log(
        (captures / "trtexec" / "trt10.16.1_dumpProfile.stdout.log").read_text(encoding="utf-8")
    ).profile
    assert (profile.iterations, len(profile.layers)) == (18362, 15)
    assert profile.layers[5].name == "node_conv2d_1_myl3_1"
    assert (profile.layers[5].total_ms, profile.layers[5].average_ms, profile.layers[5].median_ms) == (
        209.98,
        0.0114,
        0.0113,
    )
    assert sum(one.total_ms for one in profile.layers) == pytest.approx(1529.13, abs=0.02)


def test_real_exports_parse_to_what_they_say(captures):
    folder = captures / "trtexec"
    profile = parse_profile((folder / "detr_exportProfile.json").read_text(encoding="utf-8"))
    assert (profile.iterations, len(profile.layers), profile.layers[-1].name) == (641, 840, "PWN(/Mul_2)")
    assert (profile.layers[-1].total_ms, profile.layers[-1].median_ms) == (1.97908, 0.003072)
    layers = parse_layers((folder / "trt10.16.1_exportLayerInfo.json").read_text(encoding="utf-8"))
    assert len(layers) == 9
    assert (layers[0].name, layers[0].kind, layers[0].activation) == ("node_conv2d + node_relu", "Convolution", "RELU")
    assert (layers[0].output_dtype, layers[8].output_dtype) == ("Float", "Int64")
    times = parse_times((folder / "SYNTHETIC_exportTimes_writer_format.json").read_text(encoding="utf-8"))
    assert [one.latency_ms for one in times] == [0.0437012, 0.0438232]
    assert [one.compute_ms for one in times] == [0.0360107, 0.0361328]


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("[I] Engine loaded in 1.5 sec.", 1.5),
        ("[I] Engine loaded in 1.5 sec.\n[I] Engine deserialized in 0.25 sec.", 0.25),
        ("[I] Engine built in 9 sec.", None),
    ],
)
def test_loading_has_one_word_in_old_versions_and_two_since(lines, seconds):
    assert parse_log(lines).engine_deserialized_s == seconds
