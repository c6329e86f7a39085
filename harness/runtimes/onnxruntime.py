"""ONNX Runtime with any provider. One that was asked for and not used is an error, never a quiet fallback."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.runtimes import missing_engine
from harness.runtimes.feeds import check_feeds
from harness.runtimes.onnxruntime_context import ContextCache, context_of, refuse_other_soc
from harness.runtimes.onnxruntime_graph import Graph, float_layers_left, graph_facts, read_graph
from harness.runtimes.onnxruntime_placement import placement_of
from harness.runtimes.onnxruntime_plugin import words_of
from harness.runtimes.onnxruntime_session import CPU, KERNELS, Sessions, Wanted, options_of
from harness.runtimes.onnxruntime_types import DTYPES

OPTIMISED_LIMIT_BYTES = 256 << 20


class OnnxRuntime:
    """One session on one model file.

    providers: names in order of preference; the first is the promise and must take nodes. provider_options: name ->
    options. threads: intra-operator threads, 1 computes in the calling thread. session_config: further `session.*`
    entries. plugin: package or library of a provider that is not built in; device: "npu", "gpu" or "cpu" of those
    that a plug-in offers. cpu_fallback: false refuses a model of which the CPU would have to take a node.
    context_cache: folder for models as their provider compiled them. memory_arena: keep freed memory of the CPU for the
    next tensor; memory_pattern: plan all tensors of fixed sizes as one block.
    """

    def __init__(
        self,
        model_path: str,
        providers: Sequence[str] = (CPU,),
        provider_options: Optional[Mapping[str, Mapping[str, str]]] = None,
        threads: int = 1,
        session_config: Optional[Mapping[str, str]] = None,
        plugin: str = "",
        device: str = "",
        cpu_fallback: bool = True,
        context_cache: str = "",
        memory_arena: bool = True,
        memory_pattern: bool = True,
    ) -> None:
        self._model_path = model_path
        self._wanted = Wanted(
            tuple(providers), options_of(provider_options), threads, dict(session_config or {}),
            plugin, device, cpu_fallback, memory_arena, memory_pattern,
        )  # fmt: skip
        self._cache_folder = context_cache
        self._cache: Optional[ContextCache] = None
        self.in_calling_thread = threads == 1 and self._wanted.providers == (CPU,)
        self._session: Any = None

    def prepare(self) -> None:
        """Import the engine and the library of its provider."""
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_engine("onnxruntime", "host", error) from error
        self._engine = onnxruntime
        self._sessions = Sessions(onnxruntime, self._wanted)

    def __enter__(self) -> OnnxRuntime:
        self._refuse_other_soc()
        self._session = self._cached() if self._cache_folder else self._open(self._model_path)
        self.inputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._session.get_inputs()))
        self.outputs: Tuple[TensorSpec, ...] = tuple(map(_spec, self._session.get_outputs()))
        self._names: List[str] = [one.name for one in self.outputs]
        return self

    def __exit__(self, *error: object) -> None:
        self._session = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        try:
            # It reads another byte order as its own.
            native = all(one.dtype.isnative for one in feeds.values())
            return dict(zip(self._names, self._session.run(self._names, feeds if native else {})))
        except Exception as error:
            check_feeds(feeds, {one.name: one for one in self.inputs}, self._model_path)
            raise EngineError(
                f"ONNX Runtime fails to run the model: {words_of(error)}", where=self._model_path
            ) from error

    def facts(self) -> Dict[str, Any]:
        graph = self._optimised()
        return {
            "engine": "onnxruntime",
            "version": self._engine.__version__,
            "precision": "as in the file" if self._wanted.promised == CPU else "as the provider decides",
            "threads": self._wanted.threads,
            "providers": self._session.get_providers(),
            "promised": self._wanted.promised,
            **self._placed,
            **(graph_facts(graph) if graph else {}),
            **({"from_cache": self._cache.taken} if self._cache else {}),
            "session_config": self._wanted.session_config,
            "memory_arena": bool(self._session.get_session_options().enable_cpu_mem_arena),
            "memory_pattern": bool(self._session.get_session_options().enable_mem_pattern),
            "warnings": list(self._warnings(graph)),
        }

    def _open(self, path: str, entries: Optional[Mapping[str, str]] = None) -> Any:
        try:
            session = self._sessions.open(path, entries or {}, self._wanted.cpu_fallback)
        except EngineError:
            raise
        except Exception as error:
            raise self._sessions.refusal(error, path) from error
        self._sessions.refuse_fallback(session, path)
        placement = placement_of(session, self._wanted.promised)
        if placement is None and self._wanted.promised != CPU:
            placement = self._sessions.ran(path)
        if placement and not placement.pieces:
            raise self._sessions.nothing_taken(path)
        self._placed = placement.facts() if placement else {}
        return session

    def _cached(self) -> Any:
        """A session on what the provider compiled before, or on the model, which is then kept compiled."""
        plugin = self._sessions.plugin
        identity = [self._engine.__version__, plugin.version if plugin else "", *vars(self._wanted).values()]
        self._cache = ContextCache(self._cache_folder, self._model_path, identity)
        kept = self._kept(self._cache) if self._cache.taken else None
        if kept:
            return kept
        try:
            session = self._open(self._model_path, self._cache.entries())
            self._cache.keep(self._placed)
        finally:
            self._cache.discard()
        return session

    def _kept(self, cache: ContextCache) -> Any:
        """A session on the kept context; None, and nothing kept, where it does not load."""
        try:
            session, self._placed = self._open(str(cache.path)), cache.notes()
        except (EngineError, OSError, ValueError):
            cache.forget()
            return None
        return session

    def _refuse_other_soc(self) -> None:
        options = self._wanted.promised_options
        context = context_of(self._model_path) if {"soc_model", "htp_arch"} & set(options) else None
        if context:
            refuse_other_soc(context, self._wanted.promised, options, self._model_path)

    def _optimised(self) -> Optional[Graph]:
        """The graph after all fusion, from a second session that writes it; None where the engine cannot tell."""
        compiles = set(self._session.get_providers()) - set(KERNELS)
        if compiles or os.path.getsize(self._model_path) > OPTIMISED_LIMIT_BYTES:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "optimised.onnx")
            try:
                self._sessions.open(self._model_path, {}, self._wanted.cpu_fallback, optimised=path)
                return read_graph(path)
            except Exception:
                # A full disk or a graph that cannot be written costs these facts and not the run.
                return None

    def _warnings(self, graph: Optional[Graph]) -> Iterator[str]:
        listed = len(self._session.get_overridable_initializers())
        if listed:
            yield (
                f"{listed} weights are listed as graph inputs, so nothing is folded into them and the model runs "
                "2.2 to 2.4 times slower than it could: remove them from the inputs of the graph"
            )
        left = float_layers_left(graph) if graph else None
        if left:
            yield (
                f"{left[0]} of {left[1]} convolutions and matrix products of a quantised file run in float32: "
                "quantise activations as uint8 and weights as int8 per channel (QDQ)"
            )


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(value.name, shape, DTYPES.get(value.type, value.type))
