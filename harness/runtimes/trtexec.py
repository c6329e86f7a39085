"""NVIDIA TensorRT by its command-line tool trtexec, versions 8.2 (JetPack 4) to 11; never run on the device.

What a version can do is asked of its own --help. Formats: harness/tooloutput/trtexec.py; docs/command-tools.md.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, ModelFileError
from harness.modelfile import inspect_model
from harness.runtimes.command import Finished, Tensors, Tool, Windowed, WindowTimes, write_raw
from harness.runtimes.tensorrt_types import DTYPES
from harness.runtimes.trtengine import BuiltEngine, EngineCache, hashes_of_files
from harness.runtimes.trtflags import Flags
from harness.runtimes.trtlayers import placement, precision_and_fusion
from harness.runtimes.trtlog import Read, passed_log, read_export, refuse_other_settings, settings_of
from harness.runtimes.trtoptions import TRANSFERS, TrtOptions
from harness.tooloutput import trtexec as told
from harness.tooloutput.trtexport import (
    FrameTime,
    Layer,
    Output,
    parse_layers,
    parse_outputs,
    parse_profile,
    parse_times,
)

MS_NS = 1e6
LAYER_FRAMES = 20


class TrtExec(Windowed):
    """One engine file, or one ONNX file that is built into an engine and kept in `cache` with its fingerprint.

    fp16, int8: allowed precisions (before version 11, which takes them from the model). workspace_mib: 0 for the
    tool's default. dla: the core, -1 for the GPU; gpu_fallback: what the DLA cannot do may run on the GPU. shapes:
    input name -> "1x3x224x224" where the file leaves sizes open. transfers: the copies are part of the time.
    types: tensor name -> dtype, for an engine file whose old version does not tell. build_arguments, arguments:
    further ones. deadline_s: of each process, a build too.
    """

    one_frame_per_process = True

    def __init__(
        self,
        model_path: str,
        command: str = "/usr/src/tensorrt/bin/trtexec",
        cache: str = "~/.cache/dms-harness/trtexec",
        fp16: bool = False,
        int8: bool = False,
        workspace_mib: int = 0,
        dla: int = -1,
        gpu_fallback: bool = False,
        shapes: Optional[Mapping[str, str]] = None,
        transfers: bool = True,
        spin_wait: bool = False,
        cuda_graph: bool = False,
        types: Optional[Mapping[str, str]] = None,
        build_arguments: Tuple[str, ...] = (),
        arguments: Tuple[str, ...] = (),
        environment: Optional[Mapping[str, str]] = None,
        deadline_s: float = 1800.0,
    ) -> None:
        # The tool works in another folder.
        self._model_path = os.path.abspath(model_path)
        self._cache = EngineCache(Path(os.path.abspath(os.path.expanduser(cache))))
        self._types = dict(types or {})
        wanted = {TRANSFERS: transfers, "Spin-wait": spin_wait, "CUDA Graph": cuda_graph}
        self._options = TrtOptions(
            fp16, int8, workspace_mib, dla, gpu_fallback, dict(shapes or {}), wanted, tuple(build_arguments),
            tuple(arguments),
        )  # fmt: skip
        self._tool = Tool(command, "command", deadline_s, environment or {})
        self._engine = BuiltEngine(self._model_path)
        self._settings: Mapping[str, str] = {}
        self._layers: Tuple[Layer, ...] = ()
        self._profile: Optional[told.Profile] = None

    def prepare(self) -> None:
        """Find the tool and ask it for its version and its options."""
        self._tool.find()
        with tempfile.TemporaryDirectory() as name:
            text = self._tool.run(["--help"], Path(name)).log
        self._flags = Flags(told.parse_log(text).version, told.parse_flags(text))

    def __enter__(self) -> TrtExec:
        if not self._model_path.endswith(".engine"):
            self._engine = self._cache.engine(self._model_path, self._fingerprint(), self._build)
        log = self._look_inside()
        specs = [(one, self._spec(one)) for one in log.bindings]
        self.inputs = tuple(spec for one, spec in specs if one.is_input)
        self.outputs = tuple(spec for one, spec in specs if not one.is_input)
        if not self.inputs or not self.outputs:
            raise EngineError("trtexec names no inputs and outputs in its log", where=self._engine.path)
        return self

    def infer_many(self, feeds: Sequence[Tensors]) -> List[Tensors]:
        """The outputs of each frame; trtexec takes one frame per process."""
        return [self._outputs(one) for one in feeds]

    def time_window(self, feeds: Sequence[Tensors], frames: int) -> WindowTimes:
        """One process that runs the first of the feeds `frames` times; every inference by the GPU's own events."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            done = self._run(
                folder, [*self._loaded(feeds[0], folder), f"--iterations={frames}", "--exportTimes=t.json"]
            )
            log = self._log(done)
            times = self._read(folder / "t.json", parse_times)[:frames]
        refuse_other_settings(log, self._options.wanted)
        self._settings = settings_of(log)
        if len(times) != frames:
            raise EngineError(f"trtexec told {len(times)} inferences of {frames}", where=self._engine.path)
        return WindowTimes(_ns(times, "latency_ms"), self._marks(log, times, done), {"window": self._words(frames)})

    def facts(self) -> Dict[str, Any]:
        unit = self._options.unit
        found: Dict[str, Any] = {
            "engine": "trtexec", "version": self._flags.version_words, "promised": unit,
            "precision": self._engine.precision or "as in the file", "session_config": dict(self._settings),
            "providers": self._options.units,
            "engine_sha256": self._engine.sha256, "engine_built_here": self._engine.built_here,
            **placement(unit, self._engine), **precision_and_fusion(self._layers),
        }  # fmt: skip
        if self._profile:
            found["layer_ms"] = {one.name: one.average_ms for one in self._profile.layers}
        return found

    def _fingerprint(self) -> Dict[str, Any]:
        """All that a build depends on but the model's content; files that an option names count by theirs."""
        flags = self._options.build_flags(self._flags)
        return {"version": list(self._flags.version), "arguments": flags, "files": hashes_of_files(flags)}

    def _build(self, target: Path, folder: Path) -> BuiltEngine:
        files = [f"--onnx={self._model_path}", f"--saveEngine={target}"]
        only = self._flags.first("skipInference", "buildOnly")
        log = self._log(self._tool.run([*files, *self._options.build_flags(self._flags), *only], folder))
        options = log.sections.get("Build Options", {})
        return BuiltEngine(
            str(target), precision=options.get("Precision", ""), built_s=log.engine_built_s,
            dla_pieces=len(log.dla_layers), gpu_layers=len(log.gpu_layers),
        )  # fmt: skip

    def _run(self, folder: Path, more: Sequence[str], instead: Optional[Dict[str, bool]] = None) -> Finished:
        """One process of inference."""
        flags = self._options.run_flags(self._flags, instead)
        return self._tool.run([f"--loadEngine={self._engine.path}", *flags, *more], folder)

    def _loaded(self, feeds: Tensors, folder: Path) -> List[str]:
        files = write_raw(feeds, self.inputs, folder, 0)
        return ["--loadInputs=" + ",".join(f"{name}:{path}" for name, path in files.items())]

    def _outputs(self, feeds: Tensors) -> Tensors:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # Without transfers there is nothing in the tool's memory to be exported.
            more = [*self._loaded(feeds, folder), "--iterations=1", "--exportOutput=o.json"]
            self._log(self._run(folder, more, {TRANSFERS: True}))
            found = self._read(folder / "o.json", parse_outputs)
        return {spec.name: self._output(spec, found) for spec in self.outputs}

    def _output(self, spec: TensorSpec, found: Mapping[str, Output]) -> Array:
        if set(found) != {one.name for one in self.outputs}:
            raise EngineError(
                f"trtexec wrote the outputs {sorted(found)}, the engine has {sorted(one.name for one in self.outputs)}",
                where=self._engine.path,
            )
        one = found[spec.name]
        if len(one.values) != int(np.prod(one.shape)):
            raise EngineError(f"{spec.name!r} has {len(one.values)} values and the shape {list(one.shape)}")
        return np.array(one.values).astype(spec.dtype).reshape(one.shape)

    def _look_inside(self) -> told.Log:
        """A run of its own: the profiler suppresses the times of whole frames."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            exports = [*self._flags.valued("exportProfile", "p.json"), *self._flags.valued("exportLayerInfo", "l.json")]
            log = self._log(self._run(folder, [f"--iterations={LAYER_FRAMES}", *exports]))
            self._profile = self._read(folder / "p.json", parse_profile) if exports else None
            self._layers = self._read(folder / "l.json", parse_layers) if len(exports) > 1 else ()
        self._settings = settings_of(log)
        return log

    def _log(self, done: Finished) -> told.Log:
        return passed_log(done.log, self._engine.path)

    def _read(self, path: Path, parse: Callable[[str], Read]) -> Read:
        return read_export(path, parse, self._engine.path)

    def _marks(self, log: told.Log, times: Sequence[FrameTime], done: Finished) -> Dict[str, float]:
        marks = {f"{part}_median_ns": float(np.median(_ns(times, f"{part}_ms"))) for part in ("h2d", "compute", "d2h")}
        marks.update(done.marks)
        if log.engine_deserialized_s is not None:
            marks["load_ns"] = log.engine_deserialized_s * 1e9
        if self._engine.built_here and self._engine.built_s is not None:
            marks["build_ns"] = self._engine.built_s * 1e9
        return marks

    def _words(self, frames: int) -> str:
        copies = "with" if self._settings.get(TRANSFERS) == "Enabled" else "without"
        return (
            f"trtexec ran one frame {frames} times back to back, the next enqueued ahead; a time is that of the GPU, "
            f"{copies} the copies to and from it, without waiting in a queue"
        )

    def _spec(self, one: told.Binding) -> TensorSpec:
        dtype = one.dtype or self._types.get(one.name) or self._dtypes().get(one.name, "")
        if not dtype or not one.shape:
            raise EngineError(
                f"trtexec {self._flags.version_words} does not tell the type or shape of {one.name!r}",
                where=self._engine.path, remedy="name it in the option types, or give the ONNX file instead",
            )  # fmt: skip
        if dtype not in DTYPES.values():
            remedy = "cast it to float32 or float16 at the edge of the model"
            what = f"{one.name!r} is {dtype}, which numpy does not have"
            raise EngineError(what, where=self._engine.path, remedy=remedy)
        return TensorSpec(one.name, one.shape, dtype)

    def _dtypes(self) -> Dict[str, str]:
        """As the ONNX file has them; before version 10 TensorRT makes int64 bindings int32."""
        if self._model_path.endswith(".engine"):
            return {}
        try:
            info = inspect_model(Path(self._model_path))
        except ModelFileError as error:
            raise EngineError(error.what, where=self._model_path, remedy=error.remedy) from error
        narrow = {"int64": "int32", "float64": "float32"} if self._flags.version[0] < 10 else {}
        return {one.name: narrow.get(one.dtype, one.dtype) for one in (*info.inputs, *info.outputs)}


def _ns(times: Sequence[FrameTime], part: str) -> Array:
    return np.round(np.array([getattr(one, part) for one in times]) * MS_NS).astype(np.int64)
