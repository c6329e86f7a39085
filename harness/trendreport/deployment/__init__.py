"""What is left to do before a model goes onto a device, with the evidence for all that is done.

folder: the model's card, its files and the recipes beside them. made: what they show. measured: what the history and
the accepted baselines show, of those very files. What nothing shows is never done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.case import Case
from harness.history.trendrows import SessionHead, TrendRows
from harness.prepare import file_format
from harness.profile import DeviceProfile
from harness.trendreport.deployment.folder import UNREADABLE, Folder, fault_of, read_folder
from harness.trendreport.deployment.made import made_items
from harness.trendreport.deployment.measured import Seen, measured_items
from harness.trendreport.model import Deployment, Evidence, Item, Row, Trends
from harness.trendreport.provenance import MEASURED
from harness.trendreport.views.floors import known_profile

if TYPE_CHECKING:
    from harness.history.store import History

MODELS = Path("suites", "models")


def deployments_of(history: History, rows: TrendRows, trends: Trends, root: Path | None) -> tuple[Deployment, ...]:
    """A checklist per model in root/suites/models and device that measured it; none without a repository."""
    return tuple(_Checklists(history, rows, trends, root).all()) if root else ()


class _Checklists:
    """What all checklists of a report share."""

    def __init__(self, history: History, rows: TrendRows, trends: Trends, root: Path) -> None:
        self._history, self._root = history, root
        self._heads: dict[Case, list[SessionHead]] = defaultdict(list)
        for head in rows.heads:
            if head.purpose in MEASURED:
                self._heads[head.case].append(head)
        self._rows: dict[Case, list[Row]] = defaultdict(list)
        for row in trends.rows:
            self._rows[row.case].append(row)
        self._profile = cache(lambda device: known_profile(device, root / "devices"))

    def all(self) -> Iterator[Deployment]:
        """By model, then by device."""
        for path in sorted((self._root / MODELS).glob("*/model.toml")):
            try:
                folder = read_folder(path.parent, MODELS)
            except UNREADABLE as error:
                yield _unreadable(path.parent, error)
            else:
                yield from self._of_model(folder)

    def _of_model(self, folder: Folder) -> Iterator[Deployment]:
        name = folder.card.name
        devices = sorted({case.device for case in (*self._heads, *self._rows) if case.model == name})
        for device in devices or [""]:
            profile = self._profile(device)
            pretended = profile is not None and profile.simulated
            seen = [self._seen(case, folder, pretended) for case in self._cases(folder, device, profile)]
            yield Deployment(
                model=name, device=device, simulated=any(one.simulated for one in seen),
                items=(*made_items(folder, profile, device), *measured_items(seen, self._plans(seen), self._root)),
            )  # fmt: skip

    def _cases(self, folder: Folder, device: str, profile: DeviceProfile | None) -> list[Case]:
        """Those that a run on the device would measure; without its profile, those that were measured."""
        variants = folder.card.variants
        if profile is None:
            known = {*self._heads, *self._rows}
            mine = [one for one in known if (one.device, one.model) == (device, folder.card.name)]
            return sorted((one for one in mine if one.variant in variants), key=lambda one: one.key)
        return [Case(device, folder.card.name, variant, runtime) for variant in variants for runtime in profile.runtimes
                if file_format(profile, folder.card, variant, runtime)]  # fmt: skip

    def _seen(self, case: Case, folder: Folder, pretended: bool) -> Seen:
        """Real sessions where there are some."""
        heads = self._heads.get(case, [])
        real = [one for one in heads if not one.simulated]
        return Seen(
            case=case, builds=folder.builds(case.variant), heads=tuple(real or heads),
            rows=tuple(self._rows.get(case, ())), simulated=pretended or bool(heads and not real),
        )  # fmt: skip

    def _plans(self, seen: Sequence[Seen]) -> dict[str, str]:
        """Session -> the name of its plan, of the newest session of each case."""
        ids = [one.own[-1].id for one in seen if one.own]
        return {one.id: one.plan.name for one in self._history.records(ids)} if ids else {}


def _unreadable(folder: Path, error: Exception) -> Deployment:
    """A list that says why there is none."""
    why = f"its card cannot be read: {fault_of(error, folder)}"
    where = (MODELS / folder.name / "model.toml").as_posix()
    evidence = Evidence(what="", state="unknown", sentence=why, where=where)
    items = (Item(name="exported", evidence=(evidence,)),)
    return Deployment(model=folder.name, device="", simulated=False, items=items)
