"""The table of where each case ran: what the engine told, and a dash for what it did not."""

from __future__ import annotations

from harness.report.placement_table import placement_table
from tests.report.builders import case, measurement, session
from tests.traces import run_of

FUSION = {"convolutions": 8, "with_activation": 6, "batch_norms": 1}


def row(**facts):
    table = placement_table(session(measurement(case(), run_of(rule=None, **facts))))
    rows = [dict(zip(table.columns, cells, strict=True)) for _, group in table.groups for cells in group]
    return rows[0] if rows else None


def test_a_row_tells_unit_share_pieces_precisions_and_fusion():
    told = row(
        engine="tensorrt", version="10.3", promised="DLA", placement={"GPU": 0.07, "DLA": 0.93}, partitions=2,
        layer_precisions={"FP16": 0.1, "INT8": 0.9}, fusion=FUSION,
    )  # fmt: skip
    assert told == {
        "case": "eyes/fp32/ort", "engine": "tensorrt 10.3", "promised": "DLA", "placed %": "93", "parts": "2",
        "units": "DLA 93, GPU 7", "layers": "INT8 90, FP16 10", "fused": "6/8", "BN": "1",
    }  # fmt: skip


def test_many_units_are_counted_and_the_largest_named():
    placement = {"A": 0.5, "B": 0.3, "C": 0.1, "D": 0.06, "E": 0.04}
    assert row(engine="x", promised="A", placement=placement)["units"] == "A 50, B 30, C 10, 2 more"


def test_what_the_engine_does_not_tell_is_a_dash_and_an_engine_that_tells_nothing_has_no_row():
    told = row(engine="x", promised="NPU", placement={"NPU": 1.0})
    assert [told[name] for name in ("parts", "layers", "fused", "BN")] == ["-"] * 4
    assert row(engine="x", version="1", promised="") is None
