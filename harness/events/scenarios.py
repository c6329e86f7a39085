"""Scenario budgets: what measured frame times and a stated filter leave of the public scenario times. Pure.

A driver changes state; frames show it; the filter believes it; the warning is given. The scenario time less the time
of filter and warning is the slack, and the system's own delay (waiting, computing, lost frames) takes its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.camera import Arrivals, Paced, period_ns
from harness.case import Array
from harness.errors import ConfigError
from harness.events import CLOSED, OFF_ROAD, PHONE, checked_fps
from harness.events.filters import StateFilter
from harness.stats.bounds import nearest_rank

FRAME_BUDGET_WORDING = (
    "50 ms per frame (P99, frame in memory to state) is this project's engineering budget, chosen so that inference "
    "uses a small part of the seconds-scale scenario times; Euro NCAP sets no per-frame latency that we know of"
)
NOT_A_RATING = (
    "margins to public times, each read as the latest moment of the warning: no statement on any rating or approval, "
    "for the protocols themselves were not read"
)
Certainty = Literal["secondary", "not verified"]
EURO_NCAP, EU_ADDW = "Euro NCAP v10.4", "EU 2023/2590 (ADDW)"
SUMMARIES = "programme of 2023, read in summaries of the protocol, not in it"
UTAC = "read in a summary by UTAC, not in the regulation"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A public scenario time. limit_s: from onset to the warning; latest_s: where the text allows more.

    certainty: "secondary", taken from a summary; "not verified", commonly said and not found in public text.
    reset_s: so long without the behaviour begins the count anew. shows: evidence of the behaviour, any of it.
    """

    name: str
    what: str
    shows: tuple[str, ...]
    limit_s: float
    latest_s: float | None = None
    reset_s: float | None = None
    source: str
    certainty: Certainty
    note: str

    @property
    def origin(self) -> str:
        return f"{self.source}; {self.certainty}: {self.note}"


# Phone use is a subset of the distractions.
SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="long_distraction", what="one gaze off the road for 3 s, 4 s where justified", limit_s=3.0, latest_s=4.0,
        shows=(OFF_ROAD, PHONE), source=EURO_NCAP, certainty="secondary", note=SUMMARIES,
    ),
    Scenario(
        name="cumulative_distraction", what="10 s off the road within 30 s", limit_s=10.0, reset_s=2.0,
        shows=(OFF_ROAD, PHONE), source=EURO_NCAP, certainty="secondary", note=SUMMARIES,
    ),
    Scenario(
        name="microsleep", what="eyes closed for less than 3 s, commonly said 1 to 2 s", limit_s=1.0, latest_s=2.0,
        shows=(CLOSED,), source=EURO_NCAP, certainty="not verified", note="the 1 to 2 s were not found in public text",
    ),
    Scenario(
        name="sleep", what="eyes closed for more than 3 s", limit_s=3.0,
        shows=(CLOSED,), source=EURO_NCAP, certainty="secondary", note=SUMMARIES,
    ),
    Scenario(
        name="unresponsive", what="gaze away or eyes closed for 6 s", limit_s=6.0,
        shows=(OFF_ROAD, CLOSED), source=EURO_NCAP, certainty="secondary", note=SUMMARIES,
    ),
    Scenario(
        name="unresponsive_after_warning", what="gaze not back within 3 s of a warning", limit_s=3.0,
        shows=(OFF_ROAD,), source=EURO_NCAP, certainty="secondary", note=SUMMARIES,
    ),
    Scenario(
        name="addw_20_to_50", what="gaze away for 6 s at 20 to 50 km/h", limit_s=6.0,
        shows=(OFF_ROAD,), source=EU_ADDW, certainty="secondary", note=UTAC,
    ),
    Scenario(
        name="addw_above_50", what="gaze away for 3.5 s above 50 km/h", limit_s=3.5,
        shows=(OFF_ROAD,), source=EU_ADDW, certainty="secondary", note=UTAC,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """A run at the camera's pace: when each frame that has a result was due and when its result was there, int64 ns.

    index: the numbers of these frames, ascending; every other number up to the last is a dropped frame.
    ConfigError for times that cannot be.
    """

    fps: float
    index: Array
    due_ns: Array
    end_ns: Array

    def __post_init__(self) -> None:
        checked_fps(self.fps)
        if not len(self.index) == len(self.due_ns) == len(self.end_ns):
            raise ConfigError("frame numbers, due times and ends are not of the same frames", where="frame times")
        if not len(self.index):
            raise ConfigError("no frame has a result: there is nothing to budget", where="frame times")
        for name, values in (("numbers", self.index), ("due times", self.due_ns), ("ends", self.end_ns)):
            if (np.diff(values) < (1 if name == "numbers" else 0)).any():
                raise ConfigError(f"the {name} of the frames go backwards", where="frame times")
        if (self.end_ns < self.due_ns).any():
            raise ConfigError("a result was there before its frame", where="frame times")

    @staticmethod
    def of(run: Paced, arrivals: Arrivals) -> FrameTimes:
        """Those of a paced run; recorded timestamps count at their mean rate."""
        return FrameTimes(fps=1e9 / period_ns(arrivals), index=run.index, due_ns=run.due_ns, end_ns=run.end_ns)

    @property
    def frames(self) -> int:
        """Camera frames, dropped ones included."""
        return int(self.index[-1]) + 1

    @property
    def longest_gap_s(self) -> float:
        """Between two successive results; 0 where there is but one."""
        return float(np.diff(self.end_ns).max(initial=0)) / 1e9


@dataclass(frozen=True, kw_only=True)
class OwnDelay:
    """The system's own part of the time from an onset to the filtered state, over all onsets that the run can show.

    An onset lies just after a frame, so that the next one is the first to show it: the worst moment of each period.
    worst_frame: the first frame that shows the worst onset. onsets: how many could be followed to a decision. One that
    the run ends before is known to have waited that long at least, and counts with it in worst_s where that is more.
    """

    median_s: float
    worst_s: float
    worst_frame: int
    onsets: int


@dataclass(frozen=True, kw_only=True)
class Margin:
    """What is left of one scenario time. slack_s: after filter and warning (HMI); left_s: after the worst delay too.

    worst_share: of the slack, used by the system's own delay; None where there is no slack.
    """

    scenario: Scenario
    filter_s: float
    hmi_s: float
    own: OwnDelay
    longest_gap_s: float

    @property
    def slack_s(self) -> float:
        return round(self.scenario.limit_s - self.filter_s - self.hmi_s, 9)

    @property
    def left_s(self) -> float:
        return self.slack_s - self.own.worst_s

    @property
    def worst_share(self) -> float | None:
        return self.own.worst_s / self.slack_s if self.slack_s > 0 else None

    @property
    def sentence(self) -> str:
        """The margin in words; NOT_A_RATING and the origin of the time are for once."""
        scenario = self.scenario
        source = f"{scenario.source}, {scenario.certainty}, no rating"
        return "; ".join((f"{scenario.what}: {self._judgement()}{self._latest()}", *self._gap(), source))

    def _judgement(self) -> str:
        spent = f"{self.scenario.limit_s:g} s less {self.filter_s:.2f} s filter, {self.hmi_s:g} s HMI"
        if self.worst_share is None:
            return f"{spent} leaves no slack: no system keeps this time with this filter"
        own = (
            f"{self.own.worst_s:.3f} s own delay at worst (frame {self.own.worst_frame}, "
            f"{100 * self.worst_share:.0f} % of the slack; median {self.own.median_s:.3f} s)"
        )
        end = f"{self.left_s:.2f} s are left" if self.left_s >= 0 else f"{-self.left_s:.2f} s too late"
        return f"{spent} and {own}: {end}"

    def _latest(self) -> str:
        scenario = self.scenario
        if scenario.latest_s is None:
            return ""
        return f", {scenario.latest_s - scenario.limit_s:g} s more if {scenario.latest_s:g} s apply"

    def _gap(self) -> Iterator[str]:
        reset_s = self.scenario.reset_s
        if reset_s is not None and self.longest_gap_s >= reset_s:
            yield f"{self.longest_gap_s:.2f} s without a result may reset the count ({reset_s:g} s)"


def own_delay(times: FrameTimes, filter: StateFilter) -> OwnDelay:
    """The own delay for an onset before every frame of the run, all frames from there on showing the state.

    What is counted is the time from onset to decision less the filter's own time at the nominal rate.
    ConfigError for a filter that is longer than the run, or a run that ends before any decision.
    """
    filter.check_fits(times.fps, times.frames)
    onsets = np.arange(times.frames)
    decided = _deciding_results(times, filter, onsets)
    followed = decided < len(times.index)
    if not followed.any():
        raise ConfigError(
            f"the filter never decides: a window of {filter.frames(times.fps)} frames has to hold "
            f"{filter.needed(times.fps)} results, and {len(times.index)} of {times.frames} frames have one",
            where="frame times", remedy="drop fewer frames, lower on_share, or measure longer",
        )  # fmt: skip
    ends_ns = times.end_ns[np.minimum(decided, len(times.index) - 1)]
    delays_s = (ends_ns - _onsets_ns(times)) / 1e9 - filter.delay_s(times.fps)
    worst = int(delays_s.argmax())
    return OwnDelay(
        median_s=nearest_rank(delays_s[followed], 0.5), worst_s=float(delays_s[worst]),
        worst_frame=int(onsets[worst]), onsets=int(followed.sum()),
    )  # fmt: skip


def _onsets_ns(times: FrameTimes) -> Array:
    """Just after the frame before each: when that one was due; between known due times, evenly spaced."""
    period_ns = 1e9 / times.fps
    before = np.arange(-1, times.frames - 1)
    due = np.interp(before, times.index, times.due_ns)
    early = before < times.index[0]
    due[early] = times.due_ns[0] - (times.index[0] - before[early]) * period_ns
    return due


def _deciding_results(times: FrameTimes, filter: StateFilter, onsets: Array) -> Array:
    """For an onset before each camera frame, the result with which the state begins; past the end: none."""
    results = len(times.index)
    needed, window = filter.needed(times.fps), filter.frames(times.fps)
    # Not before so many results that show it are there.
    enough = np.minimum(np.searchsorted(times.index, onsets) + needed - 1, results)
    if filter.missing == "skipped":
        return enough
    # Then they must lie within one window; otherwise it waits for the next window that holds enough results.
    held = np.arange(results) - np.searchsorted(times.index, times.index - window + 1) + 1
    full = np.append(np.where(held >= needed, np.arange(results), results), results)
    next_full = np.minimum.accumulate(full[::-1])[::-1]
    index = np.append(times.index, 0)
    in_one_window = (enough == results) | (index[enough] - onsets < window)
    return np.where(in_one_window, enough, next_full[enough])


def margins(
    times: FrameTimes, filter: StateFilter, hmi_s: float, scenarios: Sequence[Scenario] = SCENARIOS
) -> tuple[Margin, ...]:
    """The margin to each scenario time. hmi_s: from the decision to the warning, as stated by its maker."""
    if not 0 <= hmi_s < np.inf:
        raise ConfigError(f"an HMI delay of {hmi_s:g} s is no time", where="scenario budget")
    own = own_delay(times, filter)
    return tuple(
        Margin(
            scenario=one, filter_s=filter.delay_s(times.fps), hmi_s=hmi_s, own=own, longest_gap_s=times.longest_gap_s
        )
        for one in scenarios
    )
