"""One model after the other: each optimised, its best variant adopted, its report written before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import mean

from harness.errors import HarnessError
from harness.model import ModelCard
from harness.optimise.adopt import adopt
from harness.optimise.alone import alone
from harness.optimise.doing import Doing
from harness.optimise.journal import Journal
from harness.optimise.planning import planned
from harness.optimise.report import write_report
from harness.optimise.results import Result
from harness.optimise.run import Optimisation
from harness.optimise.steps import Say, Steps
from harness.optimise.wanted import Wanted

LEFT_ALONE = "the card was left alone"


def optimise(
    wanted: Wanted, cards: Sequence[ModelCard], say: Say, *, write: bool, over: bool
) -> Iterator[Result | HarnessError]:
    """The result of each model, or why there is none. write: the best into the card; over: in place of an older one."""
    journals = {card.name: Journal(folder=wanted.folder(card) / "journal") for card in cards}
    steps = Steps([step for card in cards for step in planned(wanted, card)], say, _known_s(journals.values()))
    for card in cards:
        doing = Doing(wanted=wanted, card=card, journal=journals[card.name], steps=steps, say=say)
        try:
            with alone(wanted.folder(card)):
                found = Optimisation(wanted=wanted, card=card, doing=doing).carry_out()
                result = _adopted(found, card, over) if write else replace(found, adopted=LEFT_ALONE)
                write_report(result, wanted.folder(card))
        except HarnessError as error:
            yield error
        else:
            yield result


def _adopted(result: Result, card: ModelCard, over: bool) -> Result:
    """The report is written whatever becomes of the card."""
    try:
        return replace(result, adopted=adopt(result, card.folder, over=over))
    except HarnessError as error:
        return replace(result, adopted=f"not written: {error.sentence}", refused=True)


def _known_s(journals: Iterable[Journal]) -> dict[str, float]:
    """Kind -> seconds of one step, over the journals of all models."""
    found: dict[str, list[float]] = {}
    for journal in journals:
        for kind, seconds in journal.seconds().items():
            found.setdefault(kind, []).append(seconds)
    return {kind: mean(times) for kind, times in found.items()}
