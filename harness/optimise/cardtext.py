"""A model card's text with one more variant: no comment and no other key is touched. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

_HEADER = re.compile(r"^[ \t]*\[\[?[ \t]*(?P<path>[^\[\]#]+?)[ \t]*\]\]?[ \t]*(?:#.*)?$", re.MULTILINE)


def with_variant(text: str, name: str, files: Mapping[str, str], parent: str, made: str) -> str:
    """The text with [variants.NAME] behind the other variants, in place of one of that name.

    ValueError where the result would not say exactly the old card and the new variant: an inline table of variants, or
    a line within a text that looks like a table's header.
    """
    table = {"parent": parent, "made": made, "files": dict(files)}
    wanted = tomllib.loads(text)
    wanted.setdefault("variants", {})[name] = table
    block = _block(name, table).replace("\n", "\r\n" if "\r\n" in text else "\n")
    for place in (_behind_variants, _at_end):
        found = place(_without(text, name), block)
        if _says(found, wanted):
            return found
    raise ValueError(f"[variants.{name}] can be put nowhere in it without changing what it says")


def _block(name: str, table: Mapping[str, Any]) -> str:
    files = ", ".join(f"{form} = {_quoted(file)}" for form, file in table["files"].items())
    return (
        f"[variants.{_key(name)}]\nparent = {_quoted(table['parent'])}\nmade = {_quoted(table['made'])}\n"
        f"files = {{ {files} }}\n"
    )


def _behind_variants(text: str, block: str) -> str:
    """Before the first table behind the last one of the variants."""
    headers = list(_HEADER.finditer(text))
    last = max((index for index, one in enumerate(headers) if _path(one)[0] == "variants"), default=None)
    if last is None or last + 1 == len(headers):
        return _at_end(text, block)
    end = _before_comments(text, headers[last + 1].start())
    return f"{text[:end].rstrip()}\n\n{block}\n{text[end:]}"


def _at_end(text: str, block: str) -> str:
    return f"{text.rstrip()}\n\n{block}"


def _before_comments(text: str, start: int) -> int:
    """Comments right above a header belong to it."""
    lines = text[:start].splitlines(keepends=True)
    while lines and lines[-1].lstrip().startswith("#"):
        lines.pop()
    return len("".join(lines))


def _without(text: str, name: str) -> str:
    """The text less the tables of a variant, with all that stands in them."""
    headers = list(_HEADER.finditer(text))
    for index in reversed(range(len(headers))):
        if _path(headers[index])[:2] == ["variants", name]:
            following = headers[index + 1].start() if index + 1 < len(headers) else len(text)
            end = max(_before_comments(text, following), headers[index].end()) if following < len(text) else following
            text = text[: headers[index].start()] + text[end:].lstrip("\n")
    return text


def _path(header: re.Match[str]) -> list[str]:
    """The keys of a table's header: "variants", "int8"."""
    try:
        table: Any = tomllib.loads(f"[{header['path']}]")
    except ValueError:
        return [header["path"]]
    keys = []
    while table:
        ((key, table),) = table.items()
        keys.append(key)
    return keys


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False


def _key(name: str) -> str:
    """Bare where TOML takes it so: a dot would begin another table."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, for text of one plane and without DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
