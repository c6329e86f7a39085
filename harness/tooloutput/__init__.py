"""What vendors' tools print, brought into one form, so that their figure can be laid beside the harness's.

Read downwards: `figures` is the normal form; one module per tool turns its text into it. `trtexec`, `qnn` and `snpe`
read their tool's text as it is, for the engines too; `nvidia` and `qualcomm` bring that into the normal form.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Mapping, Protocol, Union

from harness.errors import unknown
from harness.members import member
from harness.tooloutput.figures import Draft, Layer, Number, ToolOutput, ToolOutputError

__all__ = ["TOOLS", "Draft", "Layer", "Number", "Reader", "ToolOutput", "ToolOutputError", "read_output", "recognise"]

LARGEST_BYTES = 64 << 20
ANSI = re.compile(r"\x1b\[[0-9;]*m")

TOOLS: Mapping[str, str] = {
    "trtexec": "harness.tooloutput.nvidia:read_trtexec",
    "qnn-profile-viewer": "harness.tooloutput.qualcomm:read_profile_viewer",
    "snpe-diagview": "harness.tooloutput.qualcomm:read_diagview",
    "benchmark_app": "harness.tooloutput.benchmark_app:read_benchmark_app",
    "onnxruntime_perf_test": "harness.tooloutput.onnxruntime_perf:read_perf_test",
    "benchmark_model": "harness.tooloutput.litert_benchmark:read_benchmark_model",
    "tidl": "harness.tooloutput.tidl:read_tidl",
    "loadgen": "harness.tooloutput.loadgen:read_loadgen",
}

# What no other tool of the table prints.
MARKS: Mapping[str, str] = {
    "trtexec": r"TensorRT\.trtexec|GPU Compute Time: min = |\"(?:h2dMs|inMs|averageMs)\"\s*:|\A\s*\{\s*\"Layers\"",
    "qnn-profile-viewer": r"^Execute Stats|Msg Timestamp\s*,",
    "snpe-diagview": r"Average SNPE Statistics|^Total Inference Time: \d",
    "benchmark_app": r"^\[Step \d+/\d+\]|\"execution_results\"|\"(?:detailed|avg)_performance\"|^Execution results\s*$"
    r"|^layerName[;,]|^\[ INFO \] (?:Throughput|Latency):",
    "onnxruntime_perf_test": r"^\s*(?:Min|Max|P\d+) Latency(?: is|:)|^Session creation time cost:|^Total time cost:",
    "benchmark_model": r"\bcount=\d+ (?:first|curr)=|nference timings in us:|\bInference \(avg\):|\"warmup_first_ms\""
    r"|node\(s\) with delegate|\[node type\]",
    "tidl": r"Inference Time Per Image|Completed_Model|ts:run_start",
    "loadgen": r"^:::MLLOG|^MLPerf Results Summary|\"accelerator_model_name\"\s*:",
}


class Reader(Protocol):
    """Turns one text of its tool into the normal form; ToolOutputError where there is nothing of it in the text."""

    def __call__(self, text: str) -> ToolOutput: ...


def recognise(text: str) -> str:
    """The name in TOOLS of the one tool that printed this; ToolOutputError where it is none or more than one."""
    found = [name for name, mark in MARKS.items() if re.search(mark, text, re.M)]
    if len(found) == 1:
        return found[0]
    what = f"the text holds lines of {' and '.join(found)}" if found else "no tool that is known prints this"
    raise ToolOutputError(what, remedy=f"name one with --tool: {', '.join(TOOLS)}")


def read_output(source: Union[str, Path], tool: str = "") -> ToolOutput:
    """The normal form of a text, or of the file at a Path; ToolOutputError for all that is wrong with it."""
    if tool and tool not in TOOLS:
        raise ToolOutputError(unknown("tool", tool, TOOLS))
    where = str(source) if isinstance(source, Path) else ""
    try:
        text = _file(source) if isinstance(source, Path) else source
        return _read(ANSI.sub("", text), tool)
    except ToolOutputError as error:
        raise error.placed(where) if where else error from None


def _read(text: str, tool: str) -> ToolOutput:
    name = tool or recognise(text)
    reader: Reader = member("tool", name, TOOLS)
    try:
        return reader(text)
    except (ValueError, RecursionError) as error:
        raise ToolOutputError(f"this cannot be read as output of {name}: {error}") from error


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ToolOutputError(f"the file cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST_BYTES:
        raise ToolOutputError("the file is larger than 64 MiB: no summary of a tool is", remedy="cut it to the summary")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig", "replace")
