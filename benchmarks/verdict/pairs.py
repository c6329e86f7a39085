"""Collect real paired verdicts, resumably: `python -m benchmarks.verdict.pairs --core 1 --pairs 300`.

Each is what `--against` does: rounds of reference, null arm and candidate in fresh workers on a real engine,
12, 20, 30, 45 and 60 in all, until the verdict is decided. `--percent` adds a real cost to the candidate's calls.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from benchmarks.verdict.collect import (
    CHECKOUT,
    STORE,
    WORKER,
    Bench,
    arguments,
    bench,
    folder,
    in_turn,
    save,
    typical_frame_ns,
)
from harness import dispatch
from harness.paired import PairedJob, PairedRun
from harness.pairing import ROUNDS, decided, judge_pair


def collect_pair(one: Bench, kind: str, percent: float, frame_ns: float, number: int) -> None:
    """One verdict's rounds into one file, unless it is there."""
    path = folder(f"pairs-{kind}", percent) / f"pair-{number:04d}.npz"
    if path.exists():
        return
    dispatch.AGENT = WORKER
    start = time.monotonic()
    runs: list[PairedRun] = []
    for rounds in ROUNDS:
        job = PairedJob(
            reference=one.job, candidate=one.slowed(percent, frame_ns), rounds=rounds, seed=1000 * number + len(runs)
        )
        runs.append(dispatch.run_pair(job, one.profile, STORE / f"work-{one.core}", lambda *said: None, CHECKOUT))
        verdicts = judge_pair(one.job.case, runs, "itself")
        if decided(verdicts):
            break
    save(
        path, seconds=np.array(time.monotonic() - start), frame_ns=np.concatenate([run.frame_ns for run in runs]),
        cpu_ns=np.concatenate([run.cpu_ns for run in runs]), runs=np.array([len(run.frame_ns) for run in runs]),
        metrics=np.array([one.metric for one in verdicts]), outcomes=np.array([one.outcome.value for one in verdicts]),
        gates=np.array([one.gate for one in verdicts]),
    )  # fmt: skip


def main() -> None:
    """Collect what is missing."""
    parsed = arguments("pairs", 300).parse_args()
    one = bench(parsed.core)
    one = replace(one, job=replace(one.job, plan=replace(one.job.plan, deadline_s=300.0)))
    frame_ns = typical_frame_ns(one)
    in_turn(parsed.core, parsed.pairs, lambda kind, number: collect_pair(one, kind, parsed.percent, frame_ns, number))


if __name__ == "__main__":
    main()
