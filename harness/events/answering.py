"""Clips through cascades, in this process: each frame is drawn once and shown to all of them.

A cascade is the serial one that a worker runs, on the same engines; a stage sees the crop that the stages before it
found, and a driver whose face is not found gives no answer. Nothing here waits for a camera: conditions.py lays the
times of one over what was answered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.cascade import CascadeJob
from harness.cascade.crew import Crew, loaded
from harness.cascade.serial import Cascade
from harness.case import Array
from harness.datasets import Sample
from harness.datasets.cabin.parts import LOOKING_AWAY_DEG
from harness.errors import ConfigError, DatasetError, unknown
from harness.events import NO, NO_ANSWER, YES, Answers
from harness.events.clip import BehaviourClip
from harness.events.filtering import EVIDENCE_OF
from harness.frames import Frame
from harness.model import ModelCard

WARM_UP = 5
Seen = tuple[Mapping[str, Array | None], int]
Look = Callable[[Sample], Seen]


@dataclass(frozen=True, kw_only=True)
class System:
    """A cascade as a worker would run it, serially. models: stage -> the card of its model.

    true_regions: no stage waits for another one; each looks where the renderer knows that it should, which tells faults
    of the crops from those of the models.
    """

    job: CascadeJob
    models: Mapping[str, ModelCard]
    true_regions: bool = False

    def truths(self) -> dict[str, str]:
        """The stages that tell a state of the driver, with what they are judged by; ConfigError where none does."""
        known = {name: str(card.dataset.get("truth", "")) for name, card in self.models.items()}
        told = {name: truth for name, truth in known.items() if truth in READERS}
        if not told:
            what = unknown("truth that alarms can rest on", ", ".join(filter(None, known.values())), READERS)
            raise ConfigError(what, where=f"pipeline {self.job.name}")
        return told


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A system on one clip. service_ns: int64 [frames], from the frame in memory to the cascade's last answer."""

    answers: Answers
    service_ns: Array = field(repr=False)


def answer(
    clip: BehaviourClip, systems: Mapping[str, System], say: Callable[[int], None] = lambda frame: None
) -> dict[str, Answered]:
    """What each system, by name, answers for every frame. say: told the frames that are done.

    A prediction that is not finite is no answer. ConfigError for a system that tells no state.
    """
    truths = {name: one.truths() for name, one in systems.items()}
    with ExitStack() as stack:
        crews = {name: stack.enter_context(loaded(one.job)) for name, one in systems.items()}
        watchers = {name: _Watcher(one, truths[name], crews[name], clip) for name, one in systems.items()}
        for index in range(len(clip)):
            sample = clip[index]
            for one in watchers.values():
                one.see(index, sample)
            say(index + 1)
    return {name: one.answered(clip.fps) for name, one in watchers.items()}


class _Watcher:
    def __init__(self, system: System, truths: Mapping[str, str], crew: Crew, clip: BehaviourClip) -> None:
        self._truths, self._models = truths, system.models
        self._shown = {EVIDENCE_OF[one]: np.full(len(clip), NO_ANSWER, np.int8) for one in truths.values()}
        self._service_ns = np.zeros(len(clip), np.int64)
        self._look: Look = _OnTrueRegions(system, crew) if system.true_regions else _InTurn(system, crew, clip)

    def see(self, index: int, sample: Sample) -> None:
        predictions, self._service_ns[index] = self._look(sample)
        for stage, truth in self._truths.items():
            shown = self._shown[EVIDENCE_OF[truth]]
            # Where two stages tell the same, one of them is enough.
            shown[index] = max(shown[index], self._read(predictions[stage], stage, truth))

    def _read(self, prediction: Array | None, stage: str, truth: str) -> int:
        if prediction is None or not np.isfinite(prediction).all():
            return NO_ANSWER
        return YES if READERS[truth](prediction, self._models[stage].options) else NO

    def answered(self, fps: float) -> Answered:
        return Answered(answers=Answers(fps=fps, evidence=self._shown), service_ns=self._service_ns)


class _InTurn:
    """The cascade as it is; its first frames, which are slower, come before the clip unless a model remembers them."""

    def __init__(self, system: System, crew: Crew, clip: BehaviourClip) -> None:
        assert crew.clock is not None  # it is serial
        self._clock, self._cascade = crew.clock, Cascade(crew.lanes[0], crew.clock)
        first = clip[0].frame
        for _ in range(0 if system.job.stateful else WARM_UP):
            self._cascade.push(first)
        self._cascade.start_anew()

    def __call__(self, sample: Sample) -> Seen:
        flight = self._cascade.push(sample.frame)
        return flight.answers, self._clock() - flight.admitted_ns


class _OnTrueRegions:
    """The stages that tell something, each on the region that its card names and the renderer knows."""

    def __init__(self, system: System, crew: Crew) -> None:
        told, self._clock = system.truths(), crew.clock or time.perf_counter_ns
        self._pipelines = {one.stage.name: one.pipeline for one in crew.lanes[0] if one.stage.name in told}
        self._regions = {name: system.models[name].input.roi for name in told}

    def __call__(self, sample: Sample) -> Seen:
        begun_ns, predictions = self._clock(), dict[str, Array | None]()
        for name, pipeline in self._pipelines.items():
            roi = self._regions[name]
            if roi is not None and roi not in sample.rois:
                raise DatasetError(unknown("region", roi, sample.rois), where=f"stage {name}")
            feeds, geometry = pipeline.pre(Frame(sample.frame, sample.rois[roi] if roi else None))
            predictions[name] = pipeline.post(pipeline.infer(feeds), geometry)
        return predictions, self._clock() - begun_ns


def _closed(scores: Array, options: Mapping[str, Any]) -> bool:
    return bool(options["classes"][int(scores.argmax())] == options.get("closed", "closed"))


def _away(angles_deg: Array, options: Mapping[str, Any]) -> bool:
    del options
    return float(math.hypot(*angles_deg[0])) > LOOKING_AWAY_DEG


def _on_phone(scores: Array, options: Mapping[str, Any]) -> bool:
    return bool(options["classes"][int(scores.argmax())] == "phone")


# The truth that a model is judged by -> how its prediction tells the evidence.
READERS: Mapping[str, Callable[[Array, Mapping[str, Any]], bool]] = {
    "eye_state": _closed, "gaze": _away, "distraction": _on_phone,
}  # fmt: skip
