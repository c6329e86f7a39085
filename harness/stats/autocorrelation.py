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
    total = 0.0
    for lag in range(1, count - 1, 2):
        pair = (deviations[lag:] @ deviations[:-lag] + deviations[lag + 1 :] @ deviations[: -lag - 1]) / variance
        if pair <= 0:
            break
        total += float(pair)
    return max(count / (1 + 2 * total), 1.0)
