"""NVIDIA TensorRT by its Python bindings, versions 8.5 to 11; never run on the device. docs/tensorrt.md.

An ONNX file is built into an engine by a process of its own before this one loads anything, so that neither its time
nor its memory is measured as that of the engine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from harness.case import Array
from harness.errors import EngineError
from harness.runtimes.cudart import open_cuda
from harness.runtimes.tensorrt_build import built_engine
from harness.runtimes.tensorrt_cache import EngineFile, engine_file, machine_of, refuse_other_bytes
from harness.runtimes.tensorrt_library import import_tensorrt, load_plugins, make_log, version_of, words_of
from harness.runtimes.tensorrt_options import BuildOptions, check_options
from harness.runtimes.tensorrt_plan import check_plan
from harness.runtimes.tensorrt_session import Session
from harness.runtimes.trtlayers import precision_and_fusion
from harness.tooloutput.trtexport import Layer, parse_layers

PROFILED_FRAMES = 20


class TensorRt:
    """One engine file, or one ONNX file that is built into an engine and kept in `cache` with its fingerprint.

    precision: empty for the types of the file, or fp32, fp16, bf16, int8 (before version 11). tf32: may stand in for
    float32. layer_precisions: pattern of layer names -> precision. calibration: frames for INT8, an .npz or a folder
    of them; calibrator: entropy or minmax. dynamic_ranges: pattern of tensor names -> largest magnitude. shapes: input
    name -> one shape, or the least, best and largest. workspace_mib: 0 for TensorRT's default. dla_core: -1 for the
    GPU; gpu_fallback: what the DLA cannot do may run on the GPU. plugins: libraries to load. cuda_library: libcudart,
    empty to look for it.
    """

    in_calling_thread = False

    def __init__(
        self,
        model_path: str,
        precision: str = "",
        tf32: bool = False,
        layer_precisions: Optional[Mapping[str, str]] = None,
        dynamic_ranges: Optional[Mapping[str, float]] = None,
        calibration: str = "",
        calibrator: str = "entropy",
        shapes: Optional[Mapping[str, str]] = None,
        workspace_mib: int = 0,
        dla_core: int = -1,
        gpu_fallback: bool = False,
        plugins: Tuple[str, ...] = (),
        cuda_graph: bool = False,
        cache: str = "~/.cache/dms-harness/tensorrt",
        cuda_library: str = "",
        build_deadline_s: float = 3600.0,
    ) -> None:
        self._model_path = model_path
        self._options = BuildOptions(
            precision, tf32, dict(layer_precisions or {}), dict(dynamic_ranges or {}), calibration, calibrator,
            dict(shapes or {}), workspace_mib, dla_core, gpu_fallback, tuple(plugins),
        )  # fmt: skip
        self._cuda_graph, self._cache, self._cuda_library = cuda_graph, cache, cuda_library
        self._build_deadline_s = build_deadline_s
        self._file: Optional[EngineFile] = None
        self._layer_ms: Optional[Dict[str, float]] = None
        self._bytes = b""

    def begin_run(self, number: int) -> None:
        """Before anything is timed: the engine of an ONNX file, from the cache or built for minutes."""
        if Path(self._model_path).suffix == ".onnx" and self._file is None:
            self._file = built_engine(
                self._model_path, self._options, self._cache, self._cuda_library, self._build_deadline_s
            )

    def prepare(self) -> None:
        """Import TensorRT, find its GPU, load the plug-ins; build, where `begin_run` was not called; check the file.

        So entering is deserialising and no hashing.
        """
        self._trt: Any = import_tensorrt()
        check_options(self._options, version_of(self._trt))
        # Without a driver TensorRT does not refuse an engine: it ends the process.
        self._cuda = open_cuda(self._cuda_library)
        self._device = self._cuda.device()
        self._log = make_log(self._trt)
        load_plugins(self._trt, self._log, self._options.plugins)
        self.begin_run(0)
        if self._model_path:
            self._bytes = self._content()

    def __enter__(self) -> TensorRt:
        self._runtime: Any = self._trt.Runtime(self._log)
        if self._options.dla_core >= 0:
            self._runtime.DLA_core = self._options.dla_core
        content, self._bytes = self._bytes or self._content(), b""
        self._engine: Any = self._runtime.deserialize_cuda_engine(content)
        del content
        if self._engine is None:
            raise EngineError(f"TensorRT refuses the engine: {words_of(self._log)}", where=self._known.path)
        self._session = Session(self._trt, self._cuda, self._engine, self._cuda_graph, self._known.path)
        self.inputs, self.outputs = self._session.inputs, self._session.outputs
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._session.close()
        except EngineError:
            # What went wrong first is what counts.
            if error[0] is None:
                raise
        finally:
            self._engine = self._runtime = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        return self._session.run(feeds)

    def facts(self) -> Dict[str, Any]:
        layers = self._layers()
        if self._layer_ms is None:
            # After the timed frames, for a profiler makes each layer wait for the one before.
            self._layer_ms = self._session.profile(PROFILED_FRAMES)
        described = precision_and_fusion(layers)
        return {
            "engine": "tensorrt", "version": self._trt.__version__, "gpu": self._device.name,
            "compute_capability": self._device.compute_capability, "cuda_driver": self._device.cuda_driver,
            "cuda_runtime": self._device.cuda_runtime, "precision": self._options.precision or "as in the file",
            "providers": self._units(), "promised": self._units()[0], "cuda_graph": self._cuda_graph,
            "plugins": list(self._options.plugins), **self._placement(), **described, **self._origin(),
            "device_times": self._session.times(), "layer_ms": self._layer_ms,
            "warnings": self._warnings(described),
        }  # fmt: skip

    @property
    def marks(self) -> Dict[str, float]:
        """build_ns, of the run that built."""
        built = self._known.origin == "built" and self._known.build_ns is not None
        return {"build_ns": float(self._known.build_ns or 0)} if built else {}

    @property
    def _known(self) -> EngineFile:
        return self._file or EngineFile(self._model_path)

    def _content(self) -> bytes:
        """The engine's bytes, read once: what was checked is what is loaded."""
        path = self._known.path
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise EngineError(f"the engine file cannot be read: {error}", where=path) from error
        check_plan(content, version_of(self._trt), path)
        if self._file is None:
            self._file = engine_file(path, content, machine_of(self._trt.__version__, self._device))
        refuse_other_bytes(self._file, content)
        self._refuse_idle_dla()
        return content

    def _refuse_idle_dla(self) -> None:
        if self._options.dla_core >= 0 and self._known.dla_share == 0:
            raise EngineError(
                "the DLA took none of the model's layers", where=self._model_path,
                remedy="give a model that it can run, in int8 or fp16; a fallback to the GPU alone is never measured",
            )  # fmt: skip

    def _units(self) -> List[str]:
        if self._options.dla_core < 0:
            return ["GPU"]
        return ["DLA", "GPU"] if self._options.gpu_fallback else ["DLA"]

    def _placement(self) -> Dict[str, Any]:
        """Of the DLA what the builder told; an engine file without a sidecar does not tell it."""
        share, pieces = self._known.dla_share, self._known.dla_pieces
        if self._options.dla_core < 0:
            return {"placement": {"GPU": 1.0}, "partitions": 1}
        if share is None:
            return {}
        shares = {"DLA": share, "GPU": 1.0 - share} if share < 1 else {"DLA": share}
        return {"placement": shares, "partitions": pieces}

    def _origin(self) -> Dict[str, Any]:
        """Where the engine is from; build_ns is that of its build, whenever that was."""
        known = self._known
        found: Dict[str, Any] = {"engine_origin": known.origin, "engine_sha256": known.sha256}
        if known.because:
            found["engine_built_because"] = known.because
        if known.build_ns is not None:
            found["build_ns"] = known.build_ns
        return found

    def _layers(self) -> Tuple[Layer, ...]:
        """As the inspector tells them; names alone where the engine was not built with detailed verbosity."""
        inspector = self._engine.create_engine_inspector()
        try:
            return parse_layers(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))
        except ValueError as error:
            sys.stderr.write(f"[TensorRT] the inspector's JSON cannot be read: {error}\n")
            return ()

    def _warnings(self, described: Mapping[str, Any]) -> List[str]:
        """A precision that is allowed may still be taken by no layer."""
        wanted, shares = self._options.precision, described.get("layer_precisions", {})
        if wanted in ("", "fp32") or not shares or wanted in shares:
            return []
        return [f"{wanted} was asked for, and no layer gives it: TensorRT found {', '.join(shares)} faster"]
