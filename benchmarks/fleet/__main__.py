"""What boards over a wire cost, and whether forty of them in one lab are measured as one is.

`python -m benchmarks.fleet paired overhead many` prints tables for docs/benchmarks.md. Needs root, iproute2 and
OpenSSH's server: the boards are namespaces of this machine. `--small`: minutes, to see that it works.
"""

from __future__ import annotations

import argparse
import os
import platform

from benchmarks.fleet import many, overhead, paired


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=("paired", "overhead", "many"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--pairs", type=int, default=None)
    parser.add_argument("--frames", type=int, default=None, help="of one paired session")
    parser.add_argument("--model", default="eye_state")
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--boards", type=int, default=None)
    parser.add_argument("--cases", type=int, default=None, help="of each board, an even number")
    parser.add_argument("--case-s", type=float, default=None, help="what the frames of a case take, mostly idle")
    parser.add_argument("--history", default="", help="default: a PostgreSQL server of its own, else a file")
    asked = parser.parse_args()
    print(f"{platform.node()}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    if "paired" in asked.parts:
        paired.measure(
            asked.pairs or (6 if asked.small else 40), asked.frames or (300 if asked.small else 2000), asked.model,
            asked.variant,
        )  # fmt: skip
    if "overhead" in asked.parts:
        overhead.measure(2 if asked.small else 9, 10.0 if asked.small else 60.0)
    if "many" in asked.parts:
        size = many.Size(
            boards=asked.boards or (4 if asked.small else 40), cases=asked.cases or (2 if asked.small else 10),
            case_s=asked.case_s or (6.0 if asked.small else 32.0),
        )  # fmt: skip
        many.measure(size, asked.history)


if __name__ == "__main__":
    main()
