"""The tables of what sensors told: units, uncertainties, what is not known, and which sensor is silent."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from harness.case import Run
from harness.report.markdown import markdown
from harness.report.sensor_tables import UTILISATION, energy_table, heat_table, silent_sensors
from harness.report.tables import all_tables
from harness.report.terminal import terminal_lines
from harness.telemetry import Channel, empty_trace
from tests.report.builders import case, measurement, session
from tests.traces import BEGIN_S, END_S, RULE, milliwatt, run_of, trace, working

FAULT = "permission denied"


def loaded(net_mw: float, step_mw: float = 40.0, idle_mw: float = 3000.0, **changes) -> Run:
    """Frames of 20 ms that take `net_mw` more than nothing does."""
    return run_of(trace({milliwatt(resolution=step_mw): working(idle_mw, idle_mw + net_mw)}), **changes)


def rows(table):
    """Each row as column -> cell."""
    return [dict(zip(table.columns, row, strict=True)) for _, group in table.groups for row in group]


def energy(*runs):
    (row,) = rows(energy_table(session(measurement(case(), *runs))))
    return row


def heat(*traces):
    (row,) = rows(heat_table(session(measurement(case(), run_of(*traces, rule=None)))))
    return row


def parted(cell: str) -> list[float]:
    """A value and its uncertainty."""
    return [float(one) for one in cell.split(" +- ")]


def test_power_is_told_in_watts_and_energy_in_millijoules_a_frame_with_uncertainties():
    row = energy(loaded(5000))
    assert row["case"] == "eyes/fp32/ort"
    assert [float(row[name]) for name in ("idle W", "gross W", "peak W")] == [3, 8, 8]
    gross_mj, gross_u_mj = parted(row["gross mJ/frame"])
    net_mj, net_u_mj = parted(row["net mJ/frame"])
    net_w, net_u_w = parted(row["net W"])
    assert (gross_mj, net_mj, net_w) == pytest.approx((160, 100, 3))
    assert gross_u_mj == pytest.approx(2 * 40e-3 / 12**0.5 * 20, rel=0.01)
    assert net_u_w == pytest.approx(0.03 * net_u_mj, abs=0.0005)
    assert net_u_mj > gross_u_mj
    assert float(row["fps/W"]) == pytest.approx(50 / 8)
    assert re.fullmatch(r"39\d/39\d, 0\.05 s", row["samples"])


def test_a_net_energy_that_the_sensor_does_not_resolve_is_below_resolution_and_its_power_an_interval():
    row = energy(loaded(1500, step_mw=400))
    assert row["net mJ/frame"] == "below resolution"
    net_w, net_u_w = parted(row["net W"])
    assert net_w == pytest.approx(0.9)
    assert net_u_w > 0.2 * net_w
    assert parted(row["gross mJ/frame"])[0] == pytest.approx(90)


GAP = run_of(trace({milliwatt(): working(3000, 8000)}, silent=lambda at_s: (at_s > 15) & (at_s < 17)))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (run_of(empty_trace("board", FAULT)), f"power: {FAULT}"),
        (run_of(trace({milliwatt(): working(3000, 8000)}, ended="died")), "power: died"),
        (loaded(5000, rule=replace(RULE, rails=("VIN",))), "power: board has no VIN, it has VDD_IN"),
        (run_of(trace({milliwatt(): 3000.0})), "never moved"),
        (GAP, "samples came, the longest gap is 2."),
    ],
)
def test_where_energy_is_not_known_the_reason_stands_in_its_row_and_nothing_is_zero(run, said):
    row = energy(run)
    assert said in row["samples"]
    assert {cell for name, cell in row.items() if name not in ("case", "samples")} == {"-"}


def test_a_counter_that_does_not_say_how_often_it_moves_tells_no_peak():
    counter = trace({Channel("package-0", "mJ", 1.0): lambda at_s: 8000 * at_s})
    row = energy(run_of(counter, rule=replace(RULE, rails=("package-0",))))
    assert (row["peak W"], float(row["gross W"])) == ("-", 8)


def test_several_sessions_have_the_mean_of_their_powers_and_the_highest_peak():
    row = energy(loaded(4000), loaded(6000))
    assert [float(row[name]) for name in ("gross W", "peak W")] == [8, 9]
    assert parted(row["net mJ/frame"])[0] == 100
    assert parted(row["net W"])[0] == 3


def test_only_cases_whose_energy_was_asked_for_have_a_row_and_each_scope_is_told_once():
    sessions = session(
        measurement(case("fp32"), loaded(5000), loaded(5000, rule=None)),
        measurement(case("int8"), loaded(2000)),
        measurement(case(model="lids"), loaded(2000, rule=None)),
    )
    table = energy_table(sessions)
    assert [row["case"] for row in rows(table)] == ["eyes/fp32/ort", "eyes/int8/ort"]
    assert table.notes[1:] == ("power: one rail (module)",)
    assert "k = 2" in table.notes[0]


@pytest.mark.parametrize(("simulated", "title"), [(True, "{} [SIMULATED]"), (False, "{}")])
def test_simulated_power_and_heat_are_marked(simulated, title):
    told = run_of(trace({milliwatt(): working(3000, 8000), Channel("tj", "C"): 50.0}))
    known = session(measurement(case(), told, simulated=simulated), simulated=simulated)
    assert energy_table(known).title == title.format("Power and energy")
    assert heat_table(known).title == title.format("Heat and utilisation")


def test_heat_is_told_while_frames_ran_with_its_slope_in_a_minute():
    warming = {Channel("cpu", "C"): 40.0, Channel("tj", "C"): lambda at_s: 50 + 0.1 * (at_s - BEGIN_S)}
    row = heat(trace(warming, probe="thermal"))
    assert [float(row[name]) for name in ("start C", "end C", "C/min")] == [50, 52, 6]
    assert {row[name] for name in ("throttled %", *UTILISATION)} == {"-"}


@pytest.mark.parametrize(
    ("values", "shown"), [(0.0, 0), (1.0, 100), (lambda at_s: at_s > (BEGIN_S + END_S) / 2, 100 * 200 / 401)]
)
def test_the_throttled_share_is_in_per_cent_and_never_throttled_is_zero_and_not_unknown(values, shown):
    row = heat(trace({Channel("cpu-throttle-alert", "state"): values}))
    assert float(row["throttled %"]) == pytest.approx(shown, abs=0.1)


@pytest.mark.parametrize(
    ("channel", "column"), [("cpu", "CPU %"), ("gpu.load", "GPU %"), ("emc.load", "mem. controller %")]
)
@pytest.mark.parametrize(("load", "shown"), [(37, "37 (63)"), (0, "0 (100)"), (100, "100 (0)"), (99.6, "100 (0)")])
def test_a_utilisation_has_the_headroom_left_in_brackets(channel, column, load, shown):
    row = heat(trace({Channel(channel, "%"): working(5, load)}))
    assert row[column] == shown
    assert {cell for name, cell in row.items() if name not in ("case", column)} == {"-"}


@pytest.mark.parametrize(
    "told", [[], [empty_trace("thermal", FAULT)], [trace({milliwatt(): 1.0})], [trace({Channel("tj", "C"): np.nan})]]
)
def test_without_heat_or_utilisation_there_is_no_row(told):
    assert heat_table(session(measurement(case(), run_of(*told, rule=None)))).rows == 0


@pytest.mark.parametrize(
    ("traces", "said"),
    [
        ([], []),
        ([trace({milliwatt(): 1.0})], []),
        ([trace({milliwatt(): np.nan}, reasons={"EAGAIN": 600}), trace({}, ended="died")], []),
        ([empty_trace("board", FAULT)], ["board"]),
        ([trace({milliwatt(): 1.0}), empty_trace("jtop", "no service"), empty_trace("rapl", FAULT)], ["jtop, rapl"]),
    ],
)
def test_sensors_that_could_not_be_opened_are_named_once_with_what_says_why(traces, said):
    runs = [run_of(*traces, rule=None)] * 2
    known = session(measurement(case(), *runs), measurement(case("int8"), *runs))
    assert silent_sensors(known) == [
        f"not to be read here: {one}; harness doctor --device=bench says why" for one in said
    ]
    assert any("not to be read here" in line for line in terminal_lines(known)) is bool(said)


def test_summary_and_terminal_hold_both_tables_and_neither_where_nothing_was_sensed():
    told = run_of(trace({milliwatt(resolution=40.0): working(3000, 8000), Channel("tj", "C"): 50.0}))
    known = session(measurement(case(), told))
    summary, terminal = markdown(known), "\n".join(terminal_lines(known))
    assert "<details><summary>Power and energy, 1 row</summary>" in summary
    assert "<details><summary>Heat and utilisation, 1 row</summary>" in summary
    (row,) = [line for line in summary.splitlines() if line.startswith("| eyes/fp32/ort") and "+-" in line]
    assert [cell.strip() for cell in row.strip("|").split("|")][1:4] == ["3.000", "8.000", "8.000"]
    assert "power: one rail (module)" in summary
    assert "160.0 +- " in terminal
    assert "power: one rail (module)" in terminal
    silent = session(measurement())
    assert not {"Power and energy", "Heat and utilisation"} & {one.title for one in all_tables(silent)}
    assert "Power and energy" not in markdown(silent)


def test_a_reason_from_a_device_stays_inert_in_the_summary():
    hostile = "<script>|\x1b[31m@everyone"
    summary = markdown(session(measurement(case(), run_of(empty_trace("board", hostile)))))
    assert "<script>" not in summary
    assert "\x1b" not in summary
    (row,) = [line for line in summary.splitlines() if line.startswith("| eyes/fp32/ort") and "power:" in line]
    assert row.count("|") == len(energy_table(session()).columns) + 1
