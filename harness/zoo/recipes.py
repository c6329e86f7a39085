"""What each net sees, what it learns, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.case import InputSpec
from harness.datasets.cabin.parts import ACTIVITIES

# Score thresholds were chosen on split calibration: for counting a round value near the best, for detection the
# highest that leaves the average precision as it is.
DETECTION: Mapping[str, Any] = {"decoder": "anchor_free", "strides": [8, 16], "iou_threshold": 0.5}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One net of the zoo: its card's contents and its training."""

    name: str
    description: str
    task: str
    truth: str
    input: InputSpec
    outputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 6
    learning_rate: float = 2e-3
    mirrored: bool = False
    budgets: Mapping[str, float] = field(default_factory=dict)


RECIPES: dict[str, Recipe] = {
    one.name: one
    for one in (
        Recipe(
            name="eye_state", description="Is the driver's eye open or closed?",
            task="classification", truth="eye_state", outputs=("scores",),
            input=InputSpec(width=96, height=96, roi="face"),
            options={"classes": ["open", "closed"], "closed": "closed"}, mirrored=True,
        ),
        Recipe(
            name="gaze", description="Where does the driver look?",
            task="gaze", truth="gaze", outputs=("angles",),
            input=InputSpec(width=160, height=80, roi="eyes"),
            options={"tolerance_deg": 6.0}, mirrored=True, epochs=14, learning_rate=3e-3,
        ),
        Recipe(
            name="distraction", description="What does the driver do?",
            task="classification", truth="distraction", outputs=("scores",),
            input=InputSpec(width=192, height=160, roi="driver"),
            options={"classes": list(ACTIVITIES)},
        ),
        Recipe(
            name="face_detection", description="Where are the faces of driver and passengers?",
            task="detection", truth="faces", outputs=("boxes", "scores"),
            input=InputSpec(width=256, height=160, resize="letterbox"),
            options={**DETECTION, "classes": ["face"], "score_threshold": 0.1},
        ),
        Recipe(
            name="head_counting", description="How many people are in the cabin?",
            task="counting", truth="heads", outputs=("boxes", "scores"),
            input=InputSpec(width=320, height=208, resize="letterbox"),
            options={**DETECTION, "classes": ["head"], "score_threshold": 0.5},
            budgets={"fps_mean": 25.0},
        ),
    )
}  # fmt: skip
