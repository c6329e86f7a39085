"""Going on with an interrupted run: which of its cases need not be measured again, and why the others must. Pure.

A finished case counts again where its content is the same: the files of its model, the harness, the commit, the plan,
and all else that decides a result. What the lab spoiled is measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BUG, CONFIG, INFRA
from harness.model import ModelCard
from harness.report.casejournal import BUSY, CaseJournal, Header, Told

SAME = ("device", "commit", "harness", "plan", "policy", "settings")
# Nothing is known of the model from these: they are asked again.
AGAIN = (INFRA, BUSY, CONFIG, BUG)


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """finished: case key -> its tests of the run before. goes_on: it is the same run, so that its journal is continued.

    reasons: why it does not go on, or a case of it is measured again.
    """

    finished: Mapping[str, tuple[Told, ...]]
    goes_on: bool = True
    reasons: tuple[str, ...] = ()


def resumption(before: CaseJournal, now: Header) -> Resumption:
    """What of the run before counts in a run of header `now`."""
    refusal = differences(before.header, now)
    if refusal:
        reason = f"not resumed: {'; '.join(refusal)}; every case is measured"
        return Resumption(finished={}, goes_on=False, reasons=(reason,))
    told: dict[str, dict[str, Told]] = defaultdict(dict)
    for one in before.told:
        told[one.planned.case][one.planned.test] = one
    planned = _planned(now)
    reasons = [f"{case}: a file of its model has changed: measured again" for case in planned
               if case in told and before.header.made_of.get(case) != now.made_of.get(case)]  # fmt: skip
    finished = {
        case: tuple(told[case][test] for test in tests)
        for case, tests in planned.items()
        if before.header.made_of.get(case) == now.made_of.get(case)
        and all(test in told[case] and _counts(told[case][test]) for test in tests)
    }
    return Resumption(finished=finished, reasons=tuple(reasons))


def differences(before: Header, now: Header) -> list[str]:
    """What is not the same in two runs, so that neither can go on with the other."""
    found = [f"{name} was {getattr(before, name) or '-'} and is {getattr(now, name) or '-'} now"
             for name in SAME if getattr(before, name) != getattr(now, name)]  # fmt: skip
    if now.commit.endswith("+"):
        found.append("the commit has changes that are not committed, so that nobody can tell what ran")
    if before.against or now.against:
        found.append("a comparison with --against is measured in one go")
    return found


def made_of(cards: Iterable[ModelCard]) -> dict[str, str]:
    """Model -> hash over the card and all files that it names, with those beside them; absent files count as such."""
    return {card.name: _digest(_files(card)) for card in cards}


def settings_of(*parts: Any) -> str:
    """A hash of whatever else decides a result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _planned(now: Header) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in now.tests:
        if one.case:
            found[one.case].append(one.test)
    return dict(found)


def _counts(told: Told) -> bool:
    return told.over and not any(one in AGAIN for one in told.classes)


def _files(card: ModelCard) -> list[Path]:
    """All that lies beside the card: weights may be in files that only the model's file names."""
    named = {card.file(name, form) for name, variant in card.variants.items() for form in variant.files}
    return sorted({*named, *(one for one in card.folder.rglob("*") if one.is_file())})


def _digest(files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            content = "absent"
        whole.update(f"{path.name} {content}\n".encode())
    return whole.hexdigest()[:16]
