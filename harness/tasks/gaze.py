"""Gaze: the direction of sight; judged by the angle between the predicted and the true direction."""

from __future__ import annotations

from typing import Dict, Sequence

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import DatasetError
from harness.tasks import Geometry, Score
from harness.tasks.options import choice, number, text
from harness.tasks.outputs import flat_row
from harness.tasks.scoring import MOVED, checked_truths, share_score


class Gaze:
    """Yaw and pitch [1, 2] in degrees, relative to the camera.

    tolerance_deg: a frame within it is right. units: of the output, `degrees` or `radians`.
    order: of the output, `yaw_pitch` or `pitch_yaw`. output: its name.
    """

    def __init__(
        self,
        *,
        input: InputSpec,
        tolerance_deg: float = 6.0,
        units: str = "degrees",
        order: str = "yaw_pitch",
        output: str = "gaze",
    ) -> None:
        self._tolerance_deg = number("tolerance_deg", tolerance_deg, above=0, at_most=180)
        self._radians = choice("units", units, ("degrees", "radians")) == "radians"
        self._swap = choice("order", order, ("yaw_pitch", "pitch_yaw")) == "pitch_yaw"
        self._output = text("output", output)

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [1, 2] yaw, pitch in degrees; EngineError for an output that is missing or has another size."""
        angles = flat_row(outputs, self._output, 2)
        if self._swap:
            angles = angles[:, ::-1]
        return np.ascontiguousarray(np.degrees(angles) if self._radians else angles)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """Share of frames within the tolerance, in per cent; a prediction that is not finite is wrong.

        trivial: the mean true direction in every frame. extras: mean and 95th percentile of the angular error
        over the finite frames, and the frames that are not finite.
        """
        checked_truths(predictions, truths, (1, 2))
        real, found = _table(truths), _table(predictions)
        if not np.isfinite(real).all():
            first = int(np.flatnonzero(~np.isfinite(real).all(axis=1))[0])
            raise DatasetError("the true gaze is not finite", where=f"frame {first}", remedy="leave the frame out")
        sound = np.isfinite(found).all(axis=1)
        errors = np.full(len(real), np.inf)
        errors[sound] = angle_deg(direction(found[sound]), direction(real[sound]))
        extras = {"invalid_frames": float((~sound).sum())}
        if sound.any():
            extras["angular_error_mean_deg"] = float(errors[sound].mean())
            extras["angular_error_p95_deg"] = float(np.percentile(errors[sound], 95))
        constant = angle_deg(direction(real).mean(axis=0, keepdims=True), direction(real))
        trivial = float((constant <= self._tolerance_deg).mean())
        return share_score(f"gaze within {self._tolerance_deg:g} deg", errors <= self._tolerance_deg, trivial, extras)

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Array:
        """Where the two directions are more than half the tolerance apart, or only one of them is finite."""
        one, other = _table(first), _table(second)
        differ: Array = np.isfinite(one).all(axis=1) != np.isfinite(other).all(axis=1)
        sound = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
        differ[sound] = angle_deg(direction(one[sound]), direction(other[sound])) > MOVED * self._tolerance_deg
        return differ


def _table(rows: Sequence[Array]) -> Array:
    return np.array([np.asarray(one, np.float64).reshape(2) for one in rows])


def direction(yaw_pitch_deg: Array) -> Array:
    """Unit vectors [n, 3] of yaw and pitch [n, 2] in degrees, as Zhang et al. (MPIIGaze, PAMI 2019) define them."""
    yaw, pitch = np.radians(yaw_pitch_deg).T
    return np.stack([-np.cos(pitch) * np.sin(yaw), -np.sin(pitch), -np.cos(pitch) * np.cos(yaw)], axis=1)


def angle_deg(first: Array, second: Array) -> Array:
    """The angle between vectors [n, 3] in degrees, 0..180; atan2 keeps small angles exact, arccos does not."""
    crossed = np.linalg.norm(np.cross(first, second), axis=1)
    angle: Array = np.degrees(np.arctan2(crossed, (first * second).sum(axis=1)))
    return angle
