"""Accepted baselines: one reviewed JSON file per case, baselines/<device>/<model>/<variant>.<runtime>.json.

layout: the text of a file. check: is it what `layout` wrote? files: read, write, go back. difference: old beside new.
"""

from __future__ import annotations

from harness.baseline.difference import difference_table
from harness.baseline.files import baseline_path, read_baseline, revert_baseline, write_baseline
from harness.baseline.layout import Baseline, BaselineError, BaselineSession, session_logs

__all__ = [
    "Baseline", "BaselineError", "BaselineSession", "baseline_path", "difference_table", "read_baseline",
    "revert_baseline", "session_logs", "write_baseline",
]  # fmt: skip
