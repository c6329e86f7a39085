"""The trend report: what the whole history says, as a page and its twins; docs/trend-report.md.

`read_trends` turns a history into `harness.trendreport.model.Trends`, of which every form of the report is made. What
it needs is loaded when it is called, not when this package is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.history.store import History
    from harness.trendreport.model import Trends

__all__ = ["read_trends"]


def read_trends(
    history: History, *, root: Path | None = None, detail_ids: Sequence[str] = (), metrics: Sequence[str] = ()
) -> Trends:
    """Everything that a report of this history shows.

    root: the repository, for the floors of its devices, for who accepted its baselines and for what its models still
    need before they are deployed; None: the history alone.
    detail_ids: beginnings of the ids of sessions that are shown in detail beside the newest ones. metrics: names that
    are shown beside those that are judged, or "all". ConfigError for a session or a metric that nobody knows, and for a
    damaged history; HarnessError where it cannot be read now.
    """
    from harness.trendreport.reading import read

    return read(history, root, detail_ids, metrics)
