"""Non-inferiority of a variant whose frames come in clusters: the intervals of resampling, completed.

Two gaps are closed. Where no frame differs there is no spread, and two equal models would pass on a handful of
frames: no interval is narrower than Tango's, which takes frames as independent. Where one or two clusters hold all
frames that differ, as they do for the best models, many resamples have no spread and the percentile-t limit is
infinite: there it is Tango's, with all counts divided by the design effect and Student's quantile for the normal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.case import Array
from harness.stats.bounds import ALPHA
from harness.stats.clusters import judge_cluster_sums
from harness.stats.proportions import judge_noninferiority, tango_interval

SIGN_FLIPS = 9_999
POWER = 0.9

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ClusteredVerdict:
    """loss: a share, positive where the candidate is worse, with its 1 - 2 alpha interval.

    frames_needed: for 90 % power at this loss, in as many more clusters of the same kind; None where that loss is the
    margin or more, or the interval is infinite.
    """

    decision: Literal["pass", "fail", "unknown"]
    loss: float
    low: float
    high: float
    clusters: int
    frames_needed: int | None


def judge_clustered_loss(
    losses: Sequence[float], weights: Sequence[float], frames: int, margin: float, *,
    discordant: tuple[int, int] | None = None, alpha: float = ALPHA,
) -> ClusteredVerdict:  # fmt: skip
    """Is the mean loss over frames less than `margin`, from the `losses` summed over each cluster?

    weights: the frames of each cluster; frames: of all. discordant: how many of these only the reference and only the
    candidate got right, where a frame is right or wrong. With fewer than five clusters, at 5 %, nothing is decided.
    ValueError for unequal lengths, counts that do not fit together, or a margin outside (0, 1).
    """
    table = np.column_stack([losses, weights]).astype(float)
    found = judge_cluster_sums(
        table, table * (0, 1), lambda sums: sums[..., 0] / sums[..., 1], better="more", margin=margin, alpha=alpha
    )
    low, high, deviation = found.low, found.high, _deviation(table)
    if discordant and _fewest_clusters(alpha) <= len(table):
        spare = _effective_tango(discordant, frames, deviation, len(table), alpha)
        low, high = (one if math.isfinite(one) else other for one, other in zip((low, high), spare))
    return _verdict(found.loss, (low, high), deviation, frames, len(table), margin, alpha, discordant)


def judge_resampled_loss(
    loss: float, losses: Sequence[float], resamples: int, clusters: int, frames: int, margin: float,
    alpha: float = ALPHA,
) -> ClusteredVerdict:  # fmt: skip
    """The same for any score, from the `losses` of `resamples` random drawings of `clusters`, as many each, sorted.

    The percentile interval, expanded for few clusters by as much as Student's interval is wider than the normal one
    (T. C. Hesterberg, The American Statistician 69, 2015). A resample that is missing had no score and counts as the
    worst on either side. ValueError for a margin outside (0, 1).
    """
    interval = _expanded_percentiles(losses, resamples, clusters, alpha)
    deviation = float(np.std(losses)) if losses else math.inf
    return _verdict(loss, interval, deviation, frames, clusters, margin, alpha)


def sign_flip_p(losses: Sequence[float] | Array, seed: int = 0) -> float:
    """One-sided p-value of "losses and gains are alike", small for losses; one independent value per frame or cluster.

    Exact where all that differ differ by the same, which is McNemar's test (Psychometrika 12, 1947); otherwise from
    9,999 random signs (B. Phipson and G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    """
    from scipy.special import bdtr

    values = np.asarray(losses, float)
    values = values[values != 0]
    sizes = np.abs(values)
    if not len(values) or np.allclose(sizes, sizes[0]):
        return float(bdtr((values < 0).sum(), len(values), 0.5))
    signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (SIGN_FLIPS, len(values)))
    as_large = signs @ values >= values.sum() - 1e-9 * sizes.sum()
    return float((1 + as_large.sum()) / (1 + SIGN_FLIPS))


def _deviation(table: Array) -> float:
    """The standard deviation of the ratio of the column sums, linearised, over whole clusters."""
    clusters, (losses, weights) = len(table), table.sum(axis=0)
    residuals = table[:, 0] - losses / weights * table[:, 1]
    return float(np.sqrt(clusters / max(clusters - 1, 1) * (residuals**2).sum()) / weights)


def _effective_tango(
    discordant: tuple[int, int], frames: int, deviation: float, clusters: int, alpha: float
) -> Interval:
    """Tango's interval of as many independent frames as would have the same spread.

    J. N. K. Rao and A. J. Scott, Biometrics 48, 1992.
    """
    from scipy.special import ndtr, stdtrit

    only_reference, only_candidate = discordant
    loss = (only_reference - only_candidate) / frames
    independent = ((only_reference + only_candidate) / frames - loss**2) / frames
    design_effect = max(1.0, deviation**2 / independent) if independent > 0 else 1.0
    b, c, n = np.array([only_reference, only_candidate, frames]) / design_effect
    return tango_interval(b, c, n, float(ndtr(stdtrit(clusters - 1, alpha))))


def _expanded_percentiles(losses: Sequence[float], resamples: int, clusters: int, alpha: float) -> Interval:
    from scipy.special import ndtr, stdtrit

    if clusters < _fewest_clusters(alpha):
        return -math.inf, math.inf
    share = float(ndtr(math.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, alpha)))
    place = math.floor(share * (resamples + 1)) - (resamples - len(losses))
    return (losses[place - 1], losses[-place]) if place > 0 else (-math.inf, math.inf)


def _verdict(
    loss: float, interval: Interval, deviation: float, frames: int, clusters: int, margin: float, alpha: float,
    discordant: tuple[int, int] | None = None,
) -> ClusteredVerdict:  # fmt: skip
    """Of an interval that is widened to Tango's; where nobody counted frames, to that of none that differs."""
    independent = judge_noninferiority(*(discordant or (0, 0)), frames, margin, alpha)
    offset = 0.0 if discordant else loss
    low, high = min(interval[0], offset + independent.low), max(interval[1], offset + independent.high)
    return ClusteredVerdict(
        decision="pass" if high < margin else "fail" if low > margin else "unknown",
        loss=loss, low=low, high=high, clusters=clusters,
        frames_needed=_frames_needed(frames, loss, high, deviation, margin, independent.needed or 0),
    )  # fmt: skip


def _frames_needed(frames: int, loss: float, high: float, deviation: float, margin: float, fewest: int) -> int | None:
    """Width and spread shrink with the root of the frames, until the upper limit is mostly under the margin."""
    from scipy.special import ndtri

    room = margin - max(loss, 0.0)
    if room <= 0 or not math.isfinite(high):
        return None
    return max(fewest, math.ceil(frames * ((high - loss + float(ndtri(POWER)) * deviation) / room) ** 2))


def _fewest_clusters(alpha: float) -> int:
    """With fewer, not even equal signs everywhere are a proof."""
    return math.ceil(math.log2(1 / alpha))
