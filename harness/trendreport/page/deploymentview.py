"""The checklists as the template writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.trendreport.model import Deployment, ItemState
from harness.trendreport.page.shapes import mark_class

# The mark of each state, by the outcome that has it.
MARKS: dict[ItemState, str] = {
    "failed": "FAIL", "not done": "NO_BASELINE", "unknown": "NOT_JUDGED", "done": "PASS", "not needed": "NOT_JUDGED",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DeploymentView:
    """All checklists as one table. columns: the items' names. open: something is left to do. marks: state -> class."""

    rows: Sequence[Deployment]
    columns: Sequence[str]
    count: str
    open: bool
    marks: dict[ItemState, str]


def deployment_view(deployments: Sequence[Deployment]) -> DeploymentView | None:
    """None without a checklist."""
    if not deployments:
        return None
    return DeploymentView(
        rows=deployments, columns=item_names(deployments), count=ready_count(deployments),
        open=not all(one.ready for one in deployments),
        marks={state: mark_class(outcome) for state, outcome in MARKS.items()},
    )  # fmt: skip


def item_names(deployments: Sequence[Deployment]) -> list[str]:
    """Of all items, in their order."""
    return list(dict.fromkeys(item.name for one in deployments for item in one.items))


def ready_count(deployments: Sequence[Deployment]) -> str:
    """How many are ready, in words."""
    return f"{sum(one.ready for one in deployments)} of {len(deployments)} ready"
