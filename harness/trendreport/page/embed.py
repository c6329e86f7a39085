"""What may stand in an HTML file: strict JSON in an element, text, the hashes of its policy, a link's template."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from harness.errors import ConfigError, printable

_NUMBERS = frozenset((int, float))
# Inside a script element these could end it, or start a comment in it; elsewhere they mean nothing.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
PLACEHOLDER = "{commit}"


def json_text(value: Any) -> str:
    """`value` as compact ASCII JSON for a script element; NaN and infinity become null, text is shown text."""
    text = json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for found, escaped in _ESCAPES.items():
        text = text.replace(found, escaped)
    return text


def shown(value: object) -> str:
    """As text: what is invisible, or would turn the direction of writing, becomes a visible escape."""
    text = str(value)
    # An escape has at most ten characters: nothing is cut off.
    return text if text.isprintable() else printable(text, 10 * len(text))


def policy(script: str, style: str) -> str:
    """The content security policy of a page whose only script and style are these texts.

    Directives as in W3C, Content Security Policy Level 3; a meta element may not say frame-ancestors or sandbox.
    """
    return (
        f"default-src 'none'; script-src '{sha256_source(script)}'; style-src '{sha256_source(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def sha256_source(text: str) -> str:
    """The hash of an inlined text as a policy's source expression, without its quotes."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def checked_commit_url(template: str) -> str:
    """`template`, or "" where there is none; ConfigError unless it is a web address with {commit} behind the host."""
    if not template:
        return ""
    try:
        parts = urlsplit(template)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    inert = template.isascii() and template.isprintable() and not set(template) & set(" \"'<>\\^`")
    behind = f"{parts.path}?{parts.query}#{parts.fragment}"
    if parts.scheme not in ("http", "https") or not host or not inert or PLACEHOLDER not in behind or "{" in host:
        raise ConfigError(
            f"{template!r} is no address of a commit", where="commit_url",
            remedy=f"write one like https://git.example/repo/commit/{PLACEHOLDER}",
        )  # fmt: skip
    return template


def commit_link(template: str, commit: str) -> str:
    """The address of `commit`, whose + says that files differed from it; "" without a template or a commit."""
    named = commit.rstrip("+")
    return (
        template.replace(PLACEHOLDER, quote(named.encode("utf-8", "backslashreplace"), safe=""))
        if template and named
        else ""
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        numbers = set(map(type, value)) <= _NUMBERS and all(map(math.isfinite, value))
        return value if numbers else [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else shown(value)
