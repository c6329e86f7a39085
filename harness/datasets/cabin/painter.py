"""Antialiased shapes of one reflectance on a frame. OpenCV draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin import head as heads
from harness.datasets.cabin.head import Floats
from harness.datasets.cabin.parts import HEIGHT_PX, WIDTH_PX, Point

Frame = npt.NDArray[np.uint8]
Points = Iterable[Point] | Floats
WHITE = 220.0
_SUBPIXEL_BITS = 4


class Painter:
    """Antialiased shapes on one frame, all moved by one shift in pixels."""

    def __init__(self, frame: Frame, cv2: Any, shift: Point) -> None:
        self.frame, self.cv2 = frame, cv2
        self.shift = np.array(shift)

    def _fixed(self, points: Floats) -> npt.NDArray[np.int32]:
        scaled = (points[:, :2] + self.shift) * (1 << _SUBPIXEL_BITS)
        return np.asarray(np.rint(scaled), np.int32)

    def polygon(self, points: Points, reflectance: float) -> None:
        """A filled polygon."""
        fixed = self._fixed(np.asarray(points, np.float64))
        self.cv2.fillPoly(self.frame, [fixed], reflectance * WHITE, self.cv2.LINE_AA, _SUBPIXEL_BITS)

    def line(self, points: Points, reflectance: float, width_px: float, *, closed: bool = False) -> None:
        """A line of round ends."""
        fixed = self._fixed(np.asarray(points, np.float64))
        width = max(round(width_px), 1)
        self.cv2.polylines(self.frame, [fixed], closed, reflectance * WHITE, width, self.cv2.LINE_AA, _SUBPIXEL_BITS)

    def ellipse(self, ellipse: heads.Ellipse, reflectance: float, width_px: int = -1) -> None:
        """A filled ellipse, or its outline."""
        (x, y), axes, angle = ellipse
        moved = ((x + self.shift[0], y + self.shift[1]), axes, angle)
        self.cv2.ellipse(self.frame, moved, reflectance * WHITE, width_px, self.cv2.LINE_AA)

    def shade(self, box: tuple[float, float, float, float], texture: Frame) -> None:
        """Multiply a box of the frame by a texture (128 leaves it as it is)."""
        x1, y1, x2, y2 = (round(one) for one in np.array(box) + np.tile(self.shift, 2))
        left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, WIDTH_PX), min(y2, HEIGHT_PX)
        if right - left < 2 or bottom - top < 2:
            return
        sized = self.cv2.resize(texture, (x2 - x1, y2 - y1))[top - y1 : bottom - y1, left - x1 : right - x1]
        region = self.frame[top:bottom, left:right]
        self.cv2.multiply(region, sized, region, 1 / 128)
