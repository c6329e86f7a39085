"""Which difference between two settings is one, and how it is told. Pure."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.memory.report import Found, Section, markdown, spread, text, told, write_found
from harness.memory.rows import Row, apart, chance, compared, differences

FIGURES = ("peak_memory_mb", "infer_p50_ms")
values = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=6)


def row(name: str = "default", peak=(20.0, 20.2, 20.1, 20.3), p50=(1.5, 1.6, 1.4, 1.7), **changes) -> Row:
    figures = {"peak_memory_mb": tuple(peak), "infer_p50_ms": tuple(p50)}
    return Row(**{"runtime": "onnxruntime", "name": name, "figures": figures, **changes})


def found(*rows: Row, rounds: int = 4, **changes) -> Found:
    section = Section(title="onnxruntime: settings", figures=(*FIGURES, "infer_p99_ms"), rows=rows)
    plain = {
        "device": "host", "model": "eyes", "variant": "fp32", "machine": "a processor, 2 cores",
        "at": "2026-11-21T10:00:00Z", "harness": "0.1.0", "plan": "standard", "rounds": rounds, "simulated": False,
    }  # fmt: skip
    return Found(**{**plain, "sections": (section,), **changes})


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (row("same"), "within the noise"),
        (row("smaller", peak=(17.0, 17.3, 17.1, 17.2)), "peak MB -3"),
        (row("slower", p50=(3.0, 3.2, 3.1, 2.9)), "p50 ms +97 %"),
        (row("both", peak=(17.0, 17.3, 17.1, 17.2), p50=(3.0, 3.2, 3.1, 2.9)), "peak MB -3, p50 ms +97 %"),
        (row("one among the others", peak=(17.0, 17.3, 17.1, 20.2)), "within the noise"),
        (row("short", peak=(17.0, 17.3, 17.1), p50=(3.0, 3.2, 3.1)), "too few processes"),
        (row("silent", figures={}), "too few processes"),
    ],
    ids=lambda one: one.name if isinstance(one, Row) else "",
)
def test_a_difference_is_told_only_where_the_processes_do_not_overlap(own, said):
    assert told(row(), own, FIGURES) == said


def test_a_setting_beside_a_default_that_was_not_measured_says_so():
    assert told(row(figures={}, reason="no engine"), row("smaller"), FIGURES) == "default was not measured"


def test_a_default_of_nothing_has_a_difference_and_no_share():
    (grown,) = differences(row(figures={"all_mb": (0.0,) * 4}), row(figures={"all_mb": (2.0,) * 4}), ["all_mb"])
    assert (grown.change, grown.percent) == (2.0, None)


@given(values, values)
def test_apart_means_that_one_lies_wholly_below_the_other(one, other):
    assert apart(one, other) == (not min(other) <= max(one) or not min(one) <= max(other))
    assert apart(one, other) == apart(other, one)
    assert not apart(one, one)


@pytest.mark.parametrize(("one", "other"), [(2, 2), (3, 4), (4, 4), (5, 3)])
def test_the_chance_is_that_of_all_orders_of_equal_processes(one, other):
    ranks = range(one + other)
    splits = list(combinations(ranks, one))
    lucky = sum(apart(split, [rank for rank in ranks if rank not in split]) for split in splits)
    assert chance(one, other) == pytest.approx(lucky / len(splits))


def test_each_figure_that_is_compared_counts_once():
    assert compared(row(), row("same"), FIGURES) == [chance(4, 4)] * 2
    assert compared(row(), row("short", peak=(1.0,), p50=(1.0,)), FIGURES) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [((), "-"), ((2.0,), "2.00"), ((20.0, 20.2, 20.1), "20.1 [20.0, 20.2]"), ((0.5, 0.4), "0.45 [0.40, 0.50]")],
)
def test_a_figure_has_its_spread_where_there_is_one(values, said):
    assert spread(values) == said


def test_the_text_tells_machine_date_rows_and_reasons():
    lines = text(
        found(row(does="as it is"), row("smaller", peak=(17.0, 17.3, 17.1, 17.2)), row("refused", figures={},
              reason="ONNX Runtime refuses the model")),
    ).splitlines()  # fmt: skip
    assert lines[0].startswith("memory of eyes/fp32 on host, a processor, 2 cores, 2026-11-21, harness 0.1.0")
    assert lines[2] == "onnxruntime: settings"
    assert lines[3].split() == ["peak", "MB", "p50", "ms", "against", "default"], "nothing tells a p99"
    assert lines[5].split()[:2] == ["smaller", "17.1"]
    assert lines[5].endswith("peak MB -3")
    assert "  refused: not measured: ONNX Runtime refuses the model" in lines
    assert lines[-1].endswith("of the 2 figures compared, luck alone would set 0.1 apart.")


def test_too_few_processes_are_told_instead_of_a_verdict():
    assert text(found(row(), rounds=3)).splitlines()[-1].startswith("Too few processes")


def test_a_simulated_device_is_told_as_such():
    assert text(found(row(), simulated=True)).startswith("SIMULATED: memory of eyes/fp32")


def test_markdown_keeps_foreign_text_from_becoming_markup():
    page = "\n".join(markdown(found(row(), row("<b>", figures={}, reason="a | b"))))
    assert r"| default | 20.1 \[20.0, 20.3\] | 1.55 \[1.40, 1.70\] |" in page
    assert "<b>" not in page
    assert "a &#124; b" in page


def test_everything_is_in_the_files(tmp_path):
    paths = write_found(found(row(), row("smaller", peak=(17.0,) * 4)), tmp_path)
    assert [one.name for one in paths] == ["memory.md", "memory.json"]
    kept = json.loads(paths[1].read_text())
    assert kept["sections"][0]["rows"][1]["figures"]["peak_memory_mb"] == [17.0] * 4
    assert paths[0].read_text().startswith("# Memory: eyes, fp32\n")
