"""The collected real paired verdicts: how often each outcome, per kind of neighbour and true change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.verdict.collect import STORE
from benchmarks.verdict.tables import share_with_interval
from harness.pairing import CANDIDATE, REFERENCE
from harness.rules import Outcome
from harness.stats.multiplicity import one_sidedness_p
from harness.stats.paired import hodges_lehmann

ORDER = (Outcome.FAIL, Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.PASS)


def overall(path: Path) -> Outcome:
    """One outcome for all gates of a verdict."""
    with np.load(path) as kept:
        outcomes = {Outcome(str(one)) for one, gate in zip(kept["outcomes"], kept["gates"]) if gate}
    return next(one for one in ORDER if one in outcomes)


def effort(paths: list[Path]) -> tuple[float, float, float]:
    """Median and 90th percentile of the whole seconds, and median seconds of timed frames."""
    whole, timed = [], []
    for path in paths:
        with np.load(path) as kept:
            whole.append(float(kept["seconds"]))
            timed.append(float(kept["frame_ns"].sum()) / 1e9)
    return float(np.median(whole)), float(np.percentile(whole, 90)), float(np.median(timed))


def estimate(path: Path) -> float:
    """The typical time of the candidate over the reference, as a log."""
    with np.load(path) as kept:
        typical = np.log(np.quantile(kept["frame_ns"], 0.25, axis=2))
    return hodges_lehmann(typical[:, CANDIDATE] - typical[:, REFERENCE])


def _one_sidedness(kind: str) -> None:
    estimates = np.array([estimate(path) for path in sorted((STORE / f"pairs-{kind}-0").glob("pair-*.npz"))])
    slower, faster = int((estimates > 0).sum()), int((estimates < 0).sum())
    p_value = one_sidedness_p(slower, faster)
    mean, spread = 100 * estimates.mean(), 100 * estimates.std()
    print(f"  {kind}, the same build: estimate {mean:+.3f} % on average, spread {spread:.2f} %, "
          f"{slower} slower and {faster} faster, p {p_value:.2f}")  # fmt: skip


def main() -> None:
    """Print the table."""
    print("\nPaired, real verdicts of --against with reloaded builds (reference, null arm, candidate)")
    print(f"{'true change':<20}{'verdicts':>9}{'FAIL (95 % interval)':>26}{'PASS':>8}{'INVALID':>9}{'INCONCL.':>9}"
          f"{'s median':>10}{'s p90':>7}{'s timed':>9}")  # fmt: skip
    for kind in ("quiet", "noisy"):
        for percent in (0, 1, 2, 5, 10):
            paths = sorted((STORE / f"pairs-{kind}-{percent}").glob("pair-*.npz"))
            if paths:
                found = Counter(map(overall, paths))
                total = len(paths)
                others = (Outcome.PASS, Outcome.INVALID, Outcome.INCONCLUSIVE)
                row = "".join(f"{found[one] / total:>{width}.3f}" for one, width in zip(others, (8, 9, 9)))
                seconds = "".join(f"{one:>{width}.1f}" for one, width in zip(effort(paths), (10, 7, 9)))
                fails = share_with_interval(found[Outcome.FAIL], total)
                print(f"{kind + f' {percent:+d} %':<20}{total:>9}{fails:>26}{row}{seconds}")
    for kind in ("quiet", "noisy"):
        if list((STORE / f"pairs-{kind}-0").glob("pair-*.npz")):
            _one_sidedness(kind)


if __name__ == "__main__":
    main()
