"""A noisy neighbour: bursts of copying and arithmetic on one core. `python -m benchmarks.verdict.neighbour CORE`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

BUSY_S, IDLE_S = 0.08, 0.12
BLOCK_BYTES = 1 << 23


@contextmanager
def neighbours(cores: tuple[int, ...]) -> Iterator[None]:
    """One neighbour on each core while the block runs."""
    with ExitStack() as stack:
        for core in cores:
            command = [sys.executable, "-m", "benchmarks.verdict.neighbour", str(core)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            stack.callback(_end, process)
            assert process.stdout is not None
            process.stdout.readline()
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def main(core: int) -> None:
    """Busy and idle for times that are exponentially distributed, until killed or orphaned."""
    os.sched_setaffinity(0, {core})
    chance = random.Random(core)
    source, target = np.zeros(BLOCK_BYTES, np.uint8), np.zeros(BLOCK_BYTES, np.uint8)
    parent = os.getppid()
    print("ready", flush=True)
    while os.getppid() == parent:
        until = time.monotonic() + chance.expovariate(1 / BUSY_S)
        while time.monotonic() < until:
            target[:] = source
        time.sleep(chance.expovariate(1 / IDLE_S))


if __name__ == "__main__":
    main(int(sys.argv[1]))
