"""ExecuTorch: a .pte program, through the Python bindings of its wheel. XNNPACK has run here, no other backend.

The bindings are taken by themselves: executorch.runtime and portable_lib import the exporter too, which costs 130 MiB
of the memory that is measured. A program knows inputs and outputs by position: input0, input1 ... and output0 ...
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Tuple

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, HarnessError
from harness.modelfile.info import Limits
from harness.modelfile.pte import XNNPACK, Program, read_program
from harness.modelfile.source import Source
from harness.modelfile.xnnpack import XnnGraph
from harness.runtimes import missing_engine
from harness.runtimes.feeds import check_feeds

PORTABLE = "portable"


class ExecuTorch:
    """One method of one program. threads: of the process's one thread pool, which XNNPACK uses.

    backend: what the entry promises; the program must have been lowered for it and this build must have it.
    """

    def __init__(self, model_path: str, threads: int = 1, backend: str = XNNPACK) -> None:
        self._model_path = model_path
        self._threads = threads
        self._backend = backend
        self.in_calling_thread = threads == 1 and backend == XNNPACK
        self._method: Any = None

    def prepare(self) -> None:
        """Import the engine."""
        try:
            import torch
            from executorch.extension.pybindings import _C, data_loader
        except ImportError as error:
            raise missing_engine("executorch", "executorch", error) from error
        self._torch, self._engine, self._loader = torch, _C, data_loader

    def __enter__(self) -> ExecuTorch:
        self._program, self._graphs = _read(self._model_path)
        self._refuse_broken_promise()
        self._engine._unsafe_reset_threadpool(self._threads)
        try:
            # The program must outlive its method.
            self._loaded = self._engine._load_program(self._model_path)
            self._method = self._loaded.load_method(self._program.method)
        except Exception as error:
            raise EngineError(f"ExecuTorch refuses the program: {error}", where=self._model_path) from error
        self.inputs: Tuple[TensorSpec, ...] = self._program.inputs
        self.outputs: Tuple[TensorSpec, ...] = self._program.outputs
        self._takes = {one.name: one for one in self.inputs}
        return self

    def __exit__(self, *error: object) -> None:
        self._method = self._loaded = None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        check_feeds(feeds, self._takes, self._model_path)
        # The program reads the memory of a view as if it were dense.
        given = [self._torch.from_numpy(np.asarray(feeds[one.name], order="C")) for one in self.inputs]
        try:
            found = self._method(given)  # copies, which the caller owns
            return {spec.name: found[place].numpy() for spec, place in zip(self.outputs, self._program.output_places)}
        except Exception as error:
            raise EngineError(f"ExecuTorch fails to run the program: {error}", where=self._model_path) from error

    def facts(self) -> Dict[str, Any]:
        backends = [name for name, _ in self._program.delegates]
        return {
            "engine": "executorch",
            "version": _version(),
            "precision": "as in the file",
            "threads": self._engine._threadpool_get_thread_count(),
            "providers": sorted(set(backends)) + [PORTABLE] * bool(self._program.kernels),
            "promised": self._backend,
            "partitions": backends.count(self._backend),
            **_placement(self._program, self._graphs),
            **_layers(self._graphs, whole=set(backends) == {XNNPACK} and not self._program.kernels),
        }

    def _refuse_broken_promise(self) -> None:
        has = self._engine._get_registered_backend_names()
        used = sorted({name for name, _ in self._program.delegates})
        absent = [name for name in [self._backend, *used] if name not in has]
        if absent:
            remedy = f"this build has {', '.join(has)}; install the build for the device"
            raise EngineError(f"ExecuTorch {_version()} has no {absent[0]}", where=self._model_path, remedy=remedy)
        if self._backend not in used:
            raise EngineError(
                f"the program was not lowered for {self._backend}: it uses {', '.join(used) or 'no backend'}",
                where=self._model_path,
                remedy="lower it with that backend's partitioner, or correct backend in the device profile",
            )


def _read(path: str) -> Tuple[Program, Tuple[XnnGraph, ...]]:
    try:
        with open(path, "rb") as stream:
            source = Source(stream, os.fstat(stream.fileno()).st_size, path, Limits())
            program = read_program(source)
            return program, program.graphs(source)
    except (OSError, HarnessError) as error:
        raise EngineError(f"ExecuTorch cannot take the program: {error}", where=path) from error


def _placement(program: Program, graphs: Tuple[XnnGraph, ...]) -> Dict[str, Any]:
    """Share of nodes per unit; unknown where a backend keeps its graph to itself beside other units."""
    units = {name for name, _ in program.delegates} | ({PORTABLE} if program.kernels else set())
    if len(units) == 1:
        return {"placement": dict.fromkeys(units, 1.0)}
    if not units <= {XNNPACK, PORTABLE}:
        return {}
    taken = sum(len(graph.nodes) for graph in graphs)
    total = taken + len(program.kernels)
    return {"placement": {XNNPACK: taken / total, PORTABLE: len(program.kernels) / total}}


def _layers(graphs: Tuple[XnnGraph, ...], *, whole: bool) -> Dict[str, Any]:
    """Precision and fusion of XNNPACK's nodes; nothing where another backend or a portable operator has a part."""
    nodes: List[str] = [dtype for graph in graphs for dtype in graph.nodes]
    if not whole or not nodes:
        return {}
    return {
        "layer_precisions": {name: nodes.count(name) / len(nodes) for name in sorted(set(nodes))},
        "fusion": {
            "convolutions": sum(graph.convolutions for graph in graphs),
            "with_activation": sum(graph.with_activation for graph in graphs),
        },
    }


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("executorch")
    except PackageNotFoundError:
        return "unknown"
