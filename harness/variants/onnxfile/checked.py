"""Does an ONNX file run a real frame, and in integers or in float? Asked of ONNX Runtime's CPU provider."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import EngineError, HarnessError
from harness.runtimes.onnxruntime_graph import CONVOLUTIONS, INTEGER, PRODUCTS, read_graph
from harness.runtimes.onnxruntime_plugin import words_of
from harness.variants.libraries import library


def checked(path: Path, feed: Mapping[str, Array]) -> dict[str, Any]:
    """How many convolutions and matrix products run in integers and how many in float, once all are fused.

    EngineError where the file does not load, or does not run, or answers NaN: some load and fail at the first run.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        _run(path, feed, optimised)
        return _kernels(optimised)


@contextmanager
def whole(target: Path, ready: Path, source: Path) -> Iterator[None]:
    """Where it fails, no file is left, and the error names the parent's file: nobody can look at the prepared one."""
    try:
        yield
    except HarnessError as error:
        target.unlink(missing_ok=True)
        where = error.where.replace(str(ready), str(source))
        raise type(error)(error.what, where=where, remedy=error.remedy) from error


def _run(path: Path, feed: Mapping[str, Array], optimised: Path) -> None:
    engine = library("onnxruntime")
    options = engine.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = engine.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(f"the new file does not load: {words_of(error)}", where=str(path)) from error
    try:
        answers = session.run(None, dict(feed))
    except Exception as error:
        raise EngineError(f"the new file fails at its first frame: {words_of(error)}", where=str(path)) from error
    for one, values in zip(session.get_outputs(), answers, strict=True):
        if np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
            raise EngineError(f"the output {one.name!r} is NaN for a real frame", where=str(path))


def _kernels(optimised: Path) -> dict[str, int]:
    kinds = [node.kind for node in read_graph(str(optimised)).nodes]
    return {
        f"{precision}_{name}": sum(kind in family and (kind in INTEGER) == (precision == "integer") for kind in kinds)
        for name, family in (("convolutions", CONVOLUTIONS), ("products", PRODUCTS))
        for precision in ("integer", "float")
    }
