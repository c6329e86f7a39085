"""Two models on the same frames: is the candidate right nearly as often as the reference?

Only the discordant frames say anything: b, where only the reference is right, and c, where only the candidate is.
All limits take frames as independent; many frames of one clip are not, and belong to `harness.stats.clusters`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.stats.bounds import ALPHA, rate_bounds

ROOT_TOLERANCE = 1e-13


@dataclass(frozen=True, kw_only=True)
class NoninferiorityVerdict:
    """loss: the reference's share of right frames less the candidate's, with its 1 - 2 alpha interval.

    needed: frames for 90 % power at the observed loss and discordance; None where that loss is the margin or more.
    """

    decision: Literal["pass", "fail", "unknown"]
    loss: float
    low: float
    high: float
    discordant: int
    needed: int | None


@dataclass(frozen=True, kw_only=True)
class AgreementVerdict:
    """share: of the frames that changed their answer, with its 1 - 2 alpha interval."""

    decision: Literal["pass", "fail", "unknown"]
    share: float
    low: float
    high: float


def judge_noninferiority(
    only_reference_right: int, only_candidate_right: int, frames: int, margin: float, alpha: float = ALPHA
) -> NoninferiorityVerdict:
    """Does the candidate lose less than `margin` (a share of the frames, 0.01 for one point)?

    "fail" is a loss proven larger than the margin. Each of the two is wrong about `alpha` of the time at most.
    ValueError for counts that do not fit together or a margin outside (0, 1).
    """
    if not 0 < margin < 1:
        raise ValueError(f"the margin is a share between 0 and 1, not {margin}")
    low, high = tango_interval(only_reference_right, only_candidate_right, frames, alpha)
    loss = (only_reference_right - only_candidate_right) / max(frames, 1)
    discordant = only_reference_right + only_candidate_right
    return NoninferiorityVerdict(
        decision="pass" if high < margin else "fail" if low > margin else "unknown",
        loss=loss,
        low=low,
        high=high,
        discordant=discordant,
        needed=_needed(discordant / max(frames, 1), margin, max(loss, 0.0), alpha),
    )


def judge_agreement(flips: int, frames: int, allowed_share: float, alpha: float = ALPHA) -> AgreementVerdict:
    """Do fewer than `allowed_share` of the frames change their answer? Exact (Clopper and Pearson, 1934).

    ValueError for more flips than frames.
    """
    if not 0 <= flips <= frames:
        raise ValueError(f"{flips} flips do not fit into {frames} frames")
    low, high = rate_bounds(flips, frames, alpha) if frames else (0.0, 1.0)
    return AgreementVerdict(
        decision="pass" if high < allowed_share else "fail" if low > allowed_share else "unknown",
        share=flips / max(frames, 1),
        low=low,
        high=high,
    )


def tango_interval(b: int, c: int, frames: int, alpha: float = ALPHA) -> tuple[float, float]:
    """The score interval of the paired difference (b - c) / frames, `alpha` on each side.

    T. Tango, Statistics in Medicine 17, 1998. It exists without any discordant frame as well.
    ValueError for counts that do not fit together.
    """
    _check_counts(b, c, frames)
    if not frames:
        return -1.0, 1.0
    return -_tango_upper(c, b, frames, alpha), _tango_upper(b, c, frames, alpha)


def newcombe_interval(
    both_right: int, only_reference_right: int, only_candidate_right: int, both_wrong: int, alpha: float = ALPHA
) -> tuple[float, float]:
    """The same from two Wilson intervals, `alpha` on each side; method 10 of R. G. Newcombe, Stat. Med. 17, 1998.

    For comparison only: with few discordant frames it is wrong more often than `alpha`. At least one frame.
    """
    a, b, c, d = both_right, only_reference_right, only_candidate_right, both_wrong
    frames = a + b + c + d
    reference, candidate = (a + b) / frames, (a + c) / frames
    reference_low, reference_high = _wilson_interval(a + b, frames, alpha)
    candidate_low, candidate_high = _wilson_interval(a + c, frames, alpha)
    phi = _corrected_phi(a, b, c, d)
    down = _combined(reference - reference_low, candidate_high - candidate, phi)
    up = _combined(candidate - candidate_low, reference_high - reference, phi)
    return reference - candidate - down, reference - candidate + up


def mcnemar_p(b: int, c: int) -> float:
    """Exact two-sided p-value of "b and c differ by chance" (Q. McNemar, Psychometrika 12, 1947).

    It answers "any difference?", never "no relevant difference".
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def frames_needed(
    discordance: float, margin: float, loss: float = 0.0, alpha: float = ALPHA, power: float = 0.9
) -> int:
    """Frames to show a true `loss` to be below `margin` with that power, at a `discordance` of (b + c) / frames.

    The normal approximation. ValueError unless abs(loss) <= discordance <= 1 and loss < margin.
    """
    from scipy.special import ndtri

    if not (abs(loss) <= discordance <= 1 and loss < margin):
        raise ValueError(f"no number of frames shows a loss of {loss} below {margin} at a discordance of {discordance}")
    quantiles = float(ndtri(1 - alpha) + ndtri(power))
    return math.ceil(quantiles**2 * (discordance - loss**2) / (margin - loss) ** 2)


def _needed(discordance: float, margin: float, loss: float, alpha: float) -> int | None:
    """`frames_needed`, but never fewer than pass at all: without a discordant frame z^2 / (n + z^2) < margin."""
    if loss >= margin:
        return None
    fewest = math.floor(_quantile(alpha) ** 2 * (1 - margin) / margin) + 1
    return max(fewest, frames_needed(discordance, margin, loss, alpha))


def _tango_upper(b: int, c: int, frames: int, alpha: float) -> float:
    """Where the score statistic, which falls in the difference, reaches -z; 1 where it never does."""
    from scipy.optimize import brentq

    if b == frames:
        return 1.0
    z = _quantile(alpha)

    def excess(difference: float) -> float:
        return b - c - frames * difference + z * _score_deviation(b, c, frames, difference)

    # At the estimate itself both terms are 0 where nothing is discordant: that is not the root looked for.
    return float(brentq(excess, (b - c) / frames + ROOT_TOLERANCE, 1.0, xtol=ROOT_TOLERANCE))


def _score_deviation(b: int, c: int, frames: int, difference: float) -> float:
    """The standard deviation of b - c, with c's share at its likeliest for this difference."""
    linear = (2 * frames - b + c) * difference - b - c
    root = math.sqrt(max(linear**2 + 8 * frames * c * difference * (1 - difference), 0.0))
    share = (root - linear) / (4 * frames)
    return math.sqrt(max(frames * (2 * share + difference * (1 - difference)), 0.0))


def _wilson_interval(successes: int, frames: int, alpha: float) -> tuple[float, float]:
    """E. B. Wilson, Journal of the American Statistical Association 22, 1927."""
    z = _quantile(alpha)
    centre = successes + z**2 / 2
    half = z * math.sqrt(successes * (frames - successes) / frames + z**2 / 4)
    return (centre - half) / (frames + z**2), (centre + half) / (frames + z**2)


def _corrected_phi(a: int, b: int, c: int, d: int) -> float:
    """The correlation of the fourfold table, a positive one with Newcombe's continuity correction."""
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if not product:
        return 0.0
    covariance = a * d - b * c
    return (max(covariance - (a + b + c + d) / 2, 0.0) if covariance > 0 else covariance) / math.sqrt(product)


def _combined(first: float, second: float, phi: float) -> float:
    return math.sqrt(first**2 - 2 * phi * first * second + second**2)


def _quantile(alpha: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - alpha))


def _check_counts(b: int, c: int, frames: int) -> None:
    if min(b, c) < 0 or b + c > frames:
        raise ValueError(f"{b} and {c} discordant frames do not fit into {frames} frames")
