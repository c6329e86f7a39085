"""How often the comparisons are wrong: simulated sessions and blocks through the very code that judges real ones.

`python benchmarks/verdict/simulated.py` prints the shares of FAIL, PASS and unknown with 95 % intervals
(Clopper and Pearson) for one metric, for four gated metrics with Holm on top, and for paired blocks.
Seeded; two minutes on one core.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.comparison import TEST
from harness.stats import paired, sessions
from harness.stats.bounds import rate_bounds
from harness.stats.multiplicity import holm

SEED = 20261120
RUNS = 4_000
BASELINE = 12
MARGIN = 0.05
PAIRED_MARGIN = 0.02
METRICS = 4
CORRELATION = 0.5
SPREADS = (0.005, 0.01, 0.02)
CHANGES = (0.0, 0.02, 0.05, 0.10)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Constants of a run; alpha_fail is of one look at all metrics together, alpha_pass of one look at one."""

    alpha_fail: float
    alpha_pass: float
    dont_care: float = 0.0
    fail_from: int = 1

    def __str__(self) -> str:
        return (
            f"alpha {self.alpha_fail:.1%} to fail from {self.fail_from} session(s) on and "
            f"{self.alpha_pass:.0%} to pass, do not care below {self.dont_care:.1%}"
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one run, and how many sessions or blocks of the candidate it took."""

    decision: str
    used: int


PLAIN = Rule(alpha_fail=0.005, alpha_pass=0.05)
# What the program does (harness/comparison.py).
SHIPPED = Rule(
    alpha_fail=float(TEST["alpha_fail"]), alpha_pass=float(TEST["alpha_pass"]), dont_care=float(TEST["dont_care"]),
    fail_from=int(TEST["fail_from"]),
)  # fmt: skip
RULES = (
    PLAIN,
    Rule(alpha_fail=0.002, alpha_pass=0.05),
    Rule(alpha_fail=0.001, alpha_pass=0.02, dont_care=0.005),
    SHIPPED,
)


def normal(random: np.random.Generator, count: int) -> Array:
    """Sessions times metrics, standard deviation 1; the metrics of a session hang together."""
    shared, own = random.standard_normal((count, 1)), random.standard_normal((count, METRICS))
    return np.asarray(math.sqrt(CORRELATION) * shared + math.sqrt(1 - CORRELATION) * own)


def heavy(random: np.random.Generator, count: int) -> Array:
    """Multivariate t with 4 degrees of freedom, standard deviation 1: a bad session is bad in all metrics."""
    return np.asarray(normal(random, count) / np.sqrt(random.chisquare(4, (count, 1)) / 2))


def heavy_apart(random: np.random.Generator, count: int) -> Array:
    """The same tails, but each metric has its own bad sessions."""
    return np.asarray(normal(random, count) / np.sqrt(random.chisquare(4, (count, METRICS)) / 2))


def drift(random: np.random.Generator, count: int) -> Array:
    """Normal sessions on a random walk with steps of 0.25 and a line of 0.02 standard deviations per session."""
    walk = np.cumsum(0.25 * normal(random, count), axis=0)
    return np.asarray(normal(random, count) + walk + 0.02 * np.arange(count)[:, None])


SHAPES = {"normal": normal, "t4": heavy, "t4 apart": heavy_apart, "bimodal": normal, "drift": drift}


def session_logs(random: np.random.Generator, shape: str, spread: float) -> Array:
    """Baseline sessions, then those of an unchanged candidate, times metrics; bimodal: 30 % of them 2 % slower."""
    count = BASELINE + sessions.LOOKS[-1]
    slow = math.log(1.02) * (random.random((count, 1)) < 0.3) if shape == "bimodal" else 0.0
    return np.asarray(spread * SHAPES[shape](random, count) + slow)


def judge_sessions(logs: Array, rule: Rule) -> Outcome:
    """All looks at one run: FAIL when Holm rejects any metric, PASS when all are within the margin."""
    for look in sessions.LOOKS:
        found = {
            metric: sessions.compare_sessions(
                logs[:BASELINE, metric].tolist(),
                logs[BASELINE : BASELINE + look, metric].tolist(),
                margin=MARGIN,
                dont_care=rule.dont_care,
                alpha_fail=rule.alpha_fail / logs.shape[1],
                alpha_pass=rule.alpha_pass,
                fail_from=rule.fail_from,
            )
            for metric in range(logs.shape[1])
        }
        if holm({metric: one.p_value for metric, one in found.items()}, rule.alpha_fail):
            return Outcome("fail", look)
        if all(one.decision == "pass" for one in found.values()):
            return Outcome("pass", look)
    return Outcome("unknown", sessions.LOOKS[-1])


def sessions_cell(shape: str, spread: float, change: float, rule: Rule, metrics: int, shifted: int) -> list[Outcome]:
    """RUNS runs of `metrics` metrics of which the first `shifted` really changed."""
    random = np.random.default_rng([SEED, list(SHAPES).index(shape), int(spread * 1e4)])
    shift = np.zeros((BASELINE + sessions.LOOKS[-1], metrics))
    shift[BASELINE:, :shifted] = math.log1p(change)
    return [judge_sessions(session_logs(random, shape, spread)[:, :metrics] + shift, rule) for _ in range(RUNS)]


def judge_blocks(arms: Array, looks: tuple[int, ...]) -> Outcome:
    """All looks at blocks of three arms: reference, reference again, candidate."""
    null, worse = arms[:, 1] - arms[:, 0], arms[:, 2] - arms[:, 0]
    for look in looks:
        found = paired.compare_paired(worse[:look], null[:look], margin=PAIRED_MARGIN, looks=len(looks))
        if found.decision != "unknown":
            return Outcome(found.decision, look)
    return Outcome("unknown", looks[-1])


def paired_cell(shape: str, spread: float, change: float, looks: tuple[int, ...]) -> list[Outcome]:
    """RUNS runs whose difference of two arms has the standard deviation `spread`."""
    random = np.random.default_rng([SEED, list(SHAPES).index(shape), int(spread * 1e4)])
    draw: Callable[[tuple[int, int]], Array] = (
        random.standard_normal if shape == "normal" else lambda size: random.standard_t(4, size) / math.sqrt(2)
    )
    shift = np.array([0.0, 0.0, math.log1p(change)])
    return [judge_blocks(spread / math.sqrt(2) * draw((looks[-1], 3)) + shift, looks) for _ in range(RUNS)]


def share(outcomes: list[Outcome], decision: str) -> str:
    """`0.012 [0.008, 0.018]`."""
    count = Counter(one.decision for one in outcomes)[decision]
    low, high = rate_bounds(count, len(outcomes), 0.025)
    return f"{count / len(outcomes):.4f} [{low:.4f}, {high:.4f}]"


def row(labels: list[str], outcomes: list[Outcome], decisions: tuple[str, ...]) -> str:
    """One line of a table."""
    used = sum(one.used for one in outcomes) / len(outcomes)
    shares = "".join(f"{share(outcomes, decision):>25}" for decision in decisions)
    return "".join(f"{label:>10}" for label in labels) + shares + f"{used:>8.2f}"


def heading(unit: str, third: str) -> str:
    """The names of the columns that `row` fills."""
    return f"{unit:>10}{'spread':>10}{'change':>10}{'FAIL':>25}{'PASS':>25}{third:>25}{'used':>8}"


def one_metric() -> Iterator[str]:
    """One metric, no Holm, the plain constants."""
    yield f"\nSESSIONS, one metric: K = {BASELINE}, margin {MARGIN:.0%}, looks {sessions.LOOKS}, {SHIPPED}"
    yield heading("sessions", "unknown")
    for shape in ("normal", "t4", "bimodal", "drift"):
        for spread in SPREADS:
            for change in CHANGES:
                outcomes = sessions_cell(shape, spread, change, SHIPPED, 1, 1)
                yield row([shape, f"{spread:.1%}", f"{change:+.0%}"], outcomes, ("fail", "pass", "unknown"))


def four_metrics(rule: Rule) -> Iterator[str]:
    """Four gated metrics with Holm: false FAIL when none changed, power when one did."""
    yield f"\nRUNS of {METRICS} metrics (correlation {CORRELATION}), Holm per look, {rule}"
    yield heading("sessions", "unknown")
    cells = [(shape, spread, 0.0) for shape in SHAPES for spread in SPREADS]
    cells += [(shape, 0.01, change) for shape in ("normal", "t4") for change in (0.05, 0.10)]
    for shape, spread, change in cells:
        outcomes = sessions_cell(shape, spread, change, rule, METRICS, 1)
        yield row([shape, f"{spread:.1%}", f"{change:+.0%}"], outcomes, ("fail", "pass", "unknown"))


def paired_blocks(looks: tuple[int, ...]) -> Iterator[str]:
    """Paired blocks: the candidate against a reference beside it."""
    yield f"\nPAIRED blocks, margin {PAIRED_MARGIN:.0%}, alpha 1 % to fail and 5 % to pass over looks at {looks} blocks"
    yield heading("blocks", "invalid")
    cells = [("normal", spread, change) for spread in (0.005, 0.01, 0.02, 0.04) for change in (0.0, 0.01, 0.02, 0.05)]
    cells += [("t4", spread, 0.0) for spread in (0.005, 0.01, 0.02, 0.04)]
    for shape, spread, change in cells:
        outcomes = paired_cell(shape, spread, change, looks)
        yield row([shape, f"{spread:.1%}", f"{change:+.0%}"], outcomes, ("fail", "pass", "invalid"))


def main() -> None:
    """Print all tables."""
    start = time.perf_counter()
    tables = [one_metric(), *map(four_metrics, RULES), paired_blocks((20,)), paired_blocks(paired.LOOKS)]
    for table in tables:
        for line in table:
            print(line, flush=True)
    print(f"\n{RUNS} runs per line, seed {SEED}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
