"""What a runner answers (docs/external-runner.md), checked: ValueError names the field and what it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from harness.case import TensorSpec

DTYPES = ("float32", "float16", "float64", "uint8", "int8", "int32", "int64", "bool")
LARGEST_TENSOR = 2**32
SHARES = ("placement", "layer_precisions")
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Hello:
    """Who answers. formats: endings of the model files that it loads, empty where it looks into the file itself."""

    protocol: int
    name: str
    engine: str
    version: str
    formats: Tuple[str, ...]
    exchanges: Tuple[str, ...]


@dataclass(frozen=True)
class Loaded:
    """The model as the runner loaded it. facts: those of Runtime.facts that it tells."""

    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    facts: Mapping[str, Any]


def read_hello(answer: Answer) -> Hello:
    """The answer to hello."""
    return Hello(
        _whole(answer, "protocol"), _text(answer, "name"), _text(answer, "engine"), _text(answer, "version"),
        _texts(answer, "formats"), _texts(answer, "exchanges"),
    )  # fmt: skip


def read_loaded(answer: Answer) -> Loaded:
    """The answer to load."""
    inputs, outputs = _tensors(answer, "inputs"), _tensors(answer, "outputs")
    facts = answer.get("facts", {})
    if not isinstance(facts, dict):
        raise _unfit("facts", facts, "an object")
    return Loaded(inputs, outputs, _facts(facts))


def read_stats(answer: Answer) -> Dict[str, Dict[str, Any]]:
    """The answer to stats: name -> value and unit."""
    found = {}
    for one in _list(answer, "values"):
        if not isinstance(one, dict):
            raise _unfit("values", one, "objects with name, value and unit")
        found[_text(one, "name")] = {"value": _number(one, "value"), "unit": _text(one, "unit")}
    return found


def read_infer_ns(answer: Answer) -> Optional[int]:
    """The runner's own time for the frame, where it tells one."""
    return _whole(answer, "infer_ns") if "infer_ns" in answer else None


def _tensors(answer: Answer, key: str) -> Tuple[TensorSpec, ...]:
    found = tuple(_tensor(key, one) for one in _list(answer, key))
    names = [one.name for one in found]
    if not found or len(set(names)) != len(names):
        raise _unfit(key, names, "at least one tensor, each with a name of its own")
    return found


def _tensor(key: str, one: Any) -> TensorSpec:
    if not isinstance(one, dict):
        raise _unfit(key, one, "objects with name, dtype and shape")
    name, dtype, shape = _text(one, "name"), _text(one, "dtype"), tuple(_list(one, "shape"))
    if dtype not in DTYPES:
        raise _unfit(f"dtype of {name!r}", dtype, "one of " + ", ".join(DTYPES))
    if not all(type(size) is int and size > 0 for size in shape) or math.prod(shape) > LARGEST_TENSOR:
        raise _unfit(
            f"shape of {name!r}", list(shape), "whole numbers above 0: sizes that the file leaves open are fixed"
        )
    scale = _number(one, "scale") if one.get("scale") is not None else None
    zero_point = one.get("zero_point", 0)
    if type(zero_point) is not int or (scale is not None and scale <= 0):
        raise _unfit(f"scale and zero_point of {name!r}", [scale, zero_point], "a number above 0 and a whole number")
    return TensorSpec(name, shape, dtype, scale, zero_point)


def _facts(told: Answer) -> Dict[str, Any]:
    """Those that the harness knows; a runner may tell more."""
    readers = {"precision": _text, "promised": _text, "threads": _whole, "partitions": _whole, "fusion": _counts}
    readers.update(dict.fromkeys(SHARES, _shares))
    return {name: reader(told, name) for name, reader in readers.items() if name in told}


def _shares(told: Answer, key: str) -> Dict[str, float]:
    value = told[key]
    if not isinstance(value, dict) or not value:
        raise _unfit(key, value, "an object of shares")
    shares = {name: _number(value, name) for name in value}
    if min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 0.01:
        raise _unfit(key, value, "shares from 0 to 1 that add up to 1")
    return shares


def _counts(told: Answer, key: str) -> Dict[str, int]:
    value = told[key]
    if not isinstance(value, dict):
        raise _unfit(key, value, "an object of whole numbers")
    return {name: _whole(value, name) for name in ("convolutions", "with_activation", "batch_norms") if name in value}


def _text(answer: Answer, key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise _unfit(key, value, "a text")
    return value


def _texts(answer: Answer, key: str) -> Tuple[str, ...]:
    return tuple(_text({key: one}, key) for one in _list(answer, key))


def _whole(answer: Answer, key: str) -> int:
    value = answer.get(key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise _unfit(key, value, "a whole number, 0 or more")
    return value


def _number(answer: Answer, key: str) -> float:
    value = answer.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise _unfit(key, value, "a finite number")
    return float(value)


def _list(answer: Answer, key: str) -> List[Any]:
    value = answer.get(key)
    if not isinstance(value, list):
        raise _unfit(key, value, "a list")
    return value


def _unfit(key: str, value: Any, wanted: str) -> ValueError:
    return ValueError(f"{key} = {str(value)[:200]!r} and must be {wanted}" if value is not None else f"no {key}")
