"""A new baseline beside the old one, as the Markdown table that a reviewer reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import fmean, median, stdev, variance

from harness.baseline.layout import Baseline, session_logs
from harness.errors import printable
from harness.metrics import METRICS
from harness.stats.sessions import FLOOR, minimum_detectable

HEAD = ("metric", "old", "new", "change, 95 % interval", "spread old", "spread new", "detectable", "gate")
LEVEL = 0.95
NONE = "-"
_MARKUP = re.compile(r"[\\`*\[\]<>&|~#@$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|www(?=\.)", re.IGNORECASE)


def difference_table(old: Baseline | None, new: Baseline) -> str:
    """Markdown, one row per metric of either: medians of the sessions, change, spread between sessions in per cent.

    detectable: how much worse one session must be to be found nine times in ten, in per cent.
    """
    sessions = [*(old.sessions if old else ()), *new.sessions]
    metrics = sorted({metric for one in sessions for metric in one.values})
    rows = [HEAD, tuple("---" for _ in HEAD), *(tuple(_row(old, new, metric)) for metric in metrics)]
    table = "\n".join(f"| {' | '.join(map(_escaped, row))} |" for row in rows)
    return f"{_escaped(new.reason)} ({_escaped(new.accepted_by)}, {len(new.sessions)} sessions)\n\n{table}\n"


def _row(old: Baseline | None, new: Baseline, metric: str) -> Iterator[str]:
    return _exact_cells(old, new, metric) if METRICS[metric].exact else _cells(old, new, metric)


def _exact_cells(old: Baseline | None, new: Baseline, metric: str) -> Iterator[str]:
    """The worst value of each side: every process tells the same, and any fall is found."""
    before, now = _worst(old, metric), _worst(new, metric)
    yield metric
    yield before
    yield now
    yield "none" if before == now else NONE
    yield from (NONE, NONE, "any" if now != NONE else NONE)
    yield "gone" if now == NONE else "yes"


def _worst(baseline: Baseline | None, metric: str) -> str:
    worst = min if METRICS[metric].better == "more" else max
    told = [value for one in (baseline.sessions if baseline else ()) for value in one.values.get(metric, ())]
    return f"{worst(told):.4g} {METRICS[metric].unit}".strip() if told else NONE


def _cells(old: Baseline | None, new: Baseline, metric: str) -> Iterator[str]:
    before, now = _logs(old, metric), _logs(new, metric)
    yield metric
    yield _middle(before, metric)
    yield _middle(now, metric)
    yield _change(before, now)
    yield _spread(before)
    yield _spread(now)
    yield _detectable(now)
    yield "gone" if not now else "advice: too noisy here" if metric in new.advice else "yes"


def _logs(baseline: Baseline | None, metric: str) -> list[float]:
    """Of the value of each session; empty where the baseline does not know the metric."""
    known = baseline is not None and all(metric in one.values for one in baseline.sessions)
    sign = 1 if METRICS[metric].better == "less" else -1
    return [sign * one for one in session_logs(baseline.sessions, metric)] if baseline and known else []


def _middle(logs: list[float], metric: str) -> str:
    return f"{median(map(math.exp, logs)):.4g} {METRICS[metric].unit}" if logs else NONE


def _spread(logs: list[float]) -> str:
    return f"{100 * stdev(logs):.2g} %" if len(logs) > 1 else NONE


def _detectable(logs: list[float]) -> str:
    return f"{100 * minimum_detectable(max(stdev(logs), FLOOR), len(logs), 1):.2g} %" if len(logs) > 1 else NONE


def _change(before: list[float], now: list[float]) -> str:
    """Of the mean of the sessions, with its interval where both sides have several."""
    if not before or not now:
        return NONE
    change, reach = fmean(now) - fmean(before), _reach(before, now)
    said = f"{_percent(change)} %"
    return said if reach is None else f"{said} ({_percent(change - reach)} to {_percent(change + reach)})"


def _reach(before: list[float], now: list[float]) -> float | None:
    """Half the width of the interval of the difference of the means (Welch, Biometrika 34, 1947)."""
    from scipy.special import stdtrit

    if min(len(before), len(now)) < 2:
        return None
    parts = [(variance(logs) / len(logs), len(logs) - 1) for logs in (before, now)]
    squared_error = sum(part for part, _ in parts)
    if squared_error == 0:
        return 0.0
    freedom = squared_error**2 / sum(part**2 / df for part, df in parts)
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(squared_error)


def _percent(log: float) -> str:
    return f"{100 * math.expm1(log):+.2f}"


def _escaped(cell: str) -> str:
    """`cell` on one line that Markdown shows as it is: no markup, no HTML, no mention, no link, no table cell."""
    return _MARKUP.sub(_harmless, printable(cell))


def _harmless(found: re.Match[str]) -> str:
    text = found.group()
    return f"{text}&#8203;" if text.lower() in ("@", "#", ":", "www") else f"&#{ord(text)};"
