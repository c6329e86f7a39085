"""The lines of the runner protocol (docs/external-runner.md): a flat JSON object out, a JSON object back."""

from __future__ import annotations

import json
from typing import Any, Dict, Union

from harness.errors import EngineError, printable

PROTOCOL = 1
LONGEST_LINE_BYTES = 65536
SHOWN_CHARACTERS = 120


def encode_request(op: str, **fields: Union[str, int]) -> bytes:
    """One line of UTF-8 in which only quotes and backslashes are escaped, so that a hand-made parser reads it.

    EngineError for a text with control characters, or that is no Unicode, and for too long a line.
    """
    for name, value in fields.items():
        if isinstance(value, str) and any(char < " " or "\ud800" <= char <= "\udfff" for char in value):
            raise EngineError(
                f"{name} = {value!r} has characters that the runner protocol does not carry",
                remedy="rename the file or folder; write runner_options without line ends",
            )
    line = json.dumps({"op": op, **fields}, separators=(",", ":"), ensure_ascii=False).encode("utf-8") + b"\n"
    if len(line) > LONGEST_LINE_BYTES:
        raise EngineError(
            f"the request {op} has {len(line)} bytes, and a line to a runner has at most {LONGEST_LINE_BYTES}",
            remedy="shorten runner_options: give the runner the path of a file instead",
        )
    return line


def decode_answer(line: bytes) -> Dict[str, Any]:
    """The object on one line; ValueError, saying what stands there, where it is none."""
    try:
        found = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown(line)}, which is no JSON ({printable(str(error), SHOWN_CHARACTERS)})") from error
    if not isinstance(found, dict) or not isinstance(found.get("op"), str):
        raise ValueError(f'{shown(line)}, which is no JSON object with a text "op"')
    return found


def shown(data: bytes) -> str:
    """The beginning of `data` in quotes."""
    text = data.decode("utf-8", "replace").rstrip("\n")
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
