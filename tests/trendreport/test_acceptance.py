"""Which sessions a baseline consists of: by the remarks, and by what was measured where nobody left any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.history.trendrows import SessionHead
from harness.record import Annotation, Failure, RunRecord
from harness.trendreport.acceptance import acceptances_of
from harness.trendreport.model import Track
from tests.history.records import CASE, OTHER

# Of the sessions below: the day, and the letter of its run; capitals accept. b is not valid.
A, B = (1, 2), (4, 6)
SESSIONS = "0 1A 1A 2c 3B 3b 3B 4d 5e 6f"


def at(day: str, hour: int = 3) -> str:
    return f"2026-01-0{day}T{hour:02}:00:00Z"


def head(number: int, word: str, command: str = "") -> SessionHead:
    day, letter = word[0], word[1:]
    accepts = letter.upper() in ("A", "B")
    told = {"run": letter.upper(), "command": f"harness accept{command}" if accepts else "pytest"}
    return SessionHead(
        number, f"{number:032x}", at(day), "accept" if accepts else "check", CASE, 0, told, False, letter != "b"
    )


def heads_of(command: str = "") -> list[SessionHead]:
    return [head(number, word, command) for number, word in enumerate(SESSIONS.split())]


def track_of(heads: Sequence[SessionHead]) -> Track:
    nothing = ("",) * len(heads)
    return Track(
        case=CASE, engine="", simulated=False, ids=tuple(one.id for one in heads), at=tuple(one.at for one in heads),
        purpose=tuple(one.purpose for one in heads), valid=np.array([one.valid for one in heads]),
        identity=np.zeros(len(heads), int), commit=nothing, subject=nothing, build=nothing,
        command=tuple(one.provenance["command"] for one in heads), run=tuple(one.provenance["run"] for one in heads),
    )  # fmt: skip


def remark(kind: str, day: str, case_key: str | None = CASE.key, hour: int = 3) -> Annotation:
    return Annotation(at=at(day, hour), kind=kind, text="so", author="ann", case_key=case_key)


FIRST, SECOND, BACK = remark("accepted", "1"), remark("accepted", "3"), remark("reverted", "4")
ELSEWHERE = remark("accepted", "1", OTHER.key)


def run_of(name: str, refused: bool, interrupted: bool = False) -> RunRecord:
    return RunRecord(
        run=name, at=at("1" if name == "A" else "3"), device="bench", command="harness accept", purpose="accept",
        policy="", interrupted=interrupted, asked=(CASE.key,),
        failures=(Failure(CASE, "", "refused", "dead"),) if refused else (),
    )  # fmt: skip


def by_session(remarks: Sequence[Annotation], runs: Sequence[RunRecord] = (), command: str = "") -> list[tuple]:
    """The baseline that holds at each session; the track and the heads say the same."""
    heads, known = heads_of(command), acceptances_of(remarks, runs)
    found = known.of_heads(heads)
    assert known.of_track(track_of(heads)) == found
    return [found.at(position) for position in range(len(heads))]


@pytest.mark.parametrize(
    ("remarks", "runs", "expected"),
    [
        ([FIRST, SECOND], [], [()] * 3 + [A] * 4 + [B] * 3),
        ([FIRST], [], [()] * 3 + [A] * 7),  # the second was refused
        ([SECOND, FIRST, BACK], [], [()] * 3 + [A] * 4 + [B] + [A] * 2),
        ([FIRST, SECOND, BACK, remark("reverted", "5")], [], [()] * 3 + [A] * 4 + [B] + [A] + [B]),
        ([FIRST, BACK], [], [()] * 3 + [A] * 5 + [()] * 2),  # what was before is not known
        ([FIRST, remark("accepted", "5")], [run_of("B", refused=True)], [()] * 3 + [A] * 7),  # said once more by hand
        ([remark("accepted", "5", hour=1)], [run_of("B", refused=True)], [()] * 3 + [A] * 7),
        ([remark("accepted", "1", None), remark("note", "5")], [], [()] * 3 + [A] * 7),
        ([ELSEWHERE, SECOND], [], [()] * 7 + [B] * 3),
        ([remark("accepted", "3", OTHER.key)], [], [()] * 3 + [A] * 7),  # from before there were such remarks
        ([], [], [()] * 3 + [A] * 4 + [B] * 3),
        ([], [run_of("B", refused=True)], [()] * 3 + [A] * 7),
        ([], [run_of("B", refused=False, interrupted=True)], [()] * 3 + [A] * 7),
        ([remark("reverted", "4")], [], [()] * 3 + [A] * 4 + [B] + [A] * 2),
    ],
)
def test_a_baseline_is_what_was_accepted_last_and_not_refused_or_taken_back(remarks, runs, expected):
    assert by_session(remarks, runs) == expected


def test_sessions_that_are_accepted_beside_others_join_them():
    assert by_session([FIRST, SECOND], command=" --reason=more --add")[-1] == (*A, *B)


def test_accepted_in_a_row_before_there_were_remarks_is_one_baseline_of_one_build():
    heads = [head(number, word) for number, word in enumerate(["1A", "2B", "3c", "4A"])]
    assert acceptances_of([]).of_heads(heads[:3]).at(2) == (0, 1)
    assert acceptances_of([remark("accepted", "2")]).of_heads(heads[:3]).at(2) == (1,)
    other = heads[1]._replace(provenance={**heads[1].provenance, "model_sha256": "ab"})
    assert acceptances_of([]).of_heads([heads[0], other, heads[2]]).at(2) == (1,)


def test_a_remark_whose_sessions_were_pruned_leaves_a_baseline_that_nobody_knows():
    heads = [one for one in heads_of() if one.provenance["run"] != "A"]
    found = acceptances_of([FIRST, SECOND, BACK]).of_heads(heads)
    assert [found.at(position) for position in range(len(heads))] == [()] * 5 + [(2, 4)] + [()] * 2


def test_sessions_without_a_run_of_their_own_belong_to_the_time_at_which_they_were_kept():
    heads = [one._replace(provenance={}) for one in heads_of()]
    assert acceptances_of([]).of_heads(heads).at(9) == B


def test_a_case_without_sessions_has_no_baseline():
    assert acceptances_of([FIRST]).of_heads([]).at(0) == ()
    empty = replace(track_of(heads_of()[:0]), valid=np.zeros(0, bool))
    assert acceptances_of([FIRST]).of_track(empty).at(0) == ()
