"""From the boxes that a stage found to the region of the frame that the next one looks at. Pure."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from harness.cascade import BEST, Crop
from harness.case import Array

Region = Tuple[float, float, float, float]


def region(prediction: Array, crop: Crop, shape: Tuple[int, ...]) -> Optional[Region]:
    """x1 y1 x2 y2 within a frame of `shape` [height, width, ...]; None where there is no such box, or it lies outside.

    prediction: [n, 6] x1 y1 x2 y2 score class, as harness.tasks documents; a row with NaN is no box. Among boxes of
    equal area the better one is taken, and that is the first.
    """
    boxes = np.asarray(prediction, np.float64).reshape(-1, 6)
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if crop.label is not None:
        boxes = boxes[boxes[:, 5] == crop.label]
    if not len(boxes):
        return None
    rank = boxes[:, 4] if crop.box == BEST else (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return _grown(boxes[int(rank.argmax())], crop.margin, shape)


def _grown(box: Array, margin: Tuple[float, float, float, float], shape: Tuple[int, ...]) -> Optional[Region]:
    x1, y1, x2, y2 = (float(one) for one in box[:4])
    wide, tall = x2 - x1, y2 - y1
    left, top = max(x1 - margin[0] * wide, 0.0), max(y1 - margin[1] * tall, 0.0)
    right, bottom = min(x2 + margin[2] * wide, float(shape[1])), min(y2 + margin[3] * tall, float(shape[0]))
    return (left, top, right, bottom) if right > left and bottom > top else None
