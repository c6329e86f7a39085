"""Whether trtexec did what it was asked: a good end, exports that can be read, and the settings that really held."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, Mapping, TypeVar

from harness.errors import EngineError
from harness.tooloutput import trtexec as told

SETTINGS = (
    "Data transfers", "Spin-wait", "CUDA Graph", "ExposeDMA", "Inference Streams", "Multithreading", "Sleep time",
    "Idle time",
)  # fmt: skip
Read = TypeVar("Read")


def passed_log(text: str, where: str) -> told.Log:
    """EngineError where the tool itself does not say PASSED; that it does proves nothing about the outputs."""
    log = told.parse_log(text)
    if not log.passed:
        raise EngineError(
            f"trtexec did not come to a good end: {' / '.join(log.errors[-3:]) or 'it never said PASSED'}",
            where=where, remedy="an engine file runs only with the TensorRT and on the GPU that built it",
        )  # fmt: skip
    return log


def read_export(path: Path, parse: Callable[[str], Read], where: str) -> Read:
    """One of the files that it writes beside its log; EngineError where that is not whole."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"trtexec's export {path.name} cannot be read: {error}", where=where,
            remedy="is the disk full? otherwise this version writes another form",
        ) from error  # fmt: skip


def settings_of(log: told.Log) -> Dict[str, str]:
    """What decides times, as it really held."""
    options = log.sections.get("Inference Options", {})
    return {name: options[name] for name in SETTINGS if name in options}


def refuse_other_settings(log: told.Log, wanted: Mapping[str, bool]) -> None:
    """The log says what really held; a graph that could not be captured is a warning there and an error here."""
    held = settings_of(log)
    wrong = [name for name, on in wanted.items() if held.get(name, "") not in ("", "Enabled" if on else "Disabled")]
    lost = [one for one in log.warnings if re.search(r"graph capture.*fail", one, re.I)]
    if wrong or lost:
        raise EngineError(
            f"trtexec did not run as the options say: {f'{wrong[0]}: {held[wrong[0]]}' if wrong else lost[0]}",
            where="runtimes.* of the device profile", remedy="correct transfers, spin_wait, cuda_graph or arguments",
        )  # fmt: skip
