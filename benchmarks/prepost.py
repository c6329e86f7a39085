"""How long pre- and post-processing take, with numpy alone and with OpenCV: `python benchmarks/prepost.py`.

Post: 8,400 candidates of an anchor-free detector at 640 x 640 with 3 classes, of which so many are above
the score threshold; overlaps are suppressed by harness.tasks.boxes (numpy) or by OpenCV's NMSBoxesBatched.
`crowded`: all of them on 10 objects; `spread`: as many objects as a quarter of them.
Pre: a 1280 x 800 frame to a 224 x 224 normalised float32 tensor; resized by numpy or by OpenCV.
The two are repeated in turn, so that a slow moment of the machine meets both; shown is the median.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np

import harness.tasks.detection as detection_module
import harness.tasks.preprocess as preprocess_module
from harness.case import Array, InputSpec, TaskSpec
from harness.tasks import Geometry, open_task
from harness.tasks.boxes import nms
from harness.tasks.decoders import cell_centres

REPEATS = 41
SIDE, CLASSES, STRIDES = 640, 3, (8, 16, 32)
POST_TARGET_MS, PRE_TARGET_MS = 2.0, 1.0
Row = tuple[str, float, float, str]


def nms_opencv(boxes: Array, scores: Array, classes: Array, iou_threshold: float, max_det: int) -> Array:
    """harness.tasks.boxes.nms by OpenCV, which cannot stop at `max_det`."""
    corner_size = boxes.astype(np.float64)
    corner_size[:, 2:] -= corner_size[:, :2]
    batched: Any = cv2.dnn.NMSBoxesBatched
    kept = batched(corner_size, scores, classes.astype(np.int32), 0.0, iou_threshold)
    return np.ravel(np.asarray(kept, np.int64))[:max_det]


def outputs(survivors: int, objects: int) -> dict[str, Array]:
    """Outputs of the detector: `survivors` candidates above the threshold, lying on `objects` objects."""
    random = np.random.default_rng(survivors + objects)
    centres = np.concatenate([cell_centres(InputSpec(SIDE, SIDE), stride) for stride in STRIDES])
    strides = np.repeat(STRIDES, [(SIDE // stride) ** 2 for stride in STRIDES])[:, None]
    middle, size = random.uniform(60, 580, (objects, 2)), random.uniform(30, 120, (objects, 2))
    owner = random.integers(0, objects, len(centres))
    place = middle[owner] + random.normal(0, 4, (len(centres), 2))
    half = size[owner] * random.uniform(0.45, 0.55, (len(centres), 2))
    boxes = np.concatenate([centres - place + half, place + half - centres], axis=1) / strides
    logits = np.full((len(centres), CLASSES), -5.0)
    above = random.choice(len(centres), survivors, replace=False)
    logits[above, owner[above] % CLASSES] = random.normal(1.0, 0.4, survivors)
    return {"boxes": boxes[None].astype(np.float32), "scores": logits[None].astype(np.float32)}


def interleaved(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """The median of each call in milliseconds, all repeated in turn after one untimed round."""
    seen: list[list[float]] = [[] for _ in calls]
    for repeat in range(REPEATS + 1):
        for times, call in zip(seen, calls, strict=True):
            start = time.perf_counter_ns()
            call()
            times += [(time.perf_counter_ns() - start) / 1e6] if repeat else []
    return [statistics.median(times) for times in seen]


def post_row(survivors: int, objects: int, name: str) -> Row:
    task = open_task(
        TaskSpec("detection", {"classes": ["a", "b", "c"], "strides": list(STRIDES)}), InputSpec(SIDE, SIDE)
    )
    given, geometry = outputs(survivors, objects), Geometry(2.0, 1.25, 0.0, 0.0)

    def post(suppress: Callable[..., Array]) -> Array:
        vars(detection_module)["nms"] = suppress
        return task.post(given, geometry)

    same = np.array_equal(post(nms), post(nms_opencv))
    numpy_ms, opencv_ms = interleaved([lambda: post(nms), lambda: post(nms_opencv)])
    post(nms)
    return f"post, {survivors:5d} of 8400, {name}", numpy_ms, opencv_ms, "same" if same else "DIFFERENT"


def pre_row(frame: Array, spec: InputSpec, name: str) -> Row:
    prepare = preprocess_module.Preprocess(spec)

    def pre(library: Any) -> Array:
        vars(preprocess_module)["cv2"] = library
        return prepare(frame)[0]

    worst = float(np.abs(pre(None) - pre(cv2)).max()) * spec.scale * min(spec.std)
    numpy_ms, opencv_ms = interleaved([lambda: pre(None), lambda: pre(cv2)])
    pre(cv2)
    return f"pre, {name}, {spec.layout}", numpy_ms, opencv_ms, f"within {worst:.0f} grey level(s)"


def rows() -> list[Row]:
    table = [
        post_row(survivors, objects, name)
        for survivors in (300, 1000, 8400)
        for name, objects in (("crowded", 10), ("spread", survivors // 4))
    ]
    grey = np.random.default_rng(0).integers(0, 256, (800, 1280), dtype=np.uint8)
    rgb = np.stack([grey] * 3, axis=2)
    for layout in ("NCHW", "NHWC"):
        for name, frame, colour in (
            ("grey to gray", grey, "gray"),
            ("grey to rgb", grey, "rgb"),
            ("rgb to rgb", rgb, "rgb"),
        ):
            spec = InputSpec(224, 224, layout=layout, colour=colour, mean=(0.5,), std=(0.25,))
            table.append(pre_row(frame, spec, name))
    return table


def main() -> None:
    print(f"{'median of ' + str(REPEATS) + ' in turn':36} {'numpy ms':>9} {'OpenCV ms':>10}   results")
    for name, numpy_ms, opencv_ms, agreement in rows():
        print(f"{name:36} {numpy_ms:9.3f} {opencv_ms:10.3f}   {agreement}")
    print(f"targets on a desktop core: post with 300 survivors {POST_TARGET_MS:g} ms, pre {PRE_TARGET_MS:g} ms")
    print("used by the harness: numpy for overlaps, OpenCV for resizing where it is present")


if __name__ == "__main__":
    main()
