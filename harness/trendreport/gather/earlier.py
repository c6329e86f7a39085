"""What earlier sessions said of a metric of which the newest says nothing, or nothing decided. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.lookback import NAME as BASELINE
from harness.trendreport.gather.points import code_of
from harness.trendreport.gather.standings import accepted_since
from harness.trendreport.gather.view import View
from harness.trendreport.model import OUTCOMES, Claim

_DECIDED = _FAIL, _PASS = code_of("FAIL"), code_of("PASS")


def state(outcome: str, sentence: str, gate: bool = False) -> Claim:
    """What no rule says."""
    return Claim(kind="state", rule="", outcome=outcome, gate=gate, sentence=sentence)


def last_word(view: View, metric: str) -> str:
    """When the metric was judged last, and what was said: "2026-01-02T03:00:00Z (PASS)"."""
    group, place = view.judged[metric], view.last_judged(metric)
    return f"{view.at(int(group.head[place]))} ({OUTCOMES[group.outcome[place]]})"


def is_missing(view: View, metric: str) -> bool:
    """True where recent checks judged it and a later one, asked for everything, did not.

    Not where that had nothing to compare with, or people expected a step of the case since.
    """
    standing, before = view.standing, _judged_before(view, metric)
    if before is None or _uncompared(view, metric):
        return False
    return standing.whole > before and view.expected_since <= view.at(before)


def is_unasked(view: View, metric: str) -> bool:
    """True where recent checks judged it and the case's newest run left it out."""
    sessions, standing, before = view.sessions, view.standing, _judged_before(view, metric)
    if before is None or _uncompared(view, metric):
        return False
    return standing.whole <= before and sessions.run[before] != sessions.run[standing.last]


def _judged_before(view: View, metric: str) -> int | None:
    """The session that judged it last; None where no check of late did, or the newest sessions are not judged yet."""
    if metric not in view.standing.expected or accepted_since(view.sessions, view.standing):
        return None
    return int(view.judged[metric].head[view.last_judged(metric)])


def _uncompared(view: View, metric: str) -> bool:
    """True where the newest verdicts say that there is nothing to compare with, and nothing else judges the metric."""
    return BASELINE in view.standing.verdicts and view.standing.expected[metric].only_before


def said_instead(view: View, metric: str) -> Iterator[Claim]:
    """Why there is no verdict where there was one before."""
    if metric not in view.judged:
        return
    before, standing = last_word(view, metric), view.standing
    compared = standing.verdicts_on(BASELINE) if metric in standing.expected else ()
    if accepted_since(view.sessions, standing):
        yield state("", f"measured by harness accept {view.at(standing.last)}; last judged {before}")
    elif is_unasked(view, metric):
        left = "not reached" if view.run.record.interrupted else "not asked for"
        yield state("", f"{left} by the newest run; last judged {before}")
    elif compared:
        yield from (state("", f"not compared, last compared {before}: {one.sentence}") for one in compared)
    else:
        yield state("", f"last judged {before}")


def failed_before(view: View, metric: str, said: Sequence[Claim]) -> Iterator[Claim]:
    """The FAIL of a gate that nothing decided since, unless it is what is said."""
    failed = view.standing.failed.get(metric)
    if failed is not None and not any(one.gate and one.outcome == "FAIL" for one in said):
        words = f": {failed.sentence}" if failed.sentence else ""
        yield state("FAIL", f"FAIL when last judged {view.at(failed.head)}, not decided since{words}", gate=True)


def is_new_failure(view: View, metric: str) -> bool:
    """True for a FAIL where the run that decided before, under the same conditions, did not fail."""
    sessions, group, now = view.sessions, view.judged[metric], view.standing.told[metric]
    for place in range(len(group.head) - 1, -1, -1):
        head = int(group.head[place])
        same = sessions.identity[head] == sessions.identity[now] and not sessions.paired[head]
        if same and sessions.run[head] != sessions.run[now] and group.outcome[place] in _DECIDED:
            return bool(group.outcome[place] != _FAIL)
    return False
