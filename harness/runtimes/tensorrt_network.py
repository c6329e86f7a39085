"""From an ONNX file to the bytes of an engine, with TensorRT's builder; never run on a GPU here.

Sources: docs.nvidia.com/deeplearning/tensorrt, Python API of 8.5 to 11; trtexec, samples/common/sampleEngines.cpp of
NVIDIA/TensorRT, for the order of the calls.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from harness.case import TensorSpec
from harness.errors import EngineError
from harness.runtimes.cudart import Cuda
from harness.runtimes.tensorrt_cache import gpu_words, machine_of, replace_file
from harness.runtimes.tensorrt_calibration import CalibrationFrames, cache_path, make_calibrator
from harness.runtimes.tensorrt_library import words_of
from harness.runtimes.tensorrt_options import WHERE, BuildOptions
from harness.runtimes.tensorrt_precision import check_quantisation, inputs_of, layers_of, set_precisions
from harness.runtimes.tensorrt_types import dtype_of, shape_of

MIB = 2**20
FUSED = "ForeignNode"
EXPLICIT_BATCH, STRONGLY_TYPED = "EXPLICIT_BATCH", "STRONGLY_TYPED"


class Builder:
    """One build. dla_share and dla_pieces: of the last one, None without a DLA."""

    def __init__(self, trt: Any, log: Any, cuda: Cuda, options: BuildOptions, folder: Path) -> None:
        self._trt, self._log, self._cuda, self._options, self._folder = trt, log, cuda, options, folder
        self._builder: Any = trt.Builder(log)
        self.dla_share: Optional[float] = None
        self.dla_pieces: Optional[int] = None

    def build(self, model_path: str, model_sha256: str) -> bytes:
        """The engine's bytes; EngineError says why TensorRT gives none."""
        self._refuse_missing_dla()
        network = self._parsed(model_path)
        config = self._configured(network)
        calibrator = self._calibrator(network, model_sha256)
        if calibrator is not None:
            config.int8_calibrator = calibrator
        timings = self._use_timings(config)
        content = self._builder.build_serialized_network(network, config)
        if calibrator is not None and calibrator.error:
            raise calibrator.error
        if content is None:
            raise EngineError(f"TensorRT cannot build the engine: {words_of(self._log)}", where=model_path)
        self._keep_timings(config, timings)
        self._tell_placement(network, config)
        return bytes(memoryview(content))

    def _refuse_missing_dla(self) -> None:
        wanted, there = self._options.dla_core, self._builder.num_DLA_cores
        if wanted >= there:
            raise EngineError(
                f"dla_core = {wanted}: this device has {there} DLA cores", where=WHERE,
                remedy="name one of them from 0, or take the option out",
            )  # fmt: skip

    def _parsed(self, model_path: str) -> Any:
        kinds = network_kinds(self._trt, self._options.weakly_typed)
        network = self._builder.create_network(sum(1 << int(kind) for kind in kinds.values()))
        parser = self._trt.OnnxParser(network, self._log)
        if not parser.parse_from_file(model_path):
            said = [parser.get_error(number).desc() for number in range(parser.num_errors)]
            raise EngineError(
                f"TensorRT cannot take the ONNX file: {' / '.join(said[:3]) or words_of(self._log)}", where=model_path,
                remedy="name the library of a plug-in that it needs in plugins, or export with other operators",
            )  # fmt: skip
        check_quantisation(self._trt, network, self._options, STRONGLY_TYPED in kinds, model_path)
        return network

    def _configured(self, network: Any) -> Any:
        trt, options = self._trt, self._options
        config = self._builder.create_builder_config()
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if options.workspace_mib:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
        if not options.tf32:
            config.clear_flag(trt.BuilderFlag.TF32)
        for name in options.flags():
            config.set_flag(self._flag(name))
        if options.dla_core >= 0:
            config.default_device_type = trt.DeviceType.DLA
            config.DLA_core = options.dla_core
        self._set_shapes(network, config)
        set_precisions(trt, network, options)
        return config

    def _flag(self, name: str) -> Any:
        flag = getattr(self._trt.BuilderFlag, name, None)
        if flag is None:
            raise EngineError(f"TensorRT {self._trt.__version__} has no {name}", where=WHERE)
        return flag

    def _set_shapes(self, network: Any, config: Any) -> None:
        """One optimisation profile where the file leaves sizes open; calibration takes the best shape."""
        named = self._options.profile_shapes()
        given = {one.name: one for one in inputs_of(network)}
        strange = [name for name in named if name not in given]
        open_sizes = [name for name, one in given.items() if -1 in shape_of(one.shape) and name not in named]
        if strange or open_sizes:
            what = f"has no input {strange[0]!r}" if strange else f"leaves sizes of {open_sizes[0]!r} open"
            raise EngineError(f"the model {what}", where=f"shapes, {WHERE}", remedy=f"its inputs are {sorted(given)}")
        if named:
            config.add_optimization_profile(self._profile(named))
            if self._options.calibration:
                config.set_calibration_profile(self._profile({name: (one[1],) * 3 for name, one in named.items()}))

    def _profile(self, shapes: Mapping[str, Tuple[Tuple[int, ...], ...]]) -> Any:
        profile = self._builder.create_optimization_profile()
        for name, three in shapes.items():
            profile.set_shape(name, *three)
        return profile

    def _calibrator(self, network: Any, model_sha256: str) -> Any:
        if not self._options.calibration:
            return None
        frames = CalibrationFrames(self._options.calibration, self._calibration_inputs(network))
        kind = self._options.calibrator
        self._folder.mkdir(parents=True, exist_ok=True)
        cache = cache_path(self._folder, model_sha256, frames, kind, self._trt.__version__)
        return make_calibrator(self._trt, kind, frames, self._cuda, cache)

    def _calibration_inputs(self, network: Any) -> Dict[str, TensorSpec]:
        best = {name: shapes[1] for name, shapes in self._options.profile_shapes().items()}
        return {
            one.name: TensorSpec(one.name, best.get(one.name) or shape_of(one.shape), dtype_of(one.dtype, one.name))
            for one in inputs_of(network)
        }

    def _use_timings(self, config: Any) -> Path:
        """Times of kernels that earlier builds took on this GPU: a build that finds them is quicker and the same."""
        name = gpu_words(machine_of(self._trt.__version__, self._cuda.device()))
        path = self._folder / f"{name}-{self._trt.__version__}.timings"
        kept = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        if kept is None or not config.set_timing_cache(kept, False):
            config.set_timing_cache(config.create_timing_cache(b""), False)
        return path

    def _keep_timings(self, config: Any, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, bytes(memoryview(config.get_timing_cache().serialize())))

    def _tell_placement(self, network: Any, config: Any) -> None:
        """What the builder says of each layer that computes, and the pieces that it logged."""
        if self._options.dla_core < 0:
            return
        computing = [layer for layer in layers_of(network) if layer.type != self._trt.LayerType.CONSTANT]
        self.dla_pieces = sum(words.startswith("[DlaLayer] ") for words in self._log.placed)
        if not self.dla_pieces or not computing:
            self.dla_share = 0.0
            return
        on_gpu = _on_gpu(self._log.placed)
        taken = sum(layer.name not in on_gpu and bool(config.can_run_on_DLA(layer)) for layer in computing)
        # Of a fused piece on the GPU nobody tells which layers it holds.
        self.dla_share = None if any(FUSED in name for name in on_gpu) else taken / len(computing)


def _on_gpu(placed: List[str]) -> Set[str]:
    """Names in lines such as "[GpuLayer] CONVOLUTION: conv1 + relu1"."""
    lines = [words.split("] ", 1)[1] for words in placed if words.startswith("[GpuLayer] ")]
    return {name.strip() for line in lines for name in re.sub(r"^[A-Z_]+: ", "", line).split(" + ")}


def network_kinds(trt: Any, weakly_typed: bool) -> Dict[str, Any]:
    """Members of trt.NetworkDefinitionCreationFlag, as far as this version has them: batch in the shapes, own types."""
    wanted = (EXPLICIT_BATCH,) if weakly_typed else (EXPLICIT_BATCH, STRONGLY_TYPED)
    known = trt.NetworkDefinitionCreationFlag
    return {name: getattr(known, name) for name in wanted if hasattr(known, name)}
