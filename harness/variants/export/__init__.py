"""A torch net as the files of a new variant: called as the parent's files are, and equal to the net on real frames."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from harness.errors import EngineError, HarnessError, printable
from harness.members import member
from harness.variants import Bench, Made
from harness.variants.export.equality import (
    compared,
    differences,
    file_answers,
    first_frames,
    net_answers,
    require_equal,
)
from harness.variants.export.interface import Interface, interface, require_interface, task_outputs
from harness.variants.export.onnx_file import STATIC, OnnxForm, open_answers
from harness.variants.export.opsets import require_readable
from harness.variants.export.torch_side import ready

WRITERS = {
    "onnx": "harness.variants.export.onnx_file:to_onnx",
    "tflite": "harness.variants.export.litert_file:to_tflite",
    "pte": "harness.variants.export.program:to_pte",
    "pt2": "harness.variants.export.program:to_pt2",
}


def export(net: Any, bench: Bench, name: str, form: OnnxForm = STATIC) -> Made:
    """Write folder/NAME.FORMAT for every format of the bench; facts and failures by format.

    net: for inference, input [1, channels, height, width]. form: of the ONNX file. Its file is kept only where it
    agrees with the net on real frames. HarnessError where no format works.
    """
    plain, files, facts, failures = ready(net), {}, {}, {}
    for file_format in bench.formats:
        path = bench.folder / f"{name}.{file_format}"
        bench.say(f"{name}: exporting {path.name}")
        try:
            facts[file_format] = _exported(plain, bench, path, form)
            files[file_format] = path
        except HarnessError as error:
            failures[file_format] = error.sentence
            path.unlink(missing_ok=True)
    if not files:
        told = "; ".join(f"{one}: {why}" for one, why in failures.items())
        raise HarnessError(f"the net cannot be exported: {told or 'no format is wanted'}", where=name)
    return Made(files=files, facts=facts, failures=failures)


def _exported(net: Any, bench: Bench, path: Path, form: OnnxForm) -> dict[str, Any]:
    file_format = path.suffix.removeprefix(".")
    write = member("format that a net is exported to", file_format, WRITERS, str(path))
    wanted = interface(bench, file_format)
    of_onnx = {"form": form} if file_format == "onnx" else {}
    bench.folder.mkdir(parents=True, exist_ok=True)
    try:
        write(net, wanted, path, **of_onnx)
    except HarnessError:
        raise
    except ImportError as error:
        raise EngineError(f"the exporter is missing: {error}", remedy="pip install 'dms-harness[zoo]'") from error
    except Exception as error:
        # An exporter raises whatever the library below it does.
        raise EngineError(f"the exporter fails: {printable(str(error), 500)}", where=str(path)) from error
    require_interface(wanted, path)
    return {**_checked(net, bench, wanted, path), **(_onnx_facts(net, bench, wanted, path, form) if of_onnx else {})}


def _checked(net: Any, bench: Bench, wanted: Interface, path: Path) -> dict[str, Any]:
    frames = first_frames(bench.frames.calibration)
    ours = net_answers(net, task_outputs(bench) or wanted.outputs, bench.card, frames)
    equal = require_equal(compared(ours, file_answers(path, bench.card, frames), bench.card, frames), str(path))
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **equal.facts()}


def _onnx_facts(net: Any, bench: Bench, wanted: Interface, path: Path, form: OnnxForm) -> dict[str, Any]:
    if form.open_axes(wanted):
        _require_open(net, bench, wanted, path, form)
    notes = require_readable(path, bench.engines)
    return {"opset": form.opset, "exporter": form.exporter, **({"notes": list(notes)} if notes else {})}


def _require_open(net: Any, bench: Bench, wanted: Interface, path: Path, form: OnnxForm) -> None:
    """A file may say that it is open, and still run only as it was traced."""
    image = next(bench.frames.calibration.tensors(bench.card.input_spec("onnx")))
    ours, files = open_answers(net, path, wanted, form, image)
    require_equal(differences([ours], [files]), f"{path}, on a larger input")
