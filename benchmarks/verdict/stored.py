"""Stored-baseline verdicts on real sessions, resampled whole, beside the rules of peers on the same samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.verdict.collect import INJECTED_PERCENT, PLAN, folder
from benchmarks.verdict.tables import share_with_interval
from harness import comparison
from harness import verdict as verdicts
from harness.case import Case, Run
from harness.comparison import Earlier, judge_change
from harness.context import context_of
from harness.lookback import settled
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.rules import Outcome
from harness.stats.sessions import LOOKS
from harness.verdict import Verdict

CASE = Case("host", "eye_state", "int8", "onnxruntime")
TOLERANCES = {name: one.tolerance_percent for name, one in METRICS.items() if one.tolerance_percent}
BASELINE_SESSIONS = 12
RESAMPLES = 1000
Session = tuple[Run, ...]


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which knows its answer for runs that it has seen: sessions are drawn many times."""
    known: dict[tuple[Any, ...], Any] = {}

    def answer(runs: Any, *rest: Any) -> Any:
        parts = tuple(map(id, runs)) if isinstance(runs, (tuple, list)) else (id(runs),)
        key = (*parts, *rest)
        if key not in known:
            known[key] = function(runs, *rest)
        return known[key]

    return answer


comparison.session_log = session_log = remembered(comparison.session_log)
verdicts.residual_fault = remembered(verdicts.residual_fault)


def sessions(kind: str, percent: float) -> list[Session]:
    """The collected sessions of one kind, as runs."""
    return [_session(path) for path in sorted(folder(kind, percent).glob("session-*.npz"))]


def _session(path: Path) -> Session:
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files}
    marks = {name: values for name, values in arrays.items() if values.ndim == 1}
    nothing = np.zeros(arrays["frame_ns"].shape[1], np.int64)
    return tuple(
        Run(
            stages={"pre": nothing, "infer": frames, "post": nothing}, frame_ns=frames, start_ns=nothing,
            cpu_ns=arrays["cpu_ns"][number], warmup_ns=nothing[:0],
            marks={name: float(values[number]) for name, values in marks.items()}, facts={},
        )
        for number, frames in enumerate(arrays["frame_ns"])
    )  # fmt: skip


def verdict(baseline: list[Session], candidates: Iterator[Session]) -> tuple[Outcome, int]:
    """What `check("baseline")` says, and from how many sessions: more are drawn until it is decided."""
    earlier = Earlier(
        name="accepted baseline",
        logs={name: [log for one in baseline if (log := session_log(one, name)) is not None] for name in TOLERANCES},
        known_work_ns=[float(context_of(one)["known_work_ns"]) for one in baseline],
    )
    drawn: list[Session] = []
    found: list[Verdict] = []
    for wanted in LOOKS:
        drawn += [next(candidates) for _ in range(wanted - len(drawn))]
        measurement = Measurement(case=CASE, plan=PLAN, runs=tuple(run for one in drawn for run in one))
        found = judge_change(measurement, earlier, TOLERANCES)
        if settled(found, measurement, [earlier]):
            break
    return overall(found), len(drawn)


def overall(found: list[Verdict]) -> Outcome:
    """One outcome for all gates: red, void, open, or passed."""
    outcomes = {one.outcome for one in found if one.gate}
    order = (Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.PASS)
    return next(one for one in order if one in outcomes)


def resampled(baselines: list[Session], candidates: list[Session], seed: int) -> tuple[Counter[Outcome], float]:
    """Outcomes of verdicts whose baseline and candidate sessions are drawn whole, no session on both sides."""
    chance = np.random.default_rng(seed)
    outcomes: Counter[Outcome] = Counter()
    used = []
    paired = len(candidates) == len(baselines)  # the same sessions, perhaps made slower: none on both sides
    for _ in range(RESAMPLES):
        order = chance.permutation(len(baselines))
        left = order[BASELINE_SESSIONS:] if paired else chance.permutation(len(candidates))
        outcome, count = verdict([baselines[i] for i in order[:BASELINE_SESSIONS]], (candidates[i] for i in left))
        outcomes[outcome] += 1
        used.append(count)
    return outcomes, mean(used)


def mean_5_percent(before: Session, now: Session) -> bool:
    """pytest-benchmark --benchmark-compare-fail=mean:5%: one run against one saved run."""
    return now[0].frame_ns.mean() > 1.05 * before[0].frame_ns.mean()


def median_5_percent(before: Session, now: Session) -> bool:
    """pytest-benchmark --benchmark-compare-fail=median:5%."""
    return np.median(now[0].frame_ns) > 1.05 * np.median(before[0].frame_ns)


def mann_whitney(before: Session, now: Session) -> bool:
    """google/benchmark compare.py: two-sided U test at 5 % on one process's repetitions, and slower."""
    p_value = stats.mannwhitneyu(before[0].frame_ns, now[0].frame_ns, alternative="two-sided").pvalue
    return p_value < 0.05 and np.median(now[0].frame_ns) > np.median(before[0].frame_ns)


def pyperf_t(before: Session, now: Session) -> bool:
    """pyperf compare_to: Student's t at 95 % on all values of all processes pooled (3 values each), and slower."""
    values = [
        np.array([part.mean() for run in one for part in np.array_split(run.frame_ns, 3)]) for one in (before, now)
    ]
    return stats.ttest_ind(*values).pvalue < 0.05 and values[1].mean() > values[0].mean()


PEERS: dict[str, Callable[[Session, Session], bool]] = {
    "pytest-benchmark mean:5%": mean_5_percent,
    "pytest-benchmark median:5%": median_5_percent,
    "Mann-Whitney (compare.py)": mann_whitney,
    "pyperf t-test": pyperf_t,
}


def peers(baselines: list[Session], candidates: list[Session], seed: int) -> dict[str, int]:
    """How often each peer's rule calls a drawn pair of sessions a regression."""
    chance = np.random.default_rng(seed)
    red = dict.fromkeys(PEERS, 0)
    for _ in range(RESAMPLES):
        first, second = chance.choice(len(baselines), 2, replace=False)
        other = baselines[second] if baselines is candidates else candidates[chance.integers(len(candidates))]
        for name, rule in PEERS.items():
            red[name] += rule(baselines[first], other)
    return red


def main() -> None:
    """Print the tables."""
    quiet = sessions("quiet", 0)
    if len(quiet) < 3 * BASELINE_SESSIONS:
        print("\nStored baseline: too few collected sessions, measure with --collect")
        return
    print(f"\nStored baseline: {BASELINE_SESSIONS} of {len(quiet)} real quiet sessions, {RESAMPLES} verdicts a row")
    _spread(quiet)
    print(f"{'candidate':<34}{'FAIL (95 % interval)':>26}{'PASS':>8}{'INVALID':>9}{'INCONCL.':>9}{'sessions':>10}")
    noisy = sessions("noisy", 0)
    _row(f"quiet, the same build ({len(quiet)})", *resampled(quiet, quiet, seed=1))
    _row(f"noisy, the same build ({len(noisy)})", *resampled(quiet, noisy, seed=1))
    for percent in (2, 5, 10):
        _row(
            f"quiet, frames x {1 + percent / 100:.2f} ({len(quiet)})", *resampled(quiet, slower(quiet, percent), seed=1)
        )
    same = sessions("together", 0)
    for percent in INJECTED_PERCENT if len(same) >= 2 * BASELINE_SESSIONS else ():
        candidates = sessions("together", percent)
        _row(f"in turn, call costs +{percent:g} % ({len(candidates)})", *resampled(same, candidates, seed=1))
    print(f"\n{'red by the rule of':<30}{'quiet A/A':>26}{'noisy A/A':>26}{'quiet x 1.05':>26}")
    rows = [peers(quiet, quiet, 1), peers(quiet, noisy, 2), peers(quiet, slower(quiet, 5), 3)]
    for name in PEERS:
        print(f"{name:<30}" + "".join(f"{share_with_interval(one[name], RESAMPLES):>26}" for one in rows))


def _row(name: str, outcomes: Counter[Outcome], used: float) -> None:
    others = "".join(f"{outcomes[one] / RESAMPLES:>9.3f}" for one in (Outcome.INVALID, Outcome.INCONCLUSIVE))
    fails = share_with_interval(outcomes[Outcome.FAIL], RESAMPLES)
    print(f"{name:<34}{fails:>26}{outcomes[Outcome.PASS] / RESAMPLES:>8.3f}{others}{used:>10.2f}", flush=True)


def _spread(found: list[Session]) -> None:
    print(f"  {'metric':<18}{'spread between sessions':>24}{'correlation of neighbours':>27}")
    for name in TOLERANCES:
        logs = np.array([session_log(one, name) for one in found], float)
        follows = np.corrcoef(logs[1:], logs[:-1])[0, 1]
        print(f"  {name:<18}{100 * logs.std(ddof=1):>22.2f} %{follows:>27.2f}")


def slower(found: list[Session], percent: float) -> list[Session]:
    """The same sessions, every frame of which takes exactly so much longer."""
    return [tuple(_slower(run, 1 + percent / 100) for run in one) for one in found]


def _slower(run: Run, factor: float) -> Run:
    frame_ns = run.frame_ns * factor
    return replace(run, frame_ns=frame_ns, cpu_ns=run.cpu_ns * factor, stages={**run.stages, "infer": frame_ns})


if __name__ == "__main__":
    main()
