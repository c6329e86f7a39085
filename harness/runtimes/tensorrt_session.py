"""One engine on the GPU: buffers on both sides, copies and computing in one stream, each timed by events.

The host's buffers are page-locked, so that copies really run beside the host. Never run on a GPU here.
"""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator, Mapping, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes.cudart import Cuda
from harness.runtimes.feeds import check_feeds
from harness.runtimes.tensorrt_buffers import Buffer, EventClock, free_buffer, make_buffer
from harness.runtimes.tensorrt_types import dtype_of, shape_of

Shapes = Tuple[Tuple[int, ...], ...]


class Session:
    """inputs, outputs: as the engine declares them, -1 for open sizes. use_graph: replay a captured CUDA graph."""

    def __init__(self, trt: Any, cuda: Cuda, engine: Any, use_graph: bool, where: str) -> None:
        self._trt, self._cuda, self._engine, self._where = trt, cuda, engine, where
        self._use_graph, self._graph = use_graph, 0
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError("TensorRT makes no execution context", where=where, remedy="is the GPU's memory full?")
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        self.inputs = tuple(self._spec(one) for one in names if self._is_input(one))
        self.outputs = tuple(self._spec(one) for one in names if not self._is_input(one))
        self._takes = {one.name: one for one in self.inputs}
        self._buffers: Dict[str, Buffer] = {}
        self._shapes: Shapes = ()
        self._stream = cuda.stream()
        self._clock = EventClock(cuda, self._stream)

    def run(self, feeds: Mapping[str, Array]) -> Dict[str, Array]:
        """The outputs of one frame, which the caller owns; EngineError for feeds that do not fit."""
        check_feeds(feeds, self._takes, self._where)
        shapes = tuple(feeds[one.name].shape for one in self.inputs)
        if shapes != self._shapes:
            self._bind(shapes)
        for one in self.inputs:
            np.copyto(self._buffers[one.name].host, feeds[one.name])
        self._push()
        return {one.name: self._buffers[one.name].host.copy() for one in self.outputs}

    def profile(self, frames: int) -> Dict[str, float]:
        """Mean milliseconds per layer over `frames` runs on what was fed last, by TensorRT's own profiler."""
        if not self._shapes:
            return {}
        profiler = make_profiler(self._trt)
        self._context.profiler = profiler
        try:
            for _ in range(frames):
                self._enqueue()
                self._cuda.wait_stream(self._stream)
        finally:
            self._context.profiler = None
        return {name: total / frames for name, total in profiler.total_ms.items()}

    def times(self) -> Dict[str, float]:
        """As EventClock tells them."""
        return self._clock.percentiles_ns()

    def close(self) -> None:
        """The context goes before the memory that it writes to."""
        self._context = None
        self._release()
        self._clock.close()
        self._cuda.free_stream(self._stream)

    def _push(self) -> None:
        cuda, clock, stream = self._cuda, self._clock, self._stream
        clock.mark(0)
        for one in self._of(self.inputs):
            cuda.copy_in(one.device, one.pinned, one.size_bytes, stream)
        clock.mark(1)
        if self._graph:
            cuda.launch(self._graph, stream)
        else:
            self._enqueue()
        clock.mark(2)
        for one in self._of(self.outputs):
            cuda.copy_out(one.pinned, one.device, one.size_bytes, stream)
        clock.mark(3)
        clock.count()

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._stream):
            raise EngineError("TensorRT fails to run the engine", where=self._where)

    def _bind(self, shapes: Shapes) -> None:
        """Buffers for inputs of these shapes, and a new graph, for the old one holds the old addresses."""
        self._release()
        for spec, shape in zip(self.inputs, shapes):
            if -1 in spec.shape and not self._context.set_input_shape(spec.name, shape):
                raise self._outside(spec.name, shape)
        for spec in (*self.inputs, *self.outputs):
            buffer = self._buffers[spec.name] = self._buffer(spec)
            if not self._context.set_tensor_address(spec.name, buffer.device):
                raise EngineError(f"TensorRT does not take the memory of {spec.name!r}", where=self._where)
        self._shapes = shapes
        if self._use_graph:
            self._graph = self._captured()

    def _buffer(self, spec: TensorSpec) -> Buffer:
        shape = shape_of(self._context.get_tensor_shape(spec.name))
        if -1 in shape:
            raise EngineError(
                f"the shape of {spec.name!r} depends on the values of the inputs", where=self._where,
                remedy="give it a fixed size, as the plug-in EfficientNMS_TRT does for boxes",
            )  # fmt: skip
        return make_buffer(self._cuda, shape, spec.dtype)

    def _captured(self) -> int:
        """One run goes before: TensorRT sets up what a capture does not allow."""
        self._enqueue()
        self._cuda.wait_stream(self._stream)
        try:
            self._cuda.begin_capture(self._stream)
            self._enqueue_captured()
            return self._cuda.end_capture(self._stream)
        except EngineError as error:
            raise EngineError(
                f"the CUDA graph cannot be captured: {error.what}", where=self._where,
                remedy="the engine has a layer that a graph cannot hold (a loop, a DLA, a plug-in): take the option "
                "cuda_graph out",
            ) from error  # fmt: skip

    def _enqueue_captured(self) -> None:
        try:
            self._enqueue()
        except EngineError:
            # While a stream is captured nothing can be freed, and that would be the error that is seen.
            with contextlib.suppress(EngineError):
                self._cuda.free_graph(self._cuda.end_capture(self._stream))
            raise

    def _outside(self, name: str, shape: Tuple[int, ...]) -> EngineError:
        least, _, most = (shape_of(one) for one in self._engine.get_tensor_profile_shape(name, 0))
        return EngineError(
            f"{name!r} was given {list(shape)}, the engine is built for {list(least)} to {list(most)}",
            where=self._where, remedy="widen shapes of the runtime in the device profile",
        )  # fmt: skip

    def _release(self) -> None:
        if self._graph:
            self._cuda.free_graph(self._graph)
        for one in self._buffers.values():
            free_buffer(self._cuda, one)
        self._buffers, self._shapes, self._graph = {}, (), 0

    def _of(self, specs: Tuple[TensorSpec, ...]) -> Iterator[Buffer]:
        return (self._buffers[one.name] for one in specs)

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT)

    def _spec(self, name: str) -> TensorSpec:
        if self._engine.get_tensor_location(name) != self._trt.TensorLocation.DEVICE:
            what = f"{name!r} is a shape that the engine takes from the host's memory, which is not supported"
            raise EngineError(what, where=self._where, remedy="export the model with that shape as a constant")
        form = self._engine.get_tensor_format(name)
        if form != self._trt.TensorFormat.LINEAR:
            what = f"{name!r} is laid out as {form.name} and not row by row"
            raise EngineError(what, where=self._where, remedy="build the engine with linear inputs and outputs (chw)")
        shape = shape_of(self._engine.get_tensor_shape(name))
        return TensorSpec(name, shape, dtype_of(self._engine.get_tensor_dtype(name), name))


def make_profiler(trt: Any) -> Any:
    """Adds up the milliseconds of each layer in `total_ms`."""

    class Profiler(trt.IProfiler):
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.total_ms: Dict[str, float] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.total_ms[layer_name] = self.total_ms.get(layer_name, 0.0) + ms

    return Profiler()
