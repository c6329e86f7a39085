"""How long the suites take on this machine: collecting, the smoke plan, the standard plan.

`python benchmarks/suite_time.py [smoke] [standard]` prints wall-clock seconds beside their targets.
The caches of frames and predictions are those of the checkout; `--cold` uses none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TARGETS_S = {"collect": 1.0, "smoke": 60.0, "standard": 300.0}
CACHE = CHECKOUT / ".cache" / "dms-harness"


def run(*arguments: str) -> tuple[float, int]:
    """Seconds and exit status of `pytest suites/` with these arguments."""
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "suites/", "-q", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - start, done.returncode


def main() -> None:
    """Time what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("plans", nargs="*", default=["smoke", "standard"])
    parser.add_argument("--cold", action="store_true", help="set the caches aside first")
    parsed = parser.parse_args()
    if parsed.cold and CACHE.exists():
        CACHE.rename(CACHE.with_name(f"set-aside-{os.getpid()}"))
    collecting_s = min(run("--collect-only")[0] for _ in range(5))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'what':<12}{'seconds':>9}{'target':>9}{'status':>8}")
    print(f"{'collect':<12}{collecting_s:>9.2f}{TARGETS_S['collect']:>9.0f}{'':>8}   best of 5")
    for plan in parsed.plans:
        seconds, status = run(f"--plan={plan}")
        print(f"{plan:<12}{seconds:>9.1f}{TARGETS_S[plan]:>9.0f}{status:>8}", flush=True)


if __name__ == "__main__":
    main()
