"""What the rows of one case are made of. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.case import Case
from harness.trendreport.gather.points import Group
from harness.trendreport.gather.runs import NewestRun
from harness.trendreport.gather.sessions import Sessions
from harness.trendreport.gather.standings import Standing


@dataclass(frozen=True, kw_only=True)
class View:
    """points: by metric, with the number of the series. judged: by metric.

    run: the newest of its device. expected_since: when people last remarked that a step of the case was expected, "" if
    never.
    """

    sessions: Sessions
    standing: Standing
    points: Mapping[str, tuple[int, Group]]
    judged: Mapping[str, Group]
    run: NewestRun
    expected_since: str = ""

    @property
    def case(self) -> Case:
        """The case itself."""
        return self.sessions.cases[self.standing.track]

    @property
    def retired(self) -> bool:
        """True where the newest run left the case out, and people expected that."""
        return self.case in self.run.retired

    def at(self, head: int) -> str:
        """When a session was."""
        return self.sessions.heads[head].at

    def is_current(self, head: int) -> bool:
        """True for a session of the newest run of the device."""
        return self.sessions.run[head] == self.run.record.run

    def last_judged(self, metric: str) -> int:
        """The position in the metric's group of the session that judged it last, if possible by itself."""
        heads = self.judged[metric].head
        own = np.flatnonzero(~self.sessions.paired[heads])
        return int(own[-1]) if len(own) else len(heads) - 1
