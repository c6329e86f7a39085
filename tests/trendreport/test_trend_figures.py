"""Static figures: one of the whole and one per open row, the same bytes every time, names as plain text."""

from __future__ import annotations

import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.record import Annotation
from harness.trendreport.figures import MOST_ROWS, Figures, draw_figures, figure_files, file_name
from tests.trendreport.byhand import every_kind, hostile, overview, row, series, track, trends

SVG = "{http://www.w3.org/2000/svg}"
FAILED = row(outcome="FAIL")
PNG_START = b"\x89PNG\r\n\x1a\n"


def texts(path):
    """All words of an SVG."""
    return " ".join("".join(one.itertext()) for one in ElementTree.parse(path).iter(f"{SVG}text"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Figures:
    return draw_figures(every_kind(), tmp_path_factory.mktemp("drawn") / "figures")


def test_there_is_an_overview_and_a_trend_of_every_open_row_that_has_a_series(drawn):
    assert set(drawn.of_row) == {
        f"bench/eyes/int8/ort {name}" for name in ("frame_p99_ms", "accuracy_min_percent", "fps_mean", "frame_p25_ms")
    }
    assert sorted(drawn.files) == sorted(drawn.files[0].parent.iterdir())
    assert [path.suffix for path in drawn.files] == [".png", ".svg"] * 5
    assert all(path.read_bytes().startswith(PNG_START) for path in drawn.of_row.values())


def test_the_same_trends_give_the_same_bytes(tmp_path):
    shown = trends(row(outcome="FAIL"))
    first, second = (draw_figures(shown, tmp_path / name).files for name in ("a", "b"))
    assert [one.name for one in first] == [one.name for one in second]
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]


def test_the_overview_says_the_verdict_and_every_open_row(drawn):
    words = texts(drawn.files[1])
    assert "FAIL [partly SIMULATED]: 3 of 4 rows pass. Next: look at the FAIL rows" in words
    assert "MISSING  bench/eyes/fp32/ort load_ms" in words
    assert "2 rows inside the noise, reported only or not of the newest run are not drawn" in words


def test_a_trend_names_its_band_its_budgets_its_steps_and_its_remarks(tmp_path):
    drawn = draw_figures(trends(row(outcome="FAIL", flags=("simulated",))), tmp_path)
    words = texts(drawn.files[-1])
    expected = (
        "bench/eyes/int8/ort frame_p99_ms [SIMULATED]", "FAIL: so it is: FAIL", "budget 50 ms,", "far away",
        "advice 10.3 ms", "+3.5 %", "firmware: new BSP", "other conditions", "invalid session: hollow", "2026-01-01",
    )  # fmt: skip
    assert [one for one in expected if one not in words] == []


def test_names_are_plain_text_and_safe_file_names(tmp_path):
    drawn = draw_figures(hostile(), tmp_path)
    assert "<script>alert(1)</script>" in texts(tmp_path / "overview.svg")
    assert {path.parent for path in drawn.files} == {tmp_path}
    formula = draw_figures(trends(row("$x^2$", "FAIL")), tmp_path)
    assert "$x^2$" in texts(formula.files[-1])


def test_names_that_differ_only_in_what_a_file_cannot_hold_stay_apart():
    names = [file_name(row(metric)) for metric in ("a/b", "a b", "a:b", "../../a.b", "x" * 500)]
    assert len(set(names)) == 5
    assert all(len(name) < 120 and "/" not in name and not name.startswith(".") for name in names)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(trends(overview=overview("NOTHING MEASURED"), tracks=(), series=(), newest=""), id="nothing"),
        pytest.param(trends(FAILED, tracks=(track(count=1),), series=(series(count=1),)), id="one session"),
        pytest.param(trends(FAILED, tracks=(track(valid=np.zeros(40, bool)),)), id="only invalid sessions"),
        pytest.param(trends(FAILED, series=(series(value=np.full(40, 7.0)),)), id="constant"),
        pytest.param(trends(FAILED, series=(series(value=np.full(40, 1e300)),)), id="huge"),
        pytest.param(trends(FAILED, series=(series(value=np.full(40, 1e308)),)), id="as large as can be"),
        pytest.param(trends(FAILED, series=(series(count=0),)), id="no points"),
        pytest.param(trends(FAILED, series=(series(index=np.arange(5, 8), value=np.ones(3),
                                                   outcome=np.zeros(3, np.int8)),)), id="three points"),
    ],
)  # fmt: skip
def test_whatever_there_is_can_be_drawn(tmp_path, shown):
    assert draw_figures(shown, tmp_path).files


def test_a_long_series_is_drawn_from_its_newest_part(tmp_path):
    count = 3000
    long = trends(row(outcome="FAIL"), tracks=(track(count=count),), series=(series(count=count),))
    words = texts(draw_figures(long, tmp_path).files[-1])
    assert "sessions 2501 to 3000, by their date" in words


def test_the_rows_beyond_the_weightiest_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.trendreport.figures.MOST_ROWS", 1)
    drawn = draw_figures(trends(*(row(name, "FAIL") for name in "abc"), row("d", "FAIL", series=None)), tmp_path)
    assert (len(drawn.of_row), drawn.left_out) == (1, 3)
    assert MOST_ROWS > 10


def test_a_figure_whose_numbers_cannot_be_drawn_is_left_out_and_counted(tmp_path):
    drawn = draw_figures(trends(FAILED, series=(series(value=np.tile([-1e308, 1e308], 20)),)), tmp_path)
    assert (drawn.of_row, drawn.left_out) == ({}, 1)
    assert [path.name for path in drawn.files] == ["overview.png", "overview.svg"] == names_in(tmp_path)


def names_in(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("shown", [every_kind(), hostile()], ids=["every kind", "hostile"])
def test_the_files_are_known_before_they_are_drawn(tmp_path, shown):
    assert figure_files(shown, tmp_path) == list(draw_figures(shown, tmp_path).files)


def test_a_row_that_is_not_of_the_newest_run_has_no_figure(tmp_path):
    drawn = draw_figures(trends(row(), row("load_ms", current=False, in_noise=False)), tmp_path)
    assert (drawn.of_row, drawn.left_out) == ({}, 0)
    assert "2 rows inside the noise, reported only or not of the newest run" in texts(drawn.files[1])


def test_a_remark_behind_the_newest_session_is_drawn_behind_it(tmp_path):
    later = Annotation(at="2026-12-01T00:00:00Z", kind="note", text="behind all", author="ann")
    words = texts(draw_figures(trends(FAILED, annotations=(later,)), tmp_path).files[-1])
    assert "note: behind all" in words


def test_without_matplotlib_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(HarnessError, match=r"figures need matplotlib.*pip install 'dms-harness\[plots\]'"):
        draw_figures(every_kind(), tmp_path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match="the figure cannot be written"):
        draw_figures(replace(every_kind(), rows=()), tmp_path / "file" / "figures")
