"""`python -m tests.optimise.driver ARGUMENTS`: the console command, with candidates for the simulated engine."""

from __future__ import annotations

import json
import os
import sys

from harness import variants
from harness.cli import main
from harness.optimise import candidates
from tests.optimise.techniques import FUNCTION, NAME, candidate

TRIED = {
    "fast": {"infer_ms": 3.0, "model_bytes": 1_000_000}, "wrong": {"infer_ms": 2.0, "error_share": 0.3},
    "faster": {"parent": "fast", "infer_ms": 2.5}, "same": {}, "crashed": {"goes_wrong": "crash"},
}  # fmt: skip

if __name__ == "__main__":
    variants.TECHNIQUES[NAME] = FUNCTION
    tried = json.loads(os.environ.get("TRIED", json.dumps(TRIED)))
    candidates.CANDIDATES = tuple(candidate(name, **options) for name, options in tried.items())
    sys.exit(main())
