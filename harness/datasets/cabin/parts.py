"""What a frame can hold: persons, arms, the vehicle, the light."""

from __future__ import annotations

from dataclasses import dataclass

from harness.datasets.cabin.subjects import Subject

WIDTH_PX, HEIGHT_PX = 1280, 800
FRAMES_PER_SECOND = 10.0
CLOSED_BELOW = 0.25
LOOKING_AWAY_DEG = 24.0
ACTIVITIES = ("attentive", "phone", "looking_away", "reaching", "drinking")
LIGHTS = ("day", "dusk", "dark", "glare")

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person in one frame; the head's centre and half width in pixels, angles in degrees.

    yaw is positive to the right of the picture, pitch upwards, roll clockwise; `eye_yaw` and
    `eye_pitch` are relative to the head. `opening` of the eyes and `mouth` are 0..1.
    """

    subject: Subject
    seat: str
    x: float
    y: float
    half_width: float
    yaw: float
    pitch: float
    roll: float
    eye_yaw: float = 0.0
    eye_pitch: float = 0.0
    opening: float = 1.0
    mouth: float = 0.0
    glasses: str = "none"
    lens: float = 0.0
    mask: bool = False


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of the driver, from shoulder to hand, and what the hand holds."""

    shoulder: Point
    elbow: Point
    hand: Point
    angle_deg: float
    holds: str = ""


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """How the cabin looks: reflectances 0..1, lengths in pixels."""

    seat: float
    trim: float
    roof: float
    window_bottom: float
    seat_width: float
    rear_y: float
    wheel_y: float
    headrest_gap: float
    bag: float
    jacket: float
    pillar_x: float


@dataclass(frozen=True, kw_only=True)
class Light:
    """Illumination and sensor: `gain` of reflectances, `outside` brightness 0..1, glare, noise in grey levels."""

    kind: str
    gain: float
    spot: int
    outside: float
    veil: float
    sun: float
    sun_side: float
    noise: float
    gamma: float


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that decides a frame's pixels and truths."""

    people: tuple[Person, ...]
    arms: tuple[Arm, ...]
    activity: str
    occlusion: str
    vehicle: Vehicle
    light: Light
    shift: Point
    blur_px: int
    blur_upright: bool
    noise_offset: tuple[int, int]
    roi_jitter: tuple[float, ...]
    outside_px: float

    @property
    def driver(self) -> Person:
        return self.people[-1]
