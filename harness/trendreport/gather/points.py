"""Values and judgements of all sessions as columns: what every series is cut from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, unknown
from harness.history.trendrows import MeanRows, OutcomeRow, TrendRows
from harness.metrics import METRICS
from harness.trendreport.gather.sessions import Sessions, column
from harness.trendreport.metricwords import is_known, place_of
from harness.trendreport.model import NOT_JUDGED, OUTCOMES

ALL = "all"
# What reviewers ask for first and the comparison views need of every case, judged or not.
HEADLINES = (
    "frame_p50_ms", "frame_p90_ms", "frame_p99_ms", "frame_max_ms", "longest_gap_ms", "infer_p50_ms", "pre_p50_ms",
    "post_p50_ms", "load_ms", "fps_mean", "throttled_share_percent", "file_size_mb", "peak_memory_mb",
    "device_memory_mb", "energy_per_frame_mj", "net_energy_per_frame_mj", "power_mean_w", "accuracy_min_percent",
    "accuracy_loss_points", "response_p99_ms", "deadline_misses_percent", "dropped_per_10000",
)  # fmt: skip
COMPARED = tuple(name for name, metric in METRICS.items() if metric.tolerance_percent)
# Percentiles that budgets judge over all frames of a run; what is compared is judged session by session.
POOLED = frozenset(name for name, metric in METRICS.items() if metric.share is not None and name not in COMPARED)
# A verdict of a version that had further outcomes decides nothing here.
UNKNOWN_OUTCOME = OUTCOMES.index("INCONCLUSIVE")
NOT_COMPARED = ("baseline", "reference")
# What kinds of rules judged: only where somebody asks for it, against sessions of before, anything else; and a gate.
ON_REQUEST, AGAINST_BEFORE, ALWAYS, GATE = 1, 2, 4, 8
_KINDS = {"paired-ranks": ON_REQUEST, "sessions-t": AGAINST_BEFORE, "exact": AGAINST_BEFORE}
_SORT = attrgetter("metric", "outcome", "gate", "rule")
_Sort = tuple[str, str, bool, str]
_ADVICE = 8
_CODES = {name: code for code, name in enumerate(OUTCOMES)}


@dataclass(frozen=True, kw_only=True)
class Group:
    """One metric of one case. The columns have one entry per session, oldest first.

    head: position in `Sessions`. value: NaN where nobody gave one. drawn: the same, but of a percentile that was judged
    over all frames of its run, that one. outcome: as in Series. kinds: of the rules, as bits.
    """

    track: int
    metric: str
    head: Array
    value: Array
    drawn: Array
    outcome: Array
    kinds: Array


@dataclass(frozen=True, kw_only=True)
class Table:
    """points: what has values, judged or not. judged: what has verdicts. Both sorted by case, then metric.

    left_out: metrics that have values and were not asked for.
    """

    points: tuple[Group, ...]
    judged: tuple[Group, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """One entry per session and metric, in the order of `key`, which counts cases, then metrics, then sessions."""

    key: Array
    head: Array
    value: Array
    drawn: Array
    outcome: Array
    kinds: Array


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """A session's metric as one number: the larger, the later in case, metric and time."""

    sessions: Sessions
    metrics: tuple[str, ...]

    @property
    def longest(self) -> int:
        """No case has more sessions."""
        return max(len(self.sessions.heads), 1)

    def of(self, head: Array, metric: Array) -> Array:
        """Of positions of heads and of metrics."""
        case = self.sessions.track[head]
        keys: Array = (case * len(self.metrics) + metric) * self.longest + self.sessions.place[head]
        return keys

    def places(self, metrics: Iterable[str]) -> Array:
        """The positions of metrics by name."""
        known = {name: place for place, name in enumerate(self.metrics)}
        return np.array([*map(known.__getitem__, metrics), 0])[:-1]

    def groups(self, columns: _Columns) -> Iterator[Group]:
        """The columns, cut wherever the case or the metric changes."""
        group = columns.key // self.longest
        starts = np.flatnonzero(np.diff(group, prepend=-1)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(group)]):
            track, metric = divmod(int(group[start]), len(self.metrics))
            yield Group(
                track=track, metric=self.metrics[metric], head=columns.head[start:stop],
                value=columns.value[start:stop], drawn=columns.drawn[start:stop],
                outcome=columns.outcome[start:stop], kinds=columns.kinds[start:stop],
            )  # fmt: skip


def table_of(rows: TrendRows, sessions: Sessions, metrics: Collection[str] = ()) -> Table:
    """All that is shown. metrics: names that are wanted beside those that are judged, or "all".

    ConfigError for a name that neither the history nor this version knows.
    """
    sort, sorts = _sorted_out(rows.outcomes)
    names = {*rows.means.metrics, *(metric for metric, *_ in sorts)}
    keys = _Keys(sessions=sessions, metrics=tuple(sorted(names, key=place_of)))
    judged = _judged(rows.outcomes, sort, sorts, keys)
    groups = tuple(keys.groups(judged))
    told = {one.metric for one in groups if np.isfinite(one.value).any()}
    wanted = _wanted(keys.metrics, told, metrics)
    points = _with_outcomes(_values(rows.means, judged, keys, wanted), judged, keys)
    return Table(
        points=tuple(keys.groups(points)), judged=groups,
        left_out=tuple(sorted({*rows.means.metrics, *rows.means.left_out} - wanted, key=place_of)),
    )  # fmt: skip


def code_of(outcome: str) -> int:
    """The code of a recorded outcome; one that this version does not know counts as undecided."""
    return _CODES.get(outcome, UNKNOWN_OUTCOME)


def _wanted(known: Sequence[str], told: Collection[str], asked: Collection[str]) -> frozenset[str]:
    if ALL in asked:
        return frozenset(known)
    for name in asked:
        if name not in known and not is_known(name):
            raise ConfigError(unknown("metric", name, known), where="--metric", remedy=f"{ALL} shows them all")
    return frozenset((*told, *COMPARED, *HEADLINES, *asked))


def _judged(outcomes: Sequence[OutcomeRow], sort: Array, sorts: Sequence[_Sort], keys: _Keys) -> _Columns:
    """The worst verdict of each session on each metric, gates before advice, with its value.

    sort: of each verdict an index into `sorts`.
    """
    known, head = keys.sessions.heads_of(column(outcomes, "session", np.int64))
    sort = sort[known]
    key = keys.of(head, keys.places(one[0] for one in sorts)[sort])
    ranks, kinds = (np.array([of(*one) for one in sorts] or [0], np.int64)[sort] for of in (_rank, _kind))
    order = (key * 2 * _ADVICE + ranks).argsort(kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    first = order[starts]
    value = column(outcomes, "value", np.float64)[known][first]
    return _Columns(
        key=key[first], head=head[first], value=value, drawn=value,
        outcome=(ranks[first] % _ADVICE).astype(np.int8),
        kinds=(np.bitwise_or.reduceat(kinds[order], starts) if len(starts) else kinds).astype(np.int8),
    )  # fmt: skip


def _sorted_out(outcomes: Sequence[OutcomeRow]) -> tuple[Array, list[_Sort]]:
    """There are many verdicts of few sorts: of each verdict its sort, and the sorts."""
    found: dict[_Sort, int] = defaultdict(lambda: len(found))
    sort = np.fromiter(map(found.__getitem__, map(_SORT, outcomes)), np.int64, len(outcomes))
    return sort, list(found)


def _rank(metric: str, outcome: str, gate: bool, rule: str) -> int:
    """The smaller, the worse; advice comes after all gates."""
    return code_of(outcome) + (0 if gate else _ADVICE)


def _kind(metric: str, outcome: str, gate: bool, rule: str) -> int:
    """What kind of rule it is; "baseline" and "reference" stand for comparisons that could not be made."""
    kind = ON_REQUEST if metric in NOT_COMPARED else _KINDS.get(rule.partition("/")[0], ALWAYS)
    return kind | (GATE if gate else 0)


def _values(means: MeanRows, judged: _Columns, keys: _Keys, wanted: frozenset[str]) -> _Columns:
    """The means of the processes; of what no process tells (accuracy) the values of the verdicts. Not judged yet."""
    renamed = np.array([*keys.places(means.metrics), 0])
    shown = np.array([*(name in wanted for name in means.metrics), False])[means.metric]
    known, head = keys.sessions.heads_of(means.session[shown])
    told = keys.of(head, renamed[means.metric[shown][known]])
    spare = np.isfinite(judged.value) & ~np.isin(judged.key // keys.longest, np.unique(told // keys.longest))
    key = np.concatenate([told, judged.key[spare]])
    order = key.argsort(kind="stable")
    value = np.concatenate([means.value[shown][known], judged.value[spare]])[order]
    blank = np.full(len(key), NOT_JUDGED, np.int8)
    return _Columns(
        key=key[order], head=np.concatenate([head, judged.head[spare]])[order], value=value, drawn=value,
        outcome=blank, kinds=np.zeros_like(blank),
    )  # fmt: skip


def _with_outcomes(points: _Columns, judged: _Columns, keys: _Keys) -> _Columns:
    """The points with what was judged of them."""
    if not len(judged.key):
        return points
    at = np.searchsorted(judged.key, points.key).clip(max=len(judged.key) - 1)
    same = judged.key[at] == points.key
    over_run = np.array([*(name in POOLED for name in keys.metrics), False])
    pooled = same & over_run[points.key // keys.longest % len(keys.metrics)] & np.isfinite(judged.value[at])
    return _Columns(
        key=points.key, head=points.head, value=points.value,
        drawn=np.where(pooled, judged.value[at], points.value),
        outcome=np.where(same, judged.outcome[at], NOT_JUDGED), kinds=np.where(same, judged.kinds[at], 0),
    )  # fmt: skip
