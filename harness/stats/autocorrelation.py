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
    correlations = _correlations(deviations) / variance
    pairs = correlations[: count // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    integrated = 2 * float(pairs[: ends[0] if len(ends) else len(pairs)].sum()) - 1
    return float(min(max(count / max(integrated, 1.0), 1.0), count))


def _correlations(deviations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums of products at every lag, by the theorem of Wiener and Khinchin."""
    size = 2 ** int(np.ceil(np.log2(2 * len(deviations))))
    spectrum = np.fft.rfft(deviations, size)
    found: npt.NDArray[np.float64] = np.fft.irfft(spectrum * np.conj(spectrum), size)[: len(deviations)]
    return found
