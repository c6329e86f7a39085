"""The geometry of a head: an ellipsoid with features on it, turned and projected to pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin.parts import Person, Point
from harness.datasets.cabin.scene import rotation
from harness.datasets.cabin.subjects import Subject

Floats = npt.NDArray[np.float64]
Ellipse = tuple[Point, Point, float]

SKULL_CENTRE = (0.0, -0.3, -0.24)
SKULL_AXES = (1.03, 1.02, 1.1)
JAW_AXES = (0.93, 1.0, 0.98)
EYE_BALL = 0.25
IRIS_RADIUS = 0.1
_RING = np.linspace(0.0, 2 * math.pi, 20, endpoint=False)


def ellipse_of(person: Person, axes: tuple[float, float, float], centre: tuple[float, float, float]) -> Ellipse:
    """The outline of an ellipsoid on the head: centre, full axes and angle, as OpenCV takes it."""
    turn = rotation(person)
    middle = turn @ np.array(centre)
    spread = (turn * (np.array(axes) ** 2)) @ turn.T
    values, vectors = np.linalg.eigh(spread[:2, :2])
    small, large = (2.0 * person.half_width * math.sqrt(max(one, 1e-9)) for one in values)
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    place = (person.x + person.half_width * middle[0], person.y + person.half_width * middle[1])
    return place, (large, small), angle


def skull(person: Person) -> Ellipse:
    """Outline of the back and top of the head, hair included."""
    return ellipse_of(person, SKULL_AXES, SKULL_CENTRE)


def jaw(person: Person) -> Ellipse:
    """Outline of the front of the head."""
    across, down, deep = JAW_AXES
    return ellipse_of(person, (across, down * person.subject.face_length, deep), (0.0, 0.08, 0.0))


def ellipse_box(ellipse: Ellipse) -> tuple[float, float, float, float]:
    """The upright box around an ellipse: x1 y1 x2 y2."""
    (x, y), (large, small), angle = ellipse
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    half_x = math.hypot(large * cosine, small * sine) / 2
    half_y = math.hypot(large * sine, small * cosine) / 2
    return x - half_x, y - half_y, x + half_x, y + half_y


def project(person: Person, points: Floats) -> Floats:
    """Points on the head [n, 3] in half face widths as x, y in pixels and depth [n, 3]."""
    turned = points @ rotation(person).T
    nearer = person.half_width * (1.0 + 0.05 * turned[:, 2:])
    flat = turned[:, :2] * nearer + (person.x, person.y)
    return np.concatenate([flat, turned[:, 2:]], 1)


def on_face(points: Floats, subject: Subject) -> Floats:
    """Lift points [n, 2] (right, down) onto the front of the head [n, 3]."""
    across, down, deep = JAW_AXES
    inside = 1.0 - (points[:, 0] / across) ** 2 - ((points[:, 1] - 0.08) / (down * subject.face_length)) ** 2
    return np.column_stack([points, deep * np.sqrt(np.maximum(inside, 0.04))])


@lru_cache(maxsize=512)
def still_features(subject: Subject) -> Mapping[str, Floats]:
    """Features that do not move in the face, name -> points [n, 2] (right, down)."""
    low = 0.08 + subject.face_length
    gap, wide = subject.eye_spacing, subject.eye_width
    nose, half = subject.nose, subject.mouth
    return {
        "oval": _oval(subject, low),
        "beard": _beard(subject, low),
        "brow_left": _brow(-gap, wide, subject.brow),
        "brow_right": _brow(gap, wide, subject.brow),
        "socket_left": _ring(-gap, -0.12, wide * 1.25, wide * 0.8),
        "socket_right": _ring(gap, -0.12, wide * 1.25, wide * 0.8),
        "nose_side": np.array([[-0.05, -0.1], [0.05, -0.1], [nose, 0.36], [0.0, 0.45], [-nose, 0.36]]),
        "nostrils": np.array([[-nose * 0.8, 0.4], [nose * 0.8, 0.4], [nose * 0.5, 0.455], [-nose * 0.5, 0.455]]),
        "fold_left": np.array([[-nose - 0.08, 0.38], [-half - 0.1, 0.66], [-half - 0.07, 0.68], [-nose - 0.04, 0.4]]),
        "fold_right": np.array([[nose + 0.08, 0.38], [half + 0.1, 0.66], [half + 0.07, 0.68], [nose + 0.04, 0.4]]),
        "lens_left": _ring(-gap, -0.08, 0.33, 0.25),
        "lens_right": _ring(gap, -0.08, 0.33, 0.25),
        "bridge": np.array([[-gap + 0.32, -0.12], [0.0, -0.17], [gap - 0.32, -0.12]]),
        "temples": np.array([[-gap - 0.3, -0.14], [-0.93, -0.16], [gap + 0.3, -0.14], [0.93, -0.16]]),
        "mask": np.array([
            [-0.12, 0.1], [0.12, 0.1], [0.6, 0.24], [0.82, 0.42], [0.7, 0.9], [0.38, low - 0.05], [0.0, low - 0.01],
            [-0.38, low - 0.05], [-0.7, 0.9], [-0.82, 0.42], [-0.6, 0.24],
        ]),
        "straps": np.array([[-0.8, 0.42], [-0.93, -0.02], [0.8, 0.42], [0.93, -0.02]]),
    }  # fmt: skip


def _oval(subject: Subject, low: float) -> Floats:
    top = -subject.hairline * subject.face_length * 0.95
    middle, half = (top + low) / 2, (low - top) / 2
    across = 0.86 * np.cos(_RING) * (1.0 - 0.12 * np.maximum(np.sin(_RING), 0.0))
    return np.column_stack([across, middle + half * np.sin(_RING)])


def _beard(subject: Subject, low: float) -> Floats:
    across = 0.84 * np.cos(np.linspace(0.0, math.pi, 11))
    lower = np.column_stack([across, 0.25 + (low - 0.27) * np.sin(np.linspace(0.0, math.pi, 11))])
    upper = np.array([[-0.5, 0.62], [-0.25, 0.5], [0.25, 0.5], [0.5, 0.62]])
    return np.concatenate([lower, upper])


def _brow(x: float, wide: float, thick: float) -> Floats:
    outer = math.copysign(1.0, x)
    rise = np.array([-0.36, -0.4, -0.34])
    upper = np.column_stack([x + outer * wide * np.array([-1.0, 0.1, 1.2]), rise])
    return _band(upper, 0.0, thick)


def _ring(x: float, y: float, across: float, down: float) -> Floats:
    return np.column_stack([x + across * np.cos(_RING), y + down * np.sin(_RING)])


def eye(person: Person, side: int) -> dict[str, Floats]:
    """The moving parts of one eye (side -1 or 1): opening, iris, pupil, lids, as points [n, 2]."""
    one = person.subject
    x, y = side * one.eye_spacing, -0.1
    across = np.linspace(-1.0, 1.0, 9)
    arch = 1.0 - across**2
    lift = one.eye_height * person.opening
    floor = 0.35 * one.eye_height * min(person.opening + 0.25, 1.0)
    upper = np.column_stack([x + one.eye_width * across, y + 0.03 - lift * arch])
    lower = np.column_stack([x + one.eye_width * across, y + 0.03 + floor * arch])
    look_x = x + EYE_BALL * math.sin(math.radians(person.eye_yaw))
    look_y = y - EYE_BALL * math.sin(math.radians(person.eye_pitch)) * 0.9
    return {
        "white": np.concatenate([upper, lower[::-1]]),
        "iris": _within(_ring(look_x, look_y, IRIS_RADIUS, IRIS_RADIUS), x, y, one, lift, floor),
        "pupil": _within(_ring(look_x, look_y, 0.045, 0.045), x, y, one, lift, floor),
        "lash": _band(upper, -0.021, 0.021),
        "lid": _band(upper, -0.075, -0.05),
        "glint": np.array([[x + 0.35 * (look_x - x) + 0.02, y - 0.02]]),
    }


def _band(curve: Floats, high: float, low: float) -> Floats:
    return np.concatenate([curve + np.array([0.0, high]), curve[::-1] + np.array([0.0, low])])


def _within(points: Floats, x: float, y: float, one: Subject, lift: float, floor: float) -> Floats:
    arch = np.maximum(1.0 - ((points[:, 0] - x) / one.eye_width) ** 2, 0.0)
    return np.column_stack([points[:, 0], np.clip(points[:, 1], y + 0.03 - lift * arch, y + 0.03 + floor * arch)])


def mouth(person: Person) -> dict[str, Floats]:
    """Lips and the opening between them, as points [n, 2]."""
    half, gap = person.subject.mouth, 0.02 + 0.16 * person.mouth
    lips = _ring(0.0, 0.72 + gap / 2, half, 0.075 + gap / 2)
    return {"lips": lips, "gap": _ring(0.0, 0.72 + gap / 2, half * 0.86, 0.012 + gap / 2)}
