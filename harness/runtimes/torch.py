"""PyTorch: a .pt2 of torch.export.save, eager or compiled; docs/torch.md says what loading it may execute.

The CPU has run here. The CUDA parts and Torch-TensorRT: never run on the device.
"""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, HarnessError
from harness.modelfile.pt2_archive import Archive
from harness.modelfile.pt2_code import REMEDY, code_in
from harness.runtimes import missing_engine
from harness.runtimes.feeds import check_feeds
from harness.runtimes.torch_graph import fusion, layer_precisions, leaves, specs, tensor_places

PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
DEVICES = re.compile(r"cpu|cuda(:\d+)?")
WHERE = "the device profile's runtimes entry"


class Torch:
    """One exported program. threads: within an operator; 1 computes in the calling thread.

    device: "cpu", "cuda" or "cuda:N". precision: fp32, fp16 or bf16; inputs and outputs keep the file's dtypes and are
    cast within `infer`. tf32: let fp32 on the GPU be TF32, which PyTorch by itself does in convolutions. compile: with
    torch.compile, while loading. cuda_graph: capture once, replay each frame. tensorrt: compile with Torch-TensorRT,
    the whole graph or not at all. trust_pickle: load the file even where that can run code in it.
    """

    def __init__(
        self,
        model_path: str,
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
        cuda_graph: bool = False,
        tensorrt: bool = False,
        threads: int = 1,
        trust_pickle: bool = False,
        tf32: bool = False,
    ) -> None:
        self._model_path = model_path
        self._device = device
        self._precision = precision
        self._compile = compile
        self._cuda_graph = cuda_graph
        self._tensorrt = tensorrt
        self._threads = threads
        self._trust_pickle = trust_pickle
        self._tf32 = tf32
        self._on_gpu = device.startswith("cuda")
        self._compile_ns = 0
        self.in_calling_thread = threads == 1 and device == "cpu"
        self._run: Any = None
        self._program: Any = None

    def prepare(self) -> None:
        """Import the engine, and Torch-TensorRT where it is asked for."""
        try:
            import torch
        except ImportError as error:
            raise missing_engine("torch", "torch", error) from error
        self._torch: Any = torch
        torch.set_num_threads(self._threads)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self._tf32
        if self._tensorrt:
            from harness.runtimes.torch_cuda import import_torch_tensorrt

            self._torch_tensorrt = import_torch_tensorrt()

    def __enter__(self) -> Torch:
        self._refuse_options()
        try:
            self._load()
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"PyTorch refuses the program: {error}", where=self._model_path) from error
        self._takes = {one.name: one for one in self.inputs}
        return self

    def __exit__(self, *error: object) -> None:
        self._run = self._program = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        check_feeds(feeds, self._takes, self._model_path)
        given = [self._torch.from_numpy(np.asarray(feeds[one.name], order="C")) for one in self.inputs]
        try:
            with self._torch.inference_mode():
                found = self._run(given)
                return {
                    spec.name: self._array(found[place], spec) for spec, place in zip(self.outputs, self._output_places)
                }
        except Exception as error:
            raise EngineError(f"PyTorch fails to run the program: {error}", where=self._model_path) from error

    def facts(self) -> Dict[str, Any]:
        unit = "TensorRT" if self._tensorrt else self._unit
        facts: Dict[str, Any] = {
            "engine": "torch",
            "version": self._torch.__version__,
            "precision": self._precision,
            "threads": self._torch.get_num_threads(),
            "providers": [unit],
            "placement": {unit: 1.0},
            "promised": unit,
            "partitions": 1,
            "compiled": self._compile,
        }
        if self._compile_ns:
            facts["compile_ns"] = self._compile_ns
        if not self._compile and not self._tensorrt:
            facts["layer_precisions"] = layer_precisions(self._program, PRECISIONS[self._precision])
            facts["fusion"] = fusion(self._program)
        if self._on_gpu:
            facts["tf32"] = self._tf32
        return {**facts, **getattr(self._run, "facts", dict)()}

    def _refuse_options(self) -> None:
        if self._precision not in PRECISIONS:
            what = f"precision = {self._precision!r} is none of {', '.join(PRECISIONS)}"
            raise EngineError(what, where=WHERE)
        if not DEVICES.fullmatch(self._device):
            # PyTorch knows more devices, but nothing here would move the program to them.
            raise EngineError(f"device = {self._device!r} is none of cpu, cuda, cuda:N", where=WHERE)
        if (self._cuda_graph or self._tensorrt or self._tf32) and not self._on_gpu:
            raise EngineError("cuda_graph, tensorrt and tf32 need device = 'cuda'", where=WHERE)
        if self._on_gpu and not self._torch.cuda.is_available():
            raise EngineError(
                f"PyTorch {self._torch.__version__} finds no CUDA device",
                where=WHERE,
                remedy="install the NVIDIA driver and the CUDA build of PyTorch (nvidia-smi and "
                "torch.version.cuda tell), or take device = 'cpu'",
            )

    def _load(self) -> None:
        self._program = self._torch.export.load(io.BytesIO(self._content()))
        self.inputs: Tuple[TensorSpec, ...] = specs(self._program, "user_inputs")
        self.outputs: Tuple[TensorSpec, ...] = specs(self._program, "user_outputs")
        self._output_places = tensor_places(self._program, "user_outputs")
        self._refuse_open_sizes()
        self._dtype = getattr(self._torch, PRECISIONS[self._precision])
        if self._on_gpu:
            self._program = self._torch.export.passes.move_to_device_pass(self._program, self._device)
        module = self._program.module().to(self._dtype)
        self._unit = self._unit_of(module)
        started = time.perf_counter_ns()
        with self._torch.inference_mode():
            self._run = self._runner(self._compiled(module))
        if self._compile or self._tensorrt or self._cuda_graph:
            self._compile_ns = time.perf_counter_ns() - started

    def _refuse_open_sizes(self) -> None:
        opened = [one.name for one in self.inputs if -1 in one.shape]
        if opened and (self._compile or self._on_gpu):
            remedy = "export the program with fixed sizes"
            what = f"compiling and CUDA need fixed sizes, and the input {opened[0]!r} has open ones"
            raise EngineError(what, where=self._model_path, remedy=remedy)

    def _content(self) -> bytes:
        """The file's bytes, read once: what was checked is what is loaded."""
        try:
            content = Path(self._model_path).read_bytes()
            codes = [] if self._trust_pickle else code_in(Archive(io.BytesIO(content), self._model_path))
        except (OSError, HarnessError) as error:
            raise EngineError(f"PyTorch cannot take the program: {error}", where=self._model_path) from error
        if codes:
            more = f", and {len(codes) - 1} more" if len(codes) > 1 else ""
            raise EngineError(
                f"loading the file could run code: {codes[0]}{more}", where=self._model_path, remedy=REMEDY
            )
        return content

    def _unit_of(self, module: Any) -> str:
        """Where the weights lie; EngineError where that is not what the entry promises."""
        real = sorted({str(one.device) for one in module.state_dict().values()}) or [self._device]
        if real not in ([self._device], [f"{self._device}:0"]):
            raise EngineError(f"the weights lie on {', '.join(real)} where {self._device} is promised", where=WHERE)
        return real[0]

    def _compiled(self, module: Any) -> Any:
        """The module as the options want it; torch.compile compiles in its first call, so that is made here."""
        if self._tensorrt:
            from harness.runtimes.torch_cuda import with_tensorrt

            return with_tensorrt(self._torch, self._torch_tensorrt, module, self._examples())
        if not self._compile:
            return module
        compiled: Any = self._torch.compile(module, fullgraph=True, dynamic=False)
        try:
            compiled(*self._examples())
        except Exception as error:
            remedy = (
                "torch.compile needs a C++ compiler on the device (g++), and Triton for CUDA; or take compile = false"
            )
            raise EngineError(f"torch.compile fails: {error}", where=self._model_path, remedy=remedy) from error
        return compiled

    def _examples(self) -> List[Any]:
        """Zeros for every input, where and as the program takes them."""
        wanted = [(one.shape, getattr(self._torch, one.dtype)) for one in self.inputs]
        return [self._cast(self._torch.zeros(shape, dtype=dtype, device=self._device)) for shape, dtype in wanted]

    def _runner(self, module: Any) -> Callable[[Sequence[Any]], Sequence[Any]]:
        if self._on_gpu:
            from harness.runtimes.torch_cuda import CudaRunner

            return CudaRunner(self._torch, module, self._examples(), self._cuda_graph)
        return lambda given: leaves(module(*map(self._cast, given)))

    def _cast(self, tensor: Any) -> Any:
        return tensor.to(self._dtype) if tensor.is_floating_point() else tensor

    def _array(self, tensor: Any, spec: TensorSpec) -> Array:
        array: Array = tensor.to(getattr(self._torch, spec.dtype)).numpy()
        return array
