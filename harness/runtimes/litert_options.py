"""Fused activations of a TFLite file: the interpreter does not tell them, the file does.

Field numbers are those of the TFLite schema, version 3.
"""

from __future__ import annotations

import os
from typing import Dict, List, Tuple

from harness.modelfile.flatbuffer import Table
from harness.modelfile.info import Limits
from harness.modelfile.source import Source

# Operator kind -> the field of its options that names the fused activation (0: none).
_CONVOLUTIONS = {3: 3, 4: 4}


def fusion(path: str) -> Dict[str, int]:
    """How many convolutions the first graph of a .tflite file has, and how many of them hold their activation."""
    with open(path, "rb") as stream:
        model = Table.root(Source(stream, os.fstat(stream.fileno()).st_size, path, Limits()))
        kinds = [max(one.number(0, "b"), one.number(3, "i")) for one in model.tables(1)]
        found = [_convolution(one, kinds) for one in model.tables(2)[0].tables(3)]
    return {"convolutions": sum(one for one, _ in found), "with_activation": sum(fused for _, fused in found)}


def _convolution(operator: Table, kinds: List[int]) -> Tuple[bool, bool]:
    field = _CONVOLUTIONS.get(kinds[operator.number(0, "I")])
    options = operator.table(4) if field is not None else None
    return field is not None, bool(options is not None and field is not None and options.number(field, "b"))
