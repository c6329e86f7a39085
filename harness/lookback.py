"""A case against what it was before: the accepted baseline, and the rolling one of the history's last sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.baseline import Baseline, baseline_path, read_baseline, session_logs
from harness.case import Array, Case
from harness.comparison import FEWEST_SESSIONS, Earlier, improved, judge_change, usable
from harness.errors import HarnessError
from harness.fingerprint import ASKED, differences
from harness.history import open_history
from harness.measurement import Measurement
from harness.record import SessionRecord
from harness.rules import Outcome
from harness.stats.sequential import mean_burst, stride_for
from harness.stats.sessions import LOOKS
from harness.unchanged import EXACT, judge_unchanged, untold_before
from harness.verdict import TailTest, Verdict, given

ROLLING_SESSIONS = 12
POOLED_UNITS = 3
OPEN = (Outcome.INCONCLUSIVE, Outcome.INVALID)
NAME = "baseline"
ACCEPTED = "accepted baseline"


@dataclass(frozen=True, kw_only=True)
class Lookback:
    """folder: of the accepted baselines. history: a location, empty for none. tolerances: metric -> per cent."""

    folder: Path
    history: str
    tolerances: Mapping[str, float]

    def verdicts(
        self, measurement: Measurement, identity: Mapping[str, Any], measure_more: Callable[[], Measurement]
    ) -> list[Verdict]:
        """The case against both baselines, with more sessions (2, 3, 5, 8 in all) while nothing is decided.

        One verdict, NO_BASELINE or NOT_COMPARABLE, where there is nothing to compare with. BaselineError
        for a file that cannot be trusted.
        """
        case = measurement.case
        baseline = read_baseline(baseline_path(self.folder, case))
        refused = _refusal(case, baseline, identity)
        if refused is not None or baseline is None:
            return [*([refused] if refused else []), *_exactly(measurement, baseline, identity)]
        earlier = [_pinned(baseline, self.tolerances), *self._rolling(case, identity, baseline)]
        for wanted in LOOKS:
            while len(measurement.sessions) < wanted:
                measurement = measure_more()
            found = [one for each in earlier for one in judge_change(measurement, each, self.tolerances)]
            if settled(found, measurement, earlier):
                break
        return [*found, *_exactly(measurement, baseline, identity)]

    def untold(self, measurement: Measurement) -> list[str]:
        """A sentence where the accepted baseline is from before the engine told where it ran."""
        baseline = read_baseline(baseline_path(self.folder, measurement.case))
        metrics = untold_before(measurement, _exact_values(baseline)) if baseline is not None else []
        what = f"{measurement.case.key}: the accepted baseline does not tell {', '.join(metrics)}"
        return [f"{what}: accept it anew to gate them"] if metrics else []

    def _rolling(self, case: Case, identity: Mapping[str, Any], baseline: Baseline) -> list[Earlier]:
        """One session of each of the last runs since the baseline was accepted, where there are enough."""
        last = one_of_each_run(self._recent(case, identity))
        since = [one for one in last if one.purpose == "check" and one.at >= baseline.accepted_at]
        enough = len(since) >= FEWEST_SESSIONS
        return [_rolled(since[-ROLLING_SESSIONS:], baseline, self.tolerances)] if enough else []

    def _recent(self, case: Case, identity: Mapping[str, Any]) -> list[SessionRecord]:
        if not self.history:
            return []
        try:
            with open_history(self.history) as history:
                return history.recent(case, identity, ROLLING_SESSIONS * LOOKS[-1])
        except HarnessError:
            return []  # the accepted baseline decides alone; keeping this session will say what is wrong

    def tail_test(self, case: Case, metric: str, identity: Mapping[str, Any], tail: TailTest) -> TailTest:
        """`tail`, with a longer stride where earlier misses of this case came in longer bursts."""
        if tail.stride == 1:
            return tail
        streams = [
            _missed(one.inputs) for record in one_of_each_run(self._recent(case, identity)) for one in record.verdicts
            if one.metric == metric and one.rule == "tail-stream/1" and one.inputs.get("missed")
        ]  # fmt: skip
        longest = max(map(mean_burst, streams), default=0.0)
        return replace(tail, stride=stride_for(longest, tail.stride))


def one_of_each_run(records: Sequence[SessionRecord]) -> list[SessionRecord]:
    """The last session of each run: those of one run follow each other within minutes and are alike."""
    return list({str(one.provenance.get("run", one.id)): one for one in records}.values())


def _missed(inputs: Mapping[str, Any]) -> Array:
    exceeded = np.zeros(inputs["frames"], np.int8)
    exceeded[inputs["missed"]] = 1
    return exceeded


def _seems_better(verdict: Verdict) -> bool:
    """True for a large improvement that rests on one session, which proves nothing either way."""
    change = verdict.change
    return change is not None and change.count == 1 and change.percent < -change.tolerance_percent


def notes(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader must know although it is a PASS: large improvements that nobody accepted."""
    return [
        f"{one.case.key} {one.metric} improved by {-one.change.percent:.1f} % against the {one.change.against}: accept "
        "it (harness accept), or it hides later losses"
        for one in verdicts if one.change is not None and improved(one)
    ]  # fmt: skip


def _refusal(case: Case, baseline: Baseline | None, identity: Mapping[str, Any]) -> Verdict | None:
    """Why there is nothing to compare with; None where there is."""
    if baseline is None:
        sentence = f"no baseline was accepted: harness accept --device={case.device} --reason ..."
        return given(case, NAME, Outcome.NO_BASELINE, sentence)
    if len(baseline.sessions) < FEWEST_SESSIONS:
        sentence = f"the accepted baseline holds {len(baseline.sessions)} sessions and needs {FEWEST_SESSIONS}"
        return given(case, NAME, Outcome.NO_BASELINE, sentence)
    units = {one.unit for one in baseline.sessions}
    mine = str(identity.get("unit", ""))
    differing = differences(_without_unit(baseline.identity), _without_unit(identity))
    if mine not in units and len(units) < POOLED_UNITS:
        differing.append(f"unit: {', '.join(sorted(units))} and now {mine}")
    if differing:
        sentence = f"not measured under the same conditions as the accepted baseline: {'; '.join(differing)}"
        return given(case, NAME, Outcome.NOT_COMPARABLE, sentence)
    return None


def _without_unit(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name != "unit"}


def _pinned(baseline: Baseline, tolerances: Mapping[str, float]) -> Earlier:
    known = [metric for metric in tolerances if all(metric in one.values for one in baseline.sessions)]
    return Earlier(
        name=ACCEPTED,
        logs={metric: session_logs(baseline.sessions, metric) for metric in known},
        known_work_ns=_known_work([one.context for one in baseline.sessions]),
        advice=frozenset(baseline.advice),
    )


def _exactly(measurement: Measurement, baseline: Baseline | None, identity: Mapping[str, Any]) -> list[Verdict]:
    """Where the model ran, beside the accepted sessions: times of another engine version or machine are not comparable,
    and a fall in placement that came with it is a fall all the same.
    """
    if baseline is None or len(baseline.sessions) < FEWEST_SESSIONS:
        return []
    if any(baseline.identity.get(name) != identity.get(name) for name in ASKED):
        return []
    return judge_unchanged(measurement, _exact_values(baseline), ACCEPTED)


def _exact_values(baseline: Baseline) -> dict[str, list[float]]:
    """What every session of the baseline tells of the exact metrics."""
    told = [metric for metric in EXACT if all(metric in one.values for one in baseline.sessions)]
    return {metric: [value for one in baseline.sessions for value in one.values[metric]] for metric in told}


def _rolled(records: Sequence[SessionRecord], baseline: Baseline, tolerances: Mapping[str, float]) -> Earlier:
    known = [metric for metric in tolerances if all(min(one.values.get(metric, (0.0,))) > 0 for one in records)]
    return Earlier(
        name=f"last {len(records)} runs",
        logs={metric: session_logs(records, metric) for metric in known},
        known_work_ns=_known_work([one.context for one in records]),
        advice=frozenset(baseline.advice),
    )


def _known_work(contexts: Sequence[Mapping[str, Any]]) -> list[float]:
    found = [one.get("known_work_ns") for one in contexts]
    return [float(one) for one in found if isinstance(one, (int, float)) and one > 0]


def settled(verdicts: Sequence[Verdict], measurement: Measurement, earlier: Sequence[Earlier]) -> bool:
    """True where further sessions would change nothing."""
    if not measurement.plan.judges_speed or any(one.gate and one.outcome is Outcome.FAIL for one in verdicts):
        return True
    if measurement.disturbed_again or any(measurement.condition_faults(one) for one in measurement.sessions[-1:]):
        return True  # the device is not as it should be, and more of the same will not be either
    waiting = [one for one in verdicts if one.gate and (one.outcome in OPEN or _seems_better(one))]
    return not waiting and all(usable(measurement.sessions, one) for one in earlier)
