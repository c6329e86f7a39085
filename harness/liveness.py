"""Are a model's outputs alive: finite, different for different frames, equal for the same frame?"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from harness.case import Array
from harness.frames import Frame

Answer = Dict[str, Array]
# Float engines may sum in another order each time; a real dependence on the past is far larger.
RELATIVE, ABSOLUTE = 1e-4, 1e-5


def look_alive(answer: Callable[[Frame], Answer], frames: Sequence[Frame], stateful: bool) -> Dict[str, Any]:
    """Facts about the outputs for `frames`, a black, a white and a noise frame, and the first frame again.

    outputs_finite, outputs_vary, outputs_repeat (absent for a stateful model, whose answers may
    depend on what it saw before), and outputs_empty where a detector found nothing in any of them.
    """
    shown = [*frames, *_artificial(frames[0])]
    answers = [_copied(answer(frame)) for frame in shown]
    facts: Dict[str, Any] = {
        "outputs_finite": all(_finite(one) for one in answers),
        "outputs_vary": any(not _same(answers[0], one, exact=True) for one in answers[1:]),
        "outputs_empty": all(not value.size for one in answers for value in one.values()),
    }
    if not stateful:
        first, again = _copied(answer(frames[0])), _copied(answer(frames[0]))
        facts["outputs_repeat"] = _same(answers[0], first) and _same(first, again)
    return facts


def _artificial(like: Frame) -> List[Frame]:
    """Frames that no camera gives, so that a detector which finds nobody in the cabin still shows a difference."""
    shape = like.pixels.shape
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pictures = (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise)
    return [Frame(picture, like.roi, like.geometry) for picture in pictures]


def _copied(answer: Answer) -> Answer:
    return {name: np.array(value) for name, value in answer.items()}


def _finite(answer: Answer) -> bool:
    return all(bool(np.isfinite(value).all()) for value in answer.values() if value.dtype.kind == "f")


def _same(one: Answer, other: Answer, exact: bool = False) -> bool:
    relative, absolute = (0.0, 0.0) if exact else (RELATIVE, ABSOLUTE)
    return all(
        value.shape == other[name].shape and np.allclose(value, other[name], relative, absolute, equal_nan=True)
        for name, value in one.items()
    )
