"""OpenVINO. The precision is always asked for by name: left alone, a CPU with bf16 runs FP32 files in bf16."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.modelfile import inspect_model
from harness.runtimes import missing_engine
from harness.runtimes.feeds import check_feeds
from harness.runtimes.openvino_devices import (
    Target,
    absent_devices,
    driver_of,
    executing,
    refuse_absent,
    refuse_fallback,
    same,
)
from harness.runtimes.openvino_layers import layer_facts, placed

NO_ANSWER = "not answered by this target"
# A property of the core: it decides how a file is read, before any device sees it.
MAPPED = "ENABLE_MMAP"


class OpenVino:
    """One compiled model on one device.

    target: CPU, GPU, NPU, AUTO, HETERO:NPU,CPU ...; its first device is the promise. precision: the
    INFERENCE_PRECISION_HINT (f32, bf16, f16), "" for a device that takes none (NPU). threads: inference threads.
    properties: further compile properties. cpu_fallback: whole frames may run elsewhere than promised. cache_dir:
    folder for compiled models; what is in it is loaded without reading the file. batch: frames per inference, 0 as in
    the file.
    """

    in_calling_thread = False

    def __init__(
        self,
        model_path: str,
        target: str = "CPU",
        precision: str = "f32",
        threads: int = 1,
        properties: Optional[Mapping[str, Any]] = None,
        cpu_fallback: bool = False,
        cache_dir: str = "",
        batch: int = 0,
    ) -> None:
        self._model_path = model_path
        self._text = target
        self._target = Target.of(target)
        self._cpu_fallback, self._cache_dir, self._batch = cpu_fallback, cache_dir, batch
        self._properties = {
            "PERFORMANCE_HINT": "LATENCY",
            **({"INFERENCE_PRECISION_HINT": precision} if precision else {}),
            **({"NUM_STREAMS": 1} if "NPU" not in target else {}),
            **({"INFERENCE_NUM_THREADS": threads} if self._target.may_use("CPU") else {}),
            # The CPU would take the first frames, and with them the measurement.
            **({"ENABLE_STARTUP_FALLBACK": False} if self._target.mode == "AUTO" else {}),
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
        self._core = self._engine.Core()
        refuse_absent(self._core, self._target, self._cpu_fallback, self._model_path)
        try:
            self._compiled = self._compile()
        except Exception as error:
            raise EngineError(
                f"OpenVINO refuses the model: {_words(error)}", where=self._model_path,
                remedy="; ".join(map(driver_of, absent_devices(self._core, self._target))),
            ) from error  # fmt: skip
        self._devices = executing(self._compiled)
        refuse_fallback(self._target, self._devices, self._cpu_fallback, self._model_path)
        self._refuse_other_settings()
        self._request = self._compiled.create_infer_request()
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._compiled.inputs))
        self._takes = {one.name: one for one in self.inputs}
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._compiled.outputs))
        return self

    def __exit__(self, *error: object) -> None:
        self._request = self._compiled = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        """Outputs are copied: the request's own memory is overwritten by the next frame."""
        # OpenVINO converts another dtype in silence, which is measured as if it were the model's.
        check_feeds(feeds, self._takes, self._model_path)
        try:
            self._request.infer(feeds, share_inputs=True)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO fails to run the model: {_words(error)}", where=self._model_path) from error
        return {
            spec.name: np.array(self._request.get_output_tensor(index).data) for index, spec in enumerate(self.outputs)
        }

    def facts(self) -> Dict[str, Any]:
        source = self._core.read_model(self._model_path)
        return {
            "engine": "openvino",
            "version": self._engine.__version__.split("-")[0],
            "precision": self._property("INFERENCE_PRECISION_HINT"),
            "threads": self._property("INFERENCE_NUM_THREADS"),
            **self._mapping(),
            "providers": list(self._devices),
            "promised": self._target.promised or self._devices[0],
            **self._placement(source),
            **layer_facts(self._compiled, source),
            **({"from_cache": bool(self._compiled.get_property("LOADED_FROM_CACHE"))} if self._cache_dir else {}),
        }

    def _compile(self) -> Any:
        """From the cache by the file's path alone, which leaves the reader of its format unloaded.

        Of the file OpenVINO then looks at name, size and time only, so each content has a folder of its own.
        """
        if MAPPED in self._properties:
            self._core.set_property({MAPPED: self._properties[MAPPED]})
        if self._cache_dir:
            own = os.path.join(self._cache_dir, inspect_model(self._model_path).model_sha256[:16])
            self._properties["CACHE_DIR"] = own
        source = self._resized() if self._batch or not self._cache_dir else self._model_path
        return self._core.compile_model(source, self._text, self._properties)

    def _resized(self) -> Any:
        """The model as it was read, for the batch that was asked for."""
        model = self._core.read_model(self._model_path)
        if self._batch:
            model.reshape({port: [self._batch, *list(port.get_partial_shape())[1:]] for port in model.inputs})
        return model

    def _mapping(self) -> Dict[str, Any]:
        """Whether weights are mapped from their files; nothing where this version does not tell."""
        try:
            return {"mapped_weights": bool(self._core.get_property(MAPPED))}
        except RuntimeError:
            return {}

    def _placement(self, source: Any) -> Dict[str, Any]:
        """One device has all operations; HETERO tells them apart; MULTI shares out frames and tells nothing."""
        if len(self._devices) == 1:
            unit = self._unit(self._devices[0])
            whole = unit == (self._target.promised or unit)
            return {"placement": {unit: 1.0}, **({"partitions": 1} if whole else {})}
        if self._target.mode != "HETERO":
            return {}
        shares: Dict[str, float] = {}
        for device, share in placed(self._core, source, self._text).items():
            shares[self._unit(device)] = shares.get(self._unit(device), 0.0) + share
        return {"placement": shares, "submodels": int(self._compiled.get_property("HETERO_NUMBER_OF_SUBMODELS"))}

    def _unit(self, device: str) -> str:
        promised = self._target.promised
        return promised if promised and same(device, promised) else device

    def _refuse_other_settings(self) -> None:
        """Precision and threads are what the profile asks for, where the target answers at all."""
        for name in ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS"):
            asked, answered = str(self._properties.get(name, "")), self._answers(name)
            if asked and not set(answered) <= {asked}:
                raise EngineError(
                    f"OpenVINO runs with {name} = {', '.join(answered)} where {asked} was asked for",
                    where=self._model_path,
                    remedy="ask for what this target can do in runtimes.* of the device profile",
                )

    def _property(self, name: str) -> str:
        return ", ".join(self._answers(name)) or NO_ANSWER

    def _answers(self, name: str) -> List[str]:
        """AUTO, MULTI and HETERO do not answer themselves, but hold the answers of their devices."""
        try:
            values = [self._compiled.get_property(name)]
        except RuntimeError:
            values = self._of_devices(name)
        return sorted({str(one.get_type_name() if hasattr(one, "get_type_name") else one) for one in values})

    def _of_devices(self, name: str) -> List[Any]:
        try:
            told = self._compiled.get_property("DEVICE_PROPERTIES")
        except RuntimeError:
            return []
        return [told[device][name] for device in self._devices if name in told.get(device, {})]


def _words(error: Exception) -> str:
    """What OpenVINO says, without the places in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("Exception from "))


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else -1 for size in port.get_partial_shape())
    return TensorSpec(_name(port), shape, np.dtype(port.get_element_type().to_dtype()).name)


def _name(port: Any) -> str:
    """The name that the file gives: a fused port has several, and any of them may come first."""
    own = str(port.get_node().get_friendly_name()).split("/sink_port")[0]
    return own if own in port.get_names() else str(port.get_any_name())
