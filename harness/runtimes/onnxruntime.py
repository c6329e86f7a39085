"""ONNX Runtime. A provider that was asked for and not used is an error, never a quiet fallback."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import missing_engine

DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
    "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int32)": "int32",
    "tensor(int64)": "int64", "tensor(bool)": "bool",
}  # fmt: skip


class OnnxRuntime:
    """One session on one model file.

    providers: names in order of preference, the first must be used. provider_options: name ->
    options. threads: intra-operator threads, 1 computes in the calling thread. session_config:
    further `session.*` entries.
    """

    def __init__(
        self,
        model_path: str,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        provider_options: Optional[Mapping[str, Mapping[str, str]]] = None,
        threads: int = 1,
        session_config: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._model_path = model_path
        self._providers = [(name, dict((provider_options or {}).get(name, {}))) for name in providers]
        self._threads = threads
        self._config = dict(session_config or {})
        self.in_calling_thread = threads == 1 and list(providers) == ["CPUExecutionProvider"]
        self._session: Any = None

    def prepare(self) -> None:
        """Import the engine."""
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_engine("onnxruntime", "host", error) from error
        self._engine = onnxruntime

    def __enter__(self) -> OnnxRuntime:
        self._refuse_absent_providers()
        try:
            self._session = self._engine.InferenceSession(self._model_path, self._options(), providers=self._providers)
        except Exception as error:
            raise EngineError(f"ONNX Runtime refuses the model: {error}", where=self._model_path) from error
        self._refuse_fallback()
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._session.get_inputs()))
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._session.get_outputs()))
        self._names: List[str] = [one.name for one in self.outputs]
        return self

    def __exit__(self, *error: object) -> None:
        self._session = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        return dict(zip(self._names, self._session.run(self._names, feeds)))

    def facts(self) -> Dict[str, Any]:
        return {
            "engine": "onnxruntime",
            "version": self._engine.__version__,
            "precision": "as in the file",
            "threads": self._threads,
            "providers": self._session.get_providers(),
            "placement": self._placement(),
            "session_config": self._config,
        }

    def _options(self) -> Any:
        options = self._engine.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for key, value in self._config.items():
            options.add_session_config_entry(key, str(value))
        return options

    def _refuse_absent_providers(self) -> None:
        known = self._engine.get_available_providers()
        absent = [name for name, _ in self._providers if name not in known]
        if absent:
            raise EngineError(
                f"ONNX Runtime {self._engine.__version__} has no {', '.join(absent)}",
                where="runtimes.*.providers of the device profile",
                remedy=f"this build has {', '.join(known)}; install the build for the device",
            )

    def _refuse_fallback(self) -> None:
        wanted, got = self._providers[0][0], self._session.get_providers()[0]
        if wanted != got:
            raise EngineError(
                f"ONNX Runtime fell back from {wanted} to {got}",
                where=self._model_path,
                remedy="check the driver and libraries of the provider; a fallback is never measured",
            )

    def _placement(self) -> Dict[str, float]:
        """Share of graph nodes per provider."""
        try:
            parts = self._session.get_provider_graph_assignment_info()
        except Exception:
            return {}
        nodes: Dict[str, int] = {}
        for part in parts:
            nodes[part.ep_name] = nodes.get(part.ep_name, 0) + len(part.get_nodes())
        total = sum(nodes.values())
        return {name: count / total for name, count in nodes.items()} if total else {}


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(value.name, shape, DTYPES.get(value.type, value.type))
