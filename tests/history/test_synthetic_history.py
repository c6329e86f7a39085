"""The large history of the benchmarks: the program reads it as any other, and its verdicts are the program's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trendhistory import synthetic_history
from harness.history import open_history
from harness.rejudge import replayed
from harness.stats.bounds import nearest_rank
from harness.trendreport.gather.claims import claim_of
from harness.trendreport.metricwords import unit_of


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_history(tmp_path_factory.mktemp("large") / "h.sqlite", cases=5, metrics=5, sessions=200)


def test_it_is_whole_and_every_verdict_can_be_replayed(path):
    with open_history(path, create=False) as history:
        assert history.check() == []
        sessions = history.sessions()
    assert Counter(one.case for one in sessions) == dict.fromkeys({one.case for one in sessions}, 200)
    assert [session.id for session in sessions if replayed(session)[1]] == []
    outcomes = {verdict.outcome for session in sessions for verdict in session.verdicts}
    assert outcomes == {"PASS", "FAIL", "INVALID", "INCONCLUSIVE", "NOT_COMPARABLE"}


def test_the_newest_run_has_something_to_say(path):
    with open_history(path, create=False) as history:
        newest = history.sessions(limit=5)
        rows, raw = history.trend_rows(), history.raw_ids()
    judged = [{verdict.metric: verdict.outcome for verdict in one.verdicts} for one in newest]
    assert judged[0]["frame_p25_ms"] == judged[2]["frame_p99_ms"] == "FAIL"
    assert judged[3]["frame_p25_ms"] == "INVALID"
    assert [one.valid for one in newest] == [True, True, True, False, True]
    assert {one.kind for run in rows.runs[-3:] for one in run.failures} == {"EngineError"}
    assert {one.kind for one in rows.annotations} == {"firmware", "hardware", "expected", "accepted"}
    assert len(raw) == 5 * (2 + 3)
    assert {head.identity for head in rows.heads} == set(range(9))


def test_raw_times_sentences_and_changes_agree_with_the_values(path):
    with open_history(path, create=False) as history:
        sessions = history.records(sorted(history.raw_ids()), with_runs=True)
    for one in sessions:
        for place, run in enumerate(one.runs):
            told = (np.quantile(run.frame_ns, 0.25) / 1e6, nearest_rank(run.frame_ns, 0.99) / 1e6)
            assert told == pytest.approx(
                [one.values[name][place] for name in ("frame_p25_ms", "frame_p99_ms")], rel=0.02
            )
            (trace,) = run.traces
            assert set(np.diff(trace.time_ns).tolist()) == {trace.period_ns}
    for verdict in (one for session in sessions for one in session.verdicts):
        claim = claim_of(verdict)
        if claim.change:
            assert f" {claim.change.percent:+.2f} % against" in verdict.sentence
        if verdict.limit is not None and verdict.outcome != "INVALID":
            assert verdict.sentence.endswith(f"against {verdict.limit:g} {unit_of(verdict.metric)}")


def test_the_same_seed_makes_the_same_rows_and_another_makes_others(path, tmp_path):
    same, other = (
        synthetic_history(tmp_path / f"{seed}.sqlite", cases=5, metrics=5, sessions=200, seed=seed) for seed in (1, 2)
    )
    with open_history(path) as one, open_history(same) as two, open_history(other) as three:
        assert one.sessions(limit=9) == two.sessions(limit=9) != three.sessions(limit=9)
        assert one.runs() == two.runs()


@pytest.mark.parametrize(("cases", "metrics", "sessions"), [(1, 1, 1), (2, 15, 14), (125, 1, 2), (1, 1, 89)])
def test_small_ones_are_whole_too(tmp_path, cases, metrics, sessions):
    path = synthetic_history(tmp_path / "h.sqlite", cases=cases, metrics=metrics, sessions=sessions)
    with open_history(path, create=False) as history:
        assert history.check() == []
        assert (len(history.cases()), len(history.sessions())) == (cases, cases * sessions)
