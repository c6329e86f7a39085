"""From a history in a file to everything that a report shows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from harness.errors import ConfigError
from harness.history import open_history
from harness.trendreport import read_trends
from tests.trendreport.histories import CASE, PARENT, frames_run, run, session, steady_case, write_history


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """A history of two steady cases."""
    sessions = [*steady_case(days=16), *steady_case(PARENT, days=16, typical_ms=9.0, seed=2)]
    path = write_history(tmp_path_factory.mktemp("history") / "h.sqlite", sessions)
    with open_history(path) as history:
        history.annotate(None, "2026-01-05T00:00:00Z", "note", "a new fan", "ann")
    return path


def trends(path, **options):
    with open_history(path) as history:
        return read_trends(history, **options)


def test_a_history_fills_every_part_of_the_report(steady, checkout):
    found = trends(steady, root=checkout)
    assert found.overview.state == "PASS"
    assert {row.case for row in found.rows} == {CASE, PARENT}
    assert found.views.tables
    assert found.health
    assert found.provenance
    assert [one.text for one in found.annotations] == ["a new fan"]
    newest = {track.ids[-1] for track in found.tracks}
    assert newest <= found.details.keys()


def test_the_history_alone_is_enough(steady):
    found = trends(steady)
    assert found.views.tables
    assert found.provenance


def test_a_session_is_shown_in_detail_where_somebody_asks(steady):
    oldest = trends(steady).tracks[0].ids[0]
    assert oldest not in trends(steady).details
    assert oldest in trends(steady, detail_ids=[oldest[:12]]).details


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"detail_ids": ["zzzz"]}, "no session begins with 'zzzz'"),
        ({"metrics": ["frame_p25ms"]}, "did you mean 'frame_p25_ms'"),
    ],
)
def test_what_nobody_knows_is_an_error_with_candidates(steady, options, said):
    with pytest.raises(ConfigError, match=said):
        trends(steady, **options)


def test_metrics_that_are_not_judged_are_read_where_somebody_asks(tmp_path):
    values = {"load_ms": (5.0,), "pss_mb": (90.0,), "warp_factor": (9.0,)}
    path = write_history(tmp_path / "h.sqlite", [session(1, values)])
    assert {one.metric for one in trends(path).series} == {"load_ms"}
    assert "2 further metrics not shown (pss_mb, warp_factor)" in trends(path).notes[0]
    assert {one.metric for one in trends(path, metrics=["pss_mb"]).series} == {"load_ms", "pss_mb"}
    assert {one.metric for one in trends(path, metrics=["all"]).series} == set(values)


def test_rounds_beside_another_build_do_not_hide_what_the_harness_costs(tmp_path):
    sessions = steady_case(days=16)
    beside = session(20, {"frame_p25_ms": (5.0,)}, purpose="paired", runs=(replace(frames_run(), marks={}),))
    path = write_history(tmp_path / "h.sqlite", [*sessions, beside])
    costs = next(one for one in trends(path).health if one.title.startswith("Cost of the harness"))
    assert costs.rows


def test_an_empty_history_is_read_as_nothing(tmp_path):
    found = trends(tmp_path / "h.sqlite")
    assert (found.overview.state, found.tracks, found.details) == ("NOTHING MEASURED", (), {})


def test_a_recorded_run_that_measured_nothing_is_read(tmp_path):
    with open_history(tmp_path / "h.sqlite") as history:
        history.record_run(run(1, CASE))
        assert read_trends(history).overview.state == "ERROR"


def test_the_package_loads_nothing_heavy_before_somebody_reads():
    heavy = "[one for one in ('numpy', 'sqlalchemy', 'scipy') if one in sys.modules]"
    code = f"import sys, harness.trendreport; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
