"""LiteRT (TFLite). Tensors are bound by name: order and declared shapes can differ from the ONNX twin."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Set, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import missing_engine


class LiteRt:
    """One interpreter with its default delegate (XNNPACK on CPUs). threads: of the delegate."""

    def __init__(self, model_path: str, threads: int = 1) -> None:
        self._model_path = model_path
        self._threads = threads
        self.in_calling_thread = threads == 1
        self._interpreter: Any = None

    def prepare(self) -> None:
        """Import the engine."""
        try:
            from ai_edge_litert import interpreter
        except ImportError as error:
            raise missing_engine("ai-edge-litert", "host", error) from error
        self._engine = interpreter

    def __enter__(self) -> LiteRt:
        try:
            self._interpreter = self._engine.Interpreter(self._model_path, num_threads=self._threads)
            self._interpreter.allocate_tensors()
        except Exception as error:
            raise EngineError(f"LiteRT refuses the model: {error}", where=self._model_path) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, inputs))
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, outputs))
        self._inputs = {one["name"]: one["index"] for one in inputs}
        self._shapes = {one["name"]: tuple(one["shape"]) for one in inputs}
        self._outputs = {one["name"]: one["index"] for one in outputs}
        return self

    def __exit__(self, *error: object) -> None:
        self._interpreter = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        if any(value.shape != self._shapes[name] for name, value in feeds.items()):
            self._resize(feeds)
        for name, value in feeds.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def _resize(self, feeds: Dict[str, Array]) -> None:
        """A file may leave sizes open; the first frame decides them."""
        for name, value in feeds.items():
            self._interpreter.resize_tensor_input(self._inputs[name], value.shape, strict=True)
            self._shapes[name] = value.shape
        self._interpreter.allocate_tensors()

    def facts(self) -> Dict[str, Any]:
        return {
            "engine": "litert",
            "version": _version(),
            "precision": "as in the file",
            "threads": self._threads,
            "providers": ["XNNPACK"] if "DELEGATE" in self._operators() else ["builtin"],
            "placement": self._placement(),
            "partitions": self._operators().count("DELEGATE"),
        }

    def _operators(self) -> Tuple[str, ...]:
        return tuple(op["op_name"] for op in self._interpreter._get_ops_details())

    def _placement(self) -> Dict[str, float]:
        """Share of the file's operators that run inside a delegate."""
        operators = self._interpreter._get_ops_details()
        original = sum(op["op_name"] != "DELEGATE" for op in operators)
        finals = [int(one["index"]) for one in self._interpreter.get_output_details()]
        outside = len(_run_outside(operators, finals))
        return {"delegate": 1.0 - outside / original, "builtin": outside / original}


def _run_outside(operators: Any, finals: Iterable[int]) -> Set[int]:
    """Indices of the operators that no delegate took over.

    The interpreter lists the replaced operators beside the delegate nodes, so walk back from the
    outputs and prefer the delegate wherever it produces a tensor.
    """
    delegates = {int(t): op for op in operators if op["op_name"] == "DELEGATE" for t in op["outputs"]}
    plain = {int(t): op for op in operators if op["op_name"] != "DELEGATE" for t in op["outputs"]}
    waiting, seen, outside = list(finals), set(), set()
    while waiting:
        tensor = waiting.pop()
        op = delegates.get(tensor) or plain.get(tensor)
        if op is None or tensor in seen:
            continue
        seen.add(tensor)
        waiting.extend(int(t) for t in op["inputs"])
        if op["op_name"] != "DELEGATE":
            outside.add(op["index"])
    return outside


def _spec(detail: Any) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail.get("shape_signature", detail["shape"]))
    return TensorSpec(
        detail["name"], shape, np.dtype(detail["dtype"]).name, float(scale) if scale else None, int(zero_point)
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    for package in ("ai-edge-litert", "ai-edge-litert-nightly", "tflite-runtime"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "unknown"
