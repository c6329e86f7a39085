"""What happens during a clip, drawn once from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.datasets.cabin.motion import Event, Generator, Wander, closures, wander
from harness.datasets.cabin.parts import ACTIVITIES, LIGHTS, Light, Point, Vehicle
from harness.datasets.cabin.subjects import SPLITS, Subject, subject

_CLIP_STREAM = 2


@dataclass(frozen=True, kw_only=True)
class Body:
    """How one person moves during a clip."""

    subject: Subject
    seat: str
    x: Wander
    y: Wander
    half_width: float
    yaw: Wander
    pitch: Wander
    roll: Wander
    glasses: str
    lens: float
    mask: bool


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What happens during a clip."""

    bodies: tuple[Body, ...]
    activity: str
    episode: Event
    target: Point
    away: Point
    eye_share: float
    eye_yaw: Wander
    eye_pitch: Wander
    opening: float
    shut: tuple[Event, ...]
    mouth: Wander
    hand_over_face: Event | None
    hand_place: Point
    side: int
    vehicle: Vehicle
    light: Light
    shift_x: Wander
    shift_y: Wander
    shake: float
    scenery_px_per_s: float


def subject_of(seed: int, split: str, clip: int) -> Subject:
    """The driver of a clip: the split's subjects take turns."""
    numbers = SPLITS[split]
    return subject(seed, numbers[clip % len(numbers)])


@lru_cache(maxsize=64)
def clip_at(seed: int, split: str, clip: int, span_s: float) -> Clip:
    """What happens in clip number `clip` of a split, which lasts `span_s`."""
    rng = np.random.default_rng([seed, _CLIP_STREAM, SPLITS[split].start, clip])
    activity = str(rng.choice(ACTIVITIES, p=[0.32, 0.19, 0.17, 0.16, 0.16]))
    occlusion = str(rng.choice(["none", "hand", "mask"], p=[0.74, 0.14, 0.12]))
    drowsy = rng.random() < 0.6
    away_yaw = rng.choice([-1, 1]) * rng.uniform(24, 58)
    return Clip(
        bodies=(*_passengers(rng, seed, split), _driver(rng, subject_of(seed, split, clip), occlusion == "mask")),
        activity=activity,
        episode=_episode(rng, span_s),
        target=_target(rng, activity),
        away=(away_yaw, rng.uniform(-22, 12)) if rng.random() < 0.75 else (rng.uniform(-25, 25), -rng.uniform(27, 38)),
        eye_share=rng.uniform(0.2, 0.55),
        eye_yaw=wander(rng, 0.0, 5.5, fastest_hz=0.8),
        eye_pitch=wander(rng, 0.0, 3.5, fastest_hz=0.8),
        opening=rng.uniform(0.32, 0.6) if drowsy else rng.uniform(0.6, 1.0),
        shut=closures(rng, span_s, drowsy=drowsy),
        mouth=wander(rng, -0.1, 0.2, fastest_hz=1.5),
        hand_over_face=_episode(rng, span_s) if occlusion == "hand" else None,
        hand_place=(rng.uniform(-0.75, 0.75), rng.uniform(0.2, 1.0)),
        side=int(rng.choice([-1, 1])),
        vehicle=_vehicle(rng),
        light=_light(rng),
        shift_x=wander(rng, rng.uniform(-30, 30), 3.0, fastest_hz=2.0),
        shift_y=wander(rng, rng.uniform(-24, 24), 3.0, fastest_hz=2.0),
        shake=rng.uniform(0, 1),
        scenery_px_per_s=rng.uniform(0, 400),
    )


def _episode(rng: Generator, span_s: float) -> Event:
    if rng.random() < 0.55:
        return Event(-9.0, span_s + 9.0, 1.0)
    start = rng.uniform(-0.2, 0.7) * span_s
    return Event(start, start + rng.uniform(0.4, 1.2) * span_s, rng.uniform(0.4, 0.9))


def _target(rng: Generator, activity: str) -> Point:
    """Where the acting hand goes: relative to the head in half widths (phone, drink), else in pixels."""
    if activity == "phone":
        at_ear = rng.random() < 0.5
        if at_ear:
            return rng.uniform(0.95, 1.25), rng.uniform(0.0, 0.5)
        return rng.uniform(-0.9, 0.9), rng.uniform(2.2, 3.3)
    if activity == "drinking":
        return rng.uniform(-0.2, 0.3), rng.uniform(0.75, 1.3)
    return rng.uniform(640, 900), rng.uniform(420, 740)


def _passengers(rng: Generator, seed: int, split: str) -> tuple[Body, ...]:
    bodies = []
    numbers = SPLITS[split]
    for slot, x in enumerate((548, 676, 806)):
        if rng.random() < 0.4:
            one = subject(seed, numbers[int(rng.integers(len(numbers)))])
            y = rng.uniform(286, 352)
            bodies.append(_passenger(rng, one, f"rear{slot}", x + rng.uniform(-22, 22), y, rng.uniform(34, 46)))
    if rng.random() < 0.5:
        one = subject(seed, numbers[int(rng.integers(len(numbers)))])
        bodies.append(_passenger(rng, one, "front", rng.uniform(930, 1040), rng.uniform(290, 380), rng.uniform(62, 82)))
    return tuple(bodies)


def _passenger(rng: Generator, one: Subject, seat: str, x: float, y: float, half_width: float) -> Body:
    turned = rng.random() < 0.3
    yaw = rng.choice([-1, 1]) * rng.uniform(40, 115) if turned else rng.uniform(-35, 35)
    return Body(
        subject=one, seat=seat, half_width=half_width * one.size,
        x=wander(rng, x, 6.0), y=wander(rng, y, 4.0),
        yaw=wander(rng, yaw, 8.0), pitch=wander(rng, rng.uniform(-24, 8), 4.0), roll=wander(rng, rng.normal(0, 7), 3.0),
        glasses=one.glasses if rng.random() < 0.8 else "none", lens=rng.uniform(0.3, 1.0), mask=rng.random() < 0.1,
    )  # fmt: skip


def _driver(rng: Generator, one: Subject, mask: bool) -> Body:
    return Body(
        subject=one, seat="driver", half_width=rng.uniform(74, 94) * one.size,
        x=wander(rng, rng.uniform(340, 440), 7.0), y=wander(rng, rng.uniform(300, 370), 5.0),
        yaw=wander(rng, rng.uniform(-6, 6), 5.0), pitch=wander(rng, rng.uniform(-7, 3), 3.0),
        roll=wander(rng, rng.normal(0, 4), 2.5),
        glasses=one.glasses if rng.random() < 0.8 else "none", lens=rng.uniform(0.25, 0.95), mask=mask,
    )  # fmt: skip


def _vehicle(rng: Generator) -> Vehicle:
    return Vehicle(
        seat=rng.uniform(0.12, 0.6), trim=rng.uniform(0.1, 0.45), roof=rng.uniform(0.3, 0.8),
        window_bottom=rng.uniform(250, 330), seat_width=rng.uniform(0.9, 1.15), rear_y=rng.uniform(400, 440),
        wheel_y=rng.uniform(690, 760), headrest_gap=rng.uniform(-12, 14),
        bag=rng.choice([0.0, rng.uniform(0.2, 0.8)]), jacket=rng.choice([0.0, 0.0, rng.uniform(0.2, 0.7)]),
        pillar_x=rng.uniform(120, 190),
    )  # fmt: skip


def _light(rng: Generator) -> Light:
    kind = str(rng.choice(LIGHTS, p=[0.3, 0.22, 0.28, 0.2]))
    gain = {"day": (0.75, 1.15), "dusk": (0.55, 0.85), "dark": (0.22, 0.65), "glare": (0.8, 1.35)}[kind]
    outside = {"day": (0.6, 0.95), "dusk": (0.2, 0.45), "dark": (0.01, 0.08), "glare": (0.95, 1.0)}[kind]
    glare = kind == "glare"
    return Light(
        kind=kind, gain=rng.uniform(*gain), spot=int(rng.integers(6)), outside=rng.uniform(*outside),
        veil=rng.uniform(0.08, 0.4) if glare else rng.uniform(0, 0.05), sun=rng.uniform(80, 230) if glare else 0.0,
        sun_side=rng.choice([-1, 1]) * rng.uniform(0.0, 0.8),
        noise=rng.uniform(5, 14) if kind == "dark" else rng.uniform(2, 6), gamma=rng.uniform(0.85, 1.15),
    )  # fmt: skip
