"""Frames of a driver who does what a timeline says, drawn by the cabin's renderer one at a time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets import Sample
from harness.datasets.cabin import SPLITS, Cabin, camera, draw, motion, scene, script, truth
from harness.datasets.cabin.motion import Generator, Wander
from harness.datasets.cabin.parts import CLOSED_BELOW, LOOKING_AWAY_DEG, Light, Scene
from harness.datasets.cabin.script import Body, Clip
from harness.datasets.files import check_index
from harness.errors import ConfigError, DatasetError, unknown
from harness.events import ATTENTION, CLOSED, LIDS, OFF_ROAD, PHONE, Answers, Event, checked_fps
from harness.events.timeline import Timeline

SAME_RENDERER = (
    "the shipped models are trained on single frames of the renderer that drew these clips: this says how files, "
    "filter and pace work together, and nothing about real drivers"
)
LID_RAMP_S, GAZE_RAMP_S = 0.18, (0.25, 0.45)
AWAY_DEG = (36.0, 56.0)
CALM, CALM_EYES = 0.5, 0.35
_SCRIPT_STREAM, _FRAME_STREAM = 22, 23


class BehaviourClip:
    """A recording at `fps`: frame `i` is the scene at i / fps seconds, a pure function of all that is given here.

    number: which recording of the split; its driver and cabin are those of the cabin's clip of that number.
    Frames are drawn when they are asked for, and none is kept.
    """

    def __init__(
        self, timeline: Timeline, *, fps: float = 30.0, seed: int = 7, number: int = 0, split: str = "eval"
    ) -> None:
        if split not in SPLITS:
            raise ConfigError(unknown("cabin split", split, SPLITS), where="clip")
        if min(seed, number) < 0:
            raise ConfigError(f"seed {seed} and number {number} of a clip are whole numbers from 0", where="clip")
        self.timeline, self.fps, self.seed, self.number, self.split = timeline, checked_fps(fps), seed, number, split
        self.frames = round(timeline.duration_s * fps)
        if not self.frames:
            raise ConfigError(f"a clip of {timeline.duration_s:g} s holds no frame at {fps:g} per second", where="clip")

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides the frames: the cabin's own, the timeline and this module."""
        cabin = Cabin(Path(), split=self.split, frames=1, seed=self.seed).fingerprint
        digest = hashlib.sha256(f"{cabin} {self.number} {self.fps!r} {self.timeline!r}".encode())
        digest.update(Path(__file__).read_bytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.frames

    def scene(self, index: int) -> Scene:
        """What is in frame `index`; IndexError where there is none."""
        check_index(index, self.frames)
        rng = np.random.default_rng([self.seed, _FRAME_STREAM, SPLITS[self.split].start, self.number, index])
        return self._cast.scene(index / self.fps, rng)

    def __getitem__(self, index: int) -> Sample:
        """Frame `index` with its truths; IndexError where there is none, DatasetError without OpenCV."""
        seen, cv2 = self.scene(index), _cv2()
        painted = draw.paint(seen, cv2, list(camera.shades(self.seed)))
        return Sample(
            frame=camera.expose(painted, seen, cv2, self.seed), truths=truth.truths(seen, cv2), rois=truth.rois(seen),
            subject=seen.driver.subject.name, clip=self.name, slices=truth.slices(seen),
        )  # fmt: skip

    @cached_property
    def truth(self) -> Answers:
        """What is true of each frame, without drawing it."""
        seen = [self.scene(index) for index in range(self.frames)]
        turned_deg = [math.hypot(*scene.gaze_deg(one.driver)) for one in seen]
        return Answers(
            fps=self.fps,
            evidence={
                CLOSED: np.array([one.driver.opening < CLOSED_BELOW for one in seen], np.int8),
                OFF_ROAD: np.array([one > LOOKING_AWAY_DEG for one in turned_deg], np.int8),
                PHONE: np.array([one.activity == "phone" for one in seen], np.int8),
            },
        )

    @cached_property
    def _cast(self) -> _Cast:
        base = script.clip_at(self.seed, self.split, self.number, self.timeline.duration_s)
        rng = np.random.default_rng([self.seed, _SCRIPT_STREAM, SPLITS[self.split].start, self.number])
        return _Cast(self.timeline, base, rng)


class _Cast:
    """The cabin's script of one recording, with the timeline's events in place of its own."""

    def __init__(self, timeline: Timeline, base: Clip, rng: Generator) -> None:
        attentive = _attentive(base, rng, [one for one in timeline.events if one.channel == LIDS])
        acting = [one for one in timeline.events if one.channel == ATTENTION]
        self._scripts: list[tuple[Event | None, Clip]] = [(one, _acted(attentive, one, rng)) for one in acting]
        self._scripts = self._scripts or [(None, attentive)]
        self._gain = motion.wander(rng, 1.0, 0.04, fastest_hz=0.2)
        self._outside = motion.wander(rng, 1.0, 0.08, fastest_hz=0.3)

    def scene(self, seconds: float, rng: Generator) -> Scene:
        """The cabin's scene of one moment."""
        # The steps of cabin.scene are called from here, because a change there would rename every frame of the cabin.
        now = min(self._scripts, key=lambda one: _apart(one[0], seconds))[1]
        done = now.episode.at(seconds)
        driver = scene._pose_driver(now, seconds, done)
        return Scene(
            people=(*(scene._pose(one, seconds) for one in now.bodies[:-1]), driver),
            arms=scene._arms(now, driver, done, 0.0, seconds),
            activity=scene._activity(now, driver, done),
            occlusion="mask" if driver.mask else "none",
            vehicle=now.vehicle, light=self._light(now.light, seconds),
            shift=(now.shift_x.at(seconds), now.shift_y.at(seconds)),
            blur_px=int(rng.choice([1, 1, 3, 5, 9], p=scene._blur_odds(now.shake))),
            blur_upright=bool(rng.random() < 0.6),
            noise_offset=(int(rng.integers(256)), int(rng.integers(256))),
            roi_jitter=tuple(rng.uniform(-1, 1, 4).tolist()),
            outside_px=now.scenery_px_per_s * seconds,
        )  # fmt: skip

    def _light(self, light: Light, seconds: float) -> Light:
        outside = min(light.outside * self._outside.at(seconds), 1.0)
        return replace(light, gain=light.gain * self._gain.at(seconds), outside=outside)


def _attentive(base: Clip, rng: Generator, lids: Iterable[Event]) -> Clip:
    """The recording of a driver who looks at the road and shuts the eyes when told to."""
    calm = replace(base.bodies[-1], yaw=_calmer(base.bodies[-1].yaw, CALM), pitch=_calmer(base.bodies[-1].pitch, CALM))
    bodies: tuple[Body, ...] = (*base.bodies[:-1], calm)
    shut = tuple(motion.Event(one.onset_s, one.end_s, min(LID_RAMP_S, one.end_s - one.onset_s)) for one in lids)
    return replace(
        base, bodies=bodies, activity="attentive", episode=motion.Event(-2.0, -1.0, 0.1), shut=shut,
        eye_yaw=_calmer(base.eye_yaw, CALM_EYES), eye_pitch=_calmer(base.eye_pitch, CALM_EYES),
        opening=rng.uniform(0.65, 1.0), hand_over_face=None,
    )  # fmt: skip


def _acted(base: Clip, event: Event, rng: Generator) -> Clip:
    """The same driver during one event of attention: a look aside, or a phone in the hand."""
    episode = motion.Event(event.onset_s, event.end_s, min(rng.uniform(*GAZE_RAMP_S), event.end_s - event.onset_s))
    away = (float(rng.choice([-1, 1])) * rng.uniform(*AWAY_DEG), rng.uniform(-18, 8))
    at_ear = rng.random() < 0.5
    ear, lap = (rng.uniform(0.95, 1.25), rng.uniform(0.0, 0.5)), (rng.uniform(-0.9, 0.9), rng.uniform(2.2, 3.3))
    activity = "phone" if event.shows == PHONE else "looking_away"
    return replace(base, activity=activity, episode=episode, away=away, target=ear if at_ear else lap)


def _calmer(one: Wander, share: float) -> Wander:
    return Wander(one.centre, tuple((size * share, rate, phase) for size, rate, phase in one.waves))


def _apart(event: Event | None, seconds: float) -> float:
    return max(event.onset_s - seconds, seconds - event.end_s) if event else 0.0


@lru_cache(maxsize=1)
def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DatasetError(
            "a clip needs OpenCV to draw its frames", where="clip", remedy="pip install 'dms-harness[host]'"
        ) from error
    return cv2
