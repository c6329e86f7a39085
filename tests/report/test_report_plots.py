"""The figure of a run: whole files with names and units on them, or a sentence."""

from __future__ import annotations

import io
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from harness.errors import HarnessError
from harness.report.plots import plot_run
from harness.telemetry import Channel, Trace

MS, S = 1_000_000, 1_000_000_000
HOSTILE = "$\\frac{<a>&'\"\x1b[31m\x00\u202e\udc80\n目 _"


@pytest.fixture
def sensed_run(make_run):
    """Twenty frames with a sensor of every quantity beside them."""
    times = np.arange(10) * 100 * MS

    def trace(name, unit, values):
        return Trace(name, (Channel(f"{name}0", unit),), times, np.array([values], float).T, 100 * MS)

    traces = (
        trace("rail", "mW", [4000, 4200] * 5),
        trace("zone", "C", range(40, 50)),
        trace("core", "kHz", [1_200_000] * 9 + [800_000]),
        trace("load", "%", range(10)),
        trace("oc", "events", [0, 0, 1, 1, 1, 4, 4, 4, 4, 4]),
    )
    return make_run(np.full(20, 50 * MS), traces=traces, facts={"phases": {"idle_before": [0, S // 10]}})


def words(path):
    """All text that an SVG shows."""
    return [one.text for one in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_an_svg_names_every_quantity_with_its_unit(sensed_run, tmp_path):
    found = words(plot_run(sensed_run, "bench/eyes/fp32/ort", tmp_path / "new" / "run.svg", limit_ms=60.0))
    wanted = {
        "bench/eyes/fp32/ort", "latency (ms)", "power (W)", "temperature (°C)", "clock (GHz)", "utilisation (%)",
        "time since the first event (s)", "frame", "budget 60 ms", "rail0", "zone0", "core0", "load0", "oc/oc0",
        "throttle events", "idle",
    }  # fmt: skip
    assert wanted <= set(found)


def test_only_what_was_measured_has_a_panel(make_run, tmp_path):
    found = words(plot_run(make_run(np.full(5, 5 * MS)), "bench", tmp_path / "run.svg"))
    assert "latency (ms)" in found
    assert not {"power (W)", "temperature (°C)", "clock (MHz)", "idle", "throttle events"} & set(found)


def test_a_png_is_nine_hundred_pixels_wide(sensed_run, tmp_path):
    content = plot_run(sensed_run, "bench", tmp_path / "run.PNG").read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        assert (picture.format, picture.width) == ("PNG", 900)
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_run_gives_the_same_bytes(sensed_run, tmp_path, suffix):
    first, second = (plot_run(sensed_run, "bench", tmp_path / f"{name}{suffix}") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


@pytest.mark.parametrize(("simulated", "title"), [(True, "bench [SIMULATED]"), (False, "bench")])
def test_simulated_numbers_are_marked_in_the_title(make_run, tmp_path, simulated, title):
    run = make_run(np.full(5, 5 * MS), facts={"simulated": simulated})
    assert title in words(plot_run(run, "bench", tmp_path / "run.svg"))


@pytest.mark.parametrize(
    ("limit_ms", "said"), [(4.0, "budget 4 ms"), (12.5, "budget 12.5 ms"), (500.0, "budget 500 ms,")]
)
def test_the_budget_is_named_however_far_it_is(make_run, tmp_path, limit_ms, said):
    assert said in words(plot_run(make_run(np.full(5, 5 * MS)), "bench", tmp_path / "run.svg", limit_ms=limit_ms))


def test_a_single_reading_is_drawn(make_run, tmp_path):
    trace = Trace("rail", (Channel("VDD", "mW"),), np.array([0]), np.array([[4000.0]]), S)
    assert "power (W)" in words(plot_run(make_run([], traces=(trace,)), "bench", tmp_path / "run.svg"))


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_hostile_names_are_only_text(make_run, tmp_path, suffix):
    trace = Trace(HOSTILE, (Channel(HOSTILE, "mW"), Channel(HOSTILE, "events")), np.array([0, S]),
                  np.array([[4000.0, 0.0], [5000.0, 1.0]]), S)  # fmt: skip
    path = plot_run(make_run([], traces=(trace,)), HOSTILE, tmp_path / f"run{suffix}")
    if suffix == ".svg":
        assert any("\\x1b[31m\\x00\\u202e\\udc80\\n目" in one for one in words(path))


@pytest.mark.parametrize(
    ("name", "frames", "wrong"),
    [
        ("run.jpeg", 5, r"as \.jpeg .*run\.jpeg.*\.svg, \.png"),
        ("run", 5, r"without a suffix.*\.svg, \.png"),
        ("run.svg", 0, "nothing to draw.*neither timed frames nor samples"),
        ("file/run.svg", 5, r"cannot be written.*run\.svg.*another folder"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(make_run, tmp_path, name, frames, wrong):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match=wrong):
        plot_run(make_run(np.full(frames, 5 * MS)), "bench", tmp_path / name)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_missing_matplotlib_says_how_to_install_it(make_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(HarnessError, match=r"pip install 'dms-harness\[plots\]'"):
        plot_run(make_run(np.full(5, 5 * MS)), "bench", tmp_path / "run.svg")


def test_drawing_leaves_the_settings_of_matplotlib_alone(sensed_run, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot_run(sensed_run, "bench", tmp_path / "run.svg")
    assert dict(matplotlib.rcParams) == before
