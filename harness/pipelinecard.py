"""PipelineCard: a cascade among the model cards of a session, so that it is measured and judged as a model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from harness.budgets import Budget
from harness.cascade import SERIAL, TASK
from harness.cascadecard import FILE, CascadeCard, models_of, read_cascade, variant_of
from harness.errors import ConfigError, unknown
from harness.model import Input, ModelCard, Variant, find_cards
from harness.profile import NAME

PIPELINES = "pipelines"


class PipelineCard(ModelCard):
    """A cascade with the cards of its models. Its one variant is how it is executed, and has the files of all stages.

    input: the whole camera frame; its size means nothing.
    """

    cascade: CascadeCard
    models: Mapping[str, ModelCard]

    @property
    def labelled(self) -> bool:
        """Never: what is scored against labels are the models of its stages."""
        return False


def pipeline_card(cascade: CascadeCard, models: Path) -> PipelineCard:
    """The cascade with its models from the folder `models`; ConfigError where a stage and its model do not fit."""
    cards = models_of(cascade, models)
    variant = Variant.model_construct(
        files=_files(cascade, cards), parent="", made=f"chained: {', '.join(one.name for one in cascade.in_order)}"
    )
    # Not validated as a model: what a model has one of, a cascade has by stage.
    return PipelineCard.model_construct(
        name=cascade.name, folder=cascade.folder.resolve(), description=cascade.description, task=TASK,
        input=Input(width=1, height=1), stateful=any(one.stateful for one in cards.values()), dataset=cascade.dataset,
        variants={variant_of(cascade.execution.mode): variant}, budgets=cascade.budgets, filter=cascade.filter,
        cascade=cascade, models=cards,
    )  # fmt: skip


def is_pipeline(card: ModelCard) -> TypeGuard[PipelineCard]:
    """True for a cascade among the cards of models."""
    return isinstance(card, PipelineCard)


def overlaps(card: ModelCard) -> bool:
    """True for a cascade that works on several frames at once."""
    return is_pipeline(card) and card.cascade.execution.mode != SERIAL


def said_by_pipeline(budget: Budget, card: ModelCard) -> Budget:
    """A cascade's own limits stand in another file than a model's."""
    return replace(budget, source=budget.source.replace(f"{card.name}/model.toml", f"{card.name}/{FILE}"))


def _files(cascade: CascadeCard, cards: Mapping[str, ModelCard]) -> dict[str, str]:
    """Stage and format -> the absolute path of the file; the models' cards too, since they decide as much."""
    told = {f"{one.name}.card": str((cards[one.name].folder / "model.toml").resolve()) for one in cascade.stages}
    return told | {
        f"{one.name}.{form}": str(cards[one.name].file(one.variant, form).resolve())
        for one in cascade.stages
        for form in cards[one.name].variants[one.variant].files
    }


def cards_named(names: list[str], models: Path) -> tuple[ModelCard, ...]:
    """The cards that `names` names, of models (names in `models`, or folders) and of pipelines; all where it is empty.

    Pipelines stand in the folder `pipelines` beside `models`, or are named by their own folder. ConfigError for a name
    that is none or means two, a wrong card, or no card at all.
    """
    known = {path.parent.name: path.parent for path in sorted((models.parent / PIPELINES).glob(f"*/{FILE}"))}
    if not names:
        found = find_cards([], models)
        _refuse_twins([one.name for one in found], known)
        return (*found, *(pipeline_card(read_cascade(one), models) for one in known.values()))
    folders = {name: known.get(name, Path(name)) for name in names if name in known or (Path(name) / FILE).is_file()}
    left = [name for name in names if name not in folders]
    _check_names(left, models, known)
    chosen = find_cards(left, models) if left else ()
    _refuse_twins([one.name for one in chosen], {one.name: one for one in folders.values()})
    _refuse_twins([name for name in folders if (models / name / "model.toml").is_file()], folders)
    return (*chosen, *(pipeline_card(read_cascade(one), models) for one in folders.values()))


def _check_names(names: Sequence[str], models: Path, pipelines: Mapping[str, Path]) -> None:
    """The sentence about a name that is none knows pipelines too."""
    for name in names:
        lost = bool(NAME.fullmatch(name)) and not Path(name).exists() and not (models / name / "model.toml").is_file()
        if lost:
            known = [*(path.parent.name for path in models.glob("*/model.toml")), *pipelines]
            raise ConfigError(
                unknown("model", name, known), where=str(models), remedy="--models takes names or folders"
            )


def _refuse_twins(models: Sequence[str], pipelines: Mapping[str, Path]) -> None:
    for name in models:
        if name in pipelines:
            raise ConfigError(
                f"a model and a pipeline are both called {name!r}", where=str(pipelines[name]),
                remedy="rename one of the folders",
            )  # fmt: skip
