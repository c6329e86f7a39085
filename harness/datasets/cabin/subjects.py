"""Who is in the cabin: persons with persistent looks, split into disjoint groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SPLITS: dict[str, range] = {"train": range(64), "calibration": range(64, 76), "eval": range(76, 132)}
HAIR_STYLES = ("short", "short", "short", "long", "long", "bald", "cap", "hood")
GLASSES = ("none", "clear", "sunglasses")
_SUBJECT_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Looks that stay the same in every recording; lengths in half face widths, reflectances 0..1."""

    number: int
    face_length: float
    skin: float
    hair: float
    hair_style: str
    hairline: float
    brow: float
    eye_width: float
    eye_height: float
    eye_spacing: float
    iris: float
    nose: float
    mouth: float
    beard: float
    glasses: str
    clothes: float
    size: float

    @property
    def name(self) -> str:
        return f"s{self.number:03d}"


@lru_cache(maxsize=512)
def subject(seed: int, number: int) -> Subject:
    """Person `number` of the population `seed`."""
    rng = np.random.default_rng([seed, _SUBJECT_STREAM, number])
    return Subject(
        number=number,
        face_length=rng.uniform(1.24, 1.48),
        skin=rng.uniform(0.48, 0.82),
        hair=rng.uniform(0.1, 0.62),
        hair_style=str(rng.choice(HAIR_STYLES)),
        hairline=rng.uniform(0.62, 0.86),
        brow=rng.uniform(0.04, 0.1),
        eye_width=rng.uniform(0.21, 0.27),
        eye_height=rng.uniform(0.105, 0.15),
        eye_spacing=rng.uniform(0.38, 0.46),
        iris=rng.uniform(0.16, 0.42),
        nose=rng.uniform(0.13, 0.22),
        mouth=rng.uniform(0.28, 0.4),
        beard=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.3, 0.9)])),
        glasses=str(rng.choice(GLASSES, p=[0.55, 0.3, 0.15])),
        clothes=rng.uniform(0.12, 0.8),
        size=rng.uniform(0.88, 1.12),
    )
