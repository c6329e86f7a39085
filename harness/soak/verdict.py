"""What a soak says, as sentences with their evidence; it is clean where nothing is raised. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.soak import Soak
from harness.soak.cooldown import CoolDown, cool_down_of
from harness.soak.drift import MEDIAN, P99, Drift, drift_of
from harness.soak.evidence import Evidence, evidence
from harness.soak.leak import LIMIT_KB, Leak, leak_of
from harness.soak.stalls import Stalls, stalls_of

Kind = Literal["throttle", "step", "drift", "leak", "periodic stall", "single stall", "random stalls"]
STALL_KINDS: Mapping[str, Kind] = {"periodic": "periodic stall", "single": "single stall", "random": "random stalls"}
SHOWN_STALLS = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong. evidence: the numbers behind the sentence."""

    kind: Kind
    sentence: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that is no finding. unjudged: it could not be told whether there is one."""

    sentence: str
    unjudged: bool = False


@dataclass(frozen=True, kw_only=True)
class SoakVerdict:
    """findings: what is raised. notes: what could not be judged, or is no fault. minutes: how long it was."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    minutes: float
    frames: int

    @property
    def clean(self) -> bool:
        """True where something was measured and nothing raised."""
        return self.frames > 0 and not self.findings

    @property
    def sentences(self) -> tuple[str, ...]:
        """All that there is to say, findings first."""
        over = f"{self.frames} frames in {self.minutes:.1f} min"
        head = (
            "no frame was measured" if not self.frames else f"clean: nothing raised over {over}" if self.clean else ""
        )
        return (*filter(None, [head]), *(one.sentence for one in self.findings), *self.notes)


def judge(soak: Soak, *, limit_kb: float = LIMIT_KB) -> SoakVerdict:
    """All that the frames and sensors of a soak show."""
    said = (*moves(soak), *leaks(leak_of(soak, limit_kb)), *long_frames(stalls_of(soak)), *cooling(soak))
    return SoakVerdict(
        findings=tuple(one for one in said if isinstance(one, Finding)),
        notes=tuple(one.sentence for one in said if isinstance(one, Note)),
        minutes=soak.seconds / 60, frames=len(soak.due_ns),
    )  # fmt: skip


Said = tuple[Finding | Note, ...]


def moves(soak: Soak) -> Said:
    """Steps and drifts of the median and of P99; empty where neither moves."""
    drifts = _told_once([drift_of(soak, one) for one in (MEDIAN, P99)])
    return tuple(one for drift in drifts for one in _moved(soak, drift))


def _told_once(drifts: list[Drift]) -> list[Drift]:
    """Where the median moves, P99 moves with it: that is one finding."""
    median, tail = drifts
    with_it = median.kind in ("step", "drift") and tail.kind in ("step", "drift") and median.change * tail.change > 0
    return [median] if with_it or (median.kind == tail.kind == "too short") else drifts


def _moved(soak: Soak, drift: Drift) -> Said:
    if drift.kind == "too short":
        return (Note(sentence=f"drift: not judged, {soak.seconds:.0f} s are too short", unjudged=True),)
    if drift.kind == "none":
        return ()
    before_after = f"{drift.before_ms:.2f} ms to {drift.after_ms:.2f} ms ({100 * drift.change:+.1f} %)"
    if drift.change < 0:
        said = f"{drift.quantile} fell from {before_after}: the soak began before the device was steady"
        return (Note(sentence=said),)
    if drift.kind == "drift":
        return (_drifting(soak, drift, before_after),)
    return (_stepped(drift, before_after, evidence(soak, drift.at_s or 0.0)),)


def _drifting(soak: Soak, drift: Drift, before_after: str) -> Finding:
    """A throttle that comes by and by is one too: the halves of the soak tell."""
    bounds = f"99.9 % interval {100 * (drift.low or 0):+.1f} to {100 * (drift.high or 0):+.1f} %"
    sentence = f"{drift.quantile} drifts from {before_after} over {soak.seconds / 60:.0f} min, {bounds}"
    told = evidence(soak, soak.seconds / 2)
    if not (told.clock_fell or told.throttled):
        return Finding(kind="drift", sentence=sentence, evidence=asdict(drift))
    sentence = f"throttle by and by: {sentence}; of its halves: {told.sentence}"
    return Finding(kind="throttle", sentence=sentence, evidence={**asdict(drift), **asdict(told)})


def _stepped(drift: Drift, before_after: str, told: Evidence) -> Finding | Note:
    kind: Kind = "throttle" if told.clock_fell or told.throttled else "step"
    if kind == "step" and not drift.lasts:
        why = "which other load could do as well: no sensor tells of a throttle, and the levels are short or overlap"
        said = f"{drift.quantile} goes from {before_after} in minute {drift.minute}, {why}; soak longer"
        return Note(sentence=said, unjudged=True)
    why = (
        f": {told.sentence}" if kind == "throttle"
        else f"; no throttle by the sensors, so look for other load: {told.sentence}" if told.told
        else "; the shape of a throttle, but no sensor told clocks or throttle states"
    )  # fmt: skip
    sentence = f"{kind} in minute {drift.minute}: {drift.quantile} goes from {before_after} and stays{why}"
    return Finding(kind=kind, sentence=sentence, evidence={**asdict(drift), **asdict(told)})


def leaks(grown: Leak) -> Said:
    """A leak, or why nobody knows of one; empty where there is none."""
    if grown.kind == "unmeasured":
        return (Note(sentence=f"memory: not judged, {grown.reason}", unjudged=True),)
    bounds = growth_text(grown)
    if grown.kind == "leak":
        sentence = f"leak: memory grows by {bounds}, {grown.retained_mb:.1f} MB kept over {grown.frames} frames"
        return (Finding(kind="leak", sentence=sentence, evidence=asdict(grown)),)
    if grown.kind == "settling":
        return (Note(sentence=f"memory: grew by {bounds} and ebbs; soak longer", unjudged=True),)
    unclear = f"memory: growth is not told from none, {bounds}; soak longer"
    return (Note(sentence=unclear, unjudged=True),) if grown.kind == "unclear" else ()


def growth_text(grown: Leak) -> str:
    """The growth of a measured one with its bounds."""
    return (
        f"{grown.slope_kb:.3g} kB per frame (at least {grown.low_kb:.3g} at 99.9 %, at most {grown.high_kb:.3g} "
        f"at 95 %, limit {grown.limit_kb:g})"
    )


def cooling(soak: Soak) -> Said:
    """Nothing where nobody watched on: not every soak does."""
    found = cool_down_of(soak)
    return (Note(sentence=f"afterwards it {found.sentence}"),) if isinstance(found, CoolDown) else ()


def long_frames(found: Stalls) -> Said:
    """Stalls, how they come, or why nobody knows of any; empty where there are none."""
    count, lengths = len(found.at_s), f"{found.typical_ms:.0f} ms, longest {found.longest_ms:.0f} ms"
    if found.kind == "too short":
        return (Note(sentence="stalls: not judged, too few frames", unjudged=True),)
    if found.kind == "none":
        return ()
    if found.kind == "tail":
        above = f"{count} frames above {found.threshold_ms:.0f} ms ({lengths})"
        return (Note(sentence=f"{above}: as the tail of all frames lets expect"),)
    when = ", ".join(f"{at_s:.1f}" for at_s in found.at_s[:SHOWN_STALLS]) + (", ..." if count > SHOWN_STALLS else "")
    sentence = {
        "periodic": f"periodic stall every {found.period_s or 0:.2f} s: {count} of {lengths} (p {found.p_value:.1g})",
        "single": f"single stall of {found.longest_ms:.0f} ms at {when} s",
        "random": f"{count} stalls at random times, no period: {lengths}, at {when} s",
    }[found.kind]
    return (Finding(kind=STALL_KINDS[found.kind], sentence=sentence, evidence=asdict(found)),)
