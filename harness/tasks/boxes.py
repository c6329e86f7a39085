"""Boxes as arrays: overlap, suppression of overlaps, mapping into the frame. Pure functions of numpy.

A box is x1 y1 x2 y2 with x1 <= x2 and y1 <= y2, in any one unit; a box without area overlaps nothing.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from harness.case import Array
from harness.tasks import Geometry

# A window is compared with all kept boxes in one step, a block bit by bit with itself; the sizes were
# measured (benchmarks/prepost.py): smaller ones cost calls, larger ones leave the processor's cache.
WINDOW, BLOCK = 512, 64


def iou_matrix(first: Array, second: Array) -> Array:
    """Intersection over union of each of `first` [n, 4] with each of `second` [m, 4]: float64 [n, m] in 0..1."""
    inter, union = _inter_union(np.asarray(first, np.float64).T, np.asarray(second, np.float64).T)
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def nms(boxes: Array, scores: Array, classes: Array, iou_threshold: float, max_det: int) -> Array:
    """Greedy non-maximum suppression within each class: indices of what is kept, best first.

    boxes float [n, 4], scores [n], classes [n], none of them NaN. A box goes where its overlap with
    a better kept box of its class is above `iou_threshold`; among equal scores the first given is
    the better one. Stops at `max_det` kept boxes, so its cost is bounded by n * max_det overlaps.

    The same as OpenCV's NMSBoxesBatched, which knows no such bound, except where an overlap equals
    the threshold to within single precision. Source of the method: Felzenszwalb et al., PAMI 2010, section 5.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = np.asarray(boxes, np.float32)[order].T
    labels = None if len(classes) == 0 or (classes == classes[0]).all() else classes[order]
    kept: List[int] = []
    for start in range(0, len(order), WINDOW):
        window = _unsuppressed(ranked, labels, np.arange(start, min(start + WINDOW, len(order))), kept, iou_threshold)
        known = len(kept)
        for at in range(0, len(window), BLOCK):
            block = _unsuppressed(ranked, labels, window[at : at + BLOCK], kept[known:], iou_threshold)
            kept += _greedy(_overlapping(ranked, labels, block, block, iou_threshold), block, max_det - len(kept))
            if len(kept) >= max_det:
                return order[kept]
    return order[kept]


def _unsuppressed(boxes: Array, labels: Optional[Array], candidates: Array, kept: List[int], threshold: float) -> Array:
    """Those of `candidates` that no box of `kept` suppresses."""
    if not kept:
        return candidates
    return candidates[~_overlapping(boxes, labels, np.array(kept), candidates, threshold).any(axis=0)]


def _overlapping(boxes: Array, labels: Optional[Array], first: Array, second: Array, threshold: float) -> Array:
    """bool [first, second]: the overlap of boxes [4, n] is above the threshold and the label is the same."""
    inter, union = _inter_union(boxes[:, first], boxes[:, second])
    union *= np.float32(threshold)
    over: Array = inter > union
    if labels is not None:
        over &= labels[first][:, None] == labels[second]
    return over


def _greedy(over: Array, members: Array, most: int) -> List[int]:
    """Greedy choice among `members`, best first, given who overlaps whom; rows are walked as bit sets."""
    rows = [int.from_bytes(row.tobytes(), "little") for row in np.packbits(over, axis=1, bitorder="little")]
    kept: List[int] = []
    gone = 0
    for position, (member, row) in enumerate(zip(members.tolist(), rows)):
        if len(kept) == most:
            break
        if not gone >> position & 1:
            kept.append(member)
            gone |= row
    return kept


def _inter_union(first: Array, second: Array) -> Tuple[Array, Array]:
    """Areas of intersection and union of boxes [4, n] with boxes [4, m]: two arrays [n, m]."""
    inter = np.minimum(first[2][:, None], second[2])
    inter -= np.maximum(first[0][:, None], second[0])
    np.maximum(inter, 0, out=inter)
    high = np.minimum(first[3][:, None], second[3])
    high -= np.maximum(first[1][:, None], second[1])
    np.maximum(high, 0, out=high)
    inter *= high
    union = np.add(_area(first)[:, None], _area(second), out=high)
    union -= inter
    return inter, union


def _area(boxes: Array) -> Array:
    area: Array = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    return area


def corners(centre_size: Array) -> Array:
    """Boxes cx cy w h [n, 4] as x1 y1 x2 y2."""
    half = centre_size[:, 2:4] * np.float32(0.5)
    return np.concatenate([centre_size[:, :2] - half, centre_size[:, :2] + half], axis=1)


def to_frame(points: Array, geometry: Geometry) -> Array:
    """Points or boxes [n, 2k] (x y x y ...) of the model's input in pixels of the frame, float32."""
    scale, offset = (geometry.scale_x, geometry.scale_y), (geometry.offset_x, geometry.offset_y)
    mapped: Array = points.reshape(-1, 2) * np.array(scale) + np.array(offset)
    return np.asarray(mapped.reshape(points.shape), np.float32)
