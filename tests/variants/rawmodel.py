"""A model card over small grey recordings: one to evaluate on, one to calibrate on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 16, 10
CLASSES = ("dark", "bright")
OPTIONS = (
    f'kind = "raw"\ntruth = "label"\nformat = "Y8"\nwidth = {WIDTH}\nheight = {HEIGHT}\nclasses = ["dark", "bright"]'
)
CALIBRATION = '[calibration]\ndataset = { path = "calibration.y8", labels = "calibration.csv" }\n'
LIGHTS, GLASSES = ("day", "dusk", "dark"), ("none", "none", "none", "none", "none", "none", "clear")


def raw_model(
    folder: Path, *, evaluated: int = 60, calibrated: int = 400, more: str = CALIBRATION, normalised: str = ""
) -> Path:
    """The card's folder. more: what stands between [dataset] and the variants; normalised: further keys of [input]."""
    folder.mkdir(parents=True, exist_ok=True)
    record(folder, "frames", pictures(evaluated, seed=1))
    record(folder, "calibration", pictures(calibrated, seed=2))
    (folder / "model.toml").write_text(
        f'task = "classification"\n[input]\nwidth = {WIDTH}\nheight = {HEIGHT}\n{normalised}\n'
        f'[options]\nclasses = ["dark", "bright"]\n[dataset]\n{OPTIONS}\npath = "frames.y8"\nlabels = "frames.csv"\n'
        f'{more}\n[variants.fp32]\nfiles = {{ sim = "fp32.sim" }}\n'
    )
    (folder / "fp32.sim").write_text("{}")
    return folder


def pictures(count: int, seed: int) -> np.ndarray:
    """Noise of many brightnesses, uint8 [count, HEIGHT, WIDTH]; no two are alike."""
    random = np.random.default_rng(seed)
    levels = random.uniform(20, 235, (count, 1, 1))
    return np.clip(levels + random.normal(0, 20, (count, HEIGHT, WIDTH)), 0, 255).astype(np.uint8)


def record(folder: Path, name: str, frames: np.ndarray, clip: Sequence[str] = ()) -> None:
    """NAME.y8 and NAME.csv in `folder`; every frame's light and glasses go round."""
    (folder / f"{name}.y8").write_bytes(frames.tobytes())
    rows = ["frame,label,subject,clip,slice_light,slice_glasses"]
    rows += [
        f"{index},{CLASSES[int(frame.mean() > 127)]},s{index % 9},{clip[index] if clip else name},"
        f"{LIGHTS[index % len(LIGHTS)]},{GLASSES[index % len(GLASSES)]}"
        for index, frame in enumerate(frames)
    ]
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
