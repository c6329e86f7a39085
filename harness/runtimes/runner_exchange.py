"""Where the tensors lie between harness and runner: two files without a name, one of inputs and one of outputs.

In each the tensors follow one another in the order of the answer to load, each from the next multiple of 64 bytes on.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, unknown

ALIGNMENT_BYTES = 64
MEMORY_FOLDER = "/dev/shm"
EXCHANGES = ("shared_memory", "files")


class Exchange:
    """The two files, made when entered, zeros at first; `hide` them as soon as the runner has opened both.

    kind: "shared_memory" maps them, "files" reads and writes them. EngineError where `folder` has no room.
    """

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], kind: str, folder: str) -> None:
        if kind not in EXCHANGES:
            raise EngineError(unknown("exchange", kind, EXCHANGES), where="option exchange of the runtime")
        self._region = _Mapped if kind == "shared_memory" else _File
        self._inputs, self._outputs = inputs, outputs
        self._folder = folder or _default_folder()
        self._regions: List[_File] = []

    def __enter__(self) -> Exchange:
        try:
            for specs in (self._inputs, self._outputs):
                self._regions.append(self._region(specs, self._folder))
        except OSError as error:
            self.__exit__()
            raise _no_room(error, self._folder) from error
        self._in, self._out = self._regions
        return self

    def __exit__(self, *error: object) -> None:
        self.hide()
        while self._regions:
            self._regions.pop().close()

    @property
    def paths(self) -> Tuple[str, str]:
        """Of the inputs and of the outputs."""
        return self._in.path, self._out.path

    @property
    def sizes_bytes(self) -> Tuple[int, int]:
        """Of the inputs and of the outputs."""
        return self._in.size_bytes, self._out.size_bytes

    def hide(self) -> None:
        """Take the files' names away: nothing of them stays, however this process ends."""
        for region in self._regions:
            region.hide()

    def write(self, feeds: Mapping[str, Array]) -> None:
        """Lay the inputs of a frame down; they must fit."""
        for name, value in feeds.items():
            self._in.write(name, value)

    def read(self) -> Dict[str, Array]:
        """The outputs, copied."""
        return {spec.name: self._out.read(spec) for spec in self._outputs}

    def fill_outputs(self, byte: int) -> None:
        """Overwrite all outputs, so that what nobody writes is seen."""
        for spec in self._outputs:
            self._out.write(spec.name, np.full(spec_bytes(spec), byte, np.uint8).view(spec.dtype).reshape(spec.shape))


def layout(specs: Sequence[TensorSpec]) -> Tuple[Dict[str, int], int]:
    """Where each tensor begins, and the size of the whole in bytes."""
    offsets, end = {}, 0
    for spec in specs:
        offsets[spec.name] = -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        end = offsets[spec.name] + spec_bytes(spec)
    return offsets, end


def spec_bytes(spec: TensorSpec) -> int:
    """What a tensor of fixed sizes takes."""
    return int(np.prod(spec.shape, dtype=np.int64)) * np.dtype(spec.dtype).itemsize


class _File:
    """One file of tensors, read and written."""

    def __init__(self, specs: Sequence[TensorSpec], folder: str) -> None:
        self._offsets, self.size_bytes = layout(specs)
        self._descriptor, self.path = tempfile.mkstemp(prefix="dms-exchange-", dir=folder)
        try:
            # A file with holes would kill this process when the memory runs out, and not say so.
            os.posix_fallocate(self._descriptor, 0, self.size_bytes)
        except OSError:
            self.hide()
            self.close()
            raise

    def hide(self) -> None:
        if self.path:
            os.unlink(self.path)
        self.path = ""

    def write(self, name: str, value: Array) -> None:
        os.pwrite(self._descriptor, np.ascontiguousarray(value).tobytes(), self._offsets[name])

    def read(self, spec: TensorSpec) -> Array:
        value = np.empty(spec.shape, spec.dtype)
        taken = os.preadv(self._descriptor, [value.reshape(-1).data.cast("B")], self._offsets[spec.name])
        if taken != value.nbytes:
            raise EngineError(f"the runner left {taken} of the {value.nbytes} bytes of {spec.name!r}")
        return value

    def close(self) -> None:
        os.close(self._descriptor)


class _Mapped(_File):
    """One file of tensors in the memory of both processes."""

    def __init__(self, specs: Sequence[TensorSpec], folder: str) -> None:
        super().__init__(specs, folder)
        self._memory = mmap.mmap(self._descriptor, self.size_bytes)
        self._views = {
            spec.name: np.ndarray(spec.shape, spec.dtype, self._memory, self._offsets[spec.name]) for spec in specs
        }

    def write(self, name: str, value: Array) -> None:
        self._views[name][...] = value

    def read(self, spec: TensorSpec) -> Array:
        return self._views[spec.name].copy()

    def close(self) -> None:
        self._views.clear()
        self._memory.close()
        super().close()


def _default_folder() -> str:
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else tempfile.gettempdir()


def _no_room(error: OSError, folder: str) -> EngineError:
    full = error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG, errno.EDQUOT)
    return EngineError(
        f"the exchange files of the runner cannot be made: {error.strerror or error}",
        where=folder,
        remedy="make room there, or name another folder in exchange_folder" if full else "correct exchange_folder",
    )
