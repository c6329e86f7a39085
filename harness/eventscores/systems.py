"""The cascade of a pipeline card as systems that clips are shown to: as the card has it, or all of one variant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.cascade import Execution
from harness.cascadecard import CascadeCard, cascade_job, models_of
from harness.case import Case, Job, Plan
from harness.errors import ConfigError, unknown
from harness.events.answering import System
from harness.model import ModelCard
from harness.prepare import Preparation, Setup, file_format
from harness.profile import DeviceProfile

PLAN = Plan(name="events", frames=1)
NO_PACK = Path("-")


@dataclass(frozen=True, kw_only=True)
class Maker:
    """models: the folder of model cards. runtime: an entry of the profile, empty for the first that takes each file."""

    card: CascadeCard
    profile: DeviceProfile
    models: Path
    cache: Path
    runtime: str = ""

    @property
    def variant(self) -> str:
        """What the card's own stages are called together."""
        names = list(dict.fromkeys(one.variant for one in self.card.stages))
        return names[0] if len(names) == 1 else "as in the card"

    def system(self, variant: str = "") -> System:
        """The cascade with its own variants, or with this one in every stage.

        ConfigError where a model lacks it, or no runtime takes its file; ModelFileError where the file is not safe.
        """
        card = self.card if not variant else _all_of(self.card, variant)
        models = models_of(card, self.models)
        setup = Setup(
            profile=self.profile, cards=tuple({one.name: one for one in models.values()}.values()), plan=PLAN,
            work=NO_PACK, cache=self.cache,
        )  # fmt: skip
        cases = {one.name: self._case(models[one.name], one.variant) for one in card.stages}
        made = Preparation(setup, {cases[name]: models[name] for name in cases}, lambda *words: None)
        jobs: dict[str, Job] = {name: made.job(case, frames_path=str(NO_PACK)) for name, case in cases.items()}
        return System(job=cascade_job(card, models, jobs, NO_PACK, PLAN, Execution()), models=models)

    def _case(self, model: ModelCard, variant: str) -> Case:
        return Case(self.profile.name, model.name, variant, self._runtime(model, variant))

    def _runtime(self, model: ModelCard, variant: str) -> str:
        profile = self.profile
        if self.runtime and self.runtime not in profile.runtimes:
            raise ConfigError(unknown("runtime", self.runtime, profile.runtimes), where=f"{profile.file}, runtimes")
        for name in [self.runtime] if self.runtime else profile.runtimes:
            if file_format(profile, model, variant, name):
                return name
        raise ConfigError(
            f"no runtime of {profile.name} takes a file of {model.name}/{variant}", where=profile.file,
            remedy="list a file in a format that a runtime takes",
        )  # fmt: skip


def _all_of(card: CascadeCard, variant: str) -> CascadeCard:
    stages = tuple(one.model_copy(update={"variant": variant}) for one in card.stages)
    return card.model_copy(update={"stages": stages})
