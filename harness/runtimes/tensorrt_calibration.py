"""INT8 calibration of TensorRT before 11: frames as the model takes them, and a cache that knows model and frames.

Calibration frames are an .npz file, or a folder of them: one array per input of the model, by its name, with the frames
along the first axis, normalised already.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

import numpy as np

from harness.case import Array, TensorSpec, read_arrays
from harness.errors import EngineError
from harness.runtimes.cudart import Cuda
from harness.runtimes.tensorrt_cache import content_sha256, replace_file

WHERE = "option calibration of the runtime in the device profile"


class CalibrationFrames:
    """The frames of `path` in batches of the inputs' size; EngineError where they do not fit the inputs."""

    def __init__(self, path: str, inputs: Mapping[str, TensorSpec]) -> None:
        self._inputs = dict(inputs)
        self._batch = min(spec.shape[0] for spec in inputs.values())
        folder = Path(path)
        self._files = sorted(folder.glob("*.npz")) if folder.is_dir() else [folder]
        self.sha256 = content_sha256(folder)
        # All of them now: what TensorRT meets in the middle of a calibration, it calibrates without.
        if not sum(1 for _ in self.batches()):
            raise EngineError(f"{path} has no whole batch of {self._batch} frames", where=WHERE)

    @property
    def batch(self) -> int:
        return self._batch

    def batches(self) -> Iterator[Dict[str, Array]]:
        """Input -> contiguous array of its shape; what does not fill a batch at the end of a file is left out."""
        for path in self._files:
            arrays = self._read(path)
            count = min(len(one) for one in arrays.values())
            for start in range(0, count - self._batch + 1, self._batch):
                yield {name: np.ascontiguousarray(one[start : start + self._batch]) for name, one in arrays.items()}

    def _read(self, path: Path) -> Dict[str, Array]:
        try:
            arrays = read_arrays(path)
        except (OSError, ValueError) as error:
            raise EngineError(f"the calibration frames cannot be read: {error}", where=str(path)) from error
        for name, spec in self._inputs.items():
            found = arrays.get(name)
            if found is None or found.dtype != spec.dtype or found.shape[1:] != spec.shape[1:]:
                told = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise EngineError(
                    f"the calibration frames of {name!r} are {told}, the model takes {spec.dtype} "
                    f"{['frames', *spec.shape[1:]]}", where=str(path),
                    remedy="save one array per input, frames along the first axis, normalised as for the model",
                )  # fmt: skip
        return {name: arrays[name] for name in self._inputs}


def cache_path(folder: Path, model_sha256: str, frames: CalibrationFrames, kind: str, version: str) -> Path:
    """Where the ranges of this model over these frames are kept."""
    named = "\n".join((model_sha256, frames.sha256, kind, version))
    return folder / f"{hashlib.sha256(named.encode()).hexdigest()[:16]}.calibration"


def make_calibrator(trt: Any, kind: str, frames: CalibrationFrames, cuda: Cuda, cache: Path) -> Any:
    """A calibrator of TensorRT; kind: entropy or minmax. The memory of its batch lives as long as the process."""
    base: Any = {"entropy": trt.IInt8EntropyCalibrator2, "minmax": trt.IInt8MinMaxCalibrator}[kind]
    feeder = _Feeder(frames, cuda)

    class Calibrator(base):
        def __init__(self) -> None:
            base.__init__(self)
            self.error: Optional[EngineError] = None

        def get_batch_size(self) -> int:
            return frames.batch

        def get_batch(self, names: List[str]) -> Optional[List[int]]:
            try:
                return feeder.addresses(names)
            except Exception as error:
                # TensorRT would calibrate on the frames before, or only say that calibration failed.
                self.error = error if isinstance(error, EngineError) else _ungiven(error)
                return None

        def read_calibration_cache(self) -> Optional[bytes]:
            return cache.read_bytes() if cache.is_file() else None

        def write_calibration_cache(self, cache_bytes: Any) -> None:
            if self.error is None:
                replace_file(cache, bytes(memoryview(cache_bytes)))

    return Calibrator()


def _ungiven(error: Exception) -> EngineError:
    return EngineError(f"the calibration frames cannot be given to TensorRT: {error!r}", where=WHERE)


class _Feeder:
    """Copies one batch after the other to the same place of the GPU's memory."""

    def __init__(self, frames: CalibrationFrames, cuda: Cuda) -> None:
        self._batches, self._cuda = frames.batches(), cuda
        self._stream = cuda.stream()
        self._held: Dict[str, int] = {}

    def addresses(self, names: List[str]) -> Optional[List[int]]:
        """Where the next batch stands, one address per name; None after the last."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        for name, array in batch.items():
            self._cuda.copy_in(self._place(name, array.nbytes), array.ctypes.data, array.nbytes, self._stream)
        self._cuda.wait_stream(self._stream)
        return [self._held[name] for name in names]

    def _place(self, name: str, size_bytes: int) -> int:
        if name not in self._held:
            self._held[name] = self._cuda.allocate(size_bytes)
        return self._held[name]
