"""The CUDA runtime library over ctypes: memory, pinned memory, streams, events, graphs; never run on a GPU here."""

from __future__ import annotations

import ctypes
import glob
import os
import sys
from ctypes import c_float, c_int, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any, Iterator, List

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.runtimes.cudart_functions import FUNCTIONS, NUMBERS
from harness.runtimes.sharedlibrary import check_library

NAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so")
FOLDERS = ("/usr/local/cuda/lib64", "/usr/local/cuda/targets/*/lib")
# cudaDeviceProp begins in every version with char name[256], 16 bytes uuid, 8 luid and 4 of its mask, and after padding
# size_t totalGlobalMem; the rest grew, and is not read.
NAME_BYTES, MEMORY_AT, PROPERTIES_BYTES = 256, 288, 16384
GIB = 2**30
WHERE = "the CUDA runtime library"
ABSENT = "cannot open shared object file"


@dataclass(frozen=True)
class Device:
    """The GPU; versions as CUDA writes them (12060 is 12.6). memory_gib: rounded, for a driver keeps some to itself."""

    name: str
    compute_capability: str
    multiprocessors: int
    memory_gib: int
    cuda_driver: int
    cuda_runtime: int


class Cuda:
    """One GPU. Streams, events, graphs and addresses are plain integers; EngineError has CUDA's own words."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.cudaGetErrorString.restype = ctypes.c_char_p
        self._library: Any = library
        for name, arguments in FUNCTIONS.items():
            function = getattr(library, name)
            function.argtypes, function.restype, function.errcheck = arguments, c_int, self._check

    def count(self) -> int:
        """How many GPUs there are; without a driver that is an EngineError."""
        return self._int(self._library.cudaGetDeviceCount)

    def device(self) -> Device:
        properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
        self._library.cudaGetDeviceProperties(properties, 0)
        parts = [
            self._int(self._library.cudaDeviceGetAttribute, NUMBERS[f"cudaDevAttrComputeCapability{part}"], 0)
            for part in ("Major", "Minor")
        ]
        return Device(
            properties.raw[:NAME_BYTES].split(b"\0")[0].decode("utf-8", "replace"), ".".join(map(str, parts)),
            self._int(self._library.cudaDeviceGetAttribute, NUMBERS["cudaDevAttrMultiProcessorCount"], 0),
            round(c_size_t.from_buffer(properties, MEMORY_AT).value / GIB),
            self._int(self._library.cudaDriverGetVersion), self._int(self._library.cudaRuntimeGetVersion),
        )  # fmt: skip

    def use(self) -> None:
        """Make this thread use the first GPU."""
        self._library.cudaSetDevice(0)

    def allocate(self, size_bytes: int) -> int:
        """Memory of the GPU."""
        return self._handle(self._library.cudaMalloc, size_bytes)

    def free(self, address: int) -> None:
        self._library.cudaFree(address)

    def pinned(self, size_bytes: int) -> Array:
        """Page-locked memory of the host, uint8 [size_bytes]; it lives until `free_pinned`."""
        address = self._handle(self._library.cudaHostAlloc, size_bytes, NUMBERS["cudaHostAllocDefault"])
        return np.ctypeslib.as_array((ctypes.c_ubyte * size_bytes).from_address(address))

    def free_pinned(self, address: int) -> None:
        self._library.cudaFreeHost(address)

    def copy_in(self, device: int, host: int, size_bytes: int, stream: int) -> None:
        """From the host to the GPU, in the order of the stream."""
        self._library.cudaMemcpyAsync(device, host, size_bytes, NUMBERS["cudaMemcpyHostToDevice"], stream)

    def copy_out(self, host: int, device: int, size_bytes: int, stream: int) -> None:
        """From the GPU to the host, in the order of the stream."""
        self._library.cudaMemcpyAsync(host, device, size_bytes, NUMBERS["cudaMemcpyDeviceToHost"], stream)

    def stream(self) -> int:
        return self._handle(self._library.cudaStreamCreateWithFlags, NUMBERS["cudaStreamNonBlocking"])

    def wait_stream(self, stream: int) -> None:
        self._library.cudaStreamSynchronize(stream)

    def free_stream(self, stream: int) -> None:
        self._library.cudaStreamDestroy(stream)

    def event(self) -> int:
        return self._handle(self._library.cudaEventCreateWithFlags, NUMBERS["cudaEventDefault"])

    def record(self, event: int, stream: int) -> None:
        self._library.cudaEventRecord(event, stream)

    def wait_event(self, event: int) -> None:
        self._library.cudaEventSynchronize(event)

    def elapsed_ms(self, start: int, end: int) -> float:
        """Between two events that have happened, by the GPU's clock."""
        value = c_float()
        self._library.cudaEventElapsedTime(ctypes.byref(value), start, end)
        return value.value

    def free_event(self, event: int) -> None:
        self._library.cudaEventDestroy(event)

    def begin_capture(self, stream: int) -> None:
        self._library.cudaStreamBeginCapture(stream, NUMBERS["cudaStreamCaptureModeThreadLocal"])

    def end_capture(self, stream: int) -> int:
        """What was captured, ready to be launched."""
        graph = c_void_p()
        self._library.cudaStreamEndCapture(stream, ctypes.byref(graph))
        try:
            return self._handle(self._library.cudaGraphInstantiateWithFlags, graph, 0)
        finally:
            self._library.cudaGraphDestroy(graph)

    def launch(self, graph: int, stream: int) -> None:
        self._library.cudaGraphLaunch(graph, stream)

    def free_graph(self, graph: int) -> None:
        self._library.cudaGraphExecDestroy(graph)

    def _int(self, function: Any, *more: Any) -> int:
        value = c_int()
        function(ctypes.byref(value), *more)
        return value.value

    def _handle(self, function: Any, *more: Any) -> int:
        value = c_void_p()
        function(ctypes.byref(value), *more)
        return value.value or 0

    def _check(self, code: int, function: Any, arguments: Any) -> int:
        if code:
            words = self._library.cudaGetErrorString(code).decode("utf-8", "replace")
            raise EngineError(f"{function.__name__} fails: {words} (CUDA error {code})")
        return code


def open_cuda(library: str = "") -> Cuda:
    """CUDA with the first GPU in use. library: where libcudart is, empty to look for it.

    EngineError where there is no such library, or no driver and GPU that it can use. Several may be installed:
    the first that finds a GPU is taken, for one may be too new for the driver.
    """
    errors: List[str] = []
    for path in [check_library(library, "option cuda_library")] if library else _candidates():
        try:
            loaded = ctypes.CDLL(path)
        except OSError as error:
            errors += [] if ABSENT in str(error) else [str(error)]
            continue
        try:
            cuda = Cuda(loaded)
            if cuda.count():
                cuda.use()
                return cuda
            errors.append(f"{path} counts none")
        except (AttributeError, EngineError) as error:
            errors.append(f"{path}: {error}")
    raise _unusable(errors)


def _candidates() -> Iterator[str]:
    """As the loader finds them, then of the toolkit, then of the packages beside this interpreter's others."""
    yield from NAMES
    packages = [os.path.join(folder, "nvidia", "*", "lib") for folder in sys.path if folder]
    for folder in (*FOLDERS, *packages):
        yield from sorted(glob.glob(os.path.join(folder, "libcudart.so.*")), reverse=True)


def _unusable(errors: List[str]) -> EngineError:
    if not errors:
        remedy = "install it with the driver: sudo apt install nvidia-jetpack on a Jetson, the CUDA toolkit elsewhere"
        return EngineError("there is no libcudart.so", where=WHERE, remedy=remedy)
    return EngineError(
        f"CUDA finds no GPU that it can use: {errors[0]}", where=WHERE,
        remedy="install NVIDIA's driver (nvidia-smi or /dev/nvhost-gpu tell); a container needs --gpus all or "
        "--runtime nvidia",
    )  # fmt: skip
