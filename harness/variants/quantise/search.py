"""Which layers stay in float? A search from all layers in INT8, judged by what each trial costs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError
from harness.variants.study.effects import Effect

NOT_SLOWER = 1.02
"""Two quick timings of the same file differ by up to 2 %."""
TryOut = Callable[[tuple[str, ...]], "Trial"]
SHOWN = ("loss_points", "low_points", "high_points", "flips", "sqnr_db")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A file with the layers `floats` in float. effect: None where it could not be made, and then `failure` says why.

    latency_ratio: its time over the parent's; None where none was taken.
    """

    floats: tuple[str, ...]
    effect: Effect | None
    latency_ratio: float | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One trial of a search: what was done, whether it is inside the budget and was kept, and why."""

    action: str
    trial: Trial
    inside: bool
    accepted: bool
    why: str

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        trial, effect = self.trial, self.trial.effect.facts() if self.trial.effect else {}
        return {
            "action": self.action, "float_layers": list(trial.floats), **{name: effect.get(name) for name in SHOWN},
            "latency_ratio": trial.latency_ratio, "inside": self.inside, "accepted": self.accepted, "why": self.why,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """steps: all trials, in their order. chosen: the quickest inside the budget; None where none is.

    nearest: the one that comes closest to it; None where no file could be made.
    """

    steps: tuple[Step, ...]
    chosen: Trial | None
    nearest: Trial | None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many points of accuracy may be lost."""

    points: float

    def __post_init__(self) -> None:
        if not 0 < self.points < 100:
            raise ConfigError(
                f"an accuracy budget of {self.points:g} points is none",
                where="the recipe, options.accuracy_loss_points", remedy="give a number above 0 and below 100",
            )  # fmt: skip

    def shown_by(self, effect: Effect) -> bool:
        """Whether the frames are enough: a file that loses nothing, with as many changed answers, would be inside."""
        return effect.arm_points < self.points

    def judged_points(self, effect: Effect) -> float:
        """The upper end of the interval where the frames are enough, otherwise the loss as it was found."""
        if self.shown_by(effect) and effect.high_points is not None:
            return effect.high_points
        return effect.loss_points

    def holds(self, trial: Trial) -> bool:
        """Whether a trial is inside; one that failed is not."""
        return trial.effect is not None and self.judged_points(trial.effect) < self.points

    def sentence(self, trial: Trial) -> str:
        """Inside or outside, and by what."""
        if trial.effect is None:
            return f"no file: {trial.failure}"
        side = "inside" if self.holds(trial) else "outside"
        told = f"{side} the budget of {self.points:g} point{'s' * (self.points != 1)}: loses {_interval(trial.effect)}"
        if self.shown_by(trial.effect) or trial.effect.proven_points > self.points:
            return f"{told}, judged by the {'upper' if self.shown_by(trial.effect) else 'lower'} end of the interval"
        return f"{told}, judged by the loss as found: {trial.effect.frames} frames are too few for a proof"


def _interval(effect: Effect) -> str:
    low, high = ("?" if one is None else f"{one:.2f}" for one in (effect.low_points, effect.high_points))
    return f"{effect.loss_points:.2f} [{low}, {high}]"


def search(ranking: Sequence[str], try_out: TryOut, budget: Budget, doubted: Sequence[str] = ()) -> Found:
    """First greedy: one layer after the other stays in float, the most sensitive first, until the budget is met.

    Then each of them, the least sensitive first, is taken back into INT8 where the budget is still met and the file
    gets no slower; at last each of `doubted`, which INT8 may slow down, is left in float where that is quicker.
    ranking: the names of all layers, the most sensitive first; one of them at least is INT8.
    """
    steps = list(_kept_in_float(ranking, try_out, budget))
    if steps[-1].inside:
        steps += _taken_back(steps[-1].trial, try_out, budget)
        now = [one.trial for one in steps if one.accepted][-1]
        steps += _left_for_speed(now, [one for one in doubted if {*now.floats, one} != {*ranking}], try_out, budget)
    inside = [one.trial for one in steps if one.inside]
    return Found(steps=tuple(steps), chosen=_quickest(inside) if inside else None, nearest=_nearest(steps, budget))


def _kept_in_float(ranking: Sequence[str], try_out: TryOut, budget: Budget) -> Iterator[Step]:
    for count in range(max(len(ranking), 1)):
        trial = try_out(tuple(ranking[:count]))
        inside = budget.holds(trial)
        action = f"keep {ranking[count - 1]} in float" if count else "all layers in INT8"
        yield Step(action=action, trial=trial, inside=inside, accepted=inside, why=budget.sentence(trial))
        if inside:
            return


def _taken_back(start: Trial, try_out: TryOut, budget: Budget) -> Iterator[Step]:
    """The last layer that was kept is not tried: without it the budget was not met."""
    now = start
    for layer in reversed(start.floats[:-1]):
        trial = try_out(tuple(one for one in now.floats if one != layer))
        inside, slower = budget.holds(trial), _slower(trial, now)
        why = budget.sentence(trial) + (f", but slower ({slower})" if inside and slower else "")
        accepted = inside and not slower
        yield Step(action=f"take {layer} back into INT8", trial=trial, inside=inside, accepted=accepted, why=why)
        now = trial if accepted else now


def _left_for_speed(start: Trial, layers: Sequence[str], try_out: TryOut, budget: Budget) -> Iterator[Step]:
    now = start
    for layer in layers:
        if layer in now.floats or now.latency_ratio is None:
            continue
        trial = try_out((*now.floats, layer))
        inside, gained = budget.holds(trial), _slower(now, trial)
        why = budget.sentence(trial) + ("" if gained or not inside else ", but no quicker")
        accepted = inside and bool(gained)
        yield Step(action=f"leave {layer} in float for speed", trial=trial, inside=inside, accepted=accepted, why=why)
        now = trial if accepted else now


def _slower(trial: Trial, than: Trial) -> str:
    """Empty where it is not; a layer in INT8 between two in float may cost more for turning numbers than it gains."""
    if trial.latency_ratio is None or than.latency_ratio is None:
        return ""
    if trial.latency_ratio <= than.latency_ratio * NOT_SLOWER:
        return ""
    return f"{trial.latency_ratio:.2f} of the parent's time instead of {than.latency_ratio:.2f}"


def _quickest(trials: Sequence[Trial]) -> Trial:
    """Of those as quick as the quickest, the one with the fewest layers in float; of these, the first."""
    ratios = [one.latency_ratio for one in trials if one.latency_ratio is not None]
    bound = min(ratios) * NOT_SLOWER if ratios else None
    quick = [one for one in trials if bound is None or one.latency_ratio is None or one.latency_ratio <= bound]
    return min(quick, key=lambda one: len(one.floats))


def _nearest(steps: Sequence[Step], budget: Budget) -> Trial | None:
    judged = {budget.judged_points(one.trial.effect): one.trial for one in reversed(steps) if one.trial.effect}
    return judged[min(judged)] if judged else None
