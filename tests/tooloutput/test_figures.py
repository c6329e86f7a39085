"""The normal form: units converted once, nothing unmeasured, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tooloutput import ToolOutputError
from harness.tooloutput.figures import SCALES, Draft, normal, percentile_name


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("84.94", "us", (0.08494, "ms")),
        ("84.94", "\u00b5s", (0.08494, "ms")),
        ("0.0587108", "sec", (58.7108, "ms")),
        ("0.0623472", "se", (62.3472, "ms")),
        ("5319681", "ns", (5.319681, "ms")),
        ("2.54521e+06", "qps", (2545210.0, "1/s")),
        ("500000", "KB", (512.0, "MB")),
        ("10", "MiB", (10.48576, "MB")),
        ("123456789", "bytes", (123.456789, "MB")),
        ("4", "count", (4.0, "")),
        (" 7.5 ", "ms", (7.5, "ms")),
        (0.1, "s", (100.0, "ms")),
    ],
)
def test_a_value_is_converted_exactly_once(value: object, unit: str, expected: tuple[float, str]) -> None:
    assert normal(value, unit) == expected


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-1", "1e999", "", "12,5", "None", None, True, [], "1e9999999999999999999"]
)
def test_what_is_no_number_from_zero_on_is_none(value: object) -> None:
    assert normal(value, "ms") is None


def test_an_unknown_unit_is_none() -> None:
    assert normal("5", "furlongs") is None


@pytest.mark.parametrize(
    ("percent", "name"),
    [("50", "median"), ("50.00", "median"), ("99.90", "p99.9"), ("99", "p99"), ("x", "percentile x")],
)
def test_a_percentile_has_one_name(percent: str, name: str) -> None:
    assert percentile_name(percent) == name


def test_a_printed_zero_is_no_measurement() -> None:
    draft = Draft("tool")
    draft.add("latency", "2", "ms", "mean")
    draft.add("copy_in", "0.00", "ms", "mean")
    output = draft.done()
    assert [one.name for one in output.numbers] == ["latency"]
    assert output.warnings == ("copy_in (mean) is printed as 0.00: taken as not measured",)


def test_a_line_with_no_number_is_kept_as_a_warning() -> None:
    draft = Draft("tool")
    draft.add("latency", "2", "ms", "mean")
    draft.add("load", "soon", "ms", "once", line="Load took soon")
    assert draft.done().warnings == ("not understood: Load took soon",)


def test_a_layer_that_did_not_run_has_no_time_and_one_below_the_resolution_has_zero() -> None:
    draft = Draft("tool")
    draft.layer("fused", "0.000", "ms", ran=False)
    draft.layer("tiny", "0.000", "ms")
    assert [one.value for one in draft.done().layers] == [None, 0.0]


@pytest.mark.parametrize(
    ("numbers", "doubt"),
    [
        ((("mean", 5.9), ("min", 56.0)), "the mean of latency lies outside its minimum and maximum: not of one run"),
        ((("p99", 9.0), ("max", 8.0)), "the p99 of latency lies outside its minimum and maximum: not of one run"),
        ((("mean", 5.0), ("mean", 6.0)), "latency stands there with different values: the text holds several runs"),
    ],
)
def test_numbers_that_contradict_each_other_are_doubted(numbers: tuple[tuple[str, float], ...], doubt: str) -> None:
    draft = Draft("tool")
    for statistic, value in numbers:
        draft.add("latency", value, "ms", statistic)
    assert draft.done().warnings == (doubt,)


def test_the_same_number_twice_is_one() -> None:
    draft = Draft("tool")
    for _ in range(2):
        draft.add("latency", "2", "ms", "mean")
    assert len(draft.done().numbers) == 1


def test_nothing_found_is_an_error_that_shows_a_line() -> None:
    draft = Draft("tool")
    draft.unread("hello world")
    with pytest.raises(ToolOutputError, match="nothing of tool in the text; not understood: hello world"):
        draft.done()


@given(st.text(), st.sampled_from(sorted(SCALES)))
def test_any_text_is_a_number_or_none(text: str, unit: str) -> None:
    found = normal(text, unit)
    assert found is None or 0 <= found[0] < float("inf")
