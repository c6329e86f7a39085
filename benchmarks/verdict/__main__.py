"""How right are the verdicts? `python -m benchmarks.verdict` prints all tables.

`--collect` measures first what is missing of the real samples: about two hours on one core, resumable.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.verdict import accuracy, change_points, collect, p99, paired, pairs, simulated, stored


def _collect() -> None:
    for command in (
        [collect, "--sessions=160"], [collect, "--sessions=40", "--together"],
        [pairs, "--pairs=150"], [pairs, "--pairs=50", "--percent=2"],
        *([pairs, "--pairs=20", f"--percent={one}"] for one in (1, 5, 10)),
    ):  # fmt: skip
        sys.argv[1:] = command[1:]
        command[0].main()


def main() -> None:
    """Collect where asked, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--collect", action="store_true")
    if parser.parse_args().collect:
        _collect()
    sys.argv[1:] = []
    for part in (p99, stored, paired, accuracy, simulated, change_points):
        part.main()


if __name__ == "__main__":
    main()
