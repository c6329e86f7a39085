"""People: bodies, heads, faces, what they wear, the driver's arms and what they hold."""

from __future__ import annotations

import numpy as np

from harness.datasets.cabin import head as heads
from harness.datasets.cabin import outlines
from harness.datasets.cabin.head import Floats
from harness.datasets.cabin.painter import Frame, Painter
from harness.datasets.cabin.parts import HEIGHT_PX, WIDTH_PX, Arm, Person, Point
from harness.datasets.cabin.scene import rotation


def body(painter: Painter, person: Person) -> None:
    """Torso and neck."""
    one, size = person.subject, person.half_width
    x, y = person.x, person.y
    top = y + 1.75 * size
    if one.hair_style in ("long", "hood"):
        painter.ellipse(((x, y + 0.55 * size), (2.35 * size, 3.2 * size), 0.0), one.hair)
    painter.polygon(outlines.torso(person), one.clothes)
    collar = [(x - 0.6 * size, top + 0.05 * size), (x, top + 0.75 * size), (x + 0.6 * size, top + 0.05 * size)]
    painter.line(collar, one.clothes * 0.7, 0.06 * size)
    neck = [
        (x - 0.55 * size, y + 0.6 * size), (x + 0.55 * size, y + 0.6 * size), (x + 0.6 * size, top + 0.2 * size),
        (x, top + 0.7 * size), (x - 0.6 * size, top + 0.2 * size),
    ]  # fmt: skip
    painter.polygon(neck, one.skin * 0.72)


def belt(painter: Painter, driver: Person) -> None:
    """The driver's seat belt."""
    size = driver.half_width
    start = (driver.x - 1.5 * size, driver.y + 2.1 * size)
    painter.line([start, (driver.x + 1.6 * size, driver.y + 6.4 * size)], 0.22, 0.32 * size)


def head(painter: Painter, person: Person, shade: Frame) -> None:
    """Head, face and what is worn on it."""
    one = person.subject
    ears(painter, person)
    painter.ellipse(heads.jaw(person), one.skin * 0.93)
    painter.ellipse(heads.skull(person), one.skin * 0.9 if one.hair_style == "bald" else one.hair)
    if rotation(person)[2, 2] > -0.15:
        face(painter, person)
    hat(painter, person)
    painter.shade(heads.ellipse_box(heads.jaw(person)), shade)


def ears(painter: Painter, person: Person) -> None:
    """Both ears where they face the camera."""
    if person.subject.hair_style in ("long", "hood"):
        return
    axes = (0.3 * person.half_width, 0.5 * person.half_width)
    for x, y, depth in heads.project(person, np.array([[-0.95, 0.08, -0.12], [0.95, 0.08, -0.12]])):
        if depth > -0.55:
            painter.ellipse(((x, y), axes, person.roll), person.subject.skin * 0.8)


def hat(painter: Painter, person: Person) -> None:
    """The visor of a cap."""
    one = person.subject
    if one.hair_style != "cap":
        return
    flat = heads.project(person, heads.on_face(_VISOR, one) + np.array([0.0, 0.0, 0.12]))
    if flat[:, 2].mean() > 0:
        painter.polygon(flat, one.hair * 0.8)


_VISOR = np.array([[-0.95, -0.62], [-0.5, -0.72], [0.5, -0.72], [0.95, -0.62], [0.8, -0.5], [0.0, -0.42], [-0.8, -0.5]])


def face(painter: Painter, person: Person) -> None:
    """The front of the head with all its features."""
    one = person.subject
    parts = dict(heads.still_features(one))
    parts.update({f"left_{name}": points for name, points in heads.eye(person, -1).items()})
    parts.update({f"right_{name}": points for name, points in heads.eye(person, 1).items()})
    parts.update(heads.mouth(person))
    placed = _project_all(person, parts)
    skin = one.skin
    painter.polygon(placed["oval"], skin)
    shown = {name for name, flat in placed.items() if flat[:, 2].mean() > 0.12}
    if one.beard and "beard" in shown:
        painter.polygon(placed["beard"], skin + (one.hair - skin) * one.beard)
    for name, factor in _FEATURES:
        if name in shown:
            painter.polygon(placed[name], skin * factor)
    for name in ("brow_left", "brow_right"):
        if name in shown:
            painter.polygon(placed[name], one.hair * 0.8)
    for side in ("left", "right"):
        if f"{side}_white" in shown:
            eye(painter, person, {name: placed[f"{side}_{name}"] for name in _EYE_PARTS})
    worn(painter, person, placed, shown)


_FEATURES = (
    ("socket_left", 0.86), ("socket_right", 0.86), ("nose_side", 1.08), ("nostrils", 0.5), ("fold_left", 0.85),
    ("fold_right", 0.85), ("lips", 0.72), ("gap", 0.35),
)  # fmt: skip
_EYE_PARTS = ("white", "iris", "pupil", "lash", "lid", "glint")


def _project_all(person: Person, parts: dict[str, Floats]) -> dict[str, Floats]:
    flat = heads.project(person, heads.on_face(np.concatenate(list(parts.values())), person.subject))
    placed, start = {}, 0
    for name, points in parts.items():
        placed[name] = flat[start : start + len(points)]
        start += len(points)
    return placed


def eye(painter: Painter, person: Person, parts: dict[str, Floats]) -> None:
    """One eye: the white, iris and pupil where the lids leave them visible, lashes, the lamp's glint."""
    one = person.subject
    if person.opening > 0.08:
        painter.polygon(parts["white"], min(one.skin * 1.25 + 0.05, 1.0))
        painter.polygon(parts["iris"], one.iris)
        painter.polygon(parts["pupil"], 0.05)
        if person.opening > 0.35:
            painter.ellipse(((parts["glint"][0, 0], parts["glint"][0, 1]), (0.05 * person.half_width,) * 2, 0.0), 1.0)
    painter.polygon(parts["lid"], one.skin * 0.7)
    painter.polygon(parts["lash"], one.skin * 0.32)


def worn(painter: Painter, person: Person, placed: dict[str, Floats], shown: set[str]) -> None:
    """Glasses and mask."""
    size = person.half_width
    if person.mask and "mask" in shown:
        painter.polygon(placed["mask"], 0.88)
        painter.line(placed["straps"][:2], 0.85, 0.04 * size)
        painter.line(placed["straps"][2:], 0.85, 0.04 * size)
    if person.glasses == "none":
        return
    for name in ("lens_left", "lens_right"):
        if name in shown:
            lens(painter, person, placed[name])
    painter.line(placed["bridge"], 0.1, 0.06 * size)
    painter.line(placed["temples"][:2], 0.1, 0.05 * size)
    painter.line(placed["temples"][2:], 0.1, 0.05 * size)


def lens(painter: Painter, person: Person, ring: Floats) -> None:
    """One lens: sunglasses are dark, some let infrared through; clear ones may mirror the lamp."""
    size = person.half_width
    if person.glasses == "sunglasses":
        tint(painter, ring, min(0.4 + 0.9 * person.lens, 0.98))
    elif person.lens > 0.7:
        spot = ring.mean(0)
        painter.ellipse(((spot[0] + 0.08 * size, spot[1] - 0.04 * size), (0.34 * size, 0.2 * size), 20.0), 1.0)
    painter.line(ring, 0.1, 0.05 * size, closed=True)


def tint(painter: Painter, ring: Floats, density: float) -> None:
    """Darken a polygon, keeping the share 1 - density of what is under it."""
    x, y, width, height = painter.cv2.boundingRect(np.rint(ring[:, :2] + painter.shift).astype(np.int32))
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, WIDTH_PX), min(y + height, HEIGHT_PX)
    if right <= left or bottom <= top:
        return
    region = painter.frame[top:bottom, left:right]
    under = region.copy()
    painter.polygon(ring, 0.1)
    painter.cv2.addWeighted(region, density, under, 1 - density, 0, region)


def draw_arm(painter: Painter, arm: Arm, driver: Person) -> None:
    """Sleeve, forearm, hand and what it holds."""
    size, one = driver.half_width, driver.subject
    painter.line([arm.shoulder, arm.elbow], one.clothes * 0.9, 0.82 * size)
    painter.line([arm.elbow, arm.hand], one.clothes * 0.96, 0.6 * size)
    painter.line([arm.elbow, arm.hand], one.clothes * 1.04, 0.3 * size)
    if arm.holds == "phone":
        held_phone(painter, arm, size)
    hand(painter, arm, size, one.skin)
    if arm.holds == "cup":
        held_cup(painter, arm, size)


def hand(painter: Painter, arm: Arm, size: float, skin: float) -> None:
    """A palm with four fingers."""
    x, y = arm.hand
    painter.ellipse(((x, y), (0.72 * size, 0.82 * size), arm.angle_deg), skin * 0.95)
    for number in range(4):
        turn = np.radians(arm.angle_deg + (number - 1.5) * 17)
        direction = np.array([np.sin(turn), -np.cos(turn)])
        first = np.array([x, y]) + direction * 0.2 * size
        finger = np.stack([first, first + direction * 0.52 * size])
        painter.line(finger, skin * (0.9 if number % 2 else 0.97), 0.17 * size)


def _turned(points: list[Point], centre: Point, size: float, angle_deg: float) -> Floats:
    angle = np.radians(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(np.asarray(points) @ turn * size + centre, np.float64)


def held_phone(painter: Painter, arm: Arm, size: float) -> None:
    """A phone seen from behind, with its camera."""
    x, y = arm.hand
    place = (x - 0.05 * size, y - 0.42 * size)
    outline: list[Point] = [(-0.36, -0.72), (0.36, -0.72), (0.36, 0.72), (-0.36, 0.72)]
    painter.polygon(_turned(outline, place, size, arm.angle_deg), 0.07)
    painter.line(_turned(outline, place, size, arm.angle_deg), 0.4, 0.04 * size, closed=True)
    spot = _turned([(-0.2, -0.55)], place, size, arm.angle_deg)[0]
    painter.ellipse(((spot[0], spot[1]), (0.16 * size, 0.16 * size), 0.0), 0.5)


def held_cup(painter: Painter, arm: Arm, size: float) -> None:
    """A paper cup with a lid."""
    x, y = arm.hand
    place = (x + 0.05 * size, y - 0.3 * size)
    for outline, reflectance in _CUP:
        painter.polygon(_turned(outline, place, size, arm.angle_deg * 0.4), reflectance)


_CUP: tuple[tuple[list[Point], float], ...] = (
    ([(-0.36, -0.62), (0.36, -0.62), (0.27, 0.5), (-0.27, 0.5)], 0.8),
    ([(-0.4, -0.76), (0.4, -0.76), (0.4, -0.62), (-0.4, -0.62)], 0.35),
    ([(-0.34, -0.3), (0.34, -0.3), (0.31, 0.1), (-0.31, 0.1)], 0.5),
)
