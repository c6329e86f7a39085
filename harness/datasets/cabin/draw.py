"""From a scene to reflectances: the cabin, the people and the arms, painted from back to front.

Grey levels are reflectances times 220; light comes later, in camera.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.datasets.cabin import outlines
from harness.datasets.cabin.painter import WHITE, Frame, Painter
from harness.datasets.cabin.parts import HEIGHT_PX, WIDTH_PX, Person, Scene, Vehicle
from harness.datasets.cabin.people import belt, body, draw_arm, head


def paint(scene: Scene, cv2: Any, shades: list[Frame]) -> Frame:
    """The reflectances of a scene, uint8 [800, 1280]."""
    frame = np.full((HEIGHT_PX, WIDTH_PX), round(scene.vehicle.trim * WHITE * 0.8), np.uint8)
    painter = Painter(frame, cv2, scene.shift)
    shade = shades[scene.light.spot % len(shades)]
    background(painter, scene)
    for person in scene.people:
        if person.seat.startswith("rear"):
            body(painter, person)
            head(painter, person, shade)
    front_seats(painter, scene)
    for person in scene.people:
        if not person.seat.startswith("rear"):
            body(painter, person)
            head(painter, person, shade)
    belt(painter, scene.driver)
    wheel(painter, scene.driver, scene.vehicle)
    for arm in scene.arms:
        draw_arm(painter, arm, scene.driver)
    return frame


def background(painter: Painter, scene: Scene) -> None:
    """Roof, windows with what passes outside, pillars, rear bench and what lies on it."""
    car, out = scene.vehicle, scene.light.outside
    bottom = car.window_bottom
    painter.polygon([(-50, -50), (1330, -50), (1330, 130), (640, 70), (-50, 130)], car.roof)
    painter.polygon([(430, 120), (900, 120), (870, bottom - 30), (460, bottom - 30)], out * 0.85)
    painter.polygon([(-50, 110), (car.pillar_x + 130, 120), (car.pillar_x + 60, bottom + 60), (-50, bottom + 110)], out)
    painter.polygon([(1010, 120), (1330, 110), (1330, bottom + 110), (1080, bottom + 40)], out)
    for number in range(7):
        x = (number * 230 + scene.outside_px * (1 if number % 2 else 0.6)) % 1500 - 100
        if x < car.pillar_x + 30 or x > 1040:
            high = 150 + 20 * (number % 3)
            painter.polygon([(x, high), (x + 46, 150), (x + 46, bottom + 30), (x, bottom + 30)], out * 0.6)
    pillar = car.pillar_x
    painter.polygon([(pillar + 80, 100), (pillar + 140, 100), (pillar + 90, 520), (pillar + 10, 520)], car.trim)
    painter.polygon([(1000, 100), (1060, 100), (1120, 520), (1050, 520)], car.trim)
    rear_bench(painter, car)


def rear_bench(painter: Painter, car: Vehicle) -> None:
    """The bench with three headrests, perhaps a bag on it and a jacket at the pillar."""
    top = car.rear_y - 60
    painter.polygon([(440, top), (920, top), (950, 700), (410, 700)], car.seat * 0.8)
    for x in (548, 676, 806):
        rounded(painter, x, top - 34 + car.headrest_gap, 46, 34, car.seat * 0.9)
    for x in (612, 742):
        painter.line([(x, top), (x + (x - 676) * 0.1, 690)], car.seat * 0.55, 3)
    if car.bag:
        rounded(painter, 620, car.rear_y - 10, 58, 62, car.bag)
        painter.line([(596, car.rear_y - 64), (620, car.rear_y - 100), (644, car.rear_y - 64)], car.bag * 0.6, 5)
    if car.jacket:
        painter.polygon([(1060, 180), (1120, 190), (1150, 420), (1080, 470), (1030, 400)], car.jacket)


def rounded(painter: Painter, x: float, y: float, half_x: float, half_y: float, reflectance: float) -> None:
    """A cushion: a rectangle with round corners and a darker seam."""
    painter.polygon(outlines.cushion(x, y, half_x, half_y), reflectance)
    painter.line(outlines.cushion(x, y, half_x * 0.86, half_y * 0.84), reflectance * 0.8, 2, closed=True)


def front_seats(painter: Painter, scene: Scene) -> None:
    """Backrest and headrest of both front seats."""
    car = scene.vehicle
    for x in outlines.FRONT_SEATS_X_PX:
        half = 165 * car.seat_width
        painter.line([(x - 26, 330), (x - 26, 430)], 0.5, 8)
        painter.line([(x + 26, 330), (x + 26, 430)], 0.5, 8)
        rounded(painter, x, 285 + car.headrest_gap, 82 * car.seat_width, 66, car.seat)
        painter.polygon(outlines.backrest(car, x), car.seat)
        for side in (-1, 1):
            painter.line([(x + side * half * 0.6, 430), (x + side * half * 0.7, 800)], car.seat * 0.75, 4)


def wheel(painter: Painter, driver: Person, car: Vehicle) -> None:
    """The upper part of the steering wheel."""
    x, y = 390.0 + 0.25 * (driver.x - 390.0), car.wheel_y + 70
    painter.ellipse(((x, y), (400.0, 300.0), 0.0), 0.16, 26)
    painter.ellipse(((x, y + 20), (120.0, 90.0), 0.0), 0.2)
