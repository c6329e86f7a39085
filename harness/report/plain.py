"""Any value as strict JSON: no NaN, no infinity, no text that a strict reader refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` as JSON values. What is None, NaN or infinite is left out of mappings and null in lists."""
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        entries = ((_text(key), plain(entry)) for key, entry in value.items())
        return {key: entry for key, entry in entries if entry is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _text(value)


def _text(value: Any) -> str:
    """Text whose lone surrogates are shown as escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
