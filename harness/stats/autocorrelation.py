"""Values that resemble their neighbours tell less than independent ones. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def independent_samples(values: npt.NDArray[np.float64]) -> float:
    """How many independent values tell as much about a mean as these: n / (1 + 2 * sum of autocorrelations).

    The sum ends at the first pair of neighbouring lags that is not positive (Geyer 1992, initial positive sequence).
    """
    count = len(values)
    deviations = values - values.mean()
    variance = float(deviations @ deviations)
    if variance == 0:
        return float(count)
    integrated = -1.0
    for lag in range(0, count - 1, 2):
        pair = _correlation(deviations, lag) + _correlation(deviations, lag + 1)
        if pair <= 0:
            break
        integrated += 2 * pair
    return float(min(max(count / max(integrated, 1.0), 1.0), count))


def _correlation(deviations: npt.NDArray[np.float64], lag: int) -> float:
    """The autocorrelation at a lag, with the divisor of lag 0."""
    return float(deviations[lag:] @ deviations[: len(deviations) - lag] / (deviations @ deviations))
