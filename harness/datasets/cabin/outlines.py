"""Outlines that are both painted and asked for what they hide, in pixels of the unshifted frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin.parts import Person, Vehicle

Floats = npt.NDArray[np.float64]
FRONT_SEATS_X_PX = (390.0, 985.0)
_AROUND = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def cushion(x: float, y: float, half_x: float, half_y: float) -> Floats:
    """A rectangle with round corners."""
    cosine, sine = np.cos(_AROUND), np.sin(_AROUND)
    corner = np.column_stack([np.sign(cosine) * np.abs(cosine) ** 0.5, np.sign(sine) * np.abs(sine) ** 0.5])
    return np.asarray(corner * (half_x, half_y) + (x, y), np.float64)


def headrest(car: Vehicle, x: float) -> Floats:
    """The headrest of the front seat at `x`."""
    return cushion(x, 285 + car.headrest_gap, 82 * car.seat_width, 66)


def backrest(car: Vehicle, x: float) -> Floats:
    """The backrest of the front seat at `x`."""
    half = 165 * car.seat_width
    right = [(half * 0.7, 405.0), (half, 480.0), (half * 1.1, 820.0)]
    return _mirrored(right, x)


def torso(person: Person) -> Floats:
    """Shoulders and trunk."""
    size, top = person.half_width, person.y + 1.75 * person.half_width
    right = [
        (0.55 * size, top), (1.7 * size, top + 0.5 * size), (2.15 * size, top + 1.6 * size),
        (2.1 * size, person.y + 7.0 * size),
    ]  # fmt: skip
    return _mirrored(right, person.x)


def _mirrored(right: list[tuple[float, float]], x: float) -> Floats:
    half = np.array(right)
    left = half[::-1] * (-1.0, 1.0)
    return np.asarray(np.concatenate([half, left]) + np.array([x, 0.0]), np.float64)
