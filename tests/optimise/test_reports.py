"""What people read of a run: Markdown, one HTML file, a picture."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.optimise.columns import COLUMNS, columns_of, with_bounds
from harness.optimise.figure import front_svg
from harness.optimise.report import markdown, page, write_report
from harness.optimise.results import read_result
from harness.optimise.rows import Interval
from tests.optimise.samples import PARENT, made, result, row

FP32 = row(PARENT, 2.0)
INT8 = row("int8", 1.0, 0.1, 0.3)
BROKEN = row("broken", values={}, verdicts=(), reason="Softplus cannot be quantised")


def titles(*rows) -> list[str]:
    return [one.title for one in columns_of(result(*rows))]


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (None, "-"), (Interval(value=1.5), "1.50"), (Interval(value=1.5, low=1.0, high=2.0), "1.50 [1.00, 2.00]"),
        (Interval(value=1.5, high=2.0), "1.50 [-, 2.00]"),
    ],
)  # fmt: skip
def test_an_interval_shows_the_side_that_nothing_bounds(interval, text):
    assert with_bounds(interval, 2) == text


def test_a_column_that_tells_nothing_of_any_row_is_left_out():
    assert "mJ a frame" not in titles(FP32, INT8)
    assert "mJ a frame" in titles(FP32, row("int8", energy_mj=3.0))
    assert "flips %" not in titles(FP32, INT8)


def test_every_column_has_a_title_of_its_own_and_a_meaning():
    assert len({one.title for one in COLUMNS}) == len(COLUMNS)
    assert all(one.meaning for one in COLUMNS)


def test_markdown_has_a_row_for_each_measured_candidate_and_the_reason_of_each_other():
    lines = markdown(result(FP32, INT8, BROKEN)).splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][2:] == ["| fp32", "| int8"]
    assert "- broken on onnxruntime: Softplus cannot be quantised" in lines


def test_the_row_to_take_stands_first_in_words_and_is_marked_in_the_table():
    text = markdown(result(FP32, INT8))
    assert "Taken: int8 on onnxruntime: the fastest of 1" in text
    assert re.search(r"\| int8 \| onnxruntime \| taken; front \|", text)


def test_a_row_that_is_not_taken_says_why_among_the_remarks():
    text = markdown(result(FP32, row("int8", refused="peak_memory_mb")))
    assert "- int8 on onnxruntime: cannot be taken: peak_memory_mb is FAIL" in text


def test_what_is_true_of_several_rows_is_told_once_for_all_of_them():
    loaded = [replace(one, disturbed=True) for one in (INT8, row("qat", 1.1))]
    (line,) = [one for one in markdown(result(FP32, *loaded)).splitlines() if "took more than" in one]
    assert line.startswith("- int8 on onnxruntime, qat on onnxruntime: other load took more than 5 %")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"sentence": "nothing to simplify"}, "- int8: nothing to simplify"),
        ({"onnx": {"notes": ["7 of 8 layers keep their float weights"]}}, "- int8: onnx: 7 of 8 layers keep"),
        ({"onnx": {"sentence": "one layer in float", "notes": []}}, "- int8: onnx: one layer in float"),
    ],
)
def test_what_a_technique_says_of_its_work_is_told(facts, said):
    assert said in markdown(result(FP32, INT8, made={"int8": {**made("int8"), "facts": facts}}))


def test_a_format_that_could_not_be_made_is_told():
    told = {"int8": {**made("int8"), "failures": {"tflite": "the operator CUMSUM has no integer form"}}}
    assert "int8: no tflite file: the operator CUMSUM" in markdown(result(FP32, INT8, made=told))


class Outline(html.parser.HTMLParser):
    """What of a page loads something, runs, or is left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loading: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            loads = name in ("src", "srcset", "href", "xlink:href") and not (value or "").startswith(("#", "data:"))
            self.loading += [f"{tag} {name}={value}"] if loads or name.startswith("on") else []
        self.loading += [tag] if tag in ("script", "iframe", "object", "embed") else []
        self.open += [tag] if tag in ("table", "tr", "section", "figure", "svg", "body", "html") else []

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_loads_nothing_runs_nothing_and_is_closed():
    outline = Outline()
    outline.feed(page(result(FP32, INT8, BROKEN)))
    assert outline.loading == []
    assert outline.open == []


def test_hostile_words_stay_words():
    evil = "<script>alert(1)</script>\u202e|`x`"
    text = page(result(FP32, replace(INT8, candidate=evil, remarks=(evil,)), row(evil, values={}, reason=evil)))
    assert "<script>" not in text
    assert "\u202e" not in text
    assert "<script>" not in markdown(result(FP32, replace(BROKEN, reason=evil)))


def test_the_same_result_gives_the_same_bytes():
    assert page(result(FP32, INT8)) == page(result(FP32, INT8))


def test_the_picture_is_one_element_that_names_front_and_runtimes():
    svg = front_svg(result(FP32, INT8, row("slow", 3.0, 0.5), row("slow", 3.1, 0.5, runtime="openvino")))
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for word in ("int8", "fp32", "onnxruntime", "openvino", "loss against FP32", "typical frame"):
        assert word in svg


def test_without_a_row_to_compare_there_is_no_picture():
    assert front_svg(result(BROKEN)) == ""
    assert "no candidate could be measured" in page(result(BROKEN))


def test_the_json_gives_the_result_back(tmp_path):
    before = result(FP32, INT8, BROKEN, notes=("one",), adopted="written")
    paths = write_report(before, tmp_path)
    assert [path.name for path in paths] == ["report.json", "report.md", "report.html"]
    assert read_result(tmp_path / "report.json") == before
