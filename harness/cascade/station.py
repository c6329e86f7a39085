"""One stage at work: whether it has anything to do for a frame, and its three steps, each timed."""

from __future__ import annotations

import threading
from typing import Dict, Optional, Tuple

from harness.cascade import Stage
from harness.cascade.crops import Region, region
from harness.cascade.records import (
    HELD,
    INFER_END,
    INFER_START,
    POST_END,
    POST_START,
    PRE_END,
    PRE_START,
    RAN,
    SKIPPED,
    STAMPS,
    Flight,
)  # fmt: skip
from harness.case import Array
from harness.frames import Frame
from harness.pipeline import Clock, Pipeline

WHOLE: Region = (0.0, 0.0, 0.0, 0.0)


class Shelf:
    """Answers that hold until a stage runs again; who asks for one that is not there yet waits for it.

    Waiting is for earlier frames only, which never wait for later ones.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: Dict[Tuple[str, int], Optional[Array]] = {}
        self._given_up = False

    def put(self, stage: str, index: int, answer: Optional[Array]) -> None:
        with self._changed:
            self._answers[stage, index] = answer
            self._changed.notify_all()

    def get(self, stage: str, index: int) -> Optional[Array]:
        """The answer of a stage for a frame; RuntimeError where it will never come."""
        try:
            return self._answers[stage, index]  # most often it is there, and a lock costs more than the look
        except KeyError:
            return self._awaited(stage, index)

    def _awaited(self, stage: str, index: int) -> Optional[Array]:
        with self._changed:
            self._changed.wait_for(lambda: (stage, index) in self._answers or self._given_up)
            if (stage, index) not in self._answers:
                raise RuntimeError(f"the answer of {stage} for frame {index} never came")
            return self._answers[stage, index]

    def give_up(self) -> None:
        """Something failed: nobody waits any longer."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def start_anew(self) -> None:
        """Frames are counted from 0 again: nothing holds."""
        with self._changed:
            self._answers.clear()

    def clear(self, stage: str, before: int) -> None:
        """Drop what no frame asks for any more."""
        with self._changed:
            for key in [key for key in self._answers if key[0] == stage and key[1] < before]:
                del self._answers[key]


class Station:
    """One stage with its loaded pipeline; `clocks` are those of pre, infer and post.

    The three steps of one frame are called one after the other, in one thread or in three.
    """

    def __init__(
        self, stage: Stage, column: int, pipeline: Pipeline, clocks: Tuple[Clock, Clock, Clock], shelf: Shelf
    ) -> None:
        self.stage, self.column, self.pipeline, self.shelf = stage, column, pipeline, shelf
        self._pre_clock, self._infer_clock, self._post_clock = clocks
        self._first = column * STAMPS

    def whole(self, flight: Flight) -> None:
        """All three steps."""
        self.pre(flight)
        self.infer(flight)
        self.post(flight)

    def pre(self, flight: Flight) -> None:
        """The crop and the feeds; or that there is nothing to do for this frame."""
        held = flight.index % self.stage.every
        if held:
            answer = self.shelf.get(self.stage.name, flight.index - held)
            self._settle(flight, SKIPPED if answer is None else HELD, answer)
            return
        stamps, first = flight.stamps, self._first
        stamps[first + PRE_START] = self._pre_clock()
        found = self._region(flight)
        if found is None:
            self._settle(flight, SKIPPED, None)
            return
        frame = Frame(flight.pixels, None if found is WHOLE else found)
        flight.between[self.column] = self.pipeline.pre(frame)
        stamps[first + PRE_END] = self._pre_clock()
        flight.states[self.column] = RAN

    def infer(self, flight: Flight) -> None:
        """The engine's outputs, where the stage runs."""
        if flight.states[self.column] != RAN:
            return
        stamps, first = flight.stamps, self._first
        feeds, geometry = flight.between[self.column]
        stamps[first + INFER_START] = self._infer_clock()
        flight.between[self.column] = self.pipeline.infer(feeds), geometry
        del feeds  # to give its memory back is part of the step that needed it
        stamps[first + INFER_END] = self._infer_clock()

    def post(self, flight: Flight) -> None:
        """The prediction, and on the shelf where it will hold for later frames."""
        if flight.states[self.column] == RAN:
            stamps, first = flight.stamps, self._first
            outputs, geometry = flight.between.pop(self.column)
            stamps[first + POST_START] = self._post_clock()
            flight.answers[self.stage.name] = self.pipeline.post(outputs, geometry)
            del outputs
            stamps[first + POST_END] = self._post_clock()
        if self.stage.every > 1 and flight.index % self.stage.every == 0:
            self.shelf.put(self.stage.name, flight.index, flight.answers[self.stage.name])

    def forget(self, index: int) -> None:
        """Frame `index` and all before it are finished."""
        if self.stage.every > 1 and (index + 1) % self.stage.every == 0:
            self.shelf.clear(self.stage.name, index + 1)

    def _region(self, flight: Flight) -> Optional[Region]:
        crop = self.stage.crop
        if crop is None:
            return WHOLE
        found = flight.answers[crop.stage]
        return None if found is None else region(found, crop, flight.pixels.shape)

    def _settle(self, flight: Flight, state: int, answer: Optional[Array]) -> None:
        flight.states[self.column] = state
        flight.answers[self.stage.name] = answer
        flight.stamps[self._first : self._first + STAMPS] = [self._pre_clock()] * STAMPS
