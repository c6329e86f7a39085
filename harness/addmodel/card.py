"""The text of a guessed card: TOML with comments that say what to check."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.addmodel.guess import CardGuess
from harness.errors import printable
from harness.modelfile import ModelInfo

VARIANTS = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int8"}


def _variant(info: ModelInfo) -> str:
    return VARIANTS.get(info.weight_dtype, "fp32")


def card_file_name(info: ModelInfo) -> str:
    """What the model file is called beside its card, after the dtype of most of its weights."""
    return f"{_variant(info)}.{info.format}"


def card_text(file: Path, info: ModelInfo, guess: CardGuess) -> str:
    """The card as TOML; its head says what was guessed."""
    variant = _variant(info)
    lines = [
        *_head(file, info, guess),
        f"description = {_toml(f'Added from {printable(file.name)}')}",
        f"task = {_toml(guess.task)}",
    ]
    lines += _table("input", guess.input)
    for extra in guess.extras:
        values = {"shape": list(extra.shape), "dtype": extra.dtype, "value": extra.value}
        lines += _table(f"extra_inputs.{_key(extra.name)}", values)
    if guess.outputs:
        lines += _table(f"formats.{info.format}", {"outputs": guess.outputs})
    if guess.options:
        lines += _table("options", guess.options)
    made = f"harness add-model {printable(file.name)}"
    lines += _table(f"variants.{variant}", {"made": made, "files": {info.format: card_file_name(info)}})
    return "\n".join(lines) + "\n"


def _head(file: Path, info: ModelInfo, guess: CardGuess) -> list[str]:
    sentences = [f"Written by 'harness add-model' from {file.name}, sha256 {info.sha256}.", "Guessed; check each line:"]
    sentences += [f"- {note}" for note in guess.notes]
    sentences += ["There is no [dataset], so accuracy is not judged; docs/model-card.md explains every key."]
    return [line for sentence in sentences for line in _comment(sentence)] + [""]


def _comment(sentence: str) -> list[str]:
    hang = "  " if sentence.startswith("- ") else ""
    return textwrap.wrap(printable(sentence), 100, initial_indent="# ", subsequent_indent="# " + hang)


def _table(title: str, values: Mapping[str, Any]) -> list[str]:
    return ["", f"[{title}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """A value as TOML. Written here because no library writes comments and keeps short lists on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return _list([_toml(one) for one in value])
    return repr(value)


def _list(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(line) <= 100:
        return line
    return "[\n" + textwrap.fill(", ".join(items), 110, initial_indent="  ", subsequent_indent="  ") + ",\n]"


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    return f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"
