"""What each outcome does to the exit status."""

from __future__ import annotations

import pytest

from harness.case import Case
from harness.policy import WORST_FIRST, letter, turns_red, worst
from harness.rules import Outcome
from harness.verdict import Verdict


def verdict(outcome: Outcome, gate: bool) -> Verdict:
    return Verdict(
        case=Case("d", "m", "v", "r"), metric="frame_p99_ms", value=1.0, unit="ms", limit=1.0, gate=gate,
        outcome=outcome, sentence="",
    )  # fmt: skip


@pytest.mark.parametrize("outcome", Outcome)
def test_a_pull_request_is_red_only_where_a_gate_is_proven_broken(outcome):
    assert turns_red(verdict(outcome, gate=True), "pr") == (outcome is Outcome.FAIL)
    assert verdict(outcome, gate=True).red == (outcome is Outcome.FAIL)


@pytest.mark.parametrize("policy", ["nightly", "release"])
@pytest.mark.parametrize("outcome", Outcome)
def test_at_night_and_at_release_every_gate_that_does_not_pass_is_red(outcome, policy):
    assert turns_red(verdict(outcome, gate=True), policy) == (outcome is not Outcome.PASS)


@pytest.mark.parametrize("policy", ["pr", "nightly", "release"])
@pytest.mark.parametrize("outcome", Outcome)
def test_advice_is_never_red(outcome, policy):
    assert not turns_red(verdict(outcome, gate=False), policy)
    assert not verdict(outcome, gate=False).red


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("INCONCLUSIVE", "?"),
        ("INVALID", "!"),
        ("NO_BASELINE", "n"),
        ("NOT_COMPARABLE", "c"),
        ("PASS", "."),
        ("FAIL", "."),
    ],
)
def test_an_outcome_is_one_character_in_the_line_of_dots(outcome, shown):
    assert letter(outcome) == shown


def test_an_unknown_outcome_has_no_character():
    with pytest.raises(ValueError, match="GREEN"):
        letter("GREEN")


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["PASS"], "PASS"),
        (["PASS", "PASS"], "PASS"),
        (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["INCONCLUSIVE", "INVALID", "PASS"], "INVALID"),
        (["PASS", "FAIL", "INVALID"], "FAIL"),
        (["NO_BASELINE", "PASS"], "NO_BASELINE"),
        (["NO_BASELINE", "NOT_COMPARABLE", "INCONCLUSIVE"], "INCONCLUSIVE"),
    ],
)
def test_of_several_outcomes_the_worst_is_told_in_any_order(outcomes, said):
    assert worst(map(Outcome, outcomes)) == worst(map(Outcome, reversed(outcomes))) == said


def test_every_outcome_has_its_place_among_the_worst():
    assert sorted(WORST_FIRST) == sorted(Outcome)
