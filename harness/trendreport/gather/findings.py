"""The lists of the first screen: what failed, what is new, what is missing, what was not asked for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.case import Case
from harness.trendreport.cells import some
from harness.trendreport.gather.runs import NewestRun
from harness.trendreport.model import Row

NAMED = 6
Runs = Mapping[str, NewestRun]


def failed(rows: Sequence[Row]) -> Iterator[str]:
    """What is FAIL, also what was and was not decided since, in the order of the rows."""
    return (_failure(row) for row in rows if row.outcome == "FAIL" and "retired" not in row.flags)


def _failure(row: Row) -> str:
    claim = next(one for one in row.claims if one.outcome == "FAIL")
    advice = "advice, " if row.advice else ""
    newly = "newly failing, " if "newly failing" in row.flags else ""
    stale = "" if row.current or not claim.rule else f"FAIL when last judged {row.at}, "
    words = (advice + newly + stale).removesuffix(", ")
    return f"{row.key}{f' ({words})' if words else ''}: {claim.sentence}"


def new(rows: Sequence[Row], runs: Runs) -> Iterator[str]:
    """Devices, cases and metrics that the history did not have before, the largest first."""
    first = [name for name, run in runs.items() if run.first]
    yield from (f"{name}: the only run of it in this history, so everything of it counts as new" for name in first)
    metrics: dict[Case, list[str]] = defaultdict(list)
    old = {row.case for row in rows if "new" not in row.flags and row.metric}
    for row in rows:
        if "new" in row.flags and row.case.device not in first:
            metrics[row.case].append(row.metric)
    for case, names in sorted(metrics.items(), key=lambda item: (item[0] in old, item[0].key)):
        yield f"{case.key}: {some(names, NAMED) if case in old else 'its first run in this history'}"


def missing(rows: Sequence[Row]) -> Iterator[str]:
    """One sentence for all metrics of a case that are missing for the same reason."""
    metrics: dict[tuple[Case, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.missing:
            metrics[row.case, row.missing].append(row.metric)
    for (case, sentence), names in metrics.items():
        yield f"{f'{case.key} {some(names, NAMED)}'.rstrip()}: {sentence}"


def left_out(runs: Runs, cases: Sequence[Case]) -> list[Case]:
    """Cases with sessions that the newest run of their device was not asked for."""
    asked = {name: {*run.record.asked, *(one.case.key for one in run.failures)} for name, run in runs.items()}
    return [one for one in cases if one not in runs[one.device].measured and one.key not in asked[one.device]]


def not_asked(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> Iterator[str]:
    """Cases that the newest run of their device was not asked for, and metrics of the others."""
    for case in left_out(runs, cases):
        own = [row for row in rows if row.case == case]
        failures = ", FAIL then" if any(row.outcome == "FAIL" and not row.advice for row in own) else ""
        retired = ", as was expected" if case in runs[case.device].retired else ""
        measured = f"last measured {max(row.at for row in own)}" if own else "no metric of it is shown"
        yield f"{case.key}: {measured}{failures}{retired}"
    metrics: dict[Case, list[str]] = defaultdict(list)
    for row in rows:
        if row.current and "not asked" in row.flags:
            metrics[row.case].append(row.metric)
    yield from (f"{case.key}: {some(names, NAMED)}" for case, names in sorted(metrics.items(), key=_by_key))


def _by_key(item: tuple[Case, list[str]]) -> str:
    return item[0].key


def simulated_cases(rows: Sequence[Row]) -> list[str]:
    """Keys of the cases whose numbers are no real hardware's."""
    return sorted({row.case.key for row in rows if "simulated" in row.flags})
