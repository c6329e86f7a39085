"""Builds one engine from an ONNX file, as a process: `python -m harness.runtimes.tensorrt_build REQUEST.json`.

A builder holds more memory than any engine, may take minutes, and may crash: none of that belongs to the process that
is measured. result.json or error.json beside the request says how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping

from harness.errors import EngineError, HarnessError
from harness.runtimes.command import Tool
from harness.runtimes.cudart import open_cuda
from harness.runtimes.tensorrt_cache import EngineCache, EngineFile, fingerprint_of, machine_of
from harness.runtimes.tensorrt_library import import_tensorrt, load_plugins, make_log, version_of
from harness.runtimes.tensorrt_network import Builder
from harness.runtimes.tensorrt_options import BuildOptions, check_options

RESULT, ERROR = "result.json", "error.json"


def built_engine(
    model_path: str, options: BuildOptions, cache: str, cuda_library: str, deadline_s: float
) -> EngineFile:
    """The engine of a model, from the cache or built now; EngineError says why it cannot be built."""
    whole = replace(
        options, calibration=options.calibration and os.path.abspath(options.calibration),
        plugins=[_absolute(one) for one in options.plugins],
    )  # fmt: skip
    # The process works in another folder.
    wire = {
        "model_path": os.path.abspath(model_path), "options": asdict(whole), "cuda_library": _absolute(cuda_library),
        "cache": os.path.abspath(os.path.expanduser(cache)),
    }  # fmt: skip
    path = os.pathsep.join(os.path.abspath(one) for one in sys.path)
    tool = Tool(sys.executable, "build_deadline_s", deadline_s, {"PYTHONPATH": path})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = folder / "request.json"
        request.write_text(json.dumps(wire), encoding="utf-8")
        try:
            tool.run(["-m", __name__, str(request)], folder)
        except EngineError as error:
            raise _told(folder / ERROR) or error.placed(model_path) from error
        return EngineFile(**json.loads((folder / RESULT).read_text(encoding="utf-8")))


def make_engine(wire: Mapping[str, Any]) -> EngineFile:
    """What the request asks for, in this process."""
    options = BuildOptions(**wire["options"])
    trt = import_tensorrt()
    check_options(options, version_of(trt))
    cuda = open_cuda(wire["cuda_library"])
    fingerprint = fingerprint_of(machine_of(trt.__version__, cuda.device()), wire["model_path"], options)
    cache = EngineCache(wire["cache"], fingerprint)
    engine, because = cache.found()
    if engine:
        return engine
    log = make_log(trt)
    load_plugins(trt, log, options.plugins)
    builder = Builder(trt, log, cuda, options, cache.folder)
    start = time.perf_counter_ns()
    content = builder.build(wire["model_path"], fingerprint["model_sha256"])
    return cache.keep(
        content, because=because, build_ns=time.perf_counter_ns() - start, dla_share=builder.dla_share,
        dla_pieces=builder.dla_pieces,
    )  # fmt: skip


def main(arguments: List[str]) -> int:
    """Returns the process's exit status: 0 with a result, 1 with an error."""
    request = Path(arguments[0])
    try:
        engine = make_engine(json.loads(request.read_text(encoding="utf-8")))
    except HarnessError as error:
        _write(request.with_name(ERROR), error.to_wire())
        return 1
    _write(request.with_name(RESULT), asdict(engine))
    return 0


def _absolute(library: str) -> str:
    """A bare name is the loader's to find."""
    return os.path.abspath(library) if os.sep in library else library


def _told(path: Path) -> Any:
    return HarnessError.from_wire(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _write(path: Path, said: Dict[str, Any]) -> None:
    path.write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # TensorRT may crash while Python ends it; the result is on disk by now.
    os._exit(status)
