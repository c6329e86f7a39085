"""A fixed piece of work: how fast this core is right now, whatever model is measured."""

from __future__ import annotations

from typing import Callable

import numpy as np

REPEATS = 15
SIZE = 96
PRODUCTS = 20
COPIED_BYTES = 1 << 20


def known_work_ns(clock: Callable[[], int]) -> int:
    """The lower quartile of 15 equal pieces of arithmetic and copying, about a millisecond each."""
    matrix = np.full((SIZE, SIZE), 1.0 / SIZE, np.float32)
    source, target = np.zeros(COPIED_BYTES, np.uint8), np.zeros(COPIED_BYTES, np.uint8)
    durations = []
    for _ in range(REPEATS):
        start = clock()
        product = matrix
        for _ in range(PRODUCTS):
            product = product @ matrix
        target[:] = source
        durations.append(clock() - start)
    return sorted(durations)[REPEATS // 4]
