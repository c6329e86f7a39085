"""Trends: all that the history says, before anybody draws it. Pure data, of which every form of the report is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from harness.case import Array, Case
from harness.record import Annotation
from harness.trendreport.timecharts import TimeChart
from harness.verdict import Change

# Position is the code in `Series.outcome`, the worst first; NOT_JUDGED is a session without a verdict on the metric.
OUTCOMES = ("FAIL", "INVALID", "INCONCLUSIVE", "NOT_COMPARABLE", "NO_BASELINE", "PASS")
NOT_JUDGED = len(OUTCOMES)
SPARK_SESSIONS = 30

Better = Literal["less", "more"]
Flag = Literal[
    "new", "newly failing", "not judged since", "missing", "not asked", "not current", "retired", "simulated",
    "improved",
]  # fmt: skip
Fold = Literal["", "noise", "reported", "not current"]
ItemState = Literal["failed", "not done", "unknown", "done", "not needed"]
# The worst first; what is not needed takes nothing from what is done.
ITEM_STATES: tuple[ItemState, ...] = get_args(ItemState)


@dataclass(frozen=True, kw_only=True)
class Track:
    """The sessions of one case, oldest first. Every column has one entry per session.

    ids: 32 hexadecimal digits. at: UTC, as in SessionRecord. identity: index into `Trends.identities`. commit, subject,
    build, command, run: from the provenance, "" where it does not say; build is the model's SHA-256. engine: of the
    newest session, with its version. boundaries: index of the first session of another identity, and what differs, in
    words; of very many the newest. sessions: how many there were, where those that no series shows are left out.
    """

    case: Case
    engine: str
    simulated: bool
    ids: tuple[str, ...]
    at: tuple[str, ...]
    purpose: tuple[str, ...]
    valid: Array
    identity: Array
    commit: tuple[str, ...]
    subject: tuple[str, ...]
    build: tuple[str, ...]
    command: tuple[str, ...]
    run: tuple[str, ...]
    boundaries: tuple[tuple[int, str], ...] = ()
    sessions: int | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A budget of the newest verdicts, in the metric's unit."""

    limit: float
    gate: bool


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where a new session of the accepted build lies with 95 % (prediction interval), in the metric's unit.

    first: index of the session from which on the baseline holds. sessions: how many the baseline has.
    """

    low: float
    high: float
    first: int
    sessions: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """A change of level, which is advice. index: the first session of the new level. percent: positive is worse."""

    index: int
    percent: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one case over its sessions. track: index into `Trends.tracks`.

    index: int64, positions in the track's columns, ascending; value: float64 in the metric's unit (the mean of the
    session's processes; where a budget judged a percentile over all frames of the run, that percentile); outcome: int8
    codes into OUTCOMES: all three of one length. decimated: how many points there were, where not all are here; the
    smallest and the largest of each stretch always are, and all that did not pass, or the worst of each stretch where
    these are many.
    """

    track: int
    metric: str
    unit: str
    better: Better
    index: Array
    value: Array
    outcome: Array
    decimated: int | None = None
    limits: tuple[Limit, ...] = ()
    band: Band | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One recorded verdict of a row: one statistic. margin_percent: how far inside (positive) the limit the value is.

    kind: "budget" (limit/1, tail-stream/1, power/1), "change" (sessions-t/1, paired-ranks/1, exact/1),
    "accuracy" (tango/1, clusters/1, resamples/1, agreement/1) or "state" (given/1). evidence: how much it rests on, in
    words ("660 frames", "3 of 12 sessions").
    """

    kind: Literal["budget", "change", "accuracy", "state"]
    rule: str
    outcome: str
    gate: bool
    sentence: str
    limit: float | None = None
    margin_percent: float | None = None
    change: Change | None = None
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the first screen: a metric of a case, as its newest session says it, or that it is missing.

    outcome: the worst of the gates' claims, or of all where none is a gate ("" where nothing was judged). advice: True
    where no claim is a gate. weight: the larger, the worse the evidence; rows are sorted by it. in_noise: a PASS
    without a proven change, or a number that nobody judged, of the newest run. current: False for what is from before
    the newest run of its device; flags say so too.

    Flags: "not judged since": a gate was FAIL before the newest run, of the same model file, and nothing decided it
    since; one of the claims says it. "not asked": the newest run left the metric out. "retired": the newest run left
    the case out, and people expected that.
    """

    case: Case
    metric: str
    unit: str
    value: float | None
    at: str
    outcome: str
    advice: bool
    weight: float
    in_noise: bool
    track: int | None
    series: int | None
    flags: tuple[Flag, ...] = ()
    claims: tuple[Claim, ...] = ()
    missing: str = ""
    current: bool = True

    @property
    def key(self) -> str:
        """Names the row in links."""
        return f"{self.case.key} {self.metric}"

    @property
    def failed(self) -> bool:
        """True where a gate is FAIL and that still counts, also where the newest run did not ask for it."""
        return self.outcome == "FAIL" and not self.advice and "retired" not in self.flags

    @property
    def fold(self) -> Fold:
        """Under which heading the row is folded, "" where it stands open."""
        if self.missing or self.failed:
            return ""
        if not self.current:
            return "not current"
        if not any(one.rule for one in self.claims):
            return "reported"  # nobody judged it, also where its sessions were spoiled
        return "noise" if self.in_noise else ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The first screen above the table. state: as in report.banner.NEXT. failed, new, missing: the worst first.

    compared: what was compared with what, and how many rows are folded for which reason. run: the newest run of each
    device, in words. failed: also what was FAIL before and was not decided since. simulated: cases whose numbers are no
    real hardware's. not_asked: cases measured before that the newest run of their device did not ask for, and metrics
    that it did not ask for of the others.
    """

    state: str
    sentence: str
    next_step: str
    compared: str
    run: str
    failed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table for every form of the report: cells are text, numbers are formatted. note: what it leaves out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ParetoPoint:
    """A variant on an engine. front: no other of its model and device is better in one and no worse in the other."""

    case: Case
    x: float
    y: float
    front: bool


@dataclass(frozen=True, kw_only=True)
class ParetoChart:
    """Latency against accuracy (or size where no accuracy is known) of one model on one device.

    x_name, y_name: with units.
    """

    title: str
    x_name: str
    y_name: str
    y_better: Better
    points: tuple[ParetoPoint, ...]


@dataclass(frozen=True, kw_only=True)
class Views:
    """The comparisons that need no choice: variants against FP32, devices, engines, Pareto fronts."""

    tables: tuple[Table, ...] = ()
    charts: tuple[ParetoChart, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report that is only there where a session has something of it. name: of its element."""

    name: str
    heading: str
    tables: tuple[Table, ...]
    charts: tuple[TimeChart, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one thing that an item is about. what: a variant, or variant/runtime; "" for the model.

    where: file in the repository or session that shows it.
    """

    what: str
    state: ItemState
    sentence: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a checklist. evidence: at least one."""

    name: str
    evidence: tuple[Evidence, ...]

    @property
    def state(self) -> ItemState:
        """That of the worst evidence."""
        return min((one.state for one in self.evidence), key=ITEM_STATES.index)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is done for a model on a device ("": it was measured on none). simulated: its numbers are no hardware's."""

    model: str
    device: str
    simulated: bool
    items: tuple[Item, ...]

    @property
    def ready(self) -> bool:
        """True where nothing is left to do."""
        return all(one.state in ("done", "not needed") for one in self.items)

    def item(self, name: str) -> Item | None:
        """The item; None where it is not on this list."""
        return next((one for one in self.items if one.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Trends:
    """Everything. details: session id -> its JSON for a click on the point.

    docs/trend-report.md, "A session in detail", says what stands in there.
    """

    newest: str
    identities: tuple[Mapping[str, Any], ...]
    tracks: tuple[Track, ...]
    series: tuple[Series, ...]
    rows: tuple[Row, ...]
    overview: Overview
    annotations: tuple[Annotation, ...] = ()
    views: Views = field(default_factory=Views)
    sections: tuple[Section, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    health: tuple[Table, ...] = ()
    provenance: tuple[Table, ...] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
