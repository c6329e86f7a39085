"""Options of tasks and decoders: checked one by one, refused by name with what is allowed."""

from __future__ import annotations

import inspect
import math
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from harness.errors import ConfigError, unknown

WHERE = "[options] of the model card"


def build(
    kind: str,
    name: str,
    maker: Callable[..., Any],
    options: Mapping[str, Any],
    *,
    fixed: Mapping[str, Any],
    also: Iterable[str] = (),
) -> Any:
    """`maker(**fixed, **options)`, after checking that it takes these options and has all it needs.

    also: options known elsewhere, named in the message only. ConfigError for an unknown or missing option.
    """
    keywords = _keywords(maker)
    known = [option for option in keywords if option not in fixed]
    for option in options:
        if option in fixed or (option not in keywords and not _open_ended(maker)):
            raise ConfigError(unknown(f"option of {kind} {name!r}", option, [*known, *also]), where=WHERE)
    for option, default in keywords.items():
        if default is inspect.Parameter.empty and option not in fixed and option not in options:
            raise ConfigError(f"{kind} {name!r} needs the option {option!r}", where=WHERE)
    return maker(**fixed, **options)


def option_names(maker: Callable[..., Any]) -> List[str]:
    """The keyword options that `maker` takes."""
    return list(_keywords(maker))


def _keywords(maker: Callable[..., Any]) -> Dict[str, Any]:
    parameters = inspect.signature(maker).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def _open_ended(maker: Callable[..., Any]) -> bool:
    parameters = inspect.signature(maker).parameters.values()
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


def refuse(option: str, value: object, allowed: str) -> ConfigError:
    """The error for an option with a value that cannot be right."""
    return ConfigError(f"option {option} = {value!r}", where=WHERE, remedy=f"allowed: {allowed}")


def choice(option: str, value: object, allowed: Iterable[str]) -> str:
    """`value` where it is one of `allowed`."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        raise refuse(option, value, ", ".join(names))
    return value


def flag(option: str, value: object) -> bool:
    """`value` where it is true or false."""
    if not isinstance(value, bool):
        raise refuse(option, value, "true or false")
    return value


def text(option: str, value: object) -> str:
    """`value` where it is a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise refuse(option, value, "a text that is not empty")
    return value


def number(
    option: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> float:
    """`value` where it is a finite number within the limits."""
    plain = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if math.isfinite(plain) and above < plain < below and at_least <= plain <= at_most:
        return plain
    limits = {"above": above, "at least": at_least, "at most": at_most, "below": below}
    said = [f"{word} {limit:g}" for word, limit in limits.items() if math.isfinite(limit)]
    raise refuse(option, value, " ".join(["a number", " and ".join(said)]).strip())


def integer(option: str, value: object, *, at_least: int) -> int:
    """`value` where it is a whole number of at least `at_least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise refuse(option, value, f"a whole number of at least {at_least}")
    return value


def integers(option: str, value: object, *, at_least: int) -> Tuple[int, ...]:
    """`value` as a tuple, where it is a list of one or more whole numbers."""
    allowed = f"a list of whole numbers of at least {at_least}"
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise refuse(option, value, allowed)
    if any(not isinstance(one, int) or isinstance(one, bool) or one < at_least for one in value):
        raise refuse(option, value, allowed)
    return tuple(value)


def class_names(value: object) -> Tuple[str, ...]:
    """`classes`: one or more different names, in the order of the model's output."""
    names: Tuple[Any, ...] = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if not names or any(not isinstance(one, str) or not one for one in names) or len(set(names)) < len(names):
        raise refuse("classes", value, "a list of different names, in the order of the model's output")
    return names
