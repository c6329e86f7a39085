"""What is true of a scene: boxes, eye state, gaze, activity, regions and conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin import head as heads
from harness.datasets.cabin import outlines
from harness.datasets.cabin.parts import ACTIVITIES, CLOSED_BELOW, HEIGHT_PX, WIDTH_PX, Person, Scene
from harness.datasets.cabin.scene import gaze_deg

Box = tuple[float, float, float, float]
Floats = npt.NDArray[np.float32]
SEEN_SHARE = 0.4
FACE_TURNED_DEG = 70.0
_GRID_PX = 8


def truths(scene: Scene, cv2: Any) -> dict[str, Floats]:
    """Every truth of a scene by name, each a 2-D float32 array as harness.tasks documents."""
    seen = visible(scene, cv2)
    driver = scene.driver
    return {
        "faces": _rows([face_box(one, scene) for one in seen if has_face(one)]),
        "heads": _rows([head_box(one, scene) for one in seen]),
        "eye_state": np.array([[driver.opening < CLOSED_BELOW]], np.float32),
        "gaze": np.array([gaze_deg(driver)], np.float32),
        "distraction": np.array([[ACTIVITIES.index(scene.activity)]], np.float32),
    }


def _rows(boxes: list[Box]) -> Floats:
    rows = [(*box, 0.0) for box in boxes]
    return np.array(rows, np.float32).reshape(len(rows), 5)


def has_face(person: Person) -> bool:
    """Whether the face, not the side or back of the head, is seen."""
    return abs(person.yaw) < FACE_TURNED_DEG


def face_box(person: Person, scene: Scene) -> Box:
    """The box around the face from hairline to chin, in pixels of the frame."""
    oval = heads.still_features(person.subject)["oval"]
    flat = heads.project(person, heads.on_face(oval, person.subject))[:, :2]
    low, high = flat.min(0), flat.max(0)
    return _clipped((low[0], low[1], high[0], high[1]), scene)


def head_box(person: Person, scene: Scene) -> Box:
    """The box around the whole head, hair included, in pixels of the frame."""
    first, second = heads.ellipse_box(heads.jaw(person)), heads.ellipse_box(heads.skull(person))
    low, high = np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])
    return _clipped((low[0], low[1], high[0], high[1]), scene)


def _clipped(box: Box, scene: Scene) -> Box:
    x, y = scene.shift
    x1, x2 = (float(min(max(one + x, 0.0), WIDTH_PX)) for one in (box[0], box[2]))
    y1, y2 = (float(min(max(one + y, 0.0), HEIGHT_PX)) for one in (box[1], box[3]))
    return x1, y1, x2, y2


def visible(scene: Scene, cv2: Any) -> list[Person]:
    """The people of whose head at least SEEN_SHARE is neither hidden nor outside the frame."""
    owner = np.zeros((HEIGHT_PX // _GRID_PX, WIDTH_PX // _GRID_PX), np.uint8)
    full = []
    for rear in (True, False):
        if not rear:
            _seats(owner, scene, cv2)
        for number, person in enumerate(scene.people, 1):
            if person.seat.startswith("rear") == rear:
                full.append((number, person, _head_area(owner, person, number, scene, cv2)))
    _arms(owner, scene, cv2)
    counts = np.bincount(owner.ravel(), minlength=len(scene.people) + 1)
    kept = [(number, person) for number, person, area in full if counts[number] >= SEEN_SHARE * area]
    return [person for _, person in sorted(kept, key=lambda pair: pair[0])]


def _head_area(owner: npt.NDArray[np.uint8], person: Person, number: int, scene: Scene, cv2: Any) -> float:
    """Paint a head into the map of owners (its torso hides what is behind); its area in map cells."""
    area = np.zeros_like(owner)
    _hide(owner, outlines.torso(person), scene, cv2)
    for outline in (heads.jaw(person), heads.skull(person)):
        (ex, ey), axes, angle = outline
        place = ((ex + scene.shift[0]) / _GRID_PX, (ey + scene.shift[1]) / _GRID_PX)
        small = (place, (axes[0] / _GRID_PX, axes[1] / _GRID_PX), angle)
        cv2.ellipse(owner, small, number, -1)
        cv2.ellipse(area, small, 1, -1)
    return float(area.sum())


def _seats(owner: npt.NDArray[np.uint8], scene: Scene, cv2: Any) -> None:
    for x in outlines.FRONT_SEATS_X_PX:
        _hide(owner, outlines.backrest(scene.vehicle, x), scene, cv2)
        _hide(owner, outlines.headrest(scene.vehicle, x), scene, cv2)


def _hide(owner: npt.NDArray[np.uint8], outline: npt.NDArray[np.float64], scene: Scene, cv2: Any) -> None:
    cv2.fillPoly(owner, [np.rint((outline + scene.shift) / _GRID_PX).astype(np.int32)], 0)


def _arms(owner: npt.NDArray[np.uint8], scene: Scene, cv2: Any) -> None:
    width = round(0.65 * scene.driver.half_width / _GRID_PX)
    for arm in scene.arms:
        bent = np.array([arm.shoulder, arm.elbow, arm.hand]) + scene.shift
        cv2.polylines(owner, [np.rint(bent / _GRID_PX).astype(np.int32)], False, 0, width)


def rois(scene: Scene) -> dict[str, Box]:
    """Regions as an earlier stage would give them: the driver's face with margin, both eyes, the upper body."""
    dx, dy, grow, turn = scene.roi_jitter
    driver = scene.driver
    x, y, size = driver.x + scene.shift[0], driver.y + scene.shift[1], driver.half_width
    centre_x, centre_y = x + 0.1 * dx * size, y + (0.2 + 0.1 * dy) * size
    half = size * 1.45 * (1.0 + 0.08 * grow)
    wide = size * (1.0 + 0.05 * turn)
    eyes_x, eyes_y = _between_the_eyes(driver)
    eyes_x, eyes_y = eyes_x + scene.shift[0] + 0.06 * dx * size, eyes_y + scene.shift[1] + (0.08 + 0.06 * dy) * size
    return {
        "eyes": _inside((eyes_x - wide, eyes_y - 0.5 * wide, eyes_x + wide, eyes_y + 0.5 * wide)),
        "face": _inside((centre_x - half, centre_y - half, centre_x + half, centre_y + half)),
        "driver": _inside((x - 3.2 * wide + dx * 8, y - 1.9 * wide, x + 5.2 * wide + dx * 8, y + 5.1 * wide)),
    }


def _between_the_eyes(person: Person) -> tuple[float, float]:
    gap = person.subject.eye_spacing
    eyes = heads.on_face(np.array([[-gap, -0.1], [gap, -0.1]]), person.subject)
    x, y, _ = heads.project(person, eyes).mean(axis=0)
    return float(x), float(y)


def _inside(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(WIDTH_PX)), min(y2, float(HEIGHT_PX))


def slices(scene: Scene) -> dict[str, str]:
    """The conditions of a frame, for the driver."""
    return {"light": scene.light.kind, "occlusion": scene.occlusion, "glasses": scene.driver.glasses}
