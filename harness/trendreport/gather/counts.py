"""The sentence of the first screen, and what was compared: counts of gates, cases, rows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from harness.case import Case
from harness.remember import REFUSED
from harness.trendreport.cells import SIMULATED, plural
from harness.trendreport.gather.findings import left_out, simulated_cases
from harness.trendreport.gather.runs import NewestRun
from harness.trendreport.gather.sessions import ACCEPT
from harness.trendreport.model import OUTCOMES, Claim, Fold, Row

# A device whose newest run is so much older than that of another is named with its age.
OLD_DAYS = 14
FOLDS: dict[Fold, str] = {
    "noise": "inside the noise", "reported": "only reported", "not current": "not of the newest run",
}  # fmt: skip
Runs = Mapping[str, NewestRun]


def claims_of(rows: Iterable[Row]) -> list[Claim]:
    """What the newest runs recorded as verdicts."""
    return [one for row in rows if row.current for one in row.claims if one.rule]


def sentence_of(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> str:
    """What the newest run of each device says, in counts."""
    return "; ".join([*_measured(rows, runs, cases), *_lost(rows, runs), *_besides(rows, runs, cases)])


def _measured(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> Iterator[str]:
    gates = [one for one in claims_of(rows) if one.gate]
    yield f"{plural(len(gates), 'gate')}: {_counted(gates)}" if gates else "no gate was asked"
    since = sum(row.failed and "not judged since" in row.flags for row in rows)
    if since:
        yield f"{plural(since, 'metric')} FAIL when last judged and not decided since"
    known = {*cases, *(row.case for row in rows)}
    yield f"{sum(len(run.measured) for run in runs.values())} of {plural(len(known), 'case')} measured"


def _counted(claims: Iterable[Claim]) -> str:
    """How many of each outcome, the worst first: "1 FAIL, 3 PASS"."""
    found = Counter(one.outcome for one in claims)
    return ", ".join(f"{found[name]} {name}" for name in OUTCOMES if name in found)


def _lost(rows: Sequence[Row], runs: Runs) -> Iterator[str]:
    current = [row for row in rows if row.current and row.missing]
    unreached = {case for run in runs.values() for case in run.unreached}
    refused = {one.case for run in runs.values() for one in run.failures if one.kind == REFUSED}
    lost = {row.case for row in current if not row.metric} - unreached
    metrics = sum(bool(row.metric) for row in current) - len(refused)
    accepted = sum(len(run.measured) for run in runs.values() if run.record.purpose == ACCEPT)
    counts = {
        f"{plural(len(lost), 'case')} could not be measured": lost,
        f"{plural(len(unreached), 'case')} asked for and not measured": unreached,
        f"{plural(metrics, 'metric')} missing": metrics,
        f"{plural(len(refused), 'case')} refused by harness accept": refused,
        f"{plural(accepted, 'case')} measured by harness accept and not judged since": accepted,
    }
    yield from (sentence for sentence, holds in counts.items() if holds)


def _besides(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> Iterator[str]:
    advice = [one for one in claims_of(rows) if not one.gate]
    told = (
        _left_aside(rows, runs, cases), _unasked(rows),
        f"advice: {_counted(advice)}" if any(one.outcome != "PASS" for one in advice) else "",
        *_old(runs), _simulated_note(rows, cases),
    )  # fmt: skip
    yield from filter(None, told)


def _left_aside(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> str:
    left = left_out(runs, cases)
    failed = {row.case for row in rows if row.outcome == "FAIL" and not row.advice} & {*left}
    then = f", {len(failed)} of them FAIL when last judged" if failed else ""
    return f"{plural(len(left), 'case')} not asked for{then}" if left else ""


def _unasked(rows: Sequence[Row]) -> str:
    count = sum("not asked" in row.flags and row.current for row in rows)
    return f"{plural(count, 'metric')} not asked for" if count else ""


def _old(runs: Runs) -> Iterator[str]:
    """The devices that did not run for long while others did."""
    newest = max(run.record.at for run in runs.values())
    for name, run in runs.items():
        days = (_time(newest) - _time(run.record.at)).days
        if days >= OLD_DAYS:
            yield f"{name} last ran {run.record.at[:10]}, {days} days before the newest run"


def _time(at: str) -> datetime:
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ")


def _simulated_note(rows: Sequence[Row], cases: Sequence[Case]) -> str:
    pretended = simulated_cases(rows)
    part = "" if len(pretended) == len(cases) else "partly "
    return f"{part}{SIMULATED}: these numbers are no real hardware's" if pretended else ""


def compared(rows: Sequence[Row]) -> str:
    """What was compared with what, and how many rows are folded for which reason."""
    claims = claims_of(rows)
    against = Counter(one.change.against for one in claims if one.change is not None)
    budgets = sum(one.limit is not None for one in claims)
    judged = sum(row.current and bool(row.outcome) and row.fold != "reported" for row in rows)
    folded = Counter(row.fold for row in rows)
    counts = [f"{folded[fold]} {words}" for fold, words in FOLDS.items() if folded[fold]]
    parts = [f"{plural(count, 'comparison')} with the {name}" for name, count in sorted(against.items())]
    parts += [plural(budgets, "budget")] if budgets else []
    return "; ".join([*parts, f"{plural(judged, 'row')} judged", *([f"folded: {', '.join(counts)}"] if counts else [])])
