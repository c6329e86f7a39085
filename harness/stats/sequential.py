"""An anytime-valid test of a percentile: look at a growing stream as often as you like, and stop when you like.

The miss rate theta of a quantile limit is tested by betting against `theta = 1 - share` with a uniform mixture of
the better rates (H. Robbins, Annals of Mathematical Statistics 41, 1970; S. R. Howard and A. Ramdas, Bernoulli 28(3),
2022). The e-value is at most 1 on average where the limit does not hold, so it reaches 1 / alpha, at whatever look,
with probability alpha at most. That is for independent misses; `stride` is for misses that come in bursts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.case import Array

MAX_FRAMES_NEEDED = 1_000_000
LARGEST_LOG = 700.0
SMALLEST_TAIL = 1e-290
FRACTION_TERMS = 20

LogEValue = Callable[[npt.ArrayLike, npt.ArrayLike, float], Array]


@dataclass(frozen=True, kw_only=True)
class StreamVerdict:
    """frames_needed: the length at which this stream passes if no further frame misses; None: beyond a million."""

    decision: Literal["pass", "fail", "unknown"]
    misses: int
    frames: int
    e_pass: float
    e_fail: float
    frames_needed: int | None


def judge_stream(exceeded: Array, *, share: float = 0.99, alpha: float = 0.05, stride: int = 1) -> StreamVerdict:
    """Is the `share` quantile within its limit? `exceeded` (frames,) says of each frame, in order, whether it missed.

    "pass" and "fail" are each wrong at most `alpha` of the time, whenever the stream was stopped. The e-value is
    that at the end, not its maximum on the way: both are valid, but a device that got worse after a good start
    shall not pass. With a `stride` of k, misses need only be independent when they are k frames apart, and a pass
    of P99 takes about 500 k frames instead of 450.
    ValueError for a share or alpha outside (0, 1), or a stride below 1.
    """
    _check(share, alpha, stride)
    frames = len(exceeded)
    misses, counts = _interleaved(exceeded, np.array([frames]), stride)
    log_pass, log_fail = (float(_weaker(one, misses, counts, share)[0]) for one in (log_e_pass, log_e_fail))
    return StreamVerdict(
        decision="pass" if log_pass >= -math.log(alpha) else "fail" if log_fail >= -math.log(alpha) else "unknown",
        misses=int(misses.sum()),
        frames=frames,
        e_pass=math.exp(min(log_pass, LARGEST_LOG)),
        e_fail=math.exp(min(log_fail, LARGEST_LOG)),
        frames_needed=_frames_needed(misses[0], frames, share, alpha),
    )


def first_pass(
    exceeded: Array, *, look_every: int = 50, share: float = 0.99, alpha: float = 0.05, stride: int = 1
) -> int | None:
    """After how many frames, looking every `look_every` frames, `judge_stream` would first have passed; None: never."""
    _check(share, alpha, stride)
    ends = np.arange(look_every, len(exceeded) + 1, look_every)
    passed = _weaker(log_e_pass, *_interleaved(exceeded, ends, stride), share) >= -math.log(alpha)
    return int(ends[np.argmax(passed)]) if passed.any() else None


def log_e_pass(misses: npt.ArrayLike, frames: npt.ArrayLike, share: float) -> Array:
    """Natural logarithm of the e-value against "the miss rate is at least 1 - share"; arrays of one shape."""
    return _log_mean_ratio(np.asarray(misses, float), np.asarray(frames, float), 1 - share)


def log_e_fail(misses: npt.ArrayLike, frames: npt.ArrayLike, share: float) -> Array:
    """Natural logarithm of the e-value against "the miss rate is at most 1 - share"; arrays of one shape."""
    total = np.asarray(frames, float)
    return _log_mean_ratio(total - np.asarray(misses, float), total, share)


def burst_lengths(exceeded: Array) -> Array:
    """The length of each run of consecutive misses, in frames."""
    edges = np.flatnonzero(np.diff(np.asarray(exceeded, bool), prepend=False, append=False))
    return edges[1::2] - edges[::2]


def mean_burst(exceeded: Array) -> float:
    """The mean length of the runs of consecutive misses, in frames; 0 without a miss."""
    lengths = burst_lengths(exceeded)
    return float(lengths.mean()) if len(lengths) else 0.0


def stride_for(mean_burst: float, minimum: int = 10) -> int:
    """The stride for a device whose earlier streams had this mean burst: twice that, and at least `minimum`.

    Not for the stream under test: its own bursts are known worst when they are rare.
    """
    return max(minimum, math.ceil(2 * mean_burst))


def design_effect(exceeded: Array) -> float:
    """How many consecutive misses count as one independent miss: sum(L^2) / sum(L) over runs; 1 without a miss."""
    lengths = burst_lengths(exceeded)
    return float((lengths**2).sum() / lengths.sum()) if len(lengths) else 1.0


def _check(share: float, alpha: float, stride: int) -> None:
    if not (0 < share < 1 and 0 < alpha < 1 and stride >= 1):
        raise ValueError(f"share and alpha lie between 0 and 1, stride is 1 or more, not {share}, {alpha}, {stride}")


def _interleaved(exceeded: Array, ends: Array, stride: int) -> tuple[Array, Array]:
    """Misses and frames before each of `ends`, as (ends, stride): frame i counts in column i % stride."""
    positions = np.flatnonzero(exceeded)
    positions = positions[positions < ends.max(initial=0)]
    misses = np.zeros((len(ends), stride), int)
    np.add.at(misses, (np.searchsorted(ends, positions, side="right"), positions % stride), 1)
    return misses.cumsum(axis=0), _frames_per_column(ends, stride)


def _frames_per_column(ends: Array, stride: int) -> Array:
    return (ends[:, None] + np.arange(stride)[::-1]) // stride


def _weaker(log_e: LogEValue, misses: Array, frames: Array, share: float) -> Array:
    """The smaller of two log e-values, from (..., stride) counts: the mean over the columns, and that of all frames.

    A mean of e-values is an e-value however they depend on each other (V. Vovk and R. Wang, Annals of Statistics
    49(3), 2021). The second one is for misses in step with the stride: they would all fall into one column, and
    the others would prove a device good that misses every tenth frame.
    """
    from scipy.special import logsumexp

    columns = logsumexp(log_e(misses, frames, share), axis=-1) - math.log(misses.shape[-1])
    weaker: Array = np.minimum(columns, log_e(misses.sum(axis=-1), frames.sum(axis=-1), share))
    return weaker


def _frames_needed(misses: Array, frames: int, share: float, alpha: float) -> int | None:
    def passes(total: int) -> bool:
        counts = _frames_per_column(np.array([total]), len(misses))
        return bool(_weaker(log_e_pass, misses[None], counts, share)[0] >= -math.log(alpha))

    # More frames without a miss only ever raise the e-value, so the first that passes can be bisected.
    needed = frames + bisect_left(range(frames, MAX_FRAMES_NEEDED + 1), True, key=passes)
    return needed if needed <= MAX_FRAMES_NEEDED else None


def _log_mean_ratio(hits: Array, frames: Array, rate: float) -> Array:
    """Log of the likelihood of a rate uniform on (0, rate), averaged, over that of `rate` itself."""
    from scipy.special import betainc, betaln

    a, b = hits + 1, frames - hits + 1
    tail = betainc(a, b, rate)
    shallow = tail > SMALLEST_TAIL
    log_tail = np.log(np.where(shallow, tail, 1.0)) + betaln(a, b)
    log_ratio: Array = log_tail - math.log(rate) - hits * math.log(rate) - (frames - hits) * math.log1p(-rate)
    if shallow.all():
        return log_ratio
    # Where betainc underflows, its factors rate^a (1 - rate)^b cancel against the likelihood of `rate`.
    deep = math.log1p(-rate) - np.log(a) - np.log(_tail_fraction(a, b, np.where(shallow, 0.0, rate)))
    return np.where(shallow, log_ratio, deep)


def _tail_fraction(a: Array, b: Array, x: Array) -> Array:
    """x^a (1-x)^b / (a B(a,b) I_x(a,b)), the continued fraction 26.5.8 of Abramowitz and Stegun, 1964.

    Its few terms are enough far below the mean, where a / (a + b) is well above x.
    """
    rest: Array = np.ones_like(a + b)
    for m in range(FRACTION_TERMS - 1, -1, -1):
        rest = 1 + (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2)) / rest
        rest = 1 - (a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)) / rest
    return rest
