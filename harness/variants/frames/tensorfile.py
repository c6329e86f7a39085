"""Ready input tensors from an .npy or .npz file, to calibrate on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.case import Array, InputSpec, read_arrays
from harness.errors import DatasetError
from harness.variants.frames.frameset import FrameSet
from harness.variants.frames.normalisation import greys


def read_tensors(path: Path, spec: InputSpec) -> FrameSet:
    """The tensors of a file that holds an array [frames, ...] of the model's input, in either layout.

    An .npz file may hold further arrays where the card names the input.

    DatasetError where it cannot be read, has another shape or type, or holds NaN or infinity.
    """
    values = _fitting(_typed(_read(path, spec), spec, path), spec, path)
    _require_finite(values, path)
    return FrameSet(name="calibration", pictures=greys(values, spec), ready=values)


def _read(path: Path, spec: InputSpec) -> Array:
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        arrays = read_arrays(path)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"the calibration tensors cannot be read: {error}", where=str(path)) from error
    named = arrays.get(spec.name) if spec.name else None
    if named is None and len(arrays) != 1:
        raise DatasetError(
            f"the file holds {len(arrays)} arrays ({', '.join(sorted(arrays)) or 'none'}), wanted one",
            where=str(path), remedy="keep only the image input's, or name that one as [input] name does",
        )  # fmt: skip
    return next(iter(arrays.values())) if named is None else named


def _typed(values: Array, spec: InputSpec, path: Path) -> Array:
    """As the model's type: any float for a model that takes floats, else the same."""
    wanted = np.dtype(spec.dtype)
    if values.dtype != wanted and not (wanted.kind == values.dtype.kind == "f"):
        raise DatasetError(
            f"the calibration tensors are {values.dtype}, and the model takes {wanted}", where=str(path),
            remedy="normalise them as [input] says and keep them as float32" if wanted.kind == "f" else "convert them",
        )  # fmt: skip
    return values


def _fitting(values: Array, spec: InputSpec, path: Path) -> Array:
    """[frames, channels, height, width] of the model's type."""
    by_layout = {
        "NCHW": (spec.channels, spec.height, spec.width), "NHWC": (spec.height, spec.width, spec.channels),
    }  # fmt: skip
    flat = values[:, 0] if values.ndim == 5 and values.shape[1] == 1 else values
    layouts = [spec.layout, *(one for one in by_layout if one != spec.layout)]
    found = next((one for one in layouts if flat.ndim == 4 and flat.shape[1:] == by_layout[one]), "")
    if not found:
        raise DatasetError(
            f"the calibration tensors are {list(values.shape)}, and the model's input is "
            f"{list(by_layout[spec.layout])} ({spec.layout}) for each frame", where=str(path),
            remedy=f"stack the tensors of all frames to [frames, {', '.join(map(str, by_layout[spec.layout]))}]",
        )  # fmt: skip
    return np.asarray(flat if found == "NCHW" else flat.transpose(0, 3, 1, 2)).astype(spec.dtype, copy=False)


def _require_finite(values: Array, path: Path) -> None:
    broken = ~np.isfinite(values).all(axis=(1, 2, 3))
    if broken.any():
        raise DatasetError(
            f"{int(broken.sum())} of {len(values)} calibration tensors hold NaN or infinity, first number "
            f"{int(np.flatnonzero(broken)[0])}", where=str(path), remedy="leave them out, or look how they were made",
        )  # fmt: skip
