"""`harness interference` as a person runs it."""

from __future__ import annotations

import json
import re

import pytest

from harness.case import Case
from harness.errors import ConfigError
from harness.interference.command import wanted_of, window_plan
from harness.interference.matrix import Degradation
from harness.interference.report import Found, as_json, markdown, text
from tests.workspace import Workspace

FOUND = Found(
    device="host", machine="x86_64", at="2026-11-22T00:00:00Z", harness="0.1.0", seconds=30.0, blocks=8,
    tool="stress-ng", simulated=False, cores_taken={"cpu": 1.9}, notes=("something | odd",),
    rows=(
        (
            Degradation(load="cpu", case="host/eyes/fp32/ort", blocks=8, ratio=1.5, low=1.2, high=float("inf"),
                        quiet_p99_ms=4.0, loaded_p99_ms=6.0),
            Degradation(load="cpu", case="host/gaze/fp32/ort", fault="it crashed"),
        ),
    ),
)  # fmt: skip


def without_int8(card):
    head, _, rest = card.read_text().partition("[variants.int8]")
    return head + rest[rest.index("[budgets]") :]


def test_the_simulated_device_is_measured_beside_a_real_load_that_it_does_not_feel(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    (workspace.models / "eyes" / "model.toml").write_text(without_int8(workspace.models / "eyes" / "model.toml"))
    options = ("--device=simulated", "--models=eyes", "--loads=cpu", "--seconds=1", "--blocks=1")
    done = workspace.harness("interference", *options)
    assert done.status == 0, done.output
    assert "SIMULATED, which no load can slow" in done.output
    folder = tmp_path / "reports" / "interference" / "simulated"
    found = json.loads((folder / "interference.json").read_text())
    cell = found["rows"][0][0]
    assert (cell["load"], cell["case"], cell["blocks"]) == (
        "cpu",
        Case("simulated", "eyes", "fp32", "simulated").key,
        1,
    )
    assert cell["ratio"] == pytest.approx(1, abs=0.1)
    assert "high" not in cell  # one window has no interval
    assert found["cores_taken"]["cpu"] > 0
    assert re.search(r"x(0\.9|1\.0)\d \(no interval\)", (folder / "interference.md").read_text())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--loads=cpu,gpu"], "no load called 'gpu'"),
        (["--loads=none"], "names no load"),
        (["--blocks=0"], "--blocks=0: at least 1"),
        (["--seconds=0"], "--seconds=0: more than 0"),
        (["--device=simulatd"], "did you mean 'simulated'?"),
        (["--models=eyse", "--device=simulated"], "did you mean 'eyes'?"),
    ],
)
def test_a_wrong_name_or_number_ends_with_status_4_and_says_so(tmp_path, options, said):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    done = workspace.harness("interference", *options)
    assert done.status == 4, done.output
    assert said in done.output
    assert "Traceback" not in done.output


def test_each_load_is_asked_once_and_no_time_is_no_window():
    assert wanted_of(" cpu, io,cpu,none", 3).loads == ("cpu", "io")
    assert window_plan(2.5).minimum_s == 2.5
    with pytest.raises(ConfigError):
        window_plan(float("nan"))


def test_what_could_not_be_measured_has_its_reason_and_no_number():
    told = "\n".join(text(FOUND))
    assert "x1.50 (no interval)" in told
    assert "not measured" in told
    assert "host/gaze/fp32/ort: not measured: it crashed" in told
    assert "cpu: arithmetic that stays in the core's caches, by stress-ng; it took 1.90 cores" in told
    assert "something &#124; odd" in "\n".join(markdown(FOUND))
    cells = json.loads(as_json(FOUND))["rows"][0]
    assert "high" not in cells[0]
    assert "ratio" not in cells[1]
