"""LiteRT (TFLite), alone or with an external delegate; docs/litert.md lists the delegates of the vendors.

Tensors are bound by name: order and declared shapes can differ from the ONNX twin. Only XNNPACK and a delegate of
the tests have run here; no vendor's delegate was ever run on its device.
"""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import missing_engine
from harness.runtimes.feeds import check_feeds
from harness.runtimes.litert_nodes import BUILTIN, XNNPACK, count_delegates, layer_precisions, nodes_by_unit
from harness.runtimes.litert_options import fusion
from harness.runtimes.sharedlibrary import check_library, require_symbols

# Boards have one of the latter two.
PACKAGES = {
    "ai_edge_litert.interpreter": "ai-edge-litert",
    "tflite_runtime.interpreter": "tflite-runtime",
    "tensorflow.lite.python.interpreter": "tensorflow",
}
SYMBOLS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
WHERE = "delegate of the device profile's runtimes entry"


class LiteRt:
    """One interpreter. threads: of the CPU kernels and of XNNPACK.

    delegate: library of an external delegate, which must take at least one operator; delegate_options: what it is
    given. xnnpack: let XNNPACK take what is left, as the interpreter does by itself. mapped: the system maps the file
    and may drop its pages again; otherwise it is read into memory. batch: frames per inference, 0 as in the file.
    """

    def __init__(
        self,
        model_path: str,
        threads: int = 1,
        delegate: str = "",
        delegate_options: Optional[Mapping[str, str]] = None,
        xnnpack: bool = True,
        mapped: bool = True,
        batch: int = 0,
    ) -> None:
        self._model_path = model_path
        self._threads = threads
        self._delegate = delegate
        self._delegate_options = dict(delegate_options or {})
        self._xnnpack, self._mapped, self._batch = xnnpack, mapped, batch
        self.in_calling_thread = threads == 1 and not delegate
        self._interpreter: Any = None

    def prepare(self) -> None:
        """Import the engine: ai-edge-litert, else tflite-runtime, else TensorFlow."""
        errors: List[ImportError] = []
        for module, package in PACKAGES.items():
            try:
                self._engine, self._package = importlib.import_module(module), package
                return
            except ImportError as error:
                errors.append(error)
        raise missing_engine("ai-edge-litert", "host", errors[0]) from errors[0]

    def __enter__(self) -> LiteRt:
        if self._delegate_options and not self._delegate:
            raise EngineError(
                "delegate_options are given and no delegate", where=WHERE, remedy="name it, or leave them out"
            )
        delegates = [self._load_delegate()] if self._delegate else []
        try:
            self._interpreter = self._engine.Interpreter(
                **self._file(), num_threads=self._threads, experimental_delegates=delegates, **self._resolver()
            )
            self._external = count_delegates(self._interpreter)
            self._take_batch()
            self._interpreter.allocate_tensors()
        except Exception as error:
            raise EngineError(f"LiteRT refuses the model: {error}", where=self._model_path) from error
        self._refuse_idle_delegate()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, inputs))
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, outputs))
        self._takes = {one.name: one for one in self.inputs}
        self._inputs = {one["name"]: one["index"] for one in inputs}
        self._shapes = {one["name"]: tuple(one["shape"]) for one in inputs}
        self._outputs = {one["name"]: one["index"] for one in outputs}
        return self

    def __exit__(self, *error: object) -> None:
        self._interpreter = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        check_feeds(feeds, self._takes, self._model_path)
        try:
            if any(value.shape != self._shapes[name] for name, value in feeds.items()):
                self._resize(feeds)
            for name, value in feeds.items():
                self._interpreter.set_tensor(self._inputs[name], value)
            self._interpreter.invoke()
            return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}
        except Exception as error:
            raise EngineError(f"LiteRT fails to run the model: {error}", where=self._model_path) from error

    def facts(self) -> Dict[str, Any]:
        nodes = self._nodes()
        total = sum(count for count, _ in nodes.values())
        return {
            "engine": "litert",
            "package": self._package,
            "version": _version(self._package),
            "precision": "as in the file",
            "threads": self._threads,
            "providers": [unit for unit, (count, _) in nodes.items() if count],
            "placement": {unit: count / total for unit, (count, _) in nodes.items()},
            "promised": self._unit,
            "partitions": nodes[self._unit][1],
            "layer_precisions": layer_precisions(self._interpreter),
            "fusion": fusion(self._model_path),
            "delegate_options": self._delegate_options,
            "mapped_weights": self._mapped,
        }

    @property
    def _unit(self) -> str:
        """What the profile's entry promises: the delegate, called as its library, or XNNPACK."""
        if self._delegate:
            return self._delegate.rpartition("/")[2].partition(".so")[0]
        return XNNPACK if self._xnnpack else BUILTIN

    def _nodes(self) -> Dict[str, Tuple[int, int]]:
        return nodes_by_unit(self._interpreter, self._unit if self._delegate else "", self._external)

    def _file(self) -> Dict[str, Any]:
        if self._mapped:
            return {"model_path": self._model_path}
        with open(self._model_path, "rb") as file:
            return {"model_content": file.read()}

    def _take_batch(self) -> None:
        for one in self._interpreter.get_input_details() if self._batch else ():
            self._interpreter.resize_tensor_input(one["index"], [self._batch, *one["shape"][1:]])

    def _resolver(self) -> Dict[str, Any]:
        if self._xnnpack:
            return {}
        kinds = self._engine.OpResolverType
        return {"experimental_op_resolver_type": kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES}

    def _load_delegate(self) -> Any:
        path = check_library(self._delegate, WHERE)
        require_symbols(path, SYMBOLS, WHERE)
        try:
            return self._engine.load_delegate(path, self._delegate_options)
        except Exception as error:
            remedy = "check the device's driver and delegate_options (docs/litert.md names those of each vendor)"
            what = f"the delegate {path} refuses the options {self._delegate_options}: {error}"
            raise EngineError(what, where=WHERE, remedy=remedy) from error

    def _refuse_idle_delegate(self) -> None:
        if self._delegate and not self._external:
            raise EngineError(
                f"the delegate {self._delegate} took none of the model's operators",
                where=self._model_path,
                remedy="compile or quantise the model for it; a fallback to the CPU is never measured",
            )

    def _resize(self, feeds: Dict[str, Array]) -> None:
        """A file may leave sizes open; the first frame decides them."""
        for name, value in feeds.items():
            self._interpreter.resize_tensor_input(self._inputs[name], value.shape, strict=True)
            self._shapes[name] = value.shape
        self._interpreter.allocate_tensors()


def _spec(detail: Any) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail.get("shape_signature", detail["shape"]))
    return TensorSpec(
        detail["name"], shape, np.dtype(detail["dtype"]).name, float(scale) if scale else None, int(zero_point)
    )


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in (package, f"{package}-nightly"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
