"""OpenVINO. The precision is always asked for by name: left alone, a CPU with bf16 runs FP32 files in bf16."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import missing_engine

NO_ANSWER = "not answered by this target"


class OpenVino:
    """One compiled model on one device.

    target: CPU, GPU, NPU, AUTO ... precision: the INFERENCE_PRECISION_HINT (f32, bf16, f16).
    threads: inference threads. properties: further compile properties.
    """

    in_calling_thread = False

    def __init__(
        self,
        model_path: str,
        target: str = "CPU",
        precision: str = "f32",
        threads: int = 1,
        properties: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._model_path = model_path
        self._target = target
        self._properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": 1,
            **({"INFERENCE_NUM_THREADS": threads} if "CPU" in target else {}),
            **(properties or {}),
        }
        self._compiled: Any = None

    def prepare(self) -> None:
        """Import the engine."""
        try:
            import openvino
        except ImportError as error:
            raise missing_engine("openvino", "host", error) from error
        self._engine = openvino

    def __enter__(self) -> OpenVino:
        core = self._engine.Core()
        try:
            model = core.read_model(self._model_path)
            self._compiled = core.compile_model(model, self._target, self._properties)
        except Exception as error:
            raise EngineError(f"OpenVINO refuses the model: {error}", where=self._model_path) from error
        self._refuse_other_settings()
        self._request = self._compiled.create_infer_request()
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._compiled.inputs))
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._compiled.outputs))
        return self

    def __exit__(self, *error: object) -> None:
        self._request = self._compiled = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        """Outputs are copied: the request's own memory is overwritten by the next frame."""
        self._request.infer(feeds, share_inputs=True)
        return {
            spec.name: np.array(self._request.get_output_tensor(index).data) for index, spec in enumerate(self.outputs)
        }

    def facts(self) -> Dict[str, Any]:
        devices = [str(one) for one in self._compiled.get_property("EXECUTION_DEVICES")]
        layers = [node.get_rt_info() for node in self._compiled.get_runtime_model().get_ordered_ops()]
        return {
            "engine": "openvino",
            "version": self._engine.__version__.split("-")[0],
            "precision": self._property("INFERENCE_PRECISION_HINT"),
            "threads": self._property("INFERENCE_NUM_THREADS"),
            "providers": devices,
            # OpenVINO tells the device of each layer only by the target: one device has them all.
            "placement": {devices[0]: 1.0} if len(devices) == 1 else {},
            "layer_precisions": _shares(_text(layer, "runtimePrecision") for layer in layers),
            "kernels": _shares(_text(layer, "primitiveType") for layer in layers),
        }

    def _refuse_other_settings(self) -> None:
        """Precision and threads are what the profile asks for, where the target answers at all."""
        for name in ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS"):
            asked, answered = str(self._properties.get(name, "")), self._property(name)
            if asked and answered not in (asked, NO_ANSWER):
                raise EngineError(
                    f"OpenVINO runs with {name} = {answered} where {asked} was asked for",
                    where=self._model_path,
                    remedy="ask for what this target can do in runtimes.* of the device profile",
                )

    def _property(self, name: str) -> str:
        try:
            value = self._compiled.get_property(name)
            return str(value.get_type_name() if hasattr(value, "get_type_name") else value)
        except RuntimeError:
            return NO_ANSWER


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else -1 for size in port.get_partial_shape())
    return TensorSpec(_name(port), shape, np.dtype(port.get_element_type().to_dtype()).name)


def _name(port: Any) -> str:
    """The name that the file gives: a fused port has several, and any of them may come first."""
    own = str(port.get_node().get_friendly_name()).split("/sink_port")[0]
    return own if own in port.get_names() else str(port.get_any_name())


def _text(layer: Any, key: str) -> str:
    return str(layer[key].astype(str)) if key in layer and hasattr(layer[key], "astype") else str(layer.get(key, ""))


def _shares(names: Any) -> Dict[str, float]:
    counts: Dict[str, int] = {}
    for name in names:
        if name:
            counts[name] = counts.get(name, 0) + 1
    total = sum(counts.values())
    return {name: count / total for name, count in sorted(counts.items())}
