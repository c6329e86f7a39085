"""Settings through the harness's own session: one fresh process of each in turn, so that other load falls on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from harness.case import Case, Plan
from harness.errors import HarnessError
from harness.measurement import Measurement
from harness.memory.files import REWRITTEN
from harness.memory.rows import Row
from harness.memory.settings import DEFAULT, Setting
from harness.metrics import METRICS
from harness.model import ModelCard
from harness.prepare import Setup, file_format
from harness.profile import DeviceProfile
from harness.session import Session

FIGURES = (
    "model_memory_mb", "runtime_memory_mb", "peak_memory_mb", "infer_p50_ms", "infer_p99_ms", "frame_cpu_p50_ms"
)  # fmt: skip
TOLD = (
    "engine", "version", "precision", "threads", "promised", "memory_arena", "memory_pattern", "session_config",
    "mapped_weights", "from_cache", "cpu", "cores", "os",
)  # fmt: skip
Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """card: with the one variant that is measured. rounds: fresh processes of each row. folder: of all that is written;
    cache: what outlives it. root: of the repository.
    """

    profile: DeviceProfile
    card: ModelCard
    variant: str
    plan: Plan
    rounds: int
    folder: Path
    cache: Path
    root: Path

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The profile's entries that take a file of the variant."""
        return tuple(one for one in self.profile.runtimes if self.format(one))

    def format(self, runtime: str) -> str:
        """Which of the variant's files the entry takes; empty for none."""
        return file_format(self.profile, self.card, self.variant, runtime)

    def file(self, runtime: str) -> Path:
        """The variant's file for the entry."""
        return self.card.file(self.variant, self.format(runtime)).resolve()


def settings_rows(wanted: Wanted, runtime: str, settings: Sequence[Setting], say: Say) -> list[Row]:
    """The default of a runtime entry and its settings; one that cannot be measured has its reason, and no figures."""
    tried = [_Tried(wanted, runtime, one) for one in (DEFAULT, *settings)]
    for number in range(wanted.rounds):
        for one in rotated(tried, number):
            if not one.reason:
                say(f"{runtime}, {one.setting.name}: process {number + 1} of {wanted.rounds}")
                one.measure()
    return [one.row() for one in tried]


def rotated(rows: Sequence[T], number: int) -> list[T]:
    """The rows in another order each time: none is always the first after the same other one."""
    first = number % max(len(rows), 1)
    return [*rows[first:], *rows[:first]]


class _Tried:
    """One setting, and what is known of it by now."""

    def __init__(self, wanted: Wanted, runtime: str, setting: Setting) -> None:
        self._wanted, self._runtime, self.setting = wanted, runtime, setting
        self.reason = ""
        self._session: Session | None = None
        self._measured: Measurement | None = None

    def measure(self) -> None:
        """One more process; an error becomes the reason."""
        try:
            if self._session is None:
                self._session = self._opened()
            case = self._case
            done = self._measured is not None
            self._measured = self._session.measure_more(case) if done else self._session.measurement(case)
            self.reason = self.setting.not_taken(self._measured.runs[-1].facts)
        except HarnessError as error:
            self.reason = error.sentence

    def row(self) -> Row:
        """What came of it; figures of a setting that failed in a later process are kept out."""
        runs = self._measured.runs if self._measured and not self.reason else ()
        values = {name: tuple(METRICS[name].value(run) for run in runs) for name in FIGURES}
        known = {name: tuple(one for one in found if one is not None) for name, found in values.items()}
        facts = runs[0].facts if runs else {}
        return Row(
            runtime=self._runtime, name=self.setting.name, does=self.setting.does, reason=self.reason,
            figures={name: found for name, found in known.items() if found},
            facts={name: facts[name] for name in TOLD if name in facts},
        )  # fmt: skip

    @property
    def _case(self) -> Case:
        profile, card = self._wanted.profile, self._wanted.card
        return Case(profile.name, card.name, self._wanted.variant, self._name)

    @property
    def _name(self) -> str:
        return self._runtime if self.setting == DEFAULT else f"{self._runtime}-{self.setting.name}"

    @property
    def _folder(self) -> Path:
        return self._wanted.folder / "work" / self._name

    def _opened(self) -> Session:
        """A session over this setting alone; where the engine keeps something, one process has filled it."""
        card, wanted = self._card(), self._wanted
        entry = {"engine": wanted.profile.engine(self._runtime), **wanted.profile.runtimes[self._runtime]}
        entry = self.setting.over(entry, str(self._folder / "kept"))
        profile = wanted.profile.model_copy(update={"runtimes": {self._name: entry}, "power": None})
        setup = Setup(
            profile=profile, cards=(card,), plan=replace(wanted.plan, runs=1), work=self._folder, cache=wanted.cache,
            named=True, root=wanted.root,
        )  # fmt: skip
        if self.setting.keeps:
            _session(replace(setup, work=self._folder / "before")).measurement(self._case)
        return _session(setup)

    def _card(self) -> ModelCard:
        if not self.setting.file:
            return self._wanted.card
        form, variant = self._wanted.format(self._runtime), self._wanted.variant
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{variant}.{form}"
        REWRITTEN[self.setting.file](self._wanted.file(self._runtime), target)
        old = self._wanted.card.variants[variant]
        new = old.model_copy(update={"files": {**old.files, form: str(target.absolute())}})
        return self._wanted.card.model_copy(update={"variants": {variant: new}})


def _session(setup: Setup) -> Session:
    return Session(setup=setup, progress=lambda *said: None)
