"""The comparison views: what stands side by side, and what is never passed over in silence."""

from __future__ import annotations

import pytest

from harness.case import Case
from harness.trendreport.cells import number
from harness.trendreport.model import Limit, Table
from harness.trendreport.views.comparisons import views_of
from tests.trendreport.handmade import HOSTILE, Made, trends

FP32, INT8 = Case("orin", "eyes", "fp32", "ort"), Case("orin", "eyes", "int8", "ort")
THOR = Case("thor", "eyes", "int8", "trt")
FLOAT = {"infer_p50_ms": [4.0], "frame_p50_ms": [5.0], "frame_p99_ms": [7.0], "file_size_mb": [12.0],
         "accuracy_min_percent": [96.5]}  # fmt: skip
QUANTISED = {"infer_p50_ms": [2.0], "frame_p50_ms": [3.0], "frame_p99_ms": [4.0], "file_size_mb": [3.0],
             "accuracy_min_percent": [96.25], "energy_per_frame_mj": [5.5]}  # fmt: skip


def table(made: list[Made], title: str, floors: dict[str, float] | None = None) -> Table:
    """The view whose title has these words."""
    return next(one for one in views_of(trends(*made), floors or {}).tables if title in one.title)


def cells(found: Table, variant: str, device: str = "orin") -> dict[str, str]:
    """A row by the names of its columns."""
    row = next(one for one in found.rows if one[:2] == (variant, device))
    return dict(zip(found.columns, row, strict=True))


def test_an_empty_history_has_no_views():
    assert views_of(trends(), {}).tables == ()
    assert views_of(trends(), {}).charts == ()


def test_a_variant_stands_below_its_parent_with_loss_speed_up_and_shrink():
    found = table([Made(case=INT8, values=QUANTISED), Made(case=FP32, values=FLOAT)], "variants against fp32")
    assert [row[0] for row in found.rows] == ["fp32", "int8"]
    assert [cells(found, "int8")[name] for name in ("loss", "faster", "smaller")] == ["0.25", "2.00x", "4.00x"]
    assert [cells(found, "fp32")[name] for name in ("loss", "faster", "smaller")] == ["-"] * 3


def test_a_loss_that_was_judged_frame_by_frame_is_the_one_that_is_shown():
    judged = {**QUANTISED, "accuracy_loss_points": [0.4]}
    found = table([Made(case=INT8, values=judged), Made(case=FP32, values=FLOAT)], "variants")
    assert cells(found, "int8")["loss"] == "0.4"


def test_a_variant_is_compared_with_what_it_was_made_from():
    pruned = Case("orin", "eyes", "pruned", "ort")
    pruned_int8 = Case("orin", "eyes", "pruned_int8", "ort")
    half = {**FLOAT, "infer_p50_ms": [3.0], "file_size_mb": [6.0], "accuracy_min_percent": [89.7]}
    small = {**QUANTISED, "accuracy_min_percent": [89.55], "accuracy_loss_points": [0.15]}
    made = [Made(case=FP32, values=FLOAT), Made(case=pruned, values=half), Made(case=pruned_int8, values=small)]
    parents = {pruned.key: "fp32", pruned_int8.key: "pruned"}
    (found,) = (one for one in views_of(trends(*made), {}, parents).tables if "variants" in one.title)
    of_pruned, of_int8 = cells(found, "pruned"), cells(found, "pruned_int8")
    assert [of_int8[name] for name in ("loss", "faster", "smaller")] == ["0.15", "1.50x", "2.00x"]
    assert "parent: pruned" in of_int8["remarks"]
    assert [of_pruned[name] for name in ("loss", "faster", "smaller")] == ["6.8", "1.33x", "2.00x"]
    assert "parent" not in of_pruned["remarks"]


def test_a_parent_that_nobody_measured_is_named_and_nothing_stands_in_for_it():
    judged = {**QUANTISED, "accuracy_loss_points": [0.4]}
    made = [Made(case=FP32, values=FLOAT), Made(case=INT8, values=judged)]
    (found,) = (one for one in views_of(trends(*made), {}, {INT8.key: "pruned"}).tables if "variants" in one.title)
    row = cells(found, "int8")
    assert [row[name] for name in ("loss", "faster", "smaller")] == ["0.4", "-", "-"]
    assert "parent: pruned, not measured here" in row["remarks"]


def test_what_nobody_measured_is_a_dash_and_never_zero():
    found = table([Made(case=INT8, values={"infer_p50_ms": [2.0]}), Made(case=FP32, values={})], "variants")
    row = cells(found, "int8")
    assert row["mJ/frame"] == row["accuracy %"] == row["loss"] == row["faster"] == row["peak MB"] == "-"


def test_without_fp32_the_first_variant_is_the_parent():
    pruned = Case("orin", "eyes", "pruned", "ort")
    found = table([Made(case=pruned, values=FLOAT), Made(case=INT8, values=QUANTISED)], "variants against int8")
    assert cells(found, "pruned")["smaller"] == "0.25x"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"plan_frames": 300}, "plan_frames 300 (there 660)"),
        ({"threads": 4}, "threads 4 (there -)"),
        ({"precision": "int8"}, ""),
    ],
)
def test_a_variant_under_other_conditions_than_its_parent_is_marked(changed, words):
    made = [Made(case=FP32, values=FLOAT), Made(case=INT8, values=QUANTISED, identity=changed)]
    row = cells(table(made, "variants"), "int8")
    assert words in row["remarks"]
    assert row["faster"] == ("2.00x!" if words else "2.00x")
    assert bool(row["remarks"]) == bool(words)


def test_the_newest_valid_session_tells_the_values():
    values = {"infer_p50_ms": [1.0, 2.0, 99.0], "file_size_mb": [3.0, 3.0, 3.0]}
    made = Made(case=INT8, values=values, sessions=3, valid=[True, True, False])
    row = cells(table([made, Made(case=FP32, values=FLOAT)], "variants"), "int8")
    assert row["infer p50 ms"] == "2"
    assert row["session"] == "2026-01-02"


def test_an_invalid_session_is_shown_only_with_its_mark():
    made = Made(case=INT8, values=QUANTISED, valid=[False])
    row = cells(table([made, Made(case=FP32, values=FLOAT)], "variants"), "int8")
    assert row["infer p50 ms"] == "2"
    assert "INVALID session" in row["remarks"]


@pytest.mark.parametrize(("build", "shown"), [(["a", "a"], "96.25*"), (["a", "b"], "-"), (["", ""], "-")])
def test_an_older_value_of_the_same_build_is_marked_and_one_of_another_build_is_left_out(build, shown):
    values = {"infer_p50_ms": [2.0, 2.1], "accuracy_min_percent": [96.25, None]}
    made = Made(case=INT8, values=values, sessions=2, build=build)
    assert cells(table([made, Made(case=FP32, values=FLOAT)], "variants"), "int8")["accuracy %"] == shown


def test_rounds_beside_another_build_are_no_session_of_the_case():
    values = {"infer_p50_ms": [2.0, None], "frame_p25_ms": [3.0, 3.0]}
    made = Made(case=INT8, values=values, sessions=2, purpose=["check", "paired"])
    row = cells(table([made, Made(case=FP32, values=FLOAT)], "variants"), "int8")
    assert (row["infer p50 ms"], row["session"]) == ("2", "2026-01-01")


def test_devices_stand_beside_their_budget_and_their_floor():
    limits = {"frame_p99_ms": (Limit(limit=30.0, gate=False), Limit(limit=50.0, gate=True))}
    made = [Made(case=INT8, values=QUANTISED, limits=limits), Made(case=THOR, values=QUANTISED)]
    found = table(made, "devices", {INT8.key: 0.5})
    orin, thor = cells(found, "int8"), cells(found, "int8", "thor")
    assert [orin[name] for name in ("P99 budget ms", "floor ms", "x floor")] == ["50", "0.5", "4.00x"]
    assert [thor[name] for name in ("P99 budget ms", "floor ms", "x floor")] == ["-"] * 3


def test_a_device_measured_with_another_plan_is_marked():
    made = [Made(case=INT8, values=QUANTISED, identity={"plan_frames": 40, "soc": "other"}),
            Made(case=THOR, values=QUANTISED, first_day=9)]  # fmt: skip
    found = table(made, "devices")
    assert (
        cells(found, "int8")["remarks"] == "other conditions than the session of thor/trt: plan_frames 40 (there 660)"
    )
    assert cells(found, "int8", "thor")["remarks"] == ""


def test_a_simulated_case_says_so_and_has_no_floor():
    pretended = Case("simulated", "eyes", "int8", "sim")
    made = [Made(case=INT8, values=QUANTISED), Made(case=pretended, values=QUANTISED, simulated=True)]
    row = cells(table(made, "devices", {pretended.key: 0.1}), "int8", "simulated")
    assert row["remarks"].startswith("SIMULATED")
    assert row["floor ms"] == "-"
    assert "[SIMULATED]" not in table(made, "devices").title


def test_a_table_of_nothing_but_simulations_says_so_in_its_title():
    made = [Made(case=one, values=FLOAT, simulated=True) for one in (FP32, INT8)]
    assert all(one.title.endswith("[SIMULATED]") for one in views_of(trends(*made), {}).tables)


def test_engines_of_one_device_stand_side_by_side():
    vino = Case("orin", "eyes", "int8", "vino")
    slow = {**QUANTISED, "infer_p50_ms": [6.0]}
    made = [Made(case=INT8, values=QUANTISED, engine="onnxruntime 1.20"), Made(case=vino, values=slow)]
    found = table(made, "engines")
    assert [row[2] for row in found.rows] == ["ort (onnxruntime 1.20)", "vino"]
    assert [dict(zip(found.columns, row, strict=True))["behind"] for row in found.rows] == ["1.00x", "3.00x"]


def test_one_engine_is_not_set_beside_itself():
    titles = [one.title for one in views_of(trends(Made(case=INT8, values=QUANTISED)), {}).tables]
    assert not any("engines" in one or "variants" in one for one in titles)


def test_hostile_names_stay_text_in_their_cells():
    cases = [Case(HOSTILE, HOSTILE, variant, HOSTILE) for variant in ("fp32", HOSTILE)]
    made = [Made(case=one, values=FLOAT, identity={HOSTILE: index}, engine=HOSTILE) for index, one in enumerate(cases)]
    found = views_of(trends(*made), {})
    assert all(isinstance(cell, str) for one in found.tables for row in one.rows for cell in row)
    assert any(HOSTILE in row for one in found.tables for row in one.rows)


def test_every_row_is_as_wide_as_its_head():
    made = [Made(case=one, values=QUANTISED) for one in (FP32, INT8, THOR, Case("orin", "eyes", "int8", "vino"))]
    found = views_of(trends(*made), {}).tables
    assert len(found) == 3
    assert all(len(row) == len(one.columns) for one in found for row in one.rows)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (float("nan"), "-"), (0.0, "0"), (5.0, "5"), (12.3456, "12.35"), (123456.0, "123456"),
     (0.00012345, "0.0001234"), (1e-7, "1e-07"), (1e300, "1e+300"), (-2.5, "-2.5"), (99.99999, "100")],
)  # fmt: skip
def test_numbers_have_four_digits_that_count_and_never_become_zero(value, shown):
    assert number(value) == shown
