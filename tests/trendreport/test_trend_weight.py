"""What the first screen is sorted by."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.trendreport.gather.weight import in_noise, verdict_of, weight_of
from harness.trendreport.model import Claim
from harness.verdict import Change


def claim(outcome, gate=True, **changes):
    return Claim(**{"kind": "budget", "rule": "limit/1", "outcome": outcome, "gate": gate, "sentence": "", **changes})


def changed(outcome, percent, low, high, tolerance=5.0, improved=False, gate=True):
    change = Change(
        against="accepted baseline", percent=percent, low_percent=low, high_percent=high, tolerance_percent=tolerance,
        detectable_percent=1.0, count=2, improved=improved,
    )  # fmt: skip
    return claim(outcome, gate, kind="change", change=change)


HEAVIEST_FIRST = [
    [claim("FAIL", kind="state")],
    [claim("FAIL", margin_percent=-400.0)],
    [claim("FAIL", margin_percent=-40.0), claim("PASS", margin_percent=90.0)],
    [changed("FAIL", 9.0, 6.0, 12.0)],
    [changed("FAIL", 9.0, 2.0, 16.0)],
    [claim("FAIL", gate=False, margin_percent=-4000.0)],
    [claim("INVALID")],
    [changed("INCONCLUSIVE", 4.0, None, 9.0)],
    [changed("INCONCLUSIVE", 1.0, None, 6.0)],
    [changed("INCONCLUSIVE", 40.0, None, 90.0, gate=False)],
    [claim("NOT_COMPARABLE")],
    [claim("NO_BASELINE")],
    [changed("PASS", 3.0, 1.0, 4.0)],
    [changed("PASS", -9.0, -12.0, -6.0, improved=True)],
    [claim("PASS", margin_percent=1.0)],
    [changed("PASS", 0.1, None, 1.0)],
    [claim("PASS", margin_percent=80.0), claim("PASS", gate=False, margin_percent=-1.0)],
    [claim("PASS", gate=False, margin_percent=1.0)],
    [],
]


def weight(claims):
    return weight_of(claims, advice=verdict_of(claims)[1])


@pytest.mark.parametrize(("heavier", "lighter"), list(pairwise(HEAVIEST_FIRST)))
def test_the_worse_evidence_weighs_more(heavier, lighter):
    assert weight(heavier) > weight(lighter)


def test_what_is_missing_weighs_more_than_anything():
    lightest = weight_of((), advice=True, missing=True)
    assert lightest > max(map(weight, HEAVIEST_FIRST))
    assert weight_of((), advice=False, missing=True) > lightest


@pytest.mark.parametrize("margin", [-1e300, 1e300, -1e-300, 0.0])
def test_evidence_of_any_size_stays_inside_its_outcome(margin):
    assert weight([claim("NO_BASELINE")]) < weight([claim("INCONCLUSIVE", margin_percent=margin)])
    assert weight([claim("INCONCLUSIVE", margin_percent=margin)]) < weight([claim("INVALID", gate=False)])


@pytest.mark.parametrize(
    ("claims", "noise"),
    [
        ([], True),
        ([claim("PASS")], True),
        ([claim("PASS"), claim("FAIL", gate=False)], False),
        ([claim("NO_BASELINE")], False),
        ([changed("PASS", 1.0, None, 2.0)], True),
        ([changed("PASS", 1.0, 0.8, 2.0)], False),
        ([changed("PASS", 0.4, 0.3, 0.6)], True),
        ([changed("PASS", -2.0, -3.0, -1.0)], False),
        ([changed("PASS", -9.0, None, 1.0, improved=True)], False),
    ],
)
def test_only_a_pass_without_a_change_is_noise(claims, noise):
    assert in_noise(claims) is noise
