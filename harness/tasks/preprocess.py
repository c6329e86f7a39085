"""From a camera frame to the model's image input: crop, resize, colour, normalise, lay out."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array, InputSpec, TensorSpec
from harness.errors import ConfigError, DatasetError, unknown
from harness.tasks import Geometry


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        return None
    return cv2


cv2 = _opencv()
RESIZER = f"opencv {cv2.__version__}" if cv2 is not None else f"numpy {np.__version__}"
WHERE = "[input] of the model card"
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def one_thread() -> None:
    """Preprocess in the calling thread alone: OpenCV would take every core for large frames."""
    if cv2 is not None:
        cv2.setNumThreads(1)


class Preprocess:
    """Turns one frame into one input tensor as `spec` says, for the tensor that `tensor` declares.

    Calling it gives the tensor (batch of one) and where its pixels lie in the frame. For a
    quantised tensor the normalised value is quantised with the tensor's scale and zero point.
    A pixel has 256 values, so all arithmetic is done once, in double precision, into a table per
    channel. ConfigError for a spec that cannot be right.
    """

    def __init__(self, spec: InputSpec, tensor: Optional[TensorSpec] = None) -> None:
        _check(spec)
        self.spec = spec
        self._dtype = _dtype(tensor.dtype if tensor is not None else spec.dtype)
        self._tables = np.ascontiguousarray(_tables(spec, self._dtype, tensor))
        self._starts = np.arange(spec.channels, dtype=np.int16) * 256

    def __call__(self, frame: Array, roi: Optional[Sequence[float]] = None) -> Tuple[Array, Geometry]:
        """frame: uint8 [h, w] or [h, w, 3] RGB; roi: x1 y1 x2 y2 in frame pixels.

        The roi is cut to whole pixels within the frame, at least one. Returns the tensor (NCHW or
        NHWC, batch of one) and its geometry. DatasetError for another frame or a roi that is not finite.
        """
        pixels, geometry = self.pixels(frame, roi)
        return self.tensor(pixels), geometry

    def pixels(self, frame: Array, roi: Optional[Sequence[float]] = None) -> Tuple[Array, Geometry]:
        """The resized uint8 picture [height, width, channels], before normalisation; not to be written to."""
        if frame.dtype != np.uint8 or not frame.size or frame.shape[2:] not in ((), (3,)) or frame.ndim < 2:
            raise DatasetError(f"a frame is {frame.dtype} {list(frame.shape)}, wanted uint8 [h, w] or [h, w, 3]")
        region, left, top = _crop(frame, roi)
        picture, geometry = _resize(region, self.spec, left, top)
        return _colour(picture, self.spec.colour), geometry

    def tensor(self, pixels: Array) -> Array:
        """The input tensor of one resized uint8 picture [height, width, channels]."""
        height, width, channels = pixels.shape
        if self.spec.layout == "NHWC":
            tensor = np.empty((1, height, width, channels), self._dtype)
            np.take(self._tables.ravel(), pixels + self._starts, out=tensor[0], mode="clip")
            return tensor
        tensor = np.empty((1, channels, height, width), self._dtype)
        for channel, plane in enumerate(tensor[0]):
            np.take(self._tables[channel], pixels[..., channel], out=plane, mode="clip")
        return tensor


def _check(spec: InputSpec) -> None:
    allowed = {"layout": ("NCHW", "NHWC"), "colour": ("gray", "rgb", "bgr"), "resize": ("stretch", "letterbox", "crop")}
    for key, names in allowed.items():
        if getattr(spec, key) not in names:
            raise ConfigError(unknown(key, getattr(spec, key), names), where=WHERE)
    values_of = f"1 or {spec.channels} values"
    for key, value, fits, wanted in (
        ("width", spec.width, spec.width >= 1, "1 or more"),
        ("height", spec.height, spec.height >= 1, "1 or more"),
        ("mean", spec.mean, len(spec.mean) in (1, spec.channels), values_of),
        ("std", spec.std, len(spec.std) in (1, spec.channels) and 0 not in spec.std, f"{values_of}, none of them 0"),
        ("scale", spec.scale, spec.scale != 0, "any number but 0"),
        ("pad_value", spec.pad_value, 0 <= spec.pad_value <= 255, "0 to 255"),
    ):
        if not fits:
            raise ConfigError(f"{key} = {value!r}", where=WHERE, remedy=f"allowed: {wanted}")


def _dtype(name: str) -> Any:
    try:
        return np.dtype(name)
    except TypeError as error:
        raise ConfigError(f"an input of type {name!r} cannot be filled", where=WHERE) from error


def _tables(spec: InputSpec, dtype: Any, tensor: Optional[TensorSpec]) -> Array:
    """What each pixel value becomes, [channels, 256]."""
    grey = np.arange(256.0)
    mean, std = np.asarray(spec.mean, np.float64)[:, None], np.asarray(spec.std, np.float64)[:, None]
    values = np.broadcast_to((grey / spec.scale - mean) / std, (spec.channels, 256))
    if dtype.kind == "f":
        return values.astype(dtype)
    if tensor is not None and tensor.scale:
        return _saturate(values / tensor.scale + tensor.zero_point, dtype)
    if dtype == np.uint8:
        return np.broadcast_to(grey.astype(np.uint8), (spec.channels, 256))
    return _saturate(values, dtype)


def _saturate(values: Array, dtype: Any) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _crop(frame: Array, roi: Optional[Sequence[float]]) -> Tuple[Array, int, int]:
    if roi is None:
        return frame, 0, 0
    if not np.isfinite(roi).all():
        raise DatasetError(f"a region of the frame is {[float(one) for one in roi]}, which is no place")
    height, width = frame.shape[:2]
    left, top = min(max(int(roi[0]), 0), width - 1), min(max(int(roi[1]), 0), height - 1)
    right, bottom = min(max(int(roi[2]), left + 1), width), min(max(int(roi[3]), top + 1), height)
    return frame[top:bottom, left:right], left, top


def _colour(picture: Array, colour: str) -> Array:
    """[h, w, channels]; a view where nothing has to be computed."""
    if colour == "gray":
        grey = picture if picture.ndim == 2 else np.rint(picture @ LUMA).astype(np.uint8)
        return grey[..., None]
    rgb = picture if picture.ndim == 3 else np.broadcast_to(picture[..., None], (*picture.shape, 3))
    return rgb if colour == "rgb" else rgb[..., ::-1]


def _resize(region: Array, spec: InputSpec, left: int, top: int) -> Tuple[Array, Geometry]:
    height, width = region.shape[:2]
    if spec.resize == "stretch":
        scale_x, scale_y = width / spec.width, height / spec.height
        return bilinear(region, spec.width, spec.height), Geometry(scale_x, scale_y, left, top)
    if spec.resize == "crop":
        return _centre_crop(region, spec, left, top)
    return _letterbox(region, spec, left, top)


def _letterbox(region: Array, spec: InputSpec, left: int, top: int) -> Tuple[Array, Geometry]:
    height, width = region.shape[:2]
    scale = max(width / spec.width, height / spec.height)
    inner_w, inner_h = max(round(width / scale), 1), max(round(height / scale), 1)
    pad_x, pad_y = (spec.width - inner_w) // 2, (spec.height - inner_h) // 2
    canvas = np.full((spec.height, spec.width, *region.shape[2:]), spec.pad_value, np.uint8)
    canvas[pad_y : pad_y + inner_h, pad_x : pad_x + inner_w] = bilinear(region, inner_w, inner_h)
    scale_x, scale_y = width / inner_w, height / inner_h
    return canvas, Geometry(scale_x, scale_y, left - pad_x * scale_x, top - pad_y * scale_y)


def _centre_crop(region: Array, spec: InputSpec, left: int, top: int) -> Tuple[Array, Geometry]:
    height, width = region.shape[:2]
    scale = min(width / spec.width, height / spec.height)
    keep_w = min(max(round(spec.width * scale), 1), width)
    keep_h = min(max(round(spec.height * scale), 1), height)
    x, y = (width - keep_w) // 2, (height - keep_h) // 2
    picture = bilinear(region[y : y + keep_h, x : x + keep_w], spec.width, spec.height)
    return picture, Geometry(keep_w / spec.width, keep_h / spec.height, left + x, top + y)


def bilinear(picture: Array, width: int, height: int) -> Array:
    """Resize uint8 [h, w] or [h, w, c] by bilinear interpolation at pixel centres, no antialiasing."""
    if picture.shape[:2] == (height, width):
        return picture
    if cv2 is not None:
        resized: Array = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        return resized
    return bilinear_numpy(picture, width, height)


def bilinear_numpy(picture: Array, width: int, height: int) -> Array:
    """The same without OpenCV, equal to it within one grey level."""
    flat = picture.reshape(*picture.shape[:2], -1)
    y0, y1, wy = _taps(flat.shape[0], height)
    x0, x1, wx = _taps(flat.shape[1], width)
    wide, tall = wx[None, :, None], wy[:, None, None]
    upper = _blend(flat[np.ix_(y0, x0)], flat[np.ix_(y0, x1)], wide)
    lower = _blend(flat[np.ix_(y1, x0)], flat[np.ix_(y1, x1)], wide)
    resized: Array = np.rint(_blend(upper, lower, tall)).astype(np.uint8).reshape(height, width, *picture.shape[2:])
    return resized


def _blend(first: Array, second: Array, share: Array) -> Array:
    blended: Array = first * (1 - share) + second * share
    return blended


def _taps(size: int, wanted: int) -> Tuple[Array, Array, Array]:
    centre = np.clip((np.arange(wanted) + 0.5) * (size / wanted) - 0.5, 0, size - 1)
    first = np.floor(centre).astype(np.int64)
    return first, np.minimum(first + 1, size - 1), (centre - first).astype(np.float32)
