"""`harness floor` and the report's table: what a person reads of a floor, and when there is none."""

from __future__ import annotations

import argparse
import json
import re
import shutil

import pytest

from harness.casefloor import case_floor
from harness.config import read_toml
from harness.errors import ConfigError, HarnessError
from harness.floor import add_floor_command, floors
from harness.layercost import read_network
from harness.model import read_card
from harness.profile import DeviceProfile, Facts
from harness.report.environment import Environment
from harness.report.markdown import markdown
from harness.report.results import results
from harness.report.roofline_table import multiple_of, roofline_table
from harness.report.terminal import terminal_lines
from harness.roofline import floor_of
from tests.report.builders import case, measurement, run, session

FACTS = {"int8_tops": 2.0, "fp32_tflops": 0.5, "memory_bandwidth_gb_s": 10.0}
HERE = Environment(
    started="2026-11-21T00:00:00Z", command="pytest", host="h", system="s", machine="m", python="3", harness="0"
)


@pytest.fixture
def workspace(tmp_path, checkout, monkeypatch):
    """A folder with one device and one shipped model, and the command run in it."""
    (tmp_path / "devices").mkdir()
    shutil.copytree(checkout / "suites/models/eye_state", tmp_path / "suites/models/eye_state")
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments, name="board", facts=FACTS, engines=("onnxruntime",)):
        runtimes = "\n".join(f"[runtimes.{one}]" for one in engines)
        lines = "\n".join(f"{key} = {value}" for key, value in facts.items())
        (tmp_path / "devices" / f"{name}.toml").write_text(f"[facts]\n{lines}\n{runtimes}\n", encoding="utf-8")
        parser = argparse.ArgumentParser()
        add_floor_command(parser.add_subparsers())
        parsed = parser.parse_args(["floor", f"--device={name}", *arguments])
        return parsed.command(parsed)

    return run_it


def test_the_table_has_one_row_per_case_and_says_that_nobody_measured(workspace):
    lines = workspace(engines=("onnxruntime", "litert")).splitlines()
    assert lines[0] == "board: floor only, nobody measured; 2 int8 TOPS, 0.5 fp32 TFLOPS, 10 GB/s"
    rows = [line.split() for line in lines if line.startswith("eye_state/")]
    assert [row[0] for row in rows] == [f"eye_state/{one}" for one in (
        "fp32/onnxruntime", "fp32/litert", "int8/onnxruntime", "int8/litert",
    )]  # fmt: skip
    assert rows[0][1:3] == ["137.0", "1.248"]
    assert rows[0][4:7] == ["fp32", "compute", "0.548"]
    assert rows[2][4:7] == ["int8", "compute", "0.137"]


def test_json_holds_the_same_numbers_unrounded(workspace):
    found = json.loads(workspace("--json", "--models=eye_state"))
    assert found["note"] == "floor only, nobody measured"
    assert found["facts"] == FACTS
    first = found["cases"][0]
    assert first["case"] == "board/eye_state/fp32/onnxruntime"
    assert first["floor_ms"] == pytest.approx(2 * first["macs"] / 0.5e12 * 1e3)
    assert (first["multiple"], first["missing_facts"], first["uncounted"]) == (None, [], {})


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("board", {"int8_tops": 2.0}, "memory_bandwidth_gb_s is not known: write it under [facts] in devices/board."),
        ("host", {}, "fp32_tflops is not known: write it under [facts] in devices/host.local.toml"),
        ("board", {"memory_bandwidth_gb_s": 9.0}, "bandwidth alone, without int8_tops: eye_state/int8/onnxruntime"),
    ],
)  # fmt: skip
def test_a_missing_fact_is_named_with_its_file(workspace, name, facts, words):
    assert words in workspace(name=name, facts=facts)


def test_a_local_file_gives_a_host_its_facts(workspace, tmp_path):
    (tmp_path / "devices" / "host.local.toml").write_text("[facts]\nfp32_tflops = 0.1\n", encoding="utf-8")
    assert "0.1 fp32 TFLOPS" in workspace(name="host", facts={})


@pytest.mark.parametrize("arguments", [["--models=no_such"], ["--device=nowhere"]])
def test_a_name_that_is_none_is_a_sentence(workspace, arguments):
    with pytest.raises(ConfigError, match=r"no (model|device) called"):
        workspace(*arguments)


def test_a_model_without_a_readable_file_is_a_sentence(workspace, tmp_path, checkout):
    shutil.copytree(checkout / "suites/models/simulated_eyes", tmp_path / "suites/models/simulated_eyes")
    with pytest.raises(ConfigError, match="no file whose layers can be read"):
        workspace("--models=simulated_eyes")


def test_a_variant_that_no_runtime_takes_has_the_devices_floor(checkout):
    card = read_card(checkout / "suites/models/gaze")
    profile = DeviceProfile(name="board", facts=Facts(**FACTS), runtimes={"sim": {"engine": "simulated"}})
    assert [one.case.runtime for one in floors(profile, [card])] == ["-", "-"]


@pytest.mark.parametrize(
    ("options", "variant", "precisions", "share"),
    [
        ({"precision": "int8"}, "fp32", ("int8",), 1),
        ({"precision": "fp16"}, "int8", ("int8",), 1),
        ({"fp16": True}, "fp32", ("fp16",), None),
        ({"provider_options": {"Some": {"trt_int8_enable": "1"}}}, "fp32", ("int8",), 1),
        ({"dla_core": 0}, "int8", ("int8",), 2 / 3),
        ({"provider_options": {"Some": {"trt_dla_enable": "1"}}}, "int8", ("int8",), 2 / 3),
    ],
)
def test_what_an_entry_asks_for_counts_while_nobody_measured(checkout, options, variant, precisions, share):
    card = read_card(checkout / "suites/models/gaze")
    facts = Facts(**FACTS, dla_int8_tops=1.0)
    profile = DeviceProfile(name="b", facts=facts, runtimes={"one": {"engine": "onnxruntime", **options}})
    (found,) = [one.floor for one in floors(profile, [card]) if one.case.variant == variant]
    assert found.precisions == precisions
    wanted = None if share is None else pytest.approx(share * 2 * found.network.macs / 2e12 * 1e3)
    assert found.compute_ms == wanted


TRUE_FP32 = {"provider_options": {"CUDAExecutionProvider": {"use_tf32": "0"}}}


ENTRIES = [
    ({"engine": "onnxruntime"}, True),
    ({"engine": "onnxruntime", "providers": ["CPUExecutionProvider"]}, True),
    ({"engine": "onnxruntime", "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"], **TRUE_FP32}, False),
    ({"engine": "onnxruntime", "plugin": "onnxruntime_qnn", "providers": ["QNNExecutionProvider"]}, False),
    ({"engine": "openvino"}, True),
    ({"engine": "openvino", "target": "NPU"}, False),
    ({"engine": "litert", "threads": 4}, True),
    ({"engine": "litert", "delegate": "libsome.so"}, False),
    ({"engine": "tensorrt"}, False),
]


@pytest.mark.parametrize(("entry", "cpu"), ENTRIES, ids=str)
def test_an_accelerators_peak_is_not_held_against_the_cpu_beside_it(checkout, entry, cpu):
    card = read_card(checkout / "suites/models/gaze")
    runtimes = {"accelerator": {"engine": "tensorrt"}, "one": entry}
    profile = DeviceProfile(name="b", facts=Facts(**FACTS), runtimes=runtimes)
    found = [one.floor for one in floors(profile, [card]) if one.case.runtime == "one"]
    assert [one.missing for one in found] == [("a peak of the CPU",) if cpu else ()] * 2
    assert [one.ms == one.memory_ms for one in found] == [cpu] * 2


def test_a_device_that_is_all_cpu_has_the_peaks_of_its_cpu(checkout):
    card = read_card(checkout / "suites/models/gaze")
    runtimes = {"ov": {"engine": "openvino"}, "ort": {"engine": "onnxruntime"}}
    profile = DeviceProfile(name="b", facts=Facts(**FACTS), runtimes=runtimes)
    assert all(one.floor.bound == "compute" for one in floors(profile, [card]))


@pytest.fixture
def measured(checkout):
    """A session of a shipped model on the device "bench"; facts of its profile and of its run."""

    def make(facts=FACTS, infer_ms=5.0, **ran):
        known = measurement(case("int8", "eye_state"), run(infer_ms=infer_ms, **ran))
        return session(known, cards=[read_card(checkout / "suites/models/eye_state")], facts=Facts(**facts)), known

    return make


def test_a_measured_case_stands_in_terminal_markdown_and_results(measured):
    made, known = measured(precision="as in the file")
    (row,) = [line for line in terminal_lines(made) if line.startswith("eye_state/int8/ort ") and "int8 " in line]
    assert row.split()[1:] == ["137.0", "0.316", "int8", "compute", "0.137", "5.000", "36.5"]
    assert "<summary>Roofline, 1 row</summary>" in markdown(made)
    found = results(made, HERE)["cases"][0]["roofline"]
    assert found["multiple"] == pytest.approx(5.0 / found["floor_ms"])
    assert found["sentence"] == "5 ms is 36.5 times the floor of 0.137 ms (compute, int8)"
    assert multiple_of(made, known).value == found["multiple"]


def test_the_precision_is_the_one_that_ran(measured):
    made, known = measured(layer_precisions={"f32": 1.0})
    assert multiple_of(made, known).floor.precisions == ("fp32",)


def test_a_time_below_its_floor_is_explained_under_the_table(measured):
    made, _ = measured(infer_ms=0.05, precision="as in the file")
    assert any(note.startswith("0.05 ms is below the floor of 0.137 ms") for note in roofline_table(made).notes)


def test_a_floor_without_one_of_its_facts_is_marked(measured):
    made, _ = measured(facts={"memory_bandwidth_gb_s": 10.0}, precision="as in the file")
    (row,) = roofline_table(made).groups[0][1]
    assert row[4:6] == ("-", "0.0353*")


@pytest.mark.parametrize(
    ("facts", "ran"), [({}, {}), ({"memory_mib": 4096.0}, {}), (FACTS, {"simulated": True})], ids=str
)
def test_without_facts_or_a_real_engine_there_is_no_roofline(measured, facts, ran):
    made, _ = measured(facts=facts, **ran)
    assert "Roofline" not in "\n".join((*terminal_lines(made), markdown(made)))
    assert "roofline" not in results(made, HERE)["cases"][0]


def test_a_model_file_that_has_gone_costs_the_floor_and_not_the_report(measured, tmp_path):
    made, known = measured()
    made.cases[known.case] = made.cases[known.case].model_copy(update={"folder": tmp_path})
    assert multiple_of(made, known) is None
    with pytest.raises(HarnessError, match="no such file"):
        case_floor(made.setup.profile, made.cases[known.case], known.case)


def test_the_guides_table_is_what_the_shipped_profiles_and_models_give(checkout):
    text = (checkout / "docs/roofline.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (fp32|int8) \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == 10
    for model, variant, cells in rows:
        network = read_network(checkout / f"suites/models/{model}/{variant}.onnx")
        told = [f"{network.macs / 1e6:.1f}", f"{network.parameter_bytes / 1e6:.3f}"]
        for device in ("orin", "imx8mp", "tda4vm"):
            found = floor_of(network, Facts(**read_toml(checkout / f"devices/{device}.toml").get("facts", {})))
            shown = "-" if found.ms is None else f"{found.ms:.3g}{'*' if found.missing else ''} {found.bound}".strip()
            told.append(shown)
        assert cells.split(" | ") == told
