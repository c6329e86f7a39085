"""PyTorch on an NVIDIA GPU: pinned copies, CUDA graphs, times of the device's own clock, Torch-TensorRT.

Never run on the device. Sources: the notes "CUDA semantics" of the PyTorch documentation (whole-network capture:
warm up on a side stream, capture, replay on the same tensors), torch.cuda.Event, and torch_tensorrt.dynamo.compile.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Sequence

from harness.errors import EngineError
from harness.runtimes.torch_graph import leaves

_WARM_UP_RUNS = 3
_PARTS = ("copy_in_ms", "compute_ms", "copy_out_ms")


class CudaRunner:
    """Copies inputs to the GPU, computes there, copies outputs back; each part is timed by events."""

    def __init__(self, torch: Any, module: Any, examples: Sequence[Any], use_graph: bool) -> None:
        self._torch = torch
        self._module = module
        self._device_inputs = list(examples)
        self._pinned = [torch.empty(one.shape, dtype=one.dtype, pin_memory=True) for one in examples]
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(len(_PARTS) + 1)]
        self._total_ms = [0.0] * len(_PARTS)
        self._runs = 0
        self._uses_graph = use_graph
        self._warm_up()
        self._graph = self._captured() if use_graph else None

    def __call__(self, given: Sequence[Any]) -> List[Any]:
        start, copied, computed, fetched = self._events
        for pinned, tensor in zip(self._pinned, given):
            pinned.copy_(tensor)
        start.record()
        for device, pinned in zip(self._device_inputs, self._pinned):
            device.copy_(pinned, non_blocking=True)
        copied.record()
        if self._graph is not None:
            self._graph.replay()
        else:
            self._outputs = leaves(self._module(*self._device_inputs))
        computed.record()
        found = [one.to("cpu", copy=True) if hasattr(one, "to") else one for one in self._outputs]
        fetched.record()
        fetched.synchronize()
        self._count()
        return found

    def facts(self) -> Dict[str, Any]:
        """Mean milliseconds of the device's clock per part, over all inferences so far."""
        known = {"cuda_graph": self._uses_graph, "gpu": self._torch.cuda.get_device_name(self._device_inputs[0].device)}
        if not self._runs:
            return known
        return {**known, "device_times": {name: total / self._runs for name, total in zip(_PARTS, self._total_ms)}}

    def _count(self) -> None:
        self._runs += 1
        for place in range(len(_PARTS)):
            self._total_ms[place] += self._events[place].elapsed_time(self._events[place + 1])

    def _warm_up(self) -> None:
        stream = self._torch.cuda.Stream()
        stream.wait_stream(self._torch.cuda.current_stream())
        with self._torch.cuda.stream(stream):
            for _ in range(_WARM_UP_RUNS):
                self._outputs = leaves(self._module(*self._device_inputs))
        self._torch.cuda.current_stream().wait_stream(stream)
        self._torch.cuda.synchronize()

    def _captured(self) -> Any:
        graph = self._torch.cuda.CUDAGraph()
        try:
            with self._torch.cuda.graph(graph):
                self._outputs = leaves(self._module(*self._device_inputs))
        except Exception as error:
            remedy = "an operator synchronises or allocates on the host: take cuda_graph = false"
            raise EngineError(f"the CUDA graph cannot be captured: {error}", remedy=remedy) from error
        return graph


def import_torch_tensorrt() -> Any:
    """The package torch_tensorrt; EngineError where this interpreter does not have it."""
    try:
        import torch_tensorrt
    except ImportError as error:
        raise EngineError(
            f"the engine torch-tensorrt cannot be imported: {error}",
            where=f"the worker's interpreter {sys.executable}",
            remedy="pip install torch-tensorrt there, in the version for its PyTorch, or take tensorrt = false",
        ) from error
    return torch_tensorrt


def with_tensorrt(torch: Any, torch_tensorrt: Any, module: Any, examples: Sequence[Any]) -> Any:
    """The module with its whole graph in TensorRT; EngineError where TensorRT cannot take all of it."""
    program = torch.export.export(module, tuple(examples))
    try:
        return torch_tensorrt.dynamo.compile(
            program, list(examples), min_block_size=1, truncate_double=True, require_full_compilation=True
        )
    except Exception as error:
        remedy = "take tensorrt = false, or the engine tensorrt with an ONNX file"
        raise EngineError(f"Torch-TensorRT cannot take the whole graph: {error}", remedy=remedy) from error
