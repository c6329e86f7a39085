"""A row of the first screen as the template writes it: every cell is text or an SVG made of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from harness.case import Case
from harness.trendreport.cells import MISSING, number, plural
from harness.trendreport.claimchoice import budget_claim, change_claim
from harness.trendreport.model import OUTCOMES, Claim, Row, Track, Trends
from harness.trendreport.page.bars import interval_bar, margin_bar
from harness.trendreport.page.embed import commit_link, shown
from harness.trendreport.page.payload import ID_DIGITS
from harness.trendreport.page.shapes import MISSING_ROW, STALE, UNJUDGED, mark_class
from harness.trendreport.page.sparks import spark

COMMIT_DIGITS = 12
# Flags that another place of the row says: its outcome, its fold, a flag of its own.
SAID_ELSEWHERE = ("missing", "not current", "simulated")
NO_PICTURE = Markup("")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A claim in one cell: the figure that it rests on, as a bar and in words."""

    text: str = MISSING
    note: str = ""
    svg: Markup = NO_PICTURE


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A claim in full. mark: the class of its outcome's mark."""

    mark: str
    outcome: str
    what: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """The session that a row speaks of. link: the commit's address, "" where there is none."""

    id: str
    commit: str
    subject: str
    link: str


@dataclass(frozen=True, kw_only=True)
class RowView:
    """series: its index in the payload, "" without one; link: to its chart.

    outcome: also MISSING, NOT_JUDGED and NOT_CURRENT; word: the same for the reader. when: the date of the value, and
    of how many sessions it is.
    """

    key: str
    case: Case
    metric: str
    series: str
    link: str
    outcome: str
    word: str
    mark: str
    advice: bool
    simulated: bool
    value: str
    when: str
    budget: Bar
    change: Bar
    detectable: str
    evidence: str
    spark: Markup
    flags: tuple[str, ...]
    reasons: tuple[Reason, ...]
    source: Source | None


def row_views(trends: Trends, commit_url: str = "") -> list[RowView]:
    """All rows in their order."""
    return [_view(row, trends, commit_url) for row in trends.rows]


def simulated(row: Row, trends: Trends) -> bool:
    """True where the row's numbers are no real hardware's."""
    return "simulated" in row.flags or (row.track is not None and trends.tracks[row.track].simulated)


def _view(row: Row, trends: Trends, commit_url: str) -> RowView:
    series = None if row.series is None else trends.series[row.series]
    track = None if row.track is None else trends.tracks[row.track]
    place = _session(row, track)
    outcome, word = _outcome(row)
    limited, changed = budget_claim(row), change_claim(row)
    return RowView(
        key=row.key, case=row.case, metric=row.metric, series="" if row.series is None else str(row.series),
        link=f"#row={quote(shown(row.key))}" if series else "", outcome=outcome, word=word, mark=mark_class(outcome),
        advice=row.advice and bool(row.claims), simulated=simulated(row, trends), value=number(row.value, row.unit),
        when=_when(row, track, place),
        budget=_budget(limited, row, series.better if series else "") if limited else Bar(),
        change=_change(changed, row) if changed else Bar(), detectable=_detectable(changed),
        evidence=_evidence([one for one in (limited, changed) if one] or row.claims),
        spark=spark(series, trends.tracks[series.track]) if series else NO_PICTURE,
        flags=tuple(one.upper() for one in row.flags if one not in SAID_ELSEWHERE),
        reasons=tuple(_reasons(row)), source=_source(track, place, commit_url),
    )  # fmt: skip


def _outcome(row: Row) -> tuple[str, str]:
    """For the filters and for the reader. What only an earlier run said stands with its date; a FAIL stays one."""
    if row.missing:
        return MISSING_ROW, MISSING_ROW
    if not row.current:
        return "FAIL" if row.failed else STALE, f"{row.outcome or 'measured'} on {row.at[:10]}"
    return (row.outcome, row.outcome) if row.outcome else (UNJUDGED, "not judged")


def _ink(claim: Claim, row: Row) -> str:
    """The outcome that colours a claim: of an earlier run only a FAIL that nobody decided since has a colour."""
    return claim.outcome if row.current or (row.failed and claim.outcome == "FAIL") else STALE


def _budget(claim: Claim, row: Row, better: str) -> Bar:
    """The limit and how far inside the value is."""
    sign = {"less": "at most ", "more": "at least "}.get(better, "")
    text = f"{sign}{number(claim.limit, row.unit)}"
    if claim.margin_percent is None:
        return Bar(text=text, note=_advice(claim))
    margin = f"{number(abs(claim.margin_percent))} % {'inside' if claim.margin_percent >= 0 else 'outside'}"
    return Bar(text=f"{margin}{_advice(claim)}", note=text, svg=margin_bar(claim.margin_percent, _ink(claim, row)))


def _change(claim: Claim, row: Row) -> Bar:
    """The change with its interval against what is tolerated; a side that nothing bounds is a dash."""
    change = claim.change
    assert change is not None  # as `change_claim` chose
    return Bar(
        text=change.interval,
        note=f"tolerated {number(change.tolerance_percent)} %, against {change.against}{_advice(claim)}",
        svg=interval_bar(change, _ink(claim, row)),
    )


def _advice(claim: Claim) -> str:
    return "" if claim.gate else " (advice)"


def _evidence(claims: Sequence[Claim]) -> str:
    return "; ".join(dict.fromkeys(one.evidence for one in claims if one.evidence)) or MISSING


def _detectable(claim: Claim | None) -> str:
    """The smallest change that would have been seen nine times in ten."""
    if claim is None or claim.change is None:
        return MISSING
    percent = claim.change.detectable_percent
    return "none" if percent is None else f"{percent:.2g} %"


def _reasons(row: Row) -> Iterator[Reason]:
    if row.missing:
        yield Reason(mark=mark_class(MISSING_ROW), outcome=MISSING_ROW, what="", sentence=row.missing)
    for one in row.claims:
        what = f"{one.kind}, {'gate' if one.gate else 'advice'}, {one.rule}"
        yield Reason(mark=mark_class(_ink(one, row)), outcome=one.outcome, what=what, sentence=one.sentence)


def _session(row: Row, track: Track | None) -> int | None:
    """The place of the newest session of the row's time in its track."""
    places = range(len(track.at) - 1, -1, -1) if track else ()
    return next((one for one in places if track and track.at[one] == row.at), None)


def _when(row: Row, track: Track | None, place: int | None) -> str:
    """The date; a number that was judged is of all sessions of its run."""
    if track is None or place is None or row.value is None or not row.outcome:
        return row.at[:10]
    kinds = list(zip(track.run, track.purpose, strict=True))
    count = kinds.count(kinds[place])
    return f"{row.at[:10]}, of {plural(count, 'session')}" if count > 1 else row.at[:10]


def _source(track: Track | None, place: int | None, commit_url: str) -> Source | None:
    """What was measured there."""
    if track is None or place is None:
        return None
    commit = track.commit[place]
    return Source(
        id=track.ids[place][:ID_DIGITS], commit=_short(commit), subject=track.subject[place],
        link=commit_link(commit_url, commit),
    )  # fmt: skip


def _short(commit: str) -> str:
    """Its first digits, and + where files differed from it."""
    digits = commit.rstrip("+")
    return f"{digits[:COMMIT_DIGITS]}{commit[len(digits) :][:1]}"


def choices(views: Sequence[RowView]) -> Mapping[str, list[str]]:
    """What each filter may ask for: only what some row has."""
    columns = {
        "device": (one.case.device for one in views), "model": (one.case.model for one in views),
        "variant": (one.case.variant for one in views), "runtime": (one.case.runtime for one in views),
        "metric": (one.metric for one in views),
    }  # fmt: skip
    ranks = [MISSING_ROW, *OUTCOMES, UNJUDGED, STALE]
    present = {one.outcome for one in views}
    outcomes = [one for one in ranks if one in present] + sorted(present - set(ranks))
    # A case that is missing as a whole has no metric, and "" stands for all.
    return {**{name: sorted(set(column) - {""}) for name, column in columns.items()}, "outcome": outcomes}
