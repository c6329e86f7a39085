"""The table over all models and platforms, in which each platform has its own section."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ConfigError
from harness.optimise.table import INTRO, check_table, with_section, write_table
from tests.optimise.samples import PARENT, result, row

OTHER = {"facts": {"engine": "tensorrt", "version": "10.3", "cpu": "A board", "cores": 6}}


def host(**changes):
    return result(row(PARENT, 2.0), row("int8", 1.0, speedup=2.2), **changes)


def board(**changes):
    return result(row(PARENT, 2.0, **OTHER), row("int8", 1.0, speedup=4.4, **OTHER), device="orin", **changes)


def test_a_new_file_tells_machine_versions_date_seed_frames_and_every_column():
    text = with_section(INTRO, [host()])
    for word in ("A processor, 2 cores", "onnxruntime 1.31.1", "onnx 1.23.2", "2026-11-21", "seed 1", "8000 labelled"):
        assert word in text
    assert "**speed-up**: of the typical whole frame" in text


def test_a_platform_replaces_its_own_section_and_no_other():
    both = with_section(with_section(INTRO, [host()]), [board()])
    again = with_section(both, [host(seed=7)])
    assert again.count("## host, A processor") == again.count("## orin, A board") == 1
    assert "seed 7" in again
    orin = both[both.index("<!-- platform: orin") :]
    assert again.endswith(orin)


def test_the_same_results_leave_the_file_as_it_is():
    text = with_section(with_section(INTRO, [host()]), [board()])
    assert with_section(with_section(text, [host()]), [board()]) == text


def test_what_people_wrote_around_the_sections_stays():
    text = with_section(INTRO + "\nMind the fan.\n", [host()]) + "\nA closing word.\n"
    again = with_section(with_section(text, [host(seed=9)]), [board()])
    assert "Mind the fan." in again
    assert "A closing word." in again


def test_which_device_fits_which_model_is_told_over_all_platforms():
    gaze = [host(), host(model="gaze", best=replace(host().best, found=False))]
    text = with_section(with_section(INTRO, gaze), [board()])
    lines = [line for line in text[: text.index("<!-- end of fits -->")].splitlines() if line.startswith("| ")][2:]
    assert lines == [
        "| eyes | fits: int8 on onnxruntime, P99 1.2 of 20 ms | fits: int8 on onnxruntime, P99 1.2 of 20 ms |",
        "| gaze | fits as FP32 on onnxruntime; no variant can be taken | not measured |",
    ]


def test_speed_ups_are_told_per_engine_from_the_lowest_to_the_highest_model():
    other = result(row(PARENT), row("int8", speedup=3.1), row("int8", speedup=1.5, runtime="litert"), model="gaze")
    text = with_section(INTRO, [host(), other])
    assert "| candidate | onnxruntime | litert |" in text
    assert "| int8 | 2.20 to 3.10 | 1.50 |" in text


def test_a_failed_candidate_has_its_line():
    text = with_section(INTRO, [result(row(PARENT), row("int8", values={}, reason="it crashed"))])
    assert "- int8 on onnxruntime: it crashed" in text


def test_a_name_cannot_end_a_comment():
    evil = {"facts": {"cpu": "a --> <!-- end of platform -->", "cores": 1}}
    results = [result(row(PARENT, **evil), row("int8", **evil))]
    text = with_section(INTRO, results)
    assert with_section(text, results) == text
    assert text.count("\n<!-- end of platform -->\n") == 1


@pytest.mark.parametrize("name", ["results.txt", "results", "nowhere/results.md"])
def test_a_file_that_cannot_be_is_refused_before_anything_is_measured(tmp_path, name):
    with pytest.raises(ConfigError, match="--table"):
        check_table(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!-- summary: [", "<!-- summary: {"), ('"limit_ms"', '"limit"'), ('"limit_ms": 20.0', '"limit_ms": "a"'),
        ('"model": "eyes", ', ""), ("# Results", "\udcff"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_or_was_spoiled_is_refused(tmp_path, old, new):
    path = write_table(tmp_path / "results.md", [host()])
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ConfigError, match=r"results\.md|summary"):
        check_table(path)
