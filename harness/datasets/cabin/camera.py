"""From reflectances to a camera frame: infrared lamp, sun, veil, vibration, sensor noise."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin.painter import WHITE, Frame
from harness.datasets.cabin.parts import HEIGHT_PX, WIDTH_PX, Scene

Plane = npt.NDArray[np.float64]

LAMPS = 6
_MARGIN_PX = 256
_LAMP_STREAM, _NOISE_STREAM, _SHADE_STREAM = 11, 12, 13


@lru_cache(maxsize=4)
def lamps(seed: int) -> tuple[Frame, ...]:
    """Fields of illumination (255 = full light) with the fine structure of cloth and plastic."""
    return tuple(_lamp(np.random.default_rng([seed, _LAMP_STREAM, number])) for number in range(LAMPS))


def _lamp(rng: np.random.Generator) -> Frame:
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    distance = ((x - rng.uniform(380, 640)) / 760) ** 2 + ((y - rng.uniform(330, 460)) / 520) ** 2
    corner = ((x - 640) / 900) ** 2 + ((y - 400) / 700) ** 2
    field = (0.42 + 0.58 * np.exp(-distance)) * (1.0 - 0.35 * corner) * _texture(rng)
    return np.asarray(np.clip(field * 235, 0, 255), np.uint8)


def _texture(rng: np.random.Generator) -> Plane:
    """A mean of 1 with soft patches of some 20 pixels and fine grain."""
    patches = 1.0 + 0.05 * rng.standard_normal((HEIGHT_PX // 20 + 1, WIDTH_PX // 20 + 1))
    rows = np.apply_along_axis(_stretch, 0, patches, HEIGHT_PX)
    grain: Plane = 1.0 + 0.02 * rng.standard_normal((HEIGHT_PX, WIDTH_PX))
    return np.apply_along_axis(_stretch, 1, rows, WIDTH_PX) * grain


def _stretch(values: Plane, length: int) -> Plane:
    return np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)


@lru_cache(maxsize=4)
def shades(seed: int) -> tuple[Frame, ...]:
    """Shadings of a head, 128 = unchanged: a lit ball seen from the camera, lamps in different places."""
    rng = np.random.default_rng([seed, _SHADE_STREAM])
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.minimum(x**2 + y**2, 1.0)
    made = []
    for side in np.linspace(-0.4, 0.4, LAMPS):
        facing = np.sqrt(1.0 - radius) * 0.85 + side * x - 0.12 * y
        light = np.where(radius < 1.0, 0.5 + 0.56 * facing + 0.02 * rng.standard_normal(x.shape), 1.0)
        made.append(np.asarray(np.clip(light * 128, 30, 190), np.uint8))
    return tuple(made)


@lru_cache(maxsize=2)
def grain(seed: int) -> Frame:
    """Sensor noise around 128 with a standard deviation of 32 grey levels, larger than a frame."""
    rng = np.random.default_rng([seed, _NOISE_STREAM])
    noise = rng.standard_normal((HEIGHT_PX + _MARGIN_PX, WIDTH_PX + _MARGIN_PX), np.float32)
    return np.asarray(np.clip(128 + 32 * noise, 0, 255), np.uint8)


def expose(reflectance: Frame, scene: Scene, cv2: Any, seed: int) -> Frame:
    """What the sensor gives of a painted scene, uint8 [800, 1280]."""
    light = scene.light
    frame = cv2.multiply(reflectance, lamps(seed)[light.spot], scale=light.gain * 255.0 / (WHITE * 235.0))
    if light.sun:
        cv2.add(frame, _sunbeam(scene, cv2), frame)
    frame = _shake(frame, scene, cv2)
    top, left = scene.noise_offset
    tile = grain(seed)[top : top + HEIGHT_PX, left : left + WIDTH_PX]
    strength = light.noise / 32.0
    black = 6.0 + 255.0 * light.veil - 128.0 * strength
    exposed: Frame = cv2.addWeighted(frame, 1.0 - light.veil, tile, strength, black)
    return exposed


def _sunbeam(scene: Scene, cv2: Any) -> Frame:
    """A bright band over the driver's side, with soft edges."""
    light, driver = scene.light, scene.driver
    small = np.zeros((HEIGHT_PX // 8, WIDTH_PX // 8), np.uint8)
    x = (driver.x + scene.shift[0] + light.sun_side * driver.half_width) / 8
    half = driver.half_width * 0.9 / 8
    lean = 26 if light.sun_side > 0 else -26
    band = np.array([[x - half + lean, 0], [x + half + lean, 0], [x + half - lean, 100], [x - half - lean, 100]])
    cv2.fillPoly(small, [np.rint(band).astype(np.int32)], light.sun)
    return np.asarray(cv2.resize(cv2.blur(small, (5, 5)), (WIDTH_PX, HEIGHT_PX)), np.uint8)


def _shake(frame: Frame, scene: Scene, cv2: Any) -> Frame:
    length = scene.blur_px
    if length == 1:
        return np.asarray(cv2.blur(frame, (3, 3)), np.uint8)
    return np.asarray(cv2.blur(frame, (3, length) if scene.blur_upright else (length, 3)), np.uint8)
