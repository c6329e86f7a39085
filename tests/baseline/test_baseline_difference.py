"""The table of a review: its numbers are scipy's and the published ones, its cells are only text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.baseline import difference_table
from tests.baseline.baselines import baseline, session

QUIET = (20.00, 20.14, 19.90, 20.22, 20.05, 19.84, 20.10, 19.96, 20.18, 20.02, 19.93, 20.08)


def of(values, metric="frame_p25_ms", **changes):
    """A baseline of one session of one process for each value."""
    return baseline(sessions=tuple(session(number, **{metric: (one,)}) for number, one in enumerate(values)), **changes)


def cells(old, new, metric="frame_p25_ms"):
    """The row of `metric`, by the names of the columns."""
    head, _, *rows = [line.strip("| ").split(" | ") for line in difference_table(old, new).splitlines()[2:]]
    return next(dict(zip(head, row)) for row in rows if row[0] == metric)


def test_a_first_baseline_has_nothing_before_it():
    assert cells(None, of((20.0, 20.2, 20.4))) == {
        "metric": "frame_p25_ms", "old": "-", "new": "20.2 ms", "change, 95 % interval": "-", "spread old": "-",
        "spread new": "0.99 %", "detectable": "13 %", "gate": "yes",
    }  # fmt: skip


def test_the_head_says_why_by_whom_and_on_how_many_sessions():
    first, *_ = difference_table(None, of(QUIET, reason="a new engine")).splitlines()
    assert first == "a new engine (Anna, 12 sessions)"


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_scipys_of_welch(seed):
    random = np.random.default_rng(seed)
    old, new = (random.lognormal(3, sigma, size) for sigma, size in ((0.01, 12), (0.05, 5)))
    interval = stats.ttest_ind(np.log(new), np.log(old), equal_var=False).confidence_interval(0.95)
    change = np.log(new).mean() - np.log(old).mean()
    wanted = [100 * math.expm1(one) for one in (change, interval.low, interval.high)]
    said = cells(of(old), of(new))["change, 95 % interval"]
    assert said == "{:+.2f} % ({:+.2f} to {:+.2f})".format(*wanted)


@pytest.mark.parametrize(
    ("sessions", "sigma", "detectable"),
    [(5, 0.005, "3.1 %"), (5, 0.01, "6.4 %"), (12, 0.01, "4.4 %"), (12, 0.02, "9 %"), (20, 0.02, "8.3 %"),
     (12, 0.0, "1.3 %")],
)  # fmt: skip
def test_the_smallest_change_that_one_session_shows_is_the_published_one(sessions, sigma, detectable):
    ranks = np.arange(sessions) - (sessions - 1) / 2
    logs = sigma * ranks / ranks.std(ddof=1)
    found = cells(None, of(np.exp(3 + logs)))
    assert found["detectable"] == detectable
    assert found["spread new"] == f"{100 * sigma:.2g} %"


@pytest.mark.parametrize(
    ("metric", "old", "new", "change"),
    [
        ("frame_p25_ms", (10.0, 10.0), (11.0, 11.0), "+10.00 % (+10.00 to +10.00)"),
        ("fps_mean", (30.0, 30.0), (27.0, 27.0), "-10.00 % (-10.00 to -10.00)"),
        ("frame_p25_ms", (10.0,), (11.0, 11.2), "+11.00 %"),
        ("frame_p25_ms", (10.0, 10.1), (10.0,), "-0.50 %"),
        ("frame_p25_ms", (10.0, 10.0), (10.0, 10.0), "+0.00 % (+0.00 to +0.00)"),
    ],
)
def test_a_change_has_the_sign_of_the_number_itself_and_an_interval_where_there_can_be_one(metric, old, new, change):
    assert cells(of(old, metric), of(new, metric), metric)["change, 95 % interval"] == change


def test_a_session_stands_for_the_geometric_mean_of_its_processes():
    one = baseline(sessions=tuple(session(number, frame_p25_ms=(1.0, 4.0)) for number in range(3)))
    assert cells(None, one)["new"] == "2 ms"


def test_what_is_new_gone_or_too_noisy_is_said():
    old, new = of(QUIET, "load_ms"), of(QUIET, advice=("frame_p25_ms",))
    assert cells(old, new)["gate"] == "advice: too noisy here"
    assert cells(old, new)["old"] == "-"
    assert cells(old, new, "load_ms")["gate"] == "gone"
    assert cells(old, new, "load_ms")["new"] == "-"


@given(reason=st.text(min_size=1), by=st.text(min_size=1))
def test_no_text_becomes_markup(reason, by):
    first, empty, head, rule, *rows = difference_table(None, of(QUIET, reason=reason, accepted_by=by)).splitlines()
    assert empty == ""
    assert not set(first) & set("<>|`[]*\\~$")
    assert {line.count("|") for line in (head, rule, *rows)} == {9}


@pytest.mark.parametrize(
    ("text", "shown"),
    [("<b>&|", "&#60;b&#62;&#38;&#124;"), ("@anna #5", "@&#8203;anna #&#8203;5"), ("a_b _c_", "a_b &#95;c&#95;"),
     ("see http://x", "see http:&#8203;//x"), ("two\nlines", "two\\nlines".replace("\\", "&#92;"))],
)  # fmt: skip
def test_what_markdown_would_act_on_is_shown_as_it_is(text, shown):
    assert difference_table(None, of(QUIET, reason=text)).startswith(f"{shown} (Anna, ")
