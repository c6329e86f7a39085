"""What one soak answers: what was found, when and how much, or what was looked for, and what nobody could see. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.rules import Outcome
from harness.soak import Soak
from harness.soak.drift import MEDIAN, P99
from harness.soak.leak import leak_of
from harness.soak.minutes import Minute, minutes
from harness.soak.sensors import KILOHERTZ, MINUTE_NS, Column, columns_of, covers, hottest, memory, throttles
from harness.soak.stalls import SHORTEST_PERIOD_S, Stalls, stalls_of
from harness.soak.verdict import Finding, Note, Said, cooling, growth_text, leaks, long_frames, moves


@dataclass(frozen=True, kw_only=True)
class Answer:
    """value: in kB per frame, with its limit, of the one answer that is a number."""

    outcome: Outcome
    sentence: str
    value: float | None = None
    limit: float | None = None


def latency_drift(soak: Soak) -> Answer:
    """Whether the median or P99 rises for good."""
    looked = (
        f"neither the median nor P99 rose for good over {_over(soak)}{_ends(minutes(soak))}; looked for a step or a "
        f"drift of {100 * MEDIAN.smallest:g} % of the median and {100 * P99.smallest:g} % of P99"
    )
    return _answer(moves(soak), looked)


def throttling(soak: Soak) -> Answer:
    """Whether clocks, throttle states or counters show a throttle; latency alone cannot."""
    moved = [one for one in moves(soak) if isinstance(one, Finding) and one.kind == "throttle"]
    if moved:
        return _answer((*moved, *cooling(soak)), "")
    working = [one for one in throttles(soak) if one.within(soak.start_ns, soak.end_ns).any()]
    if working:
        said = "; ".join(_at_work(one, soak) for one in working)
        return Answer(outcome=Outcome.FAIL, sentence=f"throttled, though latency shows no step with it: {said}")
    clocks, marks = ([one for one in those if covers(one, soak)] for those in (columns_of(soak, KILOHERTZ),
                                                                               throttles(soak)))  # fmt: skip
    if not clocks and not marks:
        why = "not looked at: no sensor told clocks or throttle states in every minute (probes clocks and throttle)"
        return Answer(outcome=Outcome.INCONCLUSIVE, sentence=why)
    seen = (
        *([_steadiest(clocks, soak)] if clocks else ["nobody told clocks"]),
        f"none at work by {', '.join(one.name for one in marks)}" if marks else "nobody told throttle states",
        _heat(soak),
    )
    return _answer(cooling(soak), f"no throttle over {_over(soak)}: {', '.join(seen)}")


def memory_leak(soak: Soak) -> Answer:
    """Whether the memory of the engine's processes grows with every frame."""
    grown, told = leak_of(soak), memory(soak)
    if grown.slope_kb is None:
        return _answer(leaks(grown), "")
    said = leaks(grown)
    if told is not None and not covers(told, soak):
        said = (*said, Note(sentence="memory: not told in every minute of the soak", unjudged=True))
    found = _answer(said, f"memory grows by {growth_text(grown)} over {grown.frames} frames")
    return Answer(outcome=found.outcome, sentence=found.sentence, value=grown.slope_kb, limit=grown.limit_kb)


def stalls(soak: Soak) -> Answer:
    """Whether frames take far too long: at a beat, once, or at random."""
    found = stalls_of(soak)
    return _answer(long_frames(found), f"no stall over {_over(soak)}: {_longest(soak, found)}")


def _answer(said: Said, fine: str) -> Answer:
    """FAIL with what was found, else INCONCLUSIVE with what could not be judged, else PASS with what was looked for."""
    findings = [one.sentence for one in said if isinstance(one, Finding)]
    unjudged = [one.sentence for one in said if isinstance(one, Note) and one.unjudged]
    notes = [one.sentence for one in said if isinstance(one, Note) and not one.unjudged]
    outcome = Outcome.FAIL if findings else Outcome.INCONCLUSIVE if unjudged else Outcome.PASS
    told = (*findings, *unjudged) or (fine,)
    return Answer(outcome=outcome, sentence="; ".join((*told, *notes)))


def _over(soak: Soak) -> str:
    return f"{len(soak.due_ns)} frames in {soak.seconds / 60:.1f} min"


def _ends(rows: tuple[Minute, ...]) -> str:
    """The first minute beside the last."""
    if len(rows) < 2:
        return ""
    ends = (
        f"{one.p50_ms:.2f} and {one.p99_ms:.2f} ms in minute {one.number}"
        for one in (rows[0], rows[-1]) if one.p50_ms is not None and one.p99_ms is not None
    )  # fmt: skip
    return f" ({', '.join(ends)})"


def _at_work(mark: Column, soak: Soak) -> str:
    inside = mark.within(soak.start_ns, soak.end_ns)
    first_ns = mark.time_ns[mark.time_ns >= soak.start_ns][np.flatnonzero(inside)[0]]
    minute = int((first_ns - soak.start_ns) // MINUTE_NS) + 1
    return f"{mark.name} at work in {100 * inside.mean():.3g} % of its samples, first in minute {minute}"


def _steadiest(clocks: list[Column], soak: Soak) -> str:
    """The clock whose minutes differ most: none of the others moved more."""
    rows = minutes(soak)
    means = {one.name: [row.clocks_mhz[one.name] for row in rows if one.name in row.clocks_mhz] for one in clocks}
    ranges = ((min(told) / max(max(told), 1.0), name, min(told), max(told)) for name, told in means.items() if told)
    _, name, low, high = min(ranges)
    return f"{name} {low:.0f} to {high:.0f} MHz in its minutes"


def _heat(soak: Soak) -> str:
    hot = hottest(soak)
    if hot is None:
        return "nobody told a temperature"
    return f"{hot.name} {hot.values[0]:.1f} C at the start and {hot.values.max():.1f} C at most"


def _longest(soak: Soak, found: Stalls) -> str:
    longest = soak.latency_ns.max(initial=0) / 1e6
    return (
        f"the longest frame took {longest:.1f} ms, a stall about {found.threshold_ms:.0f} ms; looked for beats from "
        f"{SHORTEST_PERIOD_S:g} to {soak.seconds / 3:.0f} s, for single ones and for too many"
    )
