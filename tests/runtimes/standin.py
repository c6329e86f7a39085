"""What the stand-ins of vendors' tools share: a net that tells dark frames from bright ones, and planted faults."""

from __future__ import annotations

import array
import os
import signal
import sys
import time
from pathlib import Path

FAULT = os.environ.get("STANDIN_FAULT", "")


def hold_or_die() -> None:
    """The faults that any tool can have."""
    if FAULT == "hang":
        time.sleep(600)
    if FAULT == "die":
        print("loading the model")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    if FAULT == "flood":
        while True:
            sys.stdout.write("warning: again\n" * 10_000)


def scores(path: str) -> list[float]:
    """The two scores of one raw float32 frame between 0 and 1: dark and bright; zeros where outputs are dead."""
    values = array.array("f", Path(path).read_bytes())
    bright = sum(values) / len(values)
    return [0.0, 0.0] if FAULT == "zeros" else [1.0 - bright, bright]


def option(name: str, default: str = "") -> str:
    """The value of `--name value` or `--name=value` on the command line."""
    for at, word in enumerate(sys.argv):
        if word == f"--{name}":
            return sys.argv[at + 1]
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return default


def given(name: str) -> bool:
    return f"--{name}" in sys.argv
