"""Python source without what only its reader needs: comments, blank lines, docstrings, annotations that nobody asks.

Bytes are cut out and nothing is written anew: what ast writes depends on the Python that writes it, and since 3.12 an
older one cannot always read it. Annotations of a class's own fields stay: they make its fields.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from harness.board.linking import Linked, is_text

# Without a quote behind it, a number sign is in no text of its line.
COMMENT = re.compile(rb"\s*#[^'\"\n]*$")
Cut = tuple[int, int, bytes]


def slim(module: Linked) -> str:
    """The source of what was kept of a module."""
    text = _Text(module.source)
    found = [(one.node, list(_cuts(one.node, text))) for one in module.kept]
    lines = [_import(node, module.names) or text.without(node, cuts) for node, cuts in found]
    return "".join(f"{line}\n" for line in lines if line)


def without_methods(source: str, names: Collection[str]) -> str:
    """The source without the methods of these names; SyntaxError where it is no Python."""
    lines = source.splitlines(keepends=True)
    classes = [one for one in ast.parse(source).body if isinstance(one, ast.ClassDef)]
    for one in (one for found in classes for one in found.body):
        if isinstance(one, ast.FunctionDef) and one.name in names:
            first = min([one.lineno, *(decorator.lineno for decorator in one.decorator_list)])
            lines[first - 1 : one.end_lineno] = ["\n"] * ((one.end_lineno or first) - first + 1)
    return "".join(lines)


def _import(node: ast.stmt, names: frozenset[str]) -> str:
    """An import of the names that are used, on one line; empty for any other statement."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return ""
    future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    used = [one for one in node.names if future or (one.asname or one.name.partition(".")[0]) in names]
    said = ",".join(f"{one.name} as {one.asname}" if one.asname else one.name for one in used)
    return f"from {node.module} import {said}" if isinstance(node, ast.ImportFrom) else f"import {said}"


class _Text:
    """A source in bytes, as ast counts its columns."""

    def __init__(self, source: str) -> None:
        self.bytes = source.encode()
        self.lines = self.bytes.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def without(self, node: ast.stmt, cuts: list[Cut]) -> str:
        """A top-level statement, with its decorators, without the cuts; of two that overlap the earlier, longer one."""
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        here, pieces = self.starts[first - 1], []
        for start, end, instead in sorted(cuts, key=lambda cut: (cut[0], -cut[1])):
            if start >= here:
                pieces += [self.bytes[here:start], instead]
                here = end
        return b"".join([*pieces, self.bytes[here : self.end(node)]]).decode()


def _cuts(root: ast.stmt, text: _Text) -> Iterator[Cut]:
    inside: set[int] = set()
    fields: set[int] = set()
    for node in ast.walk(root):
        if isinstance(node, ast.ClassDef):
            fields.update(map(id, node.body))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from _of_docstring(node, text)
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            inside.update(range(node.lineno, node.end_lineno or 0))
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            before = text.bytes[: text.start(node.returns)].rpartition(b"->")[0]
            yield len(before.rstrip()), text.end(node.returns), b""
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield text.start(node) + len(node.arg.encode()), text.end(node.annotation), b""
        elif isinstance(node, ast.AnnAssign) and id(node) not in fields:
            bare = text.start(node), text.end(node), b"0"
            yield bare if node.value is None else (text.end(node.target), text.end(node.annotation), b"")
    yield from _of_lines(root, inside, text)


def _of_docstring(node: ast.FunctionDef | ast.ClassDef, text: _Text) -> Iterator[Cut]:
    first = node.body[0]
    if is_text(first) and len(node.body) > 1:
        yield text.starts[first.lineno - 1], text.starts[first.end_lineno or first.lineno], b""
    elif is_text(first):
        yield text.start(first), text.end(first), b"0"


def _of_lines(root: ast.stmt, inside: Collection[int], text: _Text) -> Iterator[Cut]:
    """Blank lines and comments. inside: lines that end within a text."""
    for number in range(root.lineno, root.end_lineno or root.lineno):
        line, start = text.lines[number - 1], text.starts[number - 1]
        if number in inside or number - 1 in inside:
            continue
        if not line.strip() or line.lstrip().startswith(b"#"):
            yield start, start + len(line), b""
        elif found := COMMENT.search(line.rstrip(b"\n")):
            yield start + found.start(), start + len(line.rstrip(b"\n")), b""
