"""Reading human-written TOML: one schema, and errors that name the file, the key and the value."""

from __future__ import annotations

import datetime
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError, unknown


class Schema(BaseModel):
    """Base of every table that people write: frozen, strict, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Schema)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError where it is missing or not TOML (duplicate keys too)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error


def check(schema: type[S], tables: Mapping[str, Any], path: Path) -> S:
    """`tables` as `schema`; ConfigError with every fault that was found."""
    try:
        strange = [f"{place} = {value}: not a finite number or a text" for place, value in _strange(tables)]
        if strange:
            raise ConfigError("; ".join(strange), where=str(path))
        return schema.model_validate(_tuples(tables))
    except RecursionError as error:
        raise ConfigError("tables within tables without end", where=str(path)) from error
    except ValidationError as error:
        faults = "; ".join(_fault(schema, one) for one in error.errors())
        raise ConfigError(faults, where=str(path)) from error


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, table by table; lists and values are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _strange(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """What TOML can say and no key takes, however free the key is: infinity, NaN, dates and times."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _strange(one, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _strange(one, f"{place}.{index}")
    elif isinstance(value, datetime.date | datetime.time) or (isinstance(value, float) and not math.isfinite(value)):
        yield place, value


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(one) for key, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _fault(schema: type[BaseModel], error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    if not place:
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return unknown("key", place, _known_keys(schema, error["loc"]))
    if error["type"] == "missing":
        return f"{place} is missing"
    return f"{place} = {_shown(error['input'])}: {error['msg'].replace('tuple', 'list').replace('Tuple', 'List')}"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print whole numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _known_keys(schema: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    prefix = ".".join(map(str, location[:-1]))
    current: Any = schema
    for step in location[:-1]:
        current = _below(current, str(step))
    names = list(getattr(current, "model_fields", {}))
    return [f"{prefix}.{name}" if prefix else name for name in names]


def _below(schema: Any, step: str) -> Any:
    fields = getattr(schema, "model_fields", {})
    if step not in fields:
        return schema
    annotation = fields[step].annotation
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)
