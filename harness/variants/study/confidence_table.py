"""What the confidences of a model's variants are worth, each on every runtime that takes its file, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.case import Array
from harness.errors import ConfigError, HarnessError, printable
from harness.model import ModelCard
from harness.prepare import file_format
from harness.profile import DeviceProfile
from harness.stats.confidence import Calibration
from harness.variants.frames import Frames, FrameSet, Say
from harness.variants.scoring import OPTIONS, SCORED_BY, predict
from harness.variants.study.confidence import ANSWERS, Confidence, confidence
from harness.variants.study.layertext import aligned

COLUMNS = ("variant", "on", "answers", "error %", "temperature", "scaled error %", "by chance %", "log loss", "scaled")
MEANING = (
    "error: expected calibration error, 15 bins; scaled: logits divided by the temperature, which was fitted on other "
    "frames; by chance: what a model that is exactly as sure as it is right would show on so many answers"
)
FEW = "too few answers to fit a temperature on"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One variant on one runtime: its confidence, or the reason why there is none."""

    variant: str
    runtime: str
    confidence: Confidence | None = None
    reason: str = ""


def find_out(card: ModelCard, profile: DeviceProfile, variants: Sequence[str], frames: Frames, say: Say) -> list[Told]:
    """Each variant on each runtime of the device that takes a file of it.

    ConfigError for a task without confidences, or where no runtime takes any.
    """
    if card.task not in ANSWERS:
        raise ConfigError(
            f"the task {card.task} tells no confidence, only {', '.join(sorted(ANSWERS))} do",
            where=str(card.folder / "model.toml"),
        )  # fmt: skip
    pairs = [(name, one) for name in variants for one in profile.runtimes if file_format(profile, card, name, one)]
    if not pairs:
        raise ConfigError(f"no runtime of {profile.name} takes a file of {', '.join(variants)}", where=profile.file)
    found = []
    for variant, runtime in pairs:
        say(f"{card.name}/{variant} on {runtime}")
        found.append(_told(card, profile, variant, runtime, frames))
    return found


def _told(card: ModelCard, profile: DeviceProfile, variant: str, runtime: str, frames: Frames) -> Told:
    engine, options = profile.engine(runtime), profile.engine_options(runtime)
    if engine not in (*OPTIONS, *SCORED_BY.values()):
        return Told(variant=variant, runtime=runtime, reason=f"{engine} is not run in this process")
    path = card.file(variant, file_format(profile, card, variant, runtime))

    def answers(chosen: FrameSet) -> tuple[Array, ...]:
        return predict(path, engine, card, chosen, options)

    try:
        found = confidence(card, answers, frames)
    except HarnessError as error:
        return Told(variant=variant, runtime=runtime, reason=error.sentence)
    return Told(variant=variant, runtime=runtime, confidence=found, reason="" if found else FEW)


def said(card: ModelCard, told: Sequence[Told]) -> str:
    """A table with a line for each, the reasons of those that have none, and what the columns mean."""
    lines = aligned([COLUMNS, *(_line(one, one.confidence) for one in told if one.confidence)]).splitlines()
    reasons = [f"{one.variant} on {one.runtime}: {one.reason}" for one in told if one.reason]
    return "\n".join(printable(line, 1000) for line in (f"confidences of {card.name}", *lines, *reasons, MEANING))


def _line(told: Told, found: Confidence) -> tuple[str, ...]:
    before, after = found.before, found.after
    return (
        told.variant, told.runtime, str(before.answers) if before else "-", _error(before), f"{found.temperature:.3f}",
        _error(after), "-" if found.chance_percent is None else f"{found.chance_percent:.2f}", _loss(before),
        _loss(after),
    )  # fmt: skip


def _error(found: Calibration | None) -> str:
    return f"{found.error_percent:.2f}" if found else "-"


def _loss(found: Calibration | None) -> str:
    return f"{found.log_loss:.4f}" if found else "-"
