"""False PASS and frames to PASS of the P99 budget: independent misses and bursts, pull-request and nightly policy."""

from __future__ import annotations

import numpy as np

from benchmarks.verdict.tables import share_with_interval
from harness.policy import TAILS, Policy
from harness.stats.sequential import first_pass
from harness.verdict import TailTest

STREAMS, CAP_FRAMES = 3000, 20_000
ROWS: tuple[tuple[Policy, int], ...] = (("pr", 1), ("pr", 5), ("nightly", 1), ("nightly", 5), ("nightly", 10))


def stream(chance: np.random.Generator, rate: float, burst: float) -> np.ndarray:
    """Misses of a two-state Markov chain with this long-run rate and mean burst length; a burst of 1 is independent."""
    if burst == 1:
        return chance.random(CAP_FRAMES) < rate
    gap = burst * (1 - rate) / rate
    count = int(3 * CAP_FRAMES / (burst + gap)) + 20
    lengths = np.column_stack([chance.geometric(1 / gap, count), chance.geometric(1 / burst, count)]).ravel()
    states = np.tile([False, True], count)
    if chance.random() < rate:
        lengths, states = lengths[1:], states[1:]
    return np.repeat(states, lengths)[:CAP_FRAMES]


def passes(rate: float, burst: float, test: TailTest) -> np.ndarray:
    """After how many frames each stream passed; NaN for never."""
    chance = np.random.default_rng(int(1e6 * rate + burst))
    found = (
        first_pass(stream(chance, rate, burst), share=0.99, alpha=test.alpha, stride=test.stride)
        for _ in range(STREAMS)
    )
    return np.array([np.nan if one is None else one for one in found], float)


def main() -> None:
    """Print the table."""
    print(f"\nP99 budget, {STREAMS} simulated streams a row, a look every 50 frames up to {CAP_FRAMES}")
    print(f"{'policy':<10}{'misses':<16}{'false PASS at 1 % (95 % int.)':>30}{'frames to PASS at 0.1 %':>25}{'p90':>7}")
    for policy, burst in ROWS:
        test = TAILS[policy]
        wrong = int(np.isfinite(passes(0.01, burst, test)).sum())
        good = passes(0.001, burst, test)
        frames = np.where(np.isnan(good), CAP_FRAMES, good)
        kind = "independent" if burst == 1 else f"bursts of {burst}"
        print(f"{policy:<10}{kind:<16}{share_with_interval(wrong, STREAMS):>30}{np.median(frames):>25.0f}"
              f"{np.percentile(frames, 90):>7.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
