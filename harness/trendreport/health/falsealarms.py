"""How often a check found a regression where there was none, as the history itself tells. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from harness.case import Case
from harness.comparison import ALPHA_FAIL
from harness.history.trendrows import SessionHead, TrendRows
from harness.pairing import ALPHA_RUN
from harness.stats.bounds import rate_bounds
from harness.trendreport.acceptance import Acceptances, acceptances_of
from harness.trendreport.cells import MISSING, percent
from harness.trendreport.model import Table

ALPHA = 0.05
ALL = "all"
AGAINST_SESSIONS, AGAINST_BUILD = "sessions-t/", "paired-ranks/"
# What a build is: as harness compare has it.
BUILD = ("model_sha256", "harness", "commit")
CHECK = "check"
SAME_BUILD, SAME_MODEL = "the accepted build", "the accepted model file, any commit"
NULL_ARM = "a build against itself (null arm)"
SESSIONS_NOTE = (
    "one comparison: a run of a case whose build (model file, harness, commit without changes) and conditions are "
    "those of the accepted baseline; a false alarm is a gate that FAILed against that baseline (not against the last "
    f"runs), {100 * ALPHA_FAIL:g} % are tolerated; with any commit, changes of the repository itself count as false "
    "alarms too"
)
NULL_NOTE = (
    "null arm: one comparison is a session beside another build; a false alarm is a reference that differed from "
    f"itself, which made the session INVALID; {100 * ALPHA_RUN:g} % are tolerated at each look"
)
INTERVAL_NOTE = (
    "interval: 95 %, Clopper and Pearson (1934); comparisons with one baseline share its error, so the true interval "
    "is wider"
)
NO_BUILD = (
    f"unknown for {SAME_BUILD}: no run of it was checked yet (it takes sessions that harness accept accepted in this "
    "history, and a later run of the same model file and commit)"
)
NO_MODEL = f"unknown for {SAME_MODEL}: no accepted model file was checked yet"
NO_NULL = f"unknown for {NULL_ARM}: nothing was measured with --against yet"


# Outcomes of a session's gates as bits: few objects, since there are as many sessions as the history has.
FAILED, DECIDED, SPOILED = 1, 2, 4
BITS = {"FAIL": FAILED | DECIDED, "PASS": DECIDED, "INCONCLUSIVE": DECIDED, "INVALID": SPOILED}
# Rule -> session number -> bits.
Outcomes = Mapping[str, Mapping[int, int]]
# Device of each comparison, and whether it gave an alarm.
Comparisons = Sequence[tuple[str, bool]]


def false_alarms(rows: TrendRows) -> Table:
    """One row per kind of comparison, over all devices and for each; unknown where there was none, with the reason."""
    outcomes = _gates(rows)
    of_build, of_model = against_accepted(rows.heads, outcomes, acceptances_of(rows.annotations, rows.runs))
    kinds = (
        (SAME_BUILD, of_build, NO_BUILD), (SAME_MODEL, of_model, NO_MODEL),
        (NULL_ARM, null_arms(rows.heads, outcomes), NO_NULL),
    )  # fmt: skip
    return Table(
        title="False alarms so far (A/A)",
        columns=("what was compared", "device", "comparisons", "false alarms", "rate", "95 % interval"),
        rows=tuple(row for what, found, _ in kinds for row in _rows(what, found)),
        left=2,
        notes=(*(why for _, found, why in kinds if not found), SESSIONS_NOTE, NULL_NOTE, INTERVAL_NOTE),
    )


def _rows(what: str, found: Comparisons) -> Iterator[tuple[str, ...]]:
    devices = sorted({device for device, _ in found})
    yield _row(what, ALL, found)
    for device in devices if len(devices) > 1 else ():
        yield _row(what, device, [one for one in found if one[0] == device])


def _row(what: str, device: str, found: Comparisons) -> tuple[str, ...]:
    count, alarms = len(found), sum(alarm for _, alarm in found)
    if not count:
        return what, device, "0", MISSING, "unknown", MISSING
    low, high = rate_bounds(alarms, count, ALPHA / 2)
    return what, device, str(count), str(alarms), f"{percent(alarms / count)} %", f"{percent(low)} to {percent(high)} %"


def against_accepted(
    heads: Sequence[SessionHead], outcomes: Outcomes, acceptances: Acceptances
) -> tuple[Comparisons, Comparisons]:
    """Runs of a case that checked its accepted baseline under the same conditions: of its build, of its model file.

    A run is one comparison however many sessions and metrics it has: they all carry its verdicts.
    """
    decided = {number: told for number, told in outcomes[AGAINST_SESSIONS].items() if told & DECIDED}
    found: tuple[dict[Any, bool], dict[Any, bool]] = {}, {}
    for head, exactly in _of_accepted(heads, acceptances, decided):
        for comparisons in found if exactly else found[1:]:
            comparisons[head.case, head.provenance.get("run") or head.id] = bool(decided[head.number] & FAILED)
    of_build, of_model = ([(case.device, alarm) for (case, _), alarm in one.items()] for one in found)
    return of_build, of_model


def _of_accepted(
    heads: Sequence[SessionHead], acceptances: Acceptances, decided: Collection[int]
) -> Iterator[tuple[SessionHead, bool]]:
    """Decided checks of the model file that was accepted then, and whether the whole build is known to be the same."""
    cases: dict[Case, list[SessionHead]] = defaultdict(list)
    for head in heads:
        cases[head.case].append(head)
    for members in cases.values():
        baselines = acceptances.of_heads(members)
        checks = (pair for pair in enumerate(members) if pair[1].purpose == CHECK and pair[1].number in decided)
        for position, head in checks:
            places, build = baselines.at(position), _build(head)
            accepted = (one for one in map(members.__getitem__, reversed(places)) if one.identity == head.identity)
            before = next(map(_build, accepted), None)
            if before is not None and build[0] and before[:-1] == build[:-1]:
                # Files that differ from a commit may differ in many ways.
                yield head, before == build and not str(build[-1]).endswith("+")


def _build(head: SessionHead) -> tuple[Any, ...]:
    return tuple(map(head.provenance.get, BUILD))


def null_arms(heads: Sequence[SessionHead], outcomes: Outcomes) -> Comparisons:
    """Sessions beside another build, with an alarm where the reference differed from itself."""
    judged = outcomes[AGAINST_BUILD]
    return [(head.case.device, bool(judged[head.number] & SPOILED))
            for head in heads if head.purpose == "paired" and head.number in judged]  # fmt: skip


def _gates(rows: TrendRows) -> Outcomes:
    """Of each session the first comparison of every metric: that with the last runs comes after the accepted one."""
    found: dict[str, dict[int, int]] = {AGAINST_SESSIONS: {}, AGAINST_BUILD: {}}
    session, told = 0, set[tuple[str, str]]()
    for one in rows.outcomes:
        kind = one.rule[: one.rule.find("/") + 1]
        if one.session != session:
            session, told = one.session, set()
        if one.gate and kind in found and (kind, one.metric) not in told:
            told.add((kind, one.metric))
            found[kind][session] = found[kind].get(session, 0) | BITS.get(one.outcome, 0)
    return found
