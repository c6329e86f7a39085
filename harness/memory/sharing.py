"""WAYS: how each engine has several sessions in one process, and what of them it lets them share.

Device side. Sources: onnxruntime.ai, "Share allocator(s) between sessions" and SessionOptions.add_initializer;
docs.openvino.ai, "Inference Request"; ai-edge-litert 2.3, CpuOptions.xnnpack_weight_cache_path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.members import member

CPU = "CPUExecutionProvider"
WAYS = {
    "onnxruntime": {
        "sessions": "harness.memory.sharing:Sessions",
        "shared weights": "harness.memory.sharing:SharedWeights",
        "shared arena": "harness.memory.sharing:SharedArena",
        "shared weights and arena": "harness.memory.sharing:SharedWeightsAndArena",
        "one session": "harness.memory.sharing:OneSession",
    },
    "openvino": {
        "compiled models": "harness.memory.sharing:CompiledModels",
        "requests": "harness.memory.sharing:Requests",
    },
    "litert": {
        "interpreters": "harness.memory.sharing:Interpreters",
        "compiled models": "harness.memory.sharing:LiteRtModels",
        "weight cache": "harness.memory.sharing:WeightCache",
    },
}
# What needs one file for all sessions, and what needs the weights that the files have in common.
ONE_FILE = ("one session", "requests")
WITH_WEIGHTS = ("shared weights", "shared weights and arena")


class Run(Protocol):
    """One inference."""

    def __call__(self) -> object: ...


class Way(Protocol):
    """The constructor imports the engine; `share` makes what all sessions share."""

    def share(self, weights: str, folder: Path) -> None: ...

    def open(self, path: str) -> Run:
        """One more session; calling what comes back runs it once, on zeros."""
        ...


def open_way(engine: str, name: str, options: Mapping[str, Any]) -> Way:
    """The way `name` of an engine, as a runtime entry's options ask for it; EngineError for options it does not do."""
    way: Way = member(f"way of {engine}", name, WAYS.get(engine, {}))(options)
    return way


class Sessions:
    """ONNX Runtime: a session each."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        import onnxruntime

        if list(options.get("providers", [CPU])) != [CPU]:
            raise EngineError(f"sharing is measured on {CPU} only", remedy="take an entry that names no other provider")
        self.engine, self._threads = onnxruntime, options.get("threads", 1)

    def share(self, weights: str, folder: Path) -> None:
        """Nothing."""

    def options(self) -> Any:
        found = self.engine.SessionOptions()
        found.intra_op_num_threads, found.inter_op_num_threads = self._threads, 1
        found.log_severity_level = 3
        return found

    def open(self, path: str) -> Run:
        session = self.engine.InferenceSession(path, self.options(), providers=[CPU])
        feeds = {one.name: _zeros(one.shape, _numpy(one.type)) for one in session.get_inputs()}
        return lambda: session.run(None, feeds)


class SharedWeights(Sessions):
    """Every session is given the same tensors in place of its file's own."""

    def share(self, weights: str, folder: Path) -> None:
        with np.load(weights) as arrays:
            make = self.engine.OrtValue.ortvalue_from_numpy
            self._values = {name: make(arrays[name]) for name in arrays.files}

    def options(self) -> Any:
        found = super().options()
        for name, value in self._values.items():
            found.add_initializer(name, value)
        return found


class SharedArena(Sessions):
    """All sessions allocate from one arena of the environment."""

    def share(self, weights: str, folder: Path) -> None:
        kinds = self.engine.OrtAllocatorType, self.engine.OrtMemType
        memory = self.engine.OrtMemoryInfo("Cpu", kinds[0].ORT_ARENA_ALLOCATOR, 0, kinds[1].DEFAULT)
        self.engine.create_and_register_allocator(memory, self.engine.OrtArenaCfg(0, -1, -1, -1))

    def options(self) -> Any:
        found = super().options()
        found.add_session_config_entry("session.use_env_allocators", "1")
        return found


class SharedWeightsAndArena(SharedArena, SharedWeights):
    """Both."""

    def share(self, weights: str, folder: Path) -> None:
        SharedArena.share(self, weights, folder)
        SharedWeights.share(self, weights, folder)


class OneSession(Sessions):
    """The same session for all: running it is thread-safe."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._known: dict[str, Run] = {}

    def open(self, path: str) -> Run:
        if path not in self._known:
            self._known[path] = super().open(path)
        return self._known[path]


class CompiledModels:
    """OpenVINO: a compiled model each."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        import openvino

        self._core, self._target = openvino.Core(), options.get("target", "CPU")
        self._properties = {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": options.get("threads", 1),
            "INFERENCE_PRECISION_HINT": options.get("precision", "f32"), **options.get("properties", {}),
        }  # fmt: skip
        if self._target != "CPU":
            raise EngineError("sharing is measured on the CPU only", remedy="take an entry whose target is CPU")

    def share(self, weights: str, folder: Path) -> None:
        """Nothing."""

    def compiled(self, path: str) -> Any:
        return self._core.compile_model(self._core.read_model(path), self._target, self._properties)

    def open(self, path: str) -> Run:
        compiled = self.compiled(path)
        request = compiled.create_infer_request()
        feeds = {
            one.any_name: _zeros([size.get_length() if size.is_static else -1 for size in one.get_partial_shape()],
                                 one.get_element_type().to_dtype())
            for one in compiled.inputs
        }  # fmt: skip
        return lambda: request.infer(feeds, share_inputs=True)


class Requests(CompiledModels):
    """One compiled model, a request each."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._known: dict[str, Any] = {}

    def compiled(self, path: str) -> Any:
        if path not in self._known:
            self._known[path] = super().compiled(path)
        return self._known[path]


class Interpreters:
    """LiteRT: an interpreter each; the file's pages are the system's."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        from ai_edge_litert import interpreter

        _refuse_delegate(options)
        self._engine, self._threads = interpreter, options.get("threads", 1)

    def share(self, weights: str, folder: Path) -> None:
        """Nothing."""

    def open(self, path: str) -> Run:
        session = self._engine.Interpreter(path, num_threads=self._threads)
        session.allocate_tensors()
        for one in session.get_input_details():
            session.set_tensor(one["index"], _zeros(one["shape"], one["dtype"]))
        return lambda: session.invoke()


class LiteRtModels:
    """LiteRT: a CompiledModel each, its newer interface."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        from ai_edge_litert import compiled_model

        _refuse_delegate(options)
        self._engine, self._threads = compiled_model, options.get("threads", 1)

    def share(self, weights: str, folder: Path) -> None:
        """Nothing."""

    def cache(self, path: str) -> str:
        return ""

    def open(self, path: str) -> Run:
        engine = self._engine
        cpu = engine.CpuOptions(num_threads=self._threads, xnnpack_weight_cache_path=self.cache(path))
        options = engine.Options(hardware_accelerators=engine.HardwareAccelerator.CPU, cpu_options=cpu)
        session = engine.CompiledModel.from_file(path, options=options)
        inputs, outputs = session.create_input_buffers(0), session.create_output_buffers(0)
        return lambda: session.run_by_index(0, inputs, outputs)


class WeightCache(LiteRtModels):
    """XNNPACK's weights in the order of its kernels, in one mapped file for all sessions on a model file."""

    def share(self, weights: str, folder: Path) -> None:
        self._folder = folder

    def cache(self, path: str) -> str:
        return str(self._folder / f"{Path(path).parent.name}-{Path(path).stem}.xnnpack")


def _refuse_delegate(options: Mapping[str, Any]) -> None:
    if options.get("delegate") or options.get("xnnpack") is False:
        raise EngineError("sharing is measured with XNNPACK only", remedy="take an entry without a delegate")


def _zeros(shape: Any, dtype: Any) -> Array:
    """Open sizes as 1."""
    return np.zeros([int(one) if isinstance(one, (int, np.integer)) and one > 0 else 1 for one in shape], dtype)


def _numpy(kind: str) -> str:
    from harness.runtimes.onnxruntime_types import DTYPES

    return str(DTYPES.get(kind, "float32"))
