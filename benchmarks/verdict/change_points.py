"""How often the search for change points is wrong, and what it misses, beside its peers on the same simulated series.

`python benchmarks/verdict/change_points.py` prints shares with 95 % intervals (Clopper and Pearson). Seeded;
about 80 s on one core. Peers that are not installed are left out: `ruptures`, and `apache-otava`,
whose search needs nothing of what it pins: `pip install --no-deps --target DIR apache-otava==0.8.0`,
then PYTHONPATH=DIR. `--calibrate LENGTH ...` prints rows of the table in harness/stats/intervals.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.stats.bounds import rate_bounds
from harness.stats.changes import change_points
from harness.stats.intervals import LEVELS, largest_shift

SEED = 20261121
FALSE_ALARM_SERIES = 4_000
PEER_SERIES = 500
DETECTION_SERIES = 400
NOISE_SHARE = 0.01
TOLERANCE = 3
LENGTHS = (30, 100, 200)
SESSIONS = 100
STEPS = (0.01, 0.02, 0.03, 0.05)
PERMUTATIONS = {400: 100_000, 800: 40_000, 2000: 20_000}  # up to this length

Detector = Callable[[Array], Sequence[int]]


def independent(random: np.random.Generator, size: int) -> Array:
    """Normal, standard deviation 1 %."""
    return NOISE_SHARE * random.standard_normal(size)


def autoregressive(random: np.random.Generator, size: int) -> Array:
    """AR(1) with 0.5, standard deviation 1 %."""
    values = np.empty(size)
    values[0] = random.standard_normal()
    shocks = math.sqrt(0.75) * random.standard_normal(size)
    for i in range(1, size):
        values[i] = 0.5 * values[i - 1] + shocks[i]
    return NOISE_SHARE * values


def heavy_tailed(random: np.random.Generator, size: int) -> Array:
    """Student's t with 3 degrees of freedom, scale 1 %."""
    return NOISE_SHARE * random.standard_t(3, size)


def bimodal(random: np.random.Generator, size: int) -> Array:
    """Three sessions of ten are 2 % slower."""
    return independent(random, size) + 0.02 * (random.random(size) < 0.3)


def outlying(random: np.random.Generator, size: int) -> Array:
    """Two sessions of a hundred are 8 % slower."""
    return independent(random, size) + 0.08 * (random.random(size) < 0.02)


NOISES = {
    "iid": independent,
    "AR(1) 0.5": autoregressive,
    "t3": heavy_tailed,
    "bimodal": bimodal,
    "outliers": outlying,
}


def ours(values: Array) -> Sequence[int]:
    """As shipped: nothing below 2 % is told."""
    return [point.index for point in change_points(values)]


def ours_without_floor(values: Array) -> Sequence[int]:
    """Every significant change, however small."""
    return [point.index for point in change_points(values, magnitude=0)]


def perfherder(values: Array) -> Sequence[int]:
    """Mozilla's rule, written anew: t > 7, no neighbour's larger; 12 values fore, back 12, up to 24 in quiet times."""
    threshold, fore, shortest, longest = 7.0, 12, 12, 24
    t_values, quiet = [0.0], 0
    for index in range(1, len(values)):
        back = min(max(quiet, shortest), longest)
        t_values.append(weighted_t(values[max(index - back, 0) : index][::-1], values[index : index + fore]))
        quiet = 0 if t_values[-1] > threshold else quiet + 1
    return [
        index
        for index in range(shortest, len(values) - fore + 1)
        if t_values[index] > threshold and t_values[index] == max(t_values[index - 1 : index + 2])
    ]


def weighted_t(before: Array, after: Array) -> float:
    """Of two samples, nearest value first, whose weights fall linearly to the far end."""
    means, variances = [], []
    for sample in (before, after):
        count = len(sample)
        weights = np.arange(count, 0, -1)
        means.append(float(weights @ sample) / (count * (count + 1) / 2))
        rest = sample - means[-1]
        variances.append(float(rest @ rest) / max(count - 1, 1) / count)
    return abs(means[1] - means[0]) / math.sqrt(sum(variances))


def pelt(values: Array) -> Sequence[int]:
    """PELT with squared error and penalty 3 ln n, told that the noise is 1 %."""
    import ruptures

    search = ruptures.KernelCPD(kernel="linear", min_size=2).fit(values[:, None] / NOISE_SHARE)
    return [int(index) for index in search.predict(pen=3 * math.log(len(values)))[:-1]]


def otava(values: Array) -> Sequence[int]:
    """The defaults: window 50, p 0.001, magnitude 0."""
    from otava.analysis import compute_change_points

    points, _ = compute_change_points(np.exp(values).tolist(), window_len=50, max_pvalue=0.001, min_magnitude=0.0)
    return [int(point.index) for point in points]


def detectors() -> dict[str, Detector]:
    """The rules compared, those of peers where they are installed."""
    found: dict[str, Detector] = {"ours, no floor": ours_without_floor, "ours": ours, "Perfherder t > 7": perfherder}
    if importlib.util.find_spec("ruptures"):
        found["PELT 3 ln n"] = pelt
    if importlib.util.find_spec("otava"):
        found["Otava default"] = otava
    return found


@dataclass(frozen=True)
class Shape:
    """What really happened: a level for each session, and the sessions where it changed."""

    name: str
    level: Array
    changes: tuple[int, ...]


def step(name: str, start: int, share: float, stop: int | None = None) -> Shape:
    """`share` slower from `start` on, back again at `stop`."""
    level = np.zeros(SESSIONS)
    level[start:stop] = math.log1p(share)
    return Shape(name, level, (start,) if stop is None else (start, stop))


def shapes() -> Iterator[Shape]:
    """What is to be found in SESSIONS sessions."""
    for share in STEPS:
        yield step(f"{100 * share:.0f} % in the middle", 50, share)
    for left in (5, 4, 3):
        yield step(f"5 %, {left} sessions ago", SESSIONS - left, 0.05)
    yield step("3 % for 10 sessions", 50, 0.03, 60)
    yield step("5 % for 5 sessions", 50, 0.05, 55)


def drift() -> Shape:
    """5 % slower in the end, a little every session: there is no index to find."""
    return Shape("drift of 5 % over the series", np.linspace(0, math.log1p(0.05), SESSIONS), ())


def near(index: int, others: Sequence[int]) -> bool:
    """Within the tolerance of any of them."""
    return any(abs(index - other) <= TOLERANCE for other in others)


def share(hits: int, runs: int) -> str:
    """0.010 (0.006-0.015)."""
    low, high = rate_bounds(hits, runs, alpha=0.025)
    return f"{hits / runs:.3f} ({low:.3f}-{high:.3f})"


def print_row(cells: Sequence[str]) -> None:
    """Of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def print_head(cells: Sequence[str]) -> None:
    """With the rule below it."""
    print_row(cells)
    print("|" + "---|" * len(cells))


def alarms(detect: Detector, noise: str, size: int) -> tuple[int, int]:
    """(series with any point, series searched) where nothing changes."""
    runs = FALSE_ALARM_SERIES if detect in (ours, ours_without_floor) else PEER_SERIES
    random = np.random.default_rng([SEED, size, *noise.encode()])
    return sum(bool(detect(NOISES[noise](random, size))) for _ in range(runs)), runs


def detections(detect: Detector, shape: Shape) -> tuple[int, int]:
    """(series in which every change was found, points told elsewhere) of DETECTION_SERIES."""
    random = np.random.default_rng([SEED, *shape.name.encode()])
    found = elsewhere = 0
    for _ in range(DETECTION_SERIES):
        told = detect(shape.level + independent(random, len(shape.level)))
        found += all(near(change, told) for change in shape.changes) if shape.changes else bool(told)
        elsewhere += sum(not near(index, shape.changes) for index in told)
    return found, elsewhere


def print_alarms(rules: dict[str, Detector]) -> None:
    """Series without a change that show one."""
    for size in LENGTHS:
        print(f"\nFalse alarms per series of {size} sessions without a change\n")
        print_head(["", *NOISES])
        for name, detect in rules.items():
            print_row([name, *(share(*alarms(detect, noise, size)) for noise in NOISES)])


def print_detections(rules: dict[str, Detector]) -> None:
    """Changes found within the tolerance, and points told where there is none."""
    print(f"\nSeries of {SESSIONS} sessions in which every change is found within {TOLERANCE} sessions, noise 1 %\n")
    print_head(["", *rules])
    elsewhere = dict.fromkeys(rules, 0)
    for shape in shapes():
        cells = []
        for name, detect in rules.items():
            found, extra = detections(detect, shape)
            elsewhere[name] += extra
            cells.append(share(found, DETECTION_SERIES))
        print_row([shape.name, *cells])
    slow = drift()
    print_row([f"{slow.name}: any", *(share(detections(one, slow)[0], DETECTION_SERIES) for one in rules.values())])
    series = DETECTION_SERIES * len(list(shapes()))
    print_row(["points elsewhere, per 100 series", *(f"{100 * extra / series:.1f}" for extra in elsewhere.values())])


def calibrate(size: int) -> str:
    """One row: the smallest shifts that at most a share LEVELS of random orders reaches."""
    runs = next(runs for longest, runs in PERMUTATIONS.items() if size <= longest)
    batch = max(20_000 // size, 1)
    random = np.random.default_rng(size)
    shifts = np.concatenate([largest_shift(random.random((batch, size))) for _ in range(math.ceil(runs / batch))])
    ascending = np.sort(shifts[:runs])
    row = [ascending[ascending > ascending[-1 - math.floor(level * runs)]][0] for level in LEVELS[1:]]
    return f"    {size}: ({', '.join(f'{shift:.3f}' for shift in row)}),"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calibrate", type=int, nargs="+", metavar="LENGTH", help="print rows of critical shifts")
    wanted = parser.parse_args()
    if wanted.calibrate:
        for size in wanted.calibrate:
            print(calibrate(size), flush=True)
        return
    start = time.perf_counter()
    rules = detectors()
    print_alarms(rules)
    print_detections(rules)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
